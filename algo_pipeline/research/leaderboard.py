"""Recipes side by side, each on identical folds, against the logistic baseline of its label.

Within a label every candidate is judged on the same rows. It is called better or worse than the baseline only if the
interval of the paired difference leaves out zero after correction for all comparisons on the board.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.types import FloatArray
from algo_pipeline.data.feature_choice import STANDARD_CHOICE, FeatureChoice
from algo_pipeline.research.comparisons import CorrectedComparison, corrected_comparisons
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.splits import SplitRule
from algo_pipeline.research.statistics import Interval, log_loss_differences

if TYPE_CHECKING:
    from algo_pipeline.data.labels import LabelSpec
    from algo_pipeline.research.candidates import EvaluatedRecipe


class Standing(str, Enum):
    """What the corrected comparison with the baseline says."""

    BETTER = "better"
    BASELINE = "the baseline"
    OPEN = "not told apart"
    WORSE = "worse"


@dataclass(frozen=True, slots=True)
class LeaderboardRow:
    """One candidate.

    Attributes
    ----------
    label, model, calibrator : str
        What it predicts, and by what.
    recipe, recipe_hash : str
        Its description with all that differs from the defaults, and its identity.
    n_rows : int
        Out-of-sample rows, the same for all candidates of a label.
    log_loss_skill : float
        Against the base rate of each fold's train part, as a fraction.
    skill_interval : Interval
        At 95 %, not corrected: it answers whether this candidate alone has skill.
    auc, ece : float
        As in :class:`~algo_pipeline.research.evaluate.Score`.
    shuffle_p_value : float
        Of predictive skill.
    against_baseline : CorrectedComparison or None
        Log loss minus that of the label's baseline, in nats per row; None for the baseline itself.
    seconds : float
        To fit, calibrate and predict.
    """

    label: str
    model: str
    calibrator: str
    recipe: str
    recipe_hash: str
    n_rows: int
    log_loss_skill: float
    skill_interval: Interval
    auc: float
    ece: float
    shuffle_p_value: float
    against_baseline: CorrectedComparison | None
    seconds: float

    @property
    def standing(self) -> Standing:
        """Better or worse only where the corrected interval leaves out zero."""
        if self.against_baseline is None:
            return Standing.BASELINE
        paired = self.against_baseline.paired
        return Standing.BETTER if paired.is_better else Standing.WORSE if paired.is_worse else Standing.OPEN


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """All candidates of one symbol.

    Attributes
    ----------
    rows : tuple of LeaderboardRow
        By label; then those better than the baseline, the baseline, those not told apart from it, those worse; then by
        skill. So the first of a label is no mere luckiest.
    first_bar, last_bar : str
        Open times of the first and last out-of-sample row of any label, ISO 8601.
    split : str
        The rule of the folds.
    n_comparisons : int
        Paired comparisons that the correction counts.
    """

    rows: tuple[LeaderboardRow, ...]
    first_bar: str
    last_bar: str
    split: str
    n_comparisons: int


def baseline_recipe(
    label: str, split: SplitRule, features: FeatureChoice = STANDARD_CHOICE, own_label: LabelSpec | None = None
) -> Recipe:
    """What every candidate of a label is compared with: logistic regression, Platt calibration, their defaults."""
    return Recipe("logistic", "platt", label, split, features=features, own_label=own_label)


def build_leaderboard(candidates: Sequence[EvaluatedRecipe]) -> Leaderboard:
    """Compare every candidate with its label's baseline and sort.

    Raises
    ------
    ConfigValueError
        If a label's baseline is missing, or a candidate was evaluated on other rows.
    """
    if not candidates:
        raise ConfigValueError("A leaderboard needs at least one evaluated recipe; found none.")
    baselines = {each.recipe.label: each for each in candidates if _is_baseline(each.recipe)}
    others = [each for each in candidates if not _is_baseline(each.recipe)]
    compared = corrected_comparisons([_differences(each, baselines) for each in others])
    against = {each.recipe.hash: comparison for each, comparison in zip(others, compared, strict=True)}
    order = [each.recipe.label for each in candidates]
    rows = [_row(each, against.get(each.recipe.hash)) for each in candidates]
    tiers = list(Standing)
    rows.sort(key=lambda row: (order.index(row.label), tiers.index(row.standing), -row.log_loss_skill))
    first, last = min(each.oos.index[0] for each in candidates), max(each.oos.index[-1] for each in candidates)
    return Leaderboard(
        tuple(rows), first.isoformat(), last.isoformat(), candidates[0].recipe.split.describe(), len(compared)
    )


def _is_baseline(recipe: Recipe) -> bool:
    return recipe.hash == baseline_recipe(recipe.label, recipe.split, recipe.features, recipe.own_label).hash


def _differences(candidate: EvaluatedRecipe, baselines: dict[str, EvaluatedRecipe]) -> FloatArray:
    baseline = baselines.get(candidate.recipe.label)
    if baseline is None:
        raise ConfigValueError(f"The baseline of {candidate.recipe.label} is missing among the candidates.")
    return log_loss_differences(candidate.oos, baseline.oos)


def _row(candidate: EvaluatedRecipe, against: CorrectedComparison | None) -> LeaderboardRow:
    recipe, score = candidate.recipe, candidate.evaluation.oos
    return LeaderboardRow(
        label=recipe.label,
        model=recipe.model_kind,
        calibrator=recipe.calibrator,
        recipe=recipe.describe(),
        recipe_hash=recipe.hash,
        n_rows=score.n,
        log_loss_skill=score.log_loss_skill,
        skill_interval=candidate.evaluation.intervals["log_loss_skill"],
        auc=score.auc,
        ece=score.ece,
        shuffle_p_value=candidate.shuffle_p_value,
        against_baseline=against,
        seconds=candidate.seconds,
    )

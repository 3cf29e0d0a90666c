"""Hyper-parameter search, nested: chosen on inner folds of early rows, judged once on later rows that it never saw.

The last half of the walk-forward test blocks is set aside. The search works on the rows whose labels are known before
the first of these blocks opens, cut into inner walk-forward folds; no later row is handed to it. Its winner is then
trained on the outer folds that were set aside, and compared with the traded recipe on the same hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from algo_pipeline.common.formatting import count, number, percent
from algo_pipeline.models.parameters import Parameters
from algo_pipeline.research.comparisons import CorrectedComparison, comparison_among
from algo_pipeline.research.dataset import Dataset
from algo_pipeline.research.evaluate import Evaluation, evaluate
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.search_space import settings_lines
from algo_pipeline.research.splits import SplitPlan, SplitRule, walk_forward
from algo_pipeline.research.statistics import Interval, log_loss_differences, log_losses_of
from algo_pipeline.research.train import fit_calibrators, fit_models, score_fold, stitch_probabilities

N_INNER_FOLDS = 4


@dataclass(frozen=True, slots=True, eq=False)
class SearchPlan:
    """Which rows a search sees, and which it is judged on.

    Attributes
    ----------
    seen : Dataset
        The early rows: all that the search is given.
    inner : SplitPlan
        Its folds, on ``seen``.
    outer : SplitPlan
        The folds set aside, on the whole dataset; their test blocks begin after every label of ``seen`` is known.
    """

    seen: Dataset
    inner: SplitPlan
    outer: SplitPlan

    @property
    def judged_rows(self) -> slice:
        """Rows of the whole dataset on which the winner is judged."""
        return slice(self.outer.folds[0].test.start, self.outer.folds[-1].test.stop)


@dataclass(frozen=True, slots=True)
class SearchTrial:
    """One point of the search.

    Attributes
    ----------
    number : int
        In the order they were tried, from 0.
    parameters : mapping
        The point in the search space.
    log_loss_skill : float
        Pooled over the inner folds that it was evaluated on, as a fraction.
    n_folds : int
        How many these were.
    pruned : bool
        Whether it was given up after them.
    """

    number: int
    parameters: Parameters
    log_loss_skill: float
    n_folds: int
    pruned: bool


@dataclass(frozen=True, slots=True)
class JudgedRecipe:
    """A recipe on the rows set aside: its name and hash, and its skill with a 95 % interval."""

    recipe: str
    recipe_hash: str
    log_loss_skill: float
    skill_interval: Interval
    auc: float


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """What a search found and what that is worth.

    Attributes
    ----------
    label, model : str
        What was searched.
    trials : tuple of SearchTrial
        All of them, in order.
    seen_until, judged_from, judged_until : str
        Open times of the last row that the search saw, and of the first and last it is judged on; ISO 8601.
    n_seen, n_judged : int
        How many rows these are.
    winner, traded : JudgedRecipe
        The best of the trials, and the recipe that is traded now, on the rows set aside.
    comparison : CorrectedComparison or None
        Log loss of the winner minus that of the traded recipe, in nats per row, corrected for all recipes that were
        ever judged on such rows; None if the winner is the traded recipe.
    settings : tuple of str
        Lines that make the winner the traded recipe.
    """

    label: str
    model: str
    trials: tuple[SearchTrial, ...]
    seen_until: str
    judged_from: str
    judged_until: str
    n_seen: int
    n_judged: int
    winner: JudgedRecipe
    traded: JudgedRecipe
    comparison: CorrectedComparison | None
    settings: tuple[str, ...]

    @property
    def n_pruned(self) -> int:
        """Trials that were given up."""
        return sum(trial.pruned for trial in self.trials)

    def describe(self) -> str:
        """What came of it, in a few sentences."""
        head = (
            f"{count(len(self.trials))} trials of {self.model} for {self.label} ({count(self.n_pruned)} pruned), on "
            f"{count(self.n_seen)} hours up to {self.seen_until[:10]}. Judged on {count(self.n_judged)} hours from "
            f"{self.judged_from[:10]} to {self.judged_until[:10]}, which no trial saw:"
        )
        return f"{head} {self._finding()}"

    def advice(self) -> str:
        """What to do with the settings."""
        if self.comparison is None:
            return "There is nothing to change. Its settings:"
        if self.comparison.paired.is_better:
            return "To make it the traded recipe, put these lines into .env; the gate then judges it:"
        return "That is no reason to change the traded recipe. The settings that were found:"

    def _finding(self) -> str:
        if self.comparison is None:
            return "the traded recipe is the best of them."
        paired, n = self.comparison.paired, self.comparison.n_comparisons
        verdict = (
            "is better than" if paired.is_better else "is worse than" if paired.is_worse else "is not told apart from"
        )
        difference, lower, upper = (
            number(1000 * value, 2, signed=True)
            for value in (paired.mean_difference, paired.interval.lower, paired.interval.upper)
        )
        return (
            f"{self.winner.recipe} (skill {percent(self.winner.log_loss_skill, 2)}) {verdict} the traded "
            f"{self.traded.recipe} (skill {percent(self.traded.log_loss_skill, 2)}): log loss "
            f"{difference} thousandths of a nat an hour, interval {lower} to {upper}"
            + (f", corrected for {count(n)} recipes judged on such hours." if n > 1 else ".")
        )


def plan_search(dataset: Dataset, split: SplitRule, n_inner_folds: int = N_INNER_FOLDS) -> SearchPlan:
    """Set the last half of the test blocks aside and cut the rows before them into inner folds.

    Raises
    ------
    InsufficientHistoryError
        If the rows before are too few for the inner folds.
    """
    whole = walk_forward(len(dataset), dataset.label, split)
    aside = whole.folds[len(whole.folds) // 2 :]
    # Row i is seen if its label is known before the first row set aside opens.
    stop = aside[0].test.start - dataset.label.horizon_bars - 1
    seen = Dataset(dataset.features.iloc[:stop], dataset.target.iloc[:stop], dataset.label)
    inner = walk_forward(stop, dataset.label, replace(split, n_folds=n_inner_folds))
    return SearchPlan(seen, inner, replace(whole, folds=aside))


def fold_by_fold(plan: SearchPlan, recipe: Recipe) -> Iterator[pd.DataFrame]:
    """Out-of-sample rows of one inner fold after another, each fitted when it is asked for.

    Yields
    ------
    pd.DataFrame
        In the form of :func:`~algo_pipeline.research.train.stitch_probabilities`.
    """
    inner, tried = plan.inner, replace(recipe, split=plan.inner.rule)
    for position, fold in enumerate(inner.folds):
        alone = inner.only(fold)
        (estimator,) = fit_calibrators(plan.seen, alone, tried, fit_models(plan.seen, alone, tried))
        yield score_fold(plan.seen, fold, position, estimator)


def pooled_skill(parts: list[pd.DataFrame]) -> float:
    """Log-loss skill against the folds' base rates over all rows of the parts, as a fraction."""
    oos = pd.concat(parts)
    loss, base = (log_losses_of(oos, name).mean() for name in ("probability", "base_rate"))
    return float(1.0 - loss / base)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A recipe's out-of-sample rows on the folds set aside, and their scores."""

    recipe: Recipe
    oos: pd.DataFrame
    evaluation: Evaluation

    def summary(self) -> JudgedRecipe:
        """What is kept of it."""
        interval = self.evaluation.intervals["log_loss_skill"]
        score = self.evaluation.oos
        return JudgedRecipe(self.recipe.describe(), self.recipe.hash, score.log_loss_skill, interval, score.auc)


def judge_on_outer_folds(dataset: Dataset, plan: SearchPlan, recipe: Recipe) -> Judged:
    """Train a recipe on the folds set aside and score it there."""
    calibrated = fit_calibrators(dataset, plan.outer, recipe, fit_models(dataset, plan.outer, recipe))
    oos = stitch_probabilities(dataset, plan.outer, calibrated)
    return Judged(recipe, oos, evaluate(oos))


def conclude(
    plan: SearchPlan, trials: tuple[SearchTrial, ...], winner: Judged, traded: Judged, n_judged_recipes: int
) -> SearchOutcome:
    """Compare the winner with the traded recipe.

    Parameters
    ----------
    plan : SearchPlan
        Of the search.
    trials : tuple of SearchTrial
        All that were made.
    winner, traded : Judged
        On the same rows.
    n_judged_recipes : int
        How many recipes searches ever judged on such rows, this winner included.
    """
    difference = log_loss_differences(winner.oos, traded.oos)
    same = winner.recipe.hash == traded.recipe.hash
    seen, judged = plan.seen.timestamps, winner.oos.index
    return SearchOutcome(
        label=winner.recipe.label,
        model=winner.recipe.model_kind,
        trials=trials,
        seen_until=seen[-1].isoformat(),
        judged_from=judged[0].isoformat(),
        judged_until=judged[-1].isoformat(),
        n_seen=len(seen),
        n_judged=len(judged),
        winner=winner.summary(),
        traded=traded.summary(),
        comparison=None if same else comparison_among(difference, n_judged_recipes),
        settings=settings_lines(winner.recipe),
    )

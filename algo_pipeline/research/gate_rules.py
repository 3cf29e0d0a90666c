"""What the promotion gate asks of a candidate, case by case; each answer is a finding with its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from algo_pipeline.research.calibration_loss import compare_calibration
from algo_pipeline.research.statistics import PairedComparison, compare_log_loss

MIN_REFRESH_HOURS = 500

Figures = Mapping[str, float | int | str]


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one rule.

    Attributes
    ----------
    passed : bool
        Whether the rule is met.
    why : str
        A sentence with the figures it rests on.
    figures : mapping
        The same figures by name.
    against_champion : bool
        Whether a refresh was compared with the champion itself, on hours that are new to it.
    """

    passed: bool
    why: str
    figures: Figures = field(default_factory=dict)
    against_champion: bool = False


def judge_first(base: PairedComparison) -> Finding:
    """A first model: its log loss is better than the base rate's, the interval of the difference clear of zero.

    Its calibration is not compared: a base rate is calibrated by saying nothing, so that any forecast with something
    to say is the worse calibrated of the two.
    """
    verdict = "is better" if base.is_better else "is not shown to be better"
    return Finding(base.is_better, f"The log loss {verdict} than the base rate's ({described(base)}).")


def judge_older(candidate_end: pd.Timestamp, champion_end: pd.Timestamp) -> Finding:
    """A model whose training ends before the champion's never replaces it."""
    ends = f"at {candidate_end:%Y-%m-%d %H:%M}, before the champion's at {champion_end:%Y-%m-%d %H:%M}"
    return Finding(False, f"Its training ends {ends}.")


def judge_refresh(
    oos: pd.DataFrame, own_oos: pd.DataFrame, since: pd.Timestamp, base: PairedComparison, checks_passed: bool
) -> Finding:
    """The champion's recipe on newer data: not inferior to the champion itself on the hours that are new to it.

    Parameters
    ----------
    oos, own_oos : pd.DataFrame
        The recipe's walk-forward probabilities, and the champion's own.
    since : pd.Timestamp
        The champion's training end.
    base : PairedComparison
        Of ``oos`` with the base rate.
    checks_passed : bool
        Whether every blocking check of the run passed.

    Notes
    -----
    *Not inferior* means not shown to be worse, in log loss or in calibration, at a margin of zero: a refresh is the
    same recipe with more to learn from, and a stale model is the known harm, so that the burden of proof lies with
    whoever would keep it. What this lets through is bounded by the second rule, which holds for every refresh: over
    all its walk-forward hours the recipe is not worse than the base rate.
    """
    newer = _shared_rows(oos, own_oos, since)
    hours = len(newer[0])
    base_words = f"the recipe {'is worse' if base.is_worse else 'is not worse'} than the base rate ({described(base)})"
    if hours < MIN_REFRESH_HOURS:
        checks = "all blocking checks passed" if checks_passed else "a check failed"
        found = "No hour follows" if hours == 0 else f"Only {hours} hours follow"
        why = f"{found} the champion's training end ({MIN_REFRESH_HOURS} would be compared); {checks} and {base_words}."
        return Finding(checks_passed and not base.is_worse, why, {"refresh_hours": hours})
    loss, calibration = compare_log_loss(*newer), compare_calibration(*newer)
    why = (
        f"On the {hours} hours after its training end the refresh is {_not_worse(loss)} than the champion"
        f" ({described(loss)}), its calibration {_not_worse(calibration)} ({described(calibration)}); {base_words}."
    )
    passed = checks_passed and not (loss.is_worse or calibration.is_worse or base.is_worse)
    return Finding(passed, why, {"refresh_hours": hours, **_champion_figures(loss, calibration)}, True)


def judge_recipe(oos: pd.DataFrame, champion_oos: pd.DataFrame) -> Finding:
    """A new recipe: better than the champion's on identical rows, the interval clear of zero, and calibrated as well.

    *As well* means that the calibration loss is not shown to be larger: thresholds are compared with probabilities, so
    that a sharper forecast which misstates its chances is no gain.
    """
    loss, calibration = compare_log_loss(oos, champion_oos), compare_calibration(oos, champion_oos)
    verdict = "is better" if loss.is_better else "is not shown to be better"
    why = (
        f"The new recipe {verdict} than the champion's on identical folds ({described(loss)}), its calibration is"
        f" {_not_worse(calibration)} ({described(calibration)})."
    )
    return Finding(loss.is_better and not calibration.is_worse, why, _champion_figures(loss, calibration))


def described(comparison: PairedComparison) -> str:
    """Difference, interval and number of hours in words."""
    interval = comparison.interval
    return (
        f"difference {comparison.mean_difference:+.5f} nats, {interval.level:.0%} interval"
        f" {interval.lower:+.5f} to {interval.upper:+.5f}, {comparison.n} hours"
    )


def figures_of(name: str, against: str, comparison: PairedComparison) -> Figures:
    """The same as named figures: ``<name>_minus_<against>``, its bounds, and the hours."""
    return {
        f"{name}_minus_{against}": comparison.mean_difference,
        f"{name}_minus_{against}_lower": comparison.interval.lower,
        f"{name}_minus_{against}_upper": comparison.interval.upper,
        f"hours_against_{against}": comparison.n,
    }


def _champion_figures(loss: PairedComparison, calibration: PairedComparison) -> Figures:
    named = (("log_loss", loss), ("calibration_loss", calibration))
    return {key: value for name, found in named for key, value in figures_of(name, "champion", found).items()}


def _not_worse(comparison: PairedComparison) -> str:
    return "worse" if comparison.is_worse else "not worse"


def _shared_rows(
    candidate: pd.DataFrame, champion: pd.DataFrame, since: pd.Timestamp
) -> tuple[pd.DataFrame, pd.DataFrame]:
    shared = candidate.index.intersection(champion.index)
    shared = shared[shared >= since]
    return candidate.loc[shared], champion.loc[shared]

"""The promotion gate: whether a candidate becomes champion, and whether it may trade; pure, by stated rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import pandas as pd

from algo_pipeline.research.statistics import PairedComparison, compare_log_loss, compare_with_base_rate

MIN_REFRESH_HOURS = 500


class Trading(str, Enum):
    """Whether a deployed model may enter: FLAT records and exits, but never enters."""

    ON = "on"
    FLAT = "flat"


class Policy(str, Enum):
    """GATED obeys the gate; ALWAYS deploys and trades whatever the evidence says."""

    GATED = "gated"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """What asks to be champion.

    Attributes
    ----------
    recipe_hash : str
        Of its recipe.
    oos : pd.DataFrame
        Its recipe's stitched out-of-sample frame.
    checks_passed : bool
        Whether every blocking check of its run passed.
    pays_after_costs : bool
        Whether the backtest of its probabilities gives evidence of a gain after costs.
    training_end : pd.Timestamp or None
        Close of the last bar that its fits or labels read; None asks no question of age.
    """

    recipe_hash: str
    oos: pd.DataFrame
    checks_passed: bool = True
    pays_after_costs: bool = True
    training_end: pd.Timestamp | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Champion:
    """What is deployed now.

    Attributes
    ----------
    recipe_hash : str
        Of its recipe.
    training_end : pd.Timestamp
        Close of the last bar that its fits or labels read.
    trading : Trading
        How it is deployed.
    own_oos : pd.DataFrame
        Its own probabilities and the outcomes, at least of the hours from ``training_end`` on.
    recipe_oos : pd.DataFrame
        Its recipe's stitched out-of-sample frame on the candidate's folds.
    """

    recipe_hash: str
    training_end: pd.Timestamp
    trading: Trading
    own_oos: pd.DataFrame
    recipe_oos: pd.DataFrame


@dataclass(frozen=True, slots=True)
class GateDecision:
    """The gate's verdict.

    Attributes
    ----------
    passed : bool
        Whether the evidence was enough, whatever the policy.
    deployed : bool
        Whether the candidate becomes champion: it passed, or there is none yet, or the policy says so.
    trading : Trading
        How the candidate is deployed if it is.
    reason : str
        One sentence for people.
    figures : mapping
        The numbers behind the reason.
    """

    passed: bool
    deployed: bool
    trading: Trading
    reason: str
    figures: Mapping[str, float | int | str]


def judge(
    candidate: Candidate, champion: Champion | None, policy: Policy = Policy.GATED, occupied_by: str | None = None
) -> GateDecision:
    """Decide on a candidate.

    Parameters
    ----------
    candidate : Candidate
        Asks to be champion.
    champion : Champion or None
        The deployed one it is compared with.
    policy : Policy
        ``ALWAYS`` deploys whatever the evidence says.
    occupied_by : str or None
        Names a deployed champion that can't be compared, having learnt another label or from another source. The
        candidate is then judged as a first model, but takes no place: that is for a person to clear.

    Notes
    -----
    - *First model*: its log loss is better than the base rate's, the interval of the difference clear of zero.
    - *Refresh* (the champion's recipe on newer data): on the hours after the champion's training end the recipe's
      walk-forward probabilities are not worse than the champion's own, that is the interval of the difference is not
      wholly above zero; with fewer than 500 such hours, all checks passed and it is not worse than the base rate.
    - *Older*: a candidate whose training ends before the champion's never replaces it.
    - *New recipe*: better than the champion's recipe on identical rows, the interval clear of zero.

    Being no worse than a champion that may not trade is no evidence of skill: a candidate trades only if it passed
    and either is itself better than the base rate, or was compared as a refresh with a champion that trades; and
    only if its backtest pays after costs, for predictive skill alone does not.
    """
    base = compare_with_base_rate(candidate.oos)
    if champion is None:
        passed, why, figures = _judge_first(base)
    elif candidate.training_end is not None and candidate.training_end < champion.training_end:
        passed, why, figures = _judge_older(candidate.training_end, champion.training_end)
    elif champion.recipe_hash == candidate.recipe_hash:
        passed, why, figures = _judge_refresh(candidate, champion, base)
    else:
        passed, why, figures = _judge_recipe(candidate, champion)
    # A champion's leave to trade passes on only where a refresh was compared with it, hour by hour.
    compared = figures.get("hours_against_champion", 0)
    inherits = champion is not None and champion.trading is Trading.ON and "refresh_hours" in figures and compared
    earned = base.is_better or bool(inherits)
    trading = Trading.ON if passed and earned and candidate.pays_after_costs else Trading.FLAT
    gated = GateDecision(
        passed=passed,
        deployed=occupied_by is None and (passed or champion is None),
        trading=trading,
        reason=f"{why} {_consequence(passed, earned, trading, champion, occupied_by)}",
        figures={"rule": _rule(candidate, champion), **_figures("base_rate", base), **figures},
    )
    return gated if policy is Policy.GATED else _overruled(gated)


def _judge_first(base: PairedComparison) -> tuple[bool, str, dict[str, float | int | str]]:
    verdict = "is better" if base.is_better else "is not shown to be better"
    return base.is_better, f"The log loss {verdict} than the base rate's ({_describe(base)}).", {}


def _judge_older(
    candidate_end: pd.Timestamp, champion_end: pd.Timestamp
) -> tuple[bool, str, dict[str, float | int | str]]:
    why = (
        f"Its training ends at {candidate_end:%Y-%m-%d %H:%M}, before the champion's at {champion_end:%Y-%m-%d %H:%M}."
    )
    return False, why, {}


def _judge_refresh(
    candidate: Candidate, champion: Champion, base: PairedComparison
) -> tuple[bool, str, dict[str, float | int | str]]:
    newer = _shared_rows(candidate.oos, champion.own_oos, champion.training_end)
    hours = len(newer[0])
    if hours < MIN_REFRESH_HOURS:
        passed = candidate.checks_passed and not base.is_worse
        checks = "all blocking checks passed" if candidate.checks_passed else "a check failed"
        worse = "is worse" if base.is_worse else "is not worse"
        newer_hours = "No hour follows" if hours == 0 else f"Only {hours} hours follow"
        why = (
            f"{newer_hours} the champion's training end ({MIN_REFRESH_HOURS} would be compared); {checks} and the"
            f" recipe {worse} than the base rate ({_describe(base)})."
        )
        return passed, why, {"refresh_hours": hours}
    paired = compare_log_loss(*newer)
    verdict = "worse" if paired.is_worse else "not worse"
    why = (
        f"On the {hours} hours after its training end the refresh is {verdict} than the champion ({_describe(paired)})."
    )
    return not paired.is_worse, why, {"refresh_hours": hours, **_figures("champion", paired)}


def _judge_recipe(candidate: Candidate, champion: Champion) -> tuple[bool, str, dict[str, float | int | str]]:
    paired = compare_log_loss(candidate.oos, champion.recipe_oos)
    verdict = "is better" if paired.is_better else "is not shown to be better"
    why = f"The new recipe {verdict} than the champion's on identical folds ({_describe(paired)})."
    return paired.is_better, why, _figures("champion", paired)


def _shared_rows(
    candidate: pd.DataFrame, champion: pd.DataFrame, since: pd.Timestamp
) -> tuple[pd.DataFrame, pd.DataFrame]:
    shared = candidate.index.intersection(champion.index)
    shared = shared[shared >= since]
    return candidate.loc[shared], champion.loc[shared]


def _overruled(gated: GateDecision) -> GateDecision:
    verdict = "passed" if gated.passed else "not passed"
    reason = f"The gate was skipped by policy; it would have said {verdict}: {gated.reason}"
    return GateDecision(gated.passed, True, Trading.ON, reason, {**gated.figures, "policy": Policy.ALWAYS.value})


def _consequence(
    passed: bool, earned: bool, trading: Trading, champion: Champion | None, occupied_by: str | None
) -> str:
    if occupied_by is not None:
        return f"It is not deployed: {occupied_by}."
    if passed and trading is Trading.ON:
        return "It is deployed and trades."
    if passed and earned:
        return "It is deployed flat, for its backtest gives no evidence of a gain after costs."
    if passed:
        return "It is deployed flat, for it is not shown to be better than the base rate."
    return "It is deployed flat." if champion is None else "The champion stays."


def _rule(candidate: Candidate, champion: Champion | None) -> str:
    if champion is None:
        return "first"
    return "refresh" if champion.recipe_hash == candidate.recipe_hash else "new_recipe"


def _describe(comparison: PairedComparison) -> str:
    interval = comparison.interval
    return (
        f"difference {comparison.mean_difference:+.5f} nats, {interval.level:.0%} interval"
        f" {interval.lower:+.5f} to {interval.upper:+.5f}, {comparison.n} hours"
    )


def _figures(against: str, comparison: PairedComparison) -> dict[str, float | int | str]:
    return {
        f"log_loss_minus_{against}": comparison.mean_difference,
        f"log_loss_minus_{against}_lower": comparison.interval.lower,
        f"log_loss_minus_{against}_upper": comparison.interval.upper,
        f"hours_against_{against}": comparison.n,
    }

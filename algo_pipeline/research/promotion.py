"""The promotion gate: whether a candidate becomes champion, and whether it may trade; pure, by stated rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

import pandas as pd

from algo_pipeline.common.formatting import certainty
from algo_pipeline.research.gate_rules import (
    Finding,
    figures_of,
    judge_first,
    judge_older,
    judge_recipe,
    judge_refresh,
)
from algo_pipeline.research.statistics import PairedComparison, compare_with_base_rate

EVIDENCE_LEVEL = 0.05
"""Largest chance of luck at which an edge after costs counts as shown: a model that may trade has no more."""


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
        Whether the backtest of its probabilities gives evidence of an edge after costs.
    after_cost_p_value, deflated_sharpe_ratio : float or None
        What that rests on: the chance of such an edge by signal shuffling, and the probability that the result is more
        than the luck of everything that was tried; None where it was not measured.
    training_end : pd.Timestamp or None
        Close of the last bar that its fits or labels read; None asks no question of age.
    """

    recipe_hash: str
    oos: pd.DataFrame
    checks_passed: bool = True
    pays_after_costs: bool = True
    after_cost_p_value: float | None = None
    deflated_sharpe_ratio: float | None = None
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
    may_trade : bool
        Whether the evidence is enough to trade, whatever the policy, and whether or not it is deployed.
    reason : str
        One sentence for people.
    figures : mapping
        The numbers behind the reason.
    """

    passed: bool
    deployed: bool
    trading: Trading
    may_trade: bool
    reason: str
    figures: Mapping[str, float | int | str]

    @property
    def in_short(self) -> str:
        """``passed`` or ``not passed``, and whether the policy skipped the gate."""
        verdict = "passed" if self.passed else "not passed"
        return f"skipped, would have said {verdict}" if self.figures.get("policy") == Policy.ALWAYS.value else verdict


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
      walk-forward probabilities are not shown worse than the champion's own, in log loss or in calibration; with fewer
      than 500 such hours, all checks passed. In either case the recipe is not worse than the base rate.
    - *Older*: a candidate whose training ends before the champion's never replaces it.
    - *New recipe*: better than the champion's recipe on identical rows, the interval clear of zero, and its calibration
      not shown worse.

    Being no worse than a champion that may not trade is no evidence of skill: a candidate trades only if it passed
    and either is itself better than the base rate, or was compared as a refresh with a champion that trades; and
    only if its backtest gives evidence of an edge after costs, by the very rules of the report's verdict
    (``backtest.verdict``), for predictive skill alone does not pay.
    """
    base = compare_with_base_rate(candidate.oos)
    finding = _finding(candidate, champion, base)
    # A champion's leave to trade passes on only where a refresh was compared with it, hour by hour.
    inherits = champion is not None and champion.trading is Trading.ON and finding.against_champion
    earned = base.is_better or inherits
    may_trade = finding.passed and earned and candidate.pays_after_costs
    trading = Trading.ON if may_trade else Trading.FLAT
    gated = GateDecision(
        passed=finding.passed,
        deployed=occupied_by is None and (finding.passed or champion is None),
        trading=trading,
        may_trade=may_trade,
        reason=f"{finding.why} {_consequence(candidate, finding, earned, trading, champion, occupied_by)}",
        figures={
            "rule": _rule(candidate, champion),
            **figures_of("log_loss", "base_rate", base),
            **finding.figures,
            **_proofs(candidate),
        },
    )
    return gated if policy is Policy.GATED else _overruled(gated)


def _finding(candidate: Candidate, champion: Champion | None, base: PairedComparison) -> Finding:
    if champion is None:
        return judge_first(base)
    if candidate.training_end is not None and candidate.training_end < champion.training_end:
        return judge_older(candidate.training_end, champion.training_end)
    if champion.recipe_hash == candidate.recipe_hash:
        since = champion.training_end
        return judge_refresh(candidate.oos, champion.own_oos, since, base, candidate.checks_passed)
    return judge_recipe(candidate.oos, champion.recipe_oos)


def _overruled(gated: GateDecision) -> GateDecision:
    verdict = "passed" if gated.passed else "not passed"
    return replace(
        gated,
        deployed=True,
        trading=Trading.ON,
        reason=f"The gate was skipped by policy; it would have said {verdict}: {gated.reason}",
        figures={**gated.figures, "policy": Policy.ALWAYS.value},
    )


def _consequence(
    candidate: Candidate,
    finding: Finding,
    earned: bool,
    trading: Trading,
    champion: Champion | None,
    occupied_by: str | None,
) -> str:
    if occupied_by is not None:
        return f"It is not deployed: {occupied_by}."
    if not finding.passed:
        return "It is deployed flat." if champion is None else "The champion stays."
    if trading is Trading.ON:
        return f"It is deployed and trades: its backtest gives evidence of an edge after costs{_proved(candidate)}."
    if earned:
        return f"It is deployed flat, for its backtest gives no evidence of an edge after costs{_proved(candidate)}."
    return "It is deployed flat, for it is not shown to be better than the base rate."


def _proofs(candidate: Candidate) -> dict[str, float]:
    measured = {
        "after_cost_p_value": candidate.after_cost_p_value,
        "deflated_sharpe_ratio": candidate.deflated_sharpe_ratio,
    }
    return {name: value for name, value in measured.items() if value is not None}


def _proved(candidate: Candidate) -> str:
    """The figures behind that evidence, with the levels they are held to."""
    said, proofs = [], _proofs(candidate)
    if "after_cost_p_value" in proofs:
        said.append(f"p = {proofs['after_cost_p_value']:.3f}, at a level of {EVIDENCE_LEVEL:.0%}")
    if "deflated_sharpe_ratio" in proofs:
        said.append(f"deflated Sharpe ratio {certainty(proofs['deflated_sharpe_ratio'])} of {1 - EVIDENCE_LEVEL:.2f}")
    return f" ({'; '.join(said)})" if said else ""


def _rule(candidate: Candidate, champion: Champion | None) -> str:
    if champion is None:
        return "first"
    return "refresh" if champion.recipe_hash == candidate.recipe_hash else "new_recipe"

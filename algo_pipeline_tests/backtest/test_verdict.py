from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from algo_pipeline.backtest.evidence import Evidence
from algo_pipeline.backtest.verdict import Edge, Grounds, Skill, is_evidence, verdict_sentence
from algo_pipeline.research.sharpe_statistics import SharpeEstimate, deflated_sharpe_ratio, expected_maximum_sharpe
from algo_pipeline.research.statistics import Interval
from algo_pipeline.research.trials import TrialSummary

NAN = math.nan
SKILL = Evidence(
    skill_p_value=0.001,
    log_loss_skill=0.004,
    log_loss_skill_interval=Interval(0.002, 0.006),
    zero_cost_edge_p_value=0.6,
    zero_cost_excess_return=-0.01,
    after_cost_edge_p_value=1.0,
    after_cost_excess_return=-0.5,
    n_shuffles=999,
    n_entries=80,
)
EDGE = replace(
    SKILL,
    zero_cost_edge_p_value=0.001,
    zero_cost_excess_return=0.5,
    after_cost_edge_p_value=0.004,
    after_cost_excess_return=0.2,
)
MODEST = SharpeEstimate(0.02, 1500)  # 0.38 a year over four years
STRONG = SharpeEstimate(0.15, 1500)  # 2.9 a year
TRIALS = TrialSummary(62, 0.0007)


def grounds(evidence: Evidence = SKILL, **changes: Any) -> Grounds:
    return replace(Grounds(evidence, MODEST, TRIALS), **changes)


def test_skill_without_an_edge_is_told_with_the_luck_of_all_trials() -> None:
    assert MODEST.sharpe < expected_maximum_sharpe(62, 0.0007)
    assert verdict_sentence(grounds()) == (
        "Predictive skill, no evidence of an edge after costs (DSR 0.05, 62 trials)."
    )


def test_an_edge_that_outdoes_the_luck_of_all_trials_is_evidence() -> None:
    assert verdict_sentence(grounds(EDGE, estimate=STRONG)) == (
        "Predictive skill, evidence of an edge after costs (DSR 0.99, 62 trials)."
    )


def test_simulated_bars_are_named_before_anything_else() -> None:
    assert verdict_sentence(grounds(simulated=True)) == (
        "On simulated bars, which say nothing of a market: predictive skill, no evidence of an edge after costs "
        "(DSR 0.05, 62 trials)."
    )


@pytest.mark.parametrize(
    ("changes", "skill"),
    [
        ({}, Skill.SHOWN),
        ({"skill_p_value": 0.05}, Skill.SHOWN),
        ({"skill_p_value": 0.051}, Skill.NONE),
        ({"skill_p_value": NAN}, Skill.UNKNOWN),
        ({"log_loss_skill": NAN}, Skill.UNKNOWN),
        ({"log_loss_skill": NAN, "log_loss_skill_interval": Interval(NAN, NAN)}, Skill.UNKNOWN),
        ({"log_loss_skill": -0.01, "log_loss_skill_interval": Interval(-0.02, -0.005)}, Skill.HARMFUL),
        ({"log_loss_skill": -0.001, "log_loss_skill_interval": Interval(-0.004, 0.002)}, Skill.UNCALIBRATED),
        ({"log_loss_skill": -0.001, "skill_p_value": 0.3}, Skill.NONE),
        ({"log_loss_skill": 0.0}, Skill.UNCALIBRATED),
        ({"log_loss_skill": 0.0999}, Skill.SHOWN),
        ({"log_loss_skill": 0.10}, Skill.IMPLAUSIBLE),
    ],
)
def test_predictions_are_judged_by_the_stated_rules(changes: dict[str, Any], skill: Skill) -> None:
    judged = grounds(replace(SKILL, **changes))
    assert judged.skill is skill
    assert verdict_sentence(judged).lower().startswith(skill.value)


def test_simulated_bars_may_be_as_predictable_as_they_were_made() -> None:
    assert grounds(replace(SKILL, log_loss_skill=0.3), simulated=True).skill is Skill.SHOWN


@pytest.mark.parametrize(
    ("evidence", "changes", "edge"),
    [
        (EDGE, {"estimate": STRONG}, Edge.SHOWN),
        (EDGE, {"estimate": MODEST}, Edge.LUCK),
        (EDGE, {"estimate": SharpeEstimate(NAN, 2, NAN, NAN)}, Edge.LUCK),
        (EDGE, {"estimate": STRONG, "trials": TrialSummary.unknown("the ledger is damaged")}, Edge.UNCOUNTED),
        (EDGE, {"estimate": STRONG, "trials": TrialSummary(62, 0.0007, "lines are missing")}, Edge.UNCOUNTED),
        (replace(EDGE, after_cost_edge_p_value=0.2), {"estimate": STRONG}, Edge.BEFORE_COSTS),
        (replace(EDGE, after_cost_excess_return=-0.1), {"estimate": STRONG}, Edge.BEFORE_COSTS),
        (replace(EDGE, log_loss_skill=0.2), {"estimate": STRONG}, Edge.SHOWN),
        (SKILL, {"estimate": STRONG}, Edge.NONE),
        (replace(EDGE, skill_p_value=0.2), {"estimate": STRONG}, Edge.NONE),
        (replace(EDGE, log_loss_skill=-0.001), {"estimate": STRONG}, Edge.NONE),
        (replace(EDGE, skill_p_value=NAN), {"estimate": STRONG}, Edge.NONE),
        (replace(EDGE, n_entries=0), {"estimate": STRONG}, Edge.UNTRADED),
        (replace(EDGE, n_entries=29), {"estimate": STRONG}, Edge.FEW),
        (replace(EDGE, n_entries=30), {"estimate": STRONG}, Edge.SHOWN),
    ],
)
def test_trading_is_judged_by_the_stated_rules(evidence: Evidence, changes: dict[str, Any], edge: Edge) -> None:
    judged = grounds(evidence, **changes)
    assert judged.edge is edge
    assert f", {edge.value} (" in verdict_sentence(judged)


def test_without_a_whole_ledger_no_edge_is_claimed_and_the_sentence_says_why() -> None:
    judged = grounds(EDGE, estimate=STRONG, trials=TrialSummary.unknown("the ledger of trials is damaged"))
    assert verdict_sentence(judged) == (
        "Predictive skill, an edge after costs can't be claimed while trials are missing (DSR unknown: the ledger of "
        "trials is damaged)."
    )
    assert math.isnan(judged.deflated)
    assert math.isnan(judged.bar)
    assert math.isnan(judged.days_needed)


def test_trials_that_only_the_experiment_store_tells_of_still_count() -> None:
    lost = replace(TRIALS, problem="the ledger holds 1 of them")
    judged = grounds(EDGE, estimate=STRONG, trials=lost)
    assert is_evidence(judged.deflated)
    assert judged.edge is Edge.UNCOUNTED
    assert verdict_sentence(judged).endswith("(DSR 0.99, 62 trials, but the ledger holds 1 of them).")


def test_no_combination_of_figures_claims_an_edge_without_all_four_proofs() -> None:
    choices = itertools.product(
        (0.001, 0.3), (0.004, -0.004), (0.001, 0.3), (0.2, -0.2), (STRONG, MODEST), ("", "lost")
    )
    shown = []
    for skill_p, skill, edge_p, excess, estimate, problem in choices:
        evidence = replace(
            EDGE,
            skill_p_value=skill_p,
            log_loss_skill=skill,
            after_cost_edge_p_value=edge_p,
            after_cost_excess_return=excess,
        )
        judged = grounds(evidence, estimate=estimate, trials=replace(TRIALS, problem=problem))
        if judged.edge is Edge.SHOWN:
            shown.append((skill_p, skill, edge_p, excess, estimate, problem))
        assert ("evidence of an edge" in verdict_sentence(judged).replace("no evidence", "")) is (
            judged.edge is Edge.SHOWN
        )
    assert shown == [(0.001, 0.004, 0.001, 0.2, STRONG, "")]


def test_the_more_was_tried_the_less_the_same_result_proves() -> None:
    tried = [1, 2, 10, 100, 10_000]
    ratios = [grounds(trials=TrialSummary(n, NAN if n == 1 else 0.0007)).deflated for n in tried]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[0] == grounds().probabilistic
    assert ratios[-1] < 0.02 < 0.7 < ratios[0]


def test_figures_are_those_of_the_statistics() -> None:
    judged = grounds()
    assert judged.deflated == deflated_sharpe_ratio(MODEST, 62, 0.0007)
    assert judged.bar == pytest.approx(math.sqrt(365) * expected_maximum_sharpe(62, 0.0007))
    needed = grounds(estimate=STRONG).days_needed
    excess = 0.15 - expected_maximum_sharpe(62, 0.0007)
    assert needed == pytest.approx(1 + (1 + 0.5 * 0.15**2) * (1.6448536 / excess) ** 2)


def test_trials_spread_by_their_costs_are_judged_by_luck_alone_beside_it() -> None:
    wide = TrialSummary(62, 0.02)
    luck = deflated_sharpe_ratio(STRONG, 62, 1.0 / 1499)
    assert grounds(estimate=STRONG, trials=wide).deflated < 0.01 < 0.99 < luck
    assert grounds(estimate=STRONG, trials=wide).deflated_at_luck_spread == luck
    narrow = grounds(estimate=STRONG, trials=TrialSummary(62, 0.0001))
    assert narrow.deflated_at_luck_spread == narrow.deflated
    assert grounds(EDGE, estimate=STRONG, trials=wide).edge is Edge.LUCK
    assert math.isnan(grounds(estimate=SharpeEstimate(NAN, 0, NAN, NAN)).deflated_at_luck_spread)


def test_one_trial_is_said_to_be_one_and_a_ratio_that_falls_short_never_reads_as_evidence() -> None:
    assert "1 trial)" in verdict_sentence(grounds(trials=TrialSummary(1, NAN)))
    for sharpe in np.linspace(0.08, 0.11, 400):
        judged = grounds(EDGE, estimate=SharpeEstimate(float(sharpe), 1500))
        sentence = verdict_sentence(judged)
        assert ("DSR 0.95" in sentence or "DSR 0.96" in sentence) <= is_evidence(judged.deflated)


def test_a_strategy_without_a_sharpe_ratio_has_no_dsr() -> None:
    untraded = grounds(
        replace(SKILL, n_entries=0), estimate=SharpeEstimate(NAN, 1500, NAN, NAN), trials=TrialSummary(0, NAN)
    )
    assert verdict_sentence(untraded) == "Predictive skill, no trade to judge (no DSR, 0 trials)."

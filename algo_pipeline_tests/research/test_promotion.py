from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.research.promotion import Candidate, Champion, Policy, Trading, judge
from algo_pipeline.research.statistics import SEED
from algo_pipeline_tests.research.samples import forecast_frame, hourly_index

N = 4000
N_TRIALS = 200
NEVER_SEEN = hourly_index(N)[0]


def forecasts(skill: float, seed: int = 0, n: int = N) -> pd.DataFrame:
    """Forecasts of the same outcomes (for one n): ``skill`` is the share of the true log-odds that they know.

    Negative skill is confident noise, worse than the base rate.
    """
    truth_rng, noise_rng = np.random.default_rng(n), np.random.default_rng(SEED + seed)
    truth = truth_rng.normal(0.0, 0.5, n)
    outcome = truth_rng.random(n) < 1 / (1 + np.exp(-truth))
    said = skill * truth if skill >= 0 else -skill * noise_rng.normal(0.0, 0.5, n)
    return forecast_frame(1 / (1 + np.exp(-said)), outcome)


def champion(
    own: pd.DataFrame,
    recipe_hash: str = "a",
    trading: Trading = Trading.ON,
    training_end: pd.Timestamp = NEVER_SEEN,
    recipe_oos: pd.DataFrame | None = None,
) -> Champion:
    return Champion(recipe_hash, training_end, trading, own, own if recipe_oos is None else recipe_oos)


def test_a_first_model_that_beats_the_base_rate_is_deployed_and_trades() -> None:
    decision = judge(Candidate("a", forecasts(1.0)), None)
    assert (decision.passed, decision.deployed, decision.trading) == (True, True, Trading.ON)
    assert "is better than the base rate's" in decision.reason
    assert decision.figures["rule"] == "first"
    assert decision.figures["log_loss_minus_base_rate_upper"] < 0


@pytest.mark.parametrize("skill", [0.0, -0.3], ids=["knows nothing", "confident noise"])
def test_a_first_model_that_does_not_is_deployed_flat(skill: float) -> None:
    decision = judge(Candidate("a", forecasts(skill)), None)
    assert (decision.passed, decision.deployed, decision.trading) == (False, True, Trading.FLAT)
    assert "deployed flat" in decision.reason


def test_a_refresh_no_worse_than_the_champion_replaces_it() -> None:
    decision = judge(Candidate("a", forecasts(0.8)), champion(forecasts(0.8)))
    assert (decision.passed, decision.deployed, decision.trading) == (True, True, Trading.ON)
    assert decision.figures["rule"] == "refresh"
    assert decision.figures["refresh_hours"] == N


def test_a_refresh_that_is_worse_leaves_the_champion_in_place() -> None:
    decision = judge(Candidate("a", forecasts(-0.5)), champion(forecasts(1.0)))
    assert (decision.passed, decision.deployed, decision.trading) == (False, False, Trading.FLAT)
    assert "The champion stays" in decision.reason


def test_a_refresh_is_judged_on_the_hours_from_the_champions_training_end_on() -> None:
    good, bad = forecasts(1.0), forecasts(-0.5)
    end = good.index[3000]
    candidate = pd.concat([bad.iloc[:3000], good.iloc[3000:]])
    own = pd.concat([good.iloc[:3000], bad.iloc[3000:]])
    decision = judge(Candidate("a", candidate), champion(own, training_end=end))
    assert decision.passed
    assert decision.figures["refresh_hours"] == 1000


def test_hours_that_only_one_of_the_two_has_are_left_out() -> None:
    full = forecasts(0.8)
    decision = judge(Candidate("a", full.iloc[:-100]), champion(full.iloc[1000:]))
    assert decision.figures["refresh_hours"] == N - 1100


@pytest.mark.parametrize(
    ("skill", "checks_passed", "passed"),
    [(1.0, True, True), (0.0, True, True), (1.0, False, False), (-0.5, True, False)],
    ids=["good", "no worse than the base rate", "a check failed", "worse than the base rate"],
)
def test_a_refresh_with_few_new_hours_needs_its_checks_and_the_base_rate(
    skill: float, checks_passed: bool, passed: bool
) -> None:
    frame = forecasts(skill)
    late = frame.index[N - 499]
    decision = judge(Candidate("a", frame, checks_passed), champion(forecasts(1.0), training_end=late))
    assert decision.passed is passed
    assert decision.figures["refresh_hours"] == 499
    assert "Only 499 hours" in decision.reason


def test_five_hundred_new_hours_are_enough_to_be_compared() -> None:
    frame = forecasts(1.0)
    decision = judge(Candidate("a", frame), champion(frame, training_end=frame.index[N - 500]))
    assert "On the 500 hours" in decision.reason


def test_a_new_recipe_must_be_better_than_the_champions() -> None:
    weak, strong = forecasts(0.2), forecasts(1.0)
    better = judge(Candidate("b", strong), champion(weak))
    assert (better.passed, better.deployed, better.trading) == (True, True, Trading.ON)
    assert better.figures["rule"] == "new_recipe"

    equal = judge(Candidate("b", strong), champion(strong))
    assert (equal.passed, equal.deployed) == (False, False)
    assert "is not shown to be better" in equal.reason


def test_a_new_recipe_is_compared_with_the_champions_recipe_and_not_with_its_own_probabilities() -> None:
    decision = judge(Candidate("b", forecasts(0.8)), champion(forecasts(-0.5), recipe_oos=forecasts(1.0)))
    assert not decision.passed


def test_a_new_recipe_that_is_better_but_misstates_its_chances_does_not_pass() -> None:
    bold = judge(Candidate("b", forecasts(1.5)), champion(forecasts(0.0)))
    assert (bold.passed, bold.deployed) == (False, False)
    assert bold.figures["log_loss_minus_champion_upper"] < 0 < bold.figures["calibration_loss_minus_champion_lower"]
    assert "its calibration is worse" in bold.reason


def test_a_refresh_that_misstates_its_chances_does_not_pass() -> None:
    decision = judge(Candidate("a", forecasts(1.5)), champion(forecasts(0.0)))
    assert decision.figures["log_loss_minus_champion"] < 0 < decision.figures["calibration_loss_minus_champion_lower"]
    assert not decision.passed
    assert "its calibration worse" in decision.reason


def test_a_refresh_as_bad_as_a_champion_that_is_worse_than_the_base_rate_does_not_pass() -> None:
    bad = forecasts(-0.5)
    decision = judge(Candidate("a", bad), champion(bad))
    assert (decision.passed, decision.deployed) == (False, False)
    assert "the recipe is worse than the base rate" in decision.reason


def test_a_refresh_of_many_hours_needs_its_checks_too() -> None:
    frame = forecasts(1.0)
    assert not judge(Candidate("a", frame, checks_passed=False), champion(frame)).passed


def _equally_skilful(seed: int, n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two forecasts of one market, right to the same degree and wrong independently.

    The log-odds of an outcome, the volatility that scales them and both errors linger for days, as an hourly market's.
    """
    rng = np.random.default_rng(seed)

    def lingering(hours: float, deviation: float) -> np.ndarray:
        keep = np.exp(-1 / hours)
        shocks = rng.normal(0, deviation * np.sqrt(1 - keep**2), n)
        shocks[0] = rng.normal(0, deviation)
        return lfilter([1.0], [1.0, -keep], shocks)

    truth = lingering(48, 0.3) * np.exp(lingering(200, 0.7))
    outcome = rng.random(n) < 1 / (1 + np.exp(-truth))
    first, second = (forecast_frame(1 / (1 + np.exp(-0.5 * truth - lingering(48, 0.15))), outcome) for _ in range(2))
    return first, second


def test_of_equally_skilful_recipes_the_new_one_wins_in_at_most_five_per_cent_of_trials() -> None:
    won = 0
    for seed in range(N_TRIALS):
        newer, older = _equally_skilful(seed, 1500)
        won += judge(Candidate("b", newer), champion(older)).passed
    assert won <= 0.05 * N_TRIALS


def test_a_more_skilful_recipe_wins_most_of_the_same_trials() -> None:
    won = 0
    for seed in range(20):
        skilful, weak = _equally_skilful(seed, 4000)
        said = np.log(weak["probability"] / (1 - weak["probability"]))
        noise = np.random.default_rng(seed).normal(0, 0.5, len(said))
        worse = weak.assign(probability=1 / (1 + np.exp(-said - noise)))
        won += judge(Candidate("b", skilful), champion(worse)).passed
    assert won >= 18


def test_a_new_recipe_on_other_rows_is_refused() -> None:
    with pytest.raises(ConfigValueError, match="identical rows"):
        judge(Candidate("b", forecasts(1.0).iloc[10:]), champion(forecasts(0.5)))


def test_refreshing_a_champion_that_may_not_trade_does_not_make_it_trade() -> None:
    nothing = forecasts(0.0)
    decision = judge(Candidate("a", nothing), champion(nothing, trading=Trading.FLAT))
    assert (decision.passed, decision.deployed, decision.trading) == (True, True, Trading.FLAT)
    assert "deployed flat" in decision.reason


def test_refreshing_it_with_evidence_of_skill_does() -> None:
    frame = forecasts(1.0)
    assert judge(Candidate("a", frame), champion(frame, trading=Trading.FLAT)).trading is Trading.ON


def test_beating_a_champion_that_is_worse_than_the_base_rate_is_no_licence_to_trade() -> None:
    decision = judge(Candidate("b", forecasts(0.0)), champion(forecasts(-0.8)))
    assert (decision.passed, decision.trading) == (True, Trading.FLAT)


@pytest.mark.parametrize("skill", [1.0, -0.5], ids=["would pass", "would not"])
def test_the_policy_always_deploys_and_trades_and_says_what_the_gate_would_have_said(skill: float) -> None:
    candidate = Candidate("a", forecasts(skill))
    gated = judge(candidate, None)
    always = judge(candidate, None, Policy.ALWAYS)
    assert (always.deployed, always.trading) == (True, Trading.ON)
    assert always.passed == gated.passed
    assert gated.reason in always.reason
    assert always.reason.startswith("The gate was skipped by policy")
    assert always.figures["policy"] == "always"
    assert gated.in_short == ("passed" if skill > 0 else "not passed")
    assert always.in_short == f"skipped, would have said {gated.in_short}"


@pytest.mark.parametrize(("skill", "pays", "may_trade"), [(1.0, True, True), (1.0, False, False), (0.0, True, False)])
def test_whether_the_evidence_lets_it_trade_is_told_whatever_the_policy(
    skill: float, pays: bool, may_trade: bool
) -> None:
    candidate = Candidate("a", forecasts(skill), pays_after_costs=pays)
    for policy in Policy:
        assert judge(candidate, None, policy).may_trade is may_trade


def test_the_chance_of_luck_after_costs_is_told_with_the_level_it_is_held_to() -> None:
    trades = judge(Candidate("a", forecasts(1.0), after_cost_p_value=0.0125), None)
    assert "evidence of an edge after costs (p = 0.013, at a level of 5%)" in trades.reason
    assert trades.figures["after_cost_p_value"] == 0.0125
    flat = judge(Candidate("a", forecasts(1.0), pays_after_costs=False, after_cost_p_value=0.4), None)
    assert "no evidence of an edge after costs (p = 0.400, at a level of 5%)" in flat.reason


def test_the_luck_of_all_trials_is_told_beside_the_chance_of_an_edge() -> None:
    frame = forecasts(1.0)
    flat = judge(Candidate("a", frame, True, False, after_cost_p_value=0.001, deflated_sharpe_ratio=0.9499), None)
    assert flat.trading is Trading.FLAT
    assert "costs (p = 0.001, at a level of 5%; deflated Sharpe ratio 0.94 of 0.95)" in flat.reason
    assert flat.figures["deflated_sharpe_ratio"] == 0.9499
    unknown = judge(Candidate("a", frame, True, False, deflated_sharpe_ratio=math.nan), None)
    assert "costs (deflated Sharpe ratio – of 0.95)" in unknown.reason


def test_on_markets_without_an_edge_a_first_model_rarely_trades() -> None:
    traded = sum(judge(Candidate("a", forecasts(-0.05, seed=k, n=1000 + k)), None).passed for k in range(100))
    assert traded <= 5


def test_a_champion_without_any_hour_since_its_training_end_can_be_refreshed() -> None:
    frame = forecasts(1.0)
    decision = judge(Candidate("a", frame), champion(frame.iloc[:0]))
    assert decision.passed
    assert decision.figures["refresh_hours"] == 0


def test_a_candidate_trained_to_an_earlier_time_never_replaces_the_champion() -> None:
    good = forecasts(1.0)
    end = good.index[-1]
    deployed = champion(good, training_end=end)
    older = judge(Candidate("a", good, training_end=end - pd.Timedelta(hours=1)), deployed)
    assert (older.passed, older.deployed) == (False, False)
    assert "before the champion's" in older.reason
    assert judge(Candidate("a", good, training_end=end), deployed).deployed


def test_a_candidate_takes_no_place_from_a_champion_that_cannot_be_compared() -> None:
    decision = judge(Candidate("a", forecasts(1.0)), None, occupied_by="the champion in place learnt something else")
    assert (decision.passed, decision.deployed) == (True, False)
    assert "It is not deployed: the champion in place learnt something else." in decision.reason
    assert judge(Candidate("a", forecasts(1.0)), None, Policy.ALWAYS, occupied_by="another").deployed


def test_skill_that_does_not_pay_after_costs_is_deployed_flat() -> None:
    decision = judge(Candidate("a", forecasts(1.0), pays_after_costs=False), None)
    assert (decision.passed, decision.deployed, decision.trading) == (True, True, Trading.FLAT)
    assert "no evidence of an edge after costs" in decision.reason


def test_leave_to_trade_passes_on_only_by_comparison_with_the_champion() -> None:
    no_skill = forecasts(0.0)
    trading = champion(no_skill, trading=Trading.ON, training_end=no_skill.index[-100])
    few_hours = judge(Candidate("a", no_skill), trading)
    assert (few_hours.passed, few_hours.trading) == (True, Trading.FLAT)
    compared = champion(no_skill, trading=Trading.ON, training_end=no_skill.index[-1000])
    assert judge(Candidate("a", no_skill), compared).trading is Trading.ON

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.types import Signal
from algo_pipeline.interfaces.strategy import Outlook, Outlooks
from algo_pipeline.strategy.cost_aware import CostAwareStrategy, expected_move
from algo_pipeline.strategy.signal_to_trade import signal_from_score

COST = 0.006  # 60 bps
DAILY = CostAwareStrategy(horizon_bars=24)

PROBABILITIES = st.floats(0.0, 1.0)
VOLATILITIES = st.floats(1e-6, 0.5)
COSTS = st.floats(0.0, 0.05)
STRATEGIES = st.builds(
    CostAwareStrategy, st.integers(1, 168), edge_multiple=st.floats(0.0, 5.0), kelly_fraction=st.floats(0.01, 1.0)
)


def signal_of(strategy: CostAwareStrategy, outlook: Outlook, cost: float = COST) -> Signal:
    return Signal(signal_from_score(strategy.assess(outlook, cost).score, *strategy.band(cost)))


def test_a_day_of_one_percent_hours_moves_by_391_bps() -> None:
    assert expected_move(0.01, 24) == pytest.approx(0.0390882, abs=5e-8)  # 0.01 · 4.898979 · 0.797885


def test_the_score_is_twice_the_edge_over_the_base_rate_times_the_move() -> None:
    score, limit = DAILY.assess(Outlook(0.62, base_rate=0.52, volatility=0.01), COST)
    assert score == pytest.approx(2 * 0.10 * 0.0390882, abs=2e-8)  # 78 bps, 18 more than the hurdle
    assert limit == pytest.approx(0.5 * (0.00781764 - 0.006) / 0.0024, abs=1e-5)  # 0.379 of equity


@pytest.mark.parametrize(
    ("probability", "signal"),
    [(0.62, Signal.LONG), (0.59, Signal.HOLD), (0.5201, Signal.HOLD), (0.52, Signal.FLAT), (0.3, Signal.FLAT)],
)
def test_it_enters_at_the_cost_of_a_round_trip_and_leaves_where_no_edge_is_left(
    probability: float, signal: Signal
) -> None:
    assert signal_of(DAILY, Outlook(probability, base_rate=0.52, volatility=0.01)) is signal


def test_an_hour_hardly_ever_pays_for_a_round_trip() -> None:
    hourly = CostAwareStrategy(horizon_bars=1)
    calm, wild = Outlook(0.60, volatility=0.005), Outlook(0.60, volatility=0.05)
    assert signal_of(hourly, calm) is Signal.HOLD  # 8 bps of 60
    assert signal_of(hourly, wild) is Signal.LONG  # 80 bps


def test_without_costs_the_band_closes_at_the_base_rate() -> None:
    assert DAILY.band(0.0) == (0.0, 0.0)
    assert signal_of(DAILY, Outlook(0.5001, volatility=0.01), cost=0.0) is Signal.LONG
    assert signal_of(DAILY, Outlook(0.4999, volatility=0.01), cost=0.0) is Signal.FLAT


def test_a_base_rate_is_no_edge_however_high() -> None:
    assert signal_of(DAILY, Outlook(0.9, base_rate=0.9, volatility=0.05)) is Signal.FLAT


def test_a_barrier_that_is_seldom_touched_is_no_edge_until_it_is_likelier_than_all_else() -> None:
    at = {p: signal_of(DAILY, Outlook(p, base_rate=0.31, volatility=0.01)) for p in (0.45, 0.5, 0.55, 0.6)}
    assert at == {0.45: Signal.FLAT, 0.5: Signal.FLAT, 0.55: Signal.HOLD, 0.6: Signal.LONG}


@pytest.mark.parametrize("unknown", ["probability", "base_rate", "volatility"])
def test_whatever_is_unknown_holds_and_buys_nothing(unknown: str) -> None:
    outlook = Outlook(**{"probability": 0.9, "base_rate": 0.5, "volatility": 0.05, unknown: math.nan})
    score, limit = DAILY.assess(outlook, COST)
    assert math.isnan(score)
    assert limit == 0.0
    assert signal_of(DAILY, outlook) is Signal.HOLD
    assert DAILY.figures(outlook, COST) == {}


@pytest.mark.parametrize("volatility", [0.0, 1e-200])
def test_a_market_that_stands_still_is_worth_no_bet(volatility: float) -> None:
    assert DAILY.assess(Outlook(0.9, volatility=volatility), 0.0).size_limit == 0.0


@settings(max_examples=300, deadline=None)
@given(STRATEGIES, PROBABILITIES, PROBABILITIES, VOLATILITIES, COSTS)
def test_a_bet_is_positive_exactly_where_the_edge_is_above_the_hurdle(
    strategy: CostAwareStrategy, probability: float, base_rate: float, volatility: float, cost: float
) -> None:
    score, limit = strategy.assess(Outlook(probability, base_rate, volatility), cost)
    assert limit >= 0.0
    assert (limit > 0.0) == (score > strategy.band(cost).enter)


@settings(max_examples=300, deadline=None)
@given(STRATEGIES, PROBABILITIES, PROBABILITIES, VOLATILITIES, COSTS, st.floats(1.0, 3.0))
def test_higher_costs_never_turn_a_bar_into_an_entry_nor_enlarge_one(
    strategy: CostAwareStrategy, probability: float, base_rate: float, volatility: float, cost: float, times: float
) -> None:
    outlook = Outlook(probability, base_rate, volatility)
    assume(signal_of(strategy, outlook, cost) is not Signal.LONG)
    assert signal_of(strategy, outlook, cost * times) is not Signal.LONG
    assert strategy.assess(outlook, cost * times).size_limit <= strategy.assess(outlook, cost).size_limit


@settings(max_examples=300, deadline=None)
@given(STRATEGIES, PROBABILITIES, VOLATILITIES, COSTS, st.floats(0.0, 0.2))
def test_a_higher_probability_never_means_less(
    strategy: CostAwareStrategy, probability: float, volatility: float, cost: float, more: float
) -> None:
    low, high = (
        strategy.assess(Outlook(p, 0.5, volatility), cost) for p in (probability, min(1.0, probability + more))
    )
    assert high.score >= low.score
    assert high.size_limit >= low.size_limit


@settings(max_examples=100, deadline=None)
@given(STRATEGIES, COSTS, st.integers(0, 2**32 - 1))
def test_many_bars_are_assessed_like_one_bar_to_the_bit(strategy: CostAwareStrategy, cost: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = rng.random((3, 20))
    columns[rng.random(columns.shape) < 0.1] = np.nan
    scores, limits = strategy.assess_bars(Outlooks(*columns), cost)
    single = [strategy.assess(Outlook(*row), cost) for row in columns.T.tolist()]
    np.testing.assert_array_equal(scores, [each.score for each in single])
    np.testing.assert_array_equal(limits, [each.size_limit for each in single])


def test_it_says_in_bps_why_it_does_what_it_does() -> None:
    said = [DAILY.explain(Outlook(p, 0.52, 0.01), COST) for p in (0.62, 0.53, 0.50)]
    assert said == [
        "edge 78.2 bps reaches the round trip's 60 bps (expected move 391 bps)",
        "edge 7.8 bps is below the round trip's 60 bps (expected move 391 bps)",
        "edge -15.6 bps leaves nothing to hold for (expected move 391 bps)",
    ]
    eager = CostAwareStrategy(24, edge_multiple=1.5)
    assert "below 1.5 times the round trip's 60 bps" in eager.explain(Outlook(0.62, 0.52, 0.01), COST)
    assert "not known" in DAILY.explain(Outlook(0.62), COST)


@pytest.mark.parametrize(
    "parameters",
    [
        {"horizon_bars": 0},
        {"horizon_bars": 1.5},
        {"edge_multiple": -0.1},
        {"edge_multiple": math.inf},
        {"edge_multiple": math.nan},
        {"kelly_fraction": 0.0},
        {"kelly_fraction": 1.1},
    ],
)
def test_impossible_parameters_are_refused_by_name(parameters: dict) -> None:
    with pytest.raises(ConfigValueError, match=next(iter(parameters))):
        CostAwareStrategy(**{"horizon_bars": 24, **parameters})

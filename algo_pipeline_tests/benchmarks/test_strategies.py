from __future__ import annotations

import pandas as pd
import pytest

from algo_pipeline.common.types import Symbol
from algo_pipeline.data.simulation import simulate_bars
from algo_pipeline.research.statistics import Interval
from benchmarks.strategies import COSTS, Outcome, outcomes

_NAMES = ("thresholds", "cost_aware")


@pytest.fixture(scope="module")
def found() -> list[Outcome]:
    start = pd.Timestamp("2022-01-01", tz="UTC")
    bars = simulate_bars(Symbol("BTC", "USD"), start, start + pd.Timedelta(hours=4_000), seed=3, signal_strength=0.6)
    return list(outcomes("BTCUSDT", bars, "direction_24h"))


def test_both_strategies_are_compared_at_every_cost(found: list[Outcome]) -> None:
    assert [(each.cost, each.strategy) for each in found] == [
        (cost, strategy) for cost in COSTS for strategy in ("thresholds", "cost_aware")
    ]


def test_only_the_cost_aware_one_trades_less_where_trading_is_dear(found: list[Outcome]) -> None:
    thresholds, cost_aware = ([each.n_trades for each in found if each.strategy == name] for name in _NAMES)
    assert len(set(thresholds)) == 1
    assert cost_aware[0] < cost_aware[1] < cost_aware[2]


def test_a_row_that_traded_nothing_shows_no_figures_of_trades() -> None:
    none = Outcome(
        "ETHUSDT",
        "direction_1h",
        "60 bps",
        "cost_aware",
        0.0,
        float("nan"),
        Interval(float("nan"), float("nan")),
        0,
        0.0,
        1.0,
    )
    assert none.cells() == ("ETH", "direction_1h", "60 bps", "cost_aware", "0.0%", "–", "0", "0%", "–")

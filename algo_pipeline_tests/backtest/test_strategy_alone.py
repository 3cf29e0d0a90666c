"""The check of the trading rules finds a strategy that live trading would be told otherwise by."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.backtest.leakage import judge_rules
from algo_pipeline.backtest.variants import run_variants
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.interfaces.strategy import Assessment, Assessments, Band, Outlook, Outlooks, StrategyInterface
from algo_pipeline.research.claims import Finding
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline.strategy.signal_to_trade import ThresholdStrategy
from algo_pipeline_tests.market import random_bars

RULES = BacktestConfig()


class Calm(StrategyInterface):
    """Reads the volatility, as a user's strategy may."""

    def band(self, round_trip_cost: float) -> Band:
        return Band(0.1, 0.0)

    def assess(self, outlook: Outlook, round_trip_cost: float) -> Assessment:
        return Assessment(outlook.probability - 0.5 - outlook.volatility, 0.1)

    def parameters(self) -> Mapping[str, float]:
        return {}


class Hindsight(Calm):
    """Of many bars it says what it does not say of one: half of the edge, from bar 60 on."""

    def assess_bars(self, outlooks: Outlooks, round_trip_cost: float) -> Assessments:
        found = super().assess_bars(outlooks, round_trip_cost)
        return found._replace(scores=np.where(np.arange(len(found.scores)) < 60, found.scores, 0.5 * found.scores))


class Unaware(Calm):
    """Says that it reads nothing but the probability, and reads the volatility."""

    reads_conditions = False

    def assess(self, outlook: Outlook, round_trip_cost: float) -> Assessment:
        known = 0.0 if math.isnan(outlook.volatility) else outlook.volatility
        return Assessment(outlook.probability - 0.5 - known, 0.1)


def _judged(strategy: StrategyInterface) -> Finding:
    bars = random_bars(200, seed=3)
    values = {"probability": np.random.default_rng(3).random(100), "outcome": 0.0, "base_rate": 0.5, "fold": 0}
    oos = pd.DataFrame(values, index=bars.index[50:150])

    def trade(some: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        return run_variants(
            some, rows["probability"], RULES, strategy=strategy, base_rate=rows["base_rate"]
        ).strategy.curve

    return judge_rules(trade, bars, oos, trade(bars, oos), strategy, RULES)


@pytest.mark.parametrize(
    "strategy", [ThresholdStrategy(), CostAwareStrategy(4), Calm()], ids=lambda it: type(it).__name__
)
def test_rules_that_say_the_same_of_a_bar_alone_hold(strategy: StrategyInterface) -> None:
    assert _judged(strategy).holds


def test_what_is_said_of_many_bars_and_not_of_one_is_found_with_the_first_bar() -> None:
    found = _judged(Hindsight())
    assert not found.holds
    assert found.violations == (
        "live, the strategy would say other than in the backtest, of 40 bars, the first at 2024-01-05 14:00:00+00:00",
    )


def test_a_strategy_that_reads_more_than_it_says_is_found() -> None:
    assert not _judged(Unaware()).holds

"""The cost-aware strategy where the truth is known: each hour's sign is drawn from the probability that is told."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.backtest.engine import BacktestConfig, run_backtest
from algo_pipeline.backtest.result import BacktestResult
from algo_pipeline.interfaces.strategy import Outlooks
from algo_pipeline.strategy.cost_aware import CostAwareStrategy

HOURLY = CostAwareStrategy(horizon_bars=1)
SIGMA = 0.02
RARE = 0.03
CONFIG = BacktestConfig(max_drawdown=1e9)  # 60 bps a round trip


def sign_market(seed: int, n: int = 6_000) -> tuple[pd.DataFrame, pd.Series]:
    """Hours of 2 %, up with the probability told at the bar before: mostly 0.55, worth 16 bps, rarely 0.85, worth 112.

    An order decided at t fills at the open of t + 1, whose move to the next open is the one foretold.
    """
    rng = np.random.default_rng(seed)
    told = np.where(rng.random(n) < RARE, 0.85, np.where(rng.random(n) < 0.5, 0.55, 0.45))
    sizes = np.abs(rng.normal(0.0, SIGMA, n))
    signs = np.where(rng.random(n) < told, 1.0, -1.0)
    closes = 100.0 * np.exp(np.concatenate([[0.0], np.cumsum(signs * sizes)[:-1]]))
    opens = np.concatenate([[100.0], closes[:-1]])
    frame = {"open": opens, "high": np.maximum(opens, closes), "low": np.minimum(opens, closes), "close": closes}
    index = pd.date_range("2024-01-01", periods=n, freq="h", tz="UTC", name="timestamp", unit="ns")
    return pd.DataFrame({**frame, "volume": 1.0}, index=index), pd.Series(told, index=index)


def known_conditions(bars: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"volatility": SIGMA, "base_rate": 0.5}, index=bars.index)


@pytest.mark.parametrize("horizon_bars", [1, 4, 24])
def test_where_a_model_knows_the_sign_its_expected_gain_is_the_mean_gain(horizon_bars: int) -> None:
    rng, n = np.random.default_rng(horizon_bars), 400_000
    told = rng.uniform(0.3, 0.9, n)
    gains = np.where(rng.random(n) < told, 1.0, -1.0) * np.abs(rng.normal(0.0, SIGMA * math.sqrt(horizon_bars), n))
    scores = CostAwareStrategy(horizon_bars).assess_bars(Outlooks(told, np.full(n, 0.5), np.full(n, SIGMA)), 0.006)[0]
    for low, high in ((0.3, 0.45), (0.45, 0.55), (0.55, 0.7), (0.7, 0.9)):
        inside = (told >= low) & (told < high)
        error = gains[inside].std() / math.sqrt(inside.sum())
        assert abs(gains[inside].mean() - scores[inside].mean()) < 4.0 * error


@pytest.fixture(scope="module")
def both() -> list[tuple[BacktestResult, BacktestResult]]:
    runs = []
    for seed in range(10):
        bars, told = sign_market(seed)
        counting = run_backtest(bars, told, CONFIG, strategy=HOURLY, conditions=known_conditions(bars))
        runs.append((run_backtest(bars, told, CONFIG), counting))
    return runs


def test_it_earns_where_thresholds_pay_their_edge_to_the_venue(both: list) -> None:
    assert all(thresholds.metrics["total_return"] < 0.0 for thresholds, _ in both)
    assert all(counting.metrics["total_return"] > 0.0 for _, counting in both)


def test_a_trade_earns_what_it_was_expected_to_less_its_cost(both: list) -> None:
    earned = np.concatenate([counting.trades["return"].to_numpy() for _, counting in both])
    move = SIGMA * math.sqrt(2 / math.pi)
    sure, weak, falling = 2 * 0.35 * move, 2 * 0.05 * move, (1 - RARE) / 2
    # After the first hour it is held until an hour is foretold to fall.
    later = (RARE * sure + falling * weak) / falling
    assert len(earned) > 1_000
    assert earned.mean() == pytest.approx(sure + later - 0.006, abs=3 * earned.std() / math.sqrt(len(earned)))


def test_it_does_not_trade_a_market_whose_edges_are_all_too_small() -> None:
    bars, told = sign_market(1)
    result = run_backtest(bars, told.clip(upper=0.55), CONFIG, strategy=HOURLY, conditions=known_conditions(bars))
    assert len(result.fills) == 0

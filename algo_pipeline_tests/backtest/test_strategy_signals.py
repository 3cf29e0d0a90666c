from __future__ import annotations

import numpy as np
import pandas as pd

from algo_pipeline.backtest.conditions import market_conditions
from algo_pipeline.backtest.engine import run_backtest
from algo_pipeline.backtest.evidence import threshold_signals
from algo_pipeline.backtest.strategy_signals import strategy_signals
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Signal
from algo_pipeline.strategy.catalog import threshold_strategy
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline_tests.market import random_bars


def _rows(n: int = 3_000, seed: int = 3) -> tuple[pd.DataFrame, pd.DataFrame]:
    bars = random_bars(n, seed=seed)
    rng = np.random.default_rng(seed)
    oos = pd.DataFrame({"probability": rng.uniform(0.3, 0.7, n - 500), "base_rate": 0.5}, index=bars.index[500:])
    return bars, oos


def test_thresholds_ask_for_what_the_test_of_an_edge_assumes_of_them() -> None:
    bars, oos = _rows()
    config = BacktestConfig(enter_threshold=0.6, exit_threshold=0.42, position_fraction=0.15)
    found = strategy_signals(bars, oos, config, threshold_strategy(config))
    expected = threshold_signals(oos, 0.6, 0.42, 0.15)
    assert np.array_equal(found.signals, expected.signals)
    assert np.array_equal(found.fractions, expected.fractions)


def test_another_strategy_asks_row_by_row_for_what_its_backtest_trades() -> None:
    bars, oos = _rows()
    config = BacktestConfig(fee_bps=1.0, slippage_bps=0.0, min_notional=0.0, max_drawdown=1e9)
    strategy = CostAwareStrategy(24, 1.0, 0.5)
    found = strategy_signals(bars, oos, config, strategy)
    result = run_backtest(
        bars.loc[oos.index], oos["probability"], config,
        strategy=strategy, conditions=market_conditions(bars, oos["base_rate"]),
    )  # fmt: skip
    assert len(result.trades) > 3
    # An entry fills at the open after its row: that row is LONG, and the first such while flat.
    signals = pd.Series(found.signals, index=oos.index)
    entries = pd.DatetimeIndex(result.trades["entry_time"]) - pd.Timedelta(hours=1)
    exits = pd.DatetimeIndex(result.trades["exit_time"]) - pd.Timedelta(hours=1)
    assert (signals.loc[entries] == int(Signal.LONG)).all()
    assert (signals.loc[exits] == int(Signal.FLAT)).all()
    bought = result.trades["quantity"] * result.trades["entry_price"]
    asked = pd.Series(found.fractions, index=oos.index).loc[entries].to_numpy() * config.initial_cash
    np.testing.assert_allclose(bought, asked, rtol=0.12)

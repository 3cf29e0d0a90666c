"""The same strategy here."""

from __future__ import annotations

import dataclasses
from typing import Any

from algo_pipeline.backtest.engine import BacktestConfig, BacktestResult, run_backtest
from benchmarks.markets import Market
from benchmarks.rules import ENTER, EXIT, FEE, FRACTION, INITIAL_CASH, SLIPPAGE, SMALLEST_QUANTITY

CONFIG = BacktestConfig(
    initial_cash=INITIAL_CASH,
    enter_threshold=ENTER,
    exit_threshold=EXIT,
    position_fraction=FRACTION,
    max_position_fraction=FRACTION,
    max_drawdown=1.0,
    fee_bps=FEE * 1e4,
    slippage_bps=SLIPPAGE * 1e4,
    quantity_step=SMALLEST_QUANTITY,
    min_notional=0.0,
)


def run(market: Market, **rules: Any) -> BacktestResult:
    """The run under the rules of the comparison, but for ``rules``."""
    return run_backtest(market.bars, market.probability, dataclasses.replace(CONFIG, **rules) if rules else CONFIG)


def final_equity(market: Market) -> float:
    """Equity at the last close, after reading all that a user may look at: curve, fills, trades and metrics."""
    result = run(market)
    _ = result.curve, result.fills, result.trades, result.metrics
    return float(result.equity.iloc[-1])

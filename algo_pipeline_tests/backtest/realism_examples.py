"""Small markets and an account without costs, for worked examples of realistic orders."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from algo_pipeline.backtest.engine import AccountResult, BacktestConfig, BacktestResult, ExecutionOptions, run_backtest

LONG, HOLD, FLAT = 1.0, 0.5, 0.0

# 1000 of cash, half of it in a position: at a close of 100 an entry buys 5.00.
FREE = BacktestConfig(
    initial_cash=1000.0,
    position_fraction=0.5,
    max_position_fraction=1.0,
    max_drawdown=1.0,
    fee_bps=0.0,
    slippage_bps=0.0,
    quantity_step=0.01,
)
SLIPPING = replace(FREE, slippage_bps=100.0)

Candle = tuple[float, ...]  # open, high, low, close, and volume where it matters


def candles(*rows: Candle, start: str = "2024-03-01") -> pd.DataFrame:
    """Hourly bars; the volume is plenty where a row has none."""
    index = pd.date_range(start, periods=len(rows), freq="h", tz="UTC", name="timestamp", unit="ns")
    filled = [(*row, 1e9)[:5] for row in rows]
    return pd.DataFrame(filled, index=index, columns=["open", "high", "low", "close", "volume"], dtype=float)


def flat(price: float, volume: float = 1e9) -> Candle:
    """A bar that does not move."""
    return price, price, price, price, volume


def run(
    bars: pd.DataFrame,
    probability: list[float],
    execution: ExecutionOptions,
    config: BacktestConfig = FREE,
) -> BacktestResult:
    return run_backtest(bars, pd.Series(probability, index=bars.index, dtype=float), config, execution)


def fills_of(result: BacktestResult | AccountResult) -> list[tuple[object, ...]]:
    """Each fill as (hour, side, quantity, price), rounded to 1e-9; with its symbol where there are several."""
    columns = ["side", "quantity", "price", *(["symbol"] if "symbol" in result.fills else [])]
    hours = result.fills["timestamp"].dt.hour
    rows = result.fills[columns].round(9).itertuples(index=False)
    return [(hour, *row) for hour, row in zip(hours, rows, strict=True)]

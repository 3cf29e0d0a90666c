"""Small markets for tests of the live core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Symbol
from algo_pipeline_tests.live.harness import BTC, World
from algo_pipeline_tests.market import random_bars

START = pd.Timestamp("2024-01-01", tz="UTC")
HOUR = pd.Timedelta(hours=1)
LIVE = BacktestConfig(fee_in_base=True, cash_buffer_bps=50.0)


def hour(n: int) -> pd.Timestamp:
    return START + n * HOUR


def flat_bars(closes: Sequence[float]) -> pd.DataFrame:
    """Bars that open where the bar before closed."""
    index = pd.date_range(START, periods=len(closes), freq="h", tz="UTC", name="timestamp", unit="ns")
    close = np.array(closes, dtype=float)
    open_ = np.concatenate([close[:1], close[:-1]])
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    return pd.DataFrame({"open": open_, "high": high, "low": low, "close": close, "volume": 1.0}, index=index)


def scripted(
    folder: Path,
    probability: Mapping[Symbol, Sequence[float]],
    closes: Mapping[Symbol, Sequence[float]] | None = None,
    config: BacktestConfig = LIVE,
) -> World:
    """A world with these probabilities, and closes of 100 unless told; one more bar than probabilities."""
    bars, tables = {}, {}
    for symbol, values in probability.items():
        bars[symbol] = flat_bars((closes or {}).get(symbol) or [100.0] * (len(values) + 2))
        tables[symbol] = pd.Series(list(values), index=bars[symbol].index[: len(values)], dtype=float)
    return World(folder, bars, tables, config)


def one_entry(folder: Path) -> World:
    """BTC: enter on bar 0, hold on bar 1, exit on bar 2."""
    return scripted(folder, {BTC: [0.7, 0.5, 0.3, 0.5, 0.5]})


def random_world(folder: Path, seed: int, symbols: Sequence[Symbol], n: int, config: BacktestConfig) -> World:
    """Restless probabilities over wild random bars without gaps."""
    rng = np.random.default_rng(seed)
    bars, tables = {}, {}
    for symbol in symbols:
        price = float(rng.choice([0.03, 1.0, 87.0, 41_000.0]))
        bars[symbol] = random_bars(
            n, int(rng.integers(2**31)), price=price, volatility=float(rng.choice([0.002, 0.03]))
        )
        values = rng.random(n)
        values[rng.random(n) < 0.1] = np.nan
        tables[symbol] = pd.Series(values, index=bars[symbol].index)
    return World(folder, bars, tables, config)

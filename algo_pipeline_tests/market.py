"""Markets for tests: random but valid hourly bars, made from a seed."""

from __future__ import annotations

import numpy as np
import pandas as pd


def random_bars(
    n: int, seed: int = 0, start: str = "2024-01-01", price: float = 100.0, volatility: float = 0.01
) -> pd.DataFrame:
    """Valid hourly bars of a random walk with log-normal volume, without gaps."""
    rng = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(rng.normal(0.0, volatility, n)))
    open_ = np.concatenate([[price], close[:-1]]) * np.exp(rng.normal(0.0, volatility / 10, n))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0.0, volatility / 3, n)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0.0, volatility / 3, n)))
    volume = rng.lognormal(3.0, 1.0, n)
    index = pd.date_range(start, periods=n, freq="h", tz="UTC", name="timestamp", unit="ns")
    return pd.DataFrame({"open": open_, "high": high, "low": low, "close": close, "volume": volume}, index=index)


def without_rows(bars: pd.DataFrame, *positions: int) -> pd.DataFrame:
    """The same bars with gaps at these row positions."""
    return bars.drop(bars.index[list(positions)])

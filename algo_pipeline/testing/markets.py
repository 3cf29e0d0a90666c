"""Markets that a feature or a label has to get along with: missing hours, and hours in which nothing happens."""

from __future__ import annotations

import numpy as np
import pandas as pd

from algo_pipeline.common.types import Symbol
from algo_pipeline.data.simulation import simulate_bars

_START = pd.Timestamp("2024-01-01", tz="UTC")


def ordinary_market(n_bars: int, seed: int = 1) -> pd.DataFrame:
    """Valid hourly bars without a gap, shape (n_bars, 5)."""
    return simulate_bars(Symbol("BTC", "USD"), _START, _START + pd.Timedelta(hours=n_bars), seed=seed)


def market_with_gaps(n_bars: int, seed: int = 1) -> pd.DataFrame:
    """The same with a missing hour, two gaps a few bars apart and one of a day, all in its later third."""
    bars = ordinary_market(n_bars, seed)
    first = 2 * n_bars // 3
    missing = [first, first + 40, first + 43, *range(first + 90, first + 114)]
    return bars.drop(bars.index[[row for row in missing if row < n_bars]])


def market_at_a_standstill(n_bars: int, seed: int = 1) -> pd.DataFrame:
    """The same with no trade in its last half: prices stay, volume is 0."""
    bars = ordinary_market(n_bars, seed)
    quiet = bars.index[n_bars // 2 :]
    bars.loc[quiet, ["open", "high", "low", "close"]] = float(bars["close"].iloc[n_bars // 2 - 1])
    bars.loc[quiet, "volume"] = 0.0
    return bars


def trending_bars(bars: pd.DataFrame, position: int, hourly_change: float) -> pd.DataFrame:
    """A copy of the bars in which every hour after ``position`` moves the price by the same share."""
    hours = np.arange(1, len(bars) - position)
    close = float(bars["close"].iloc[position]) * (1.0 + hourly_change) ** hours
    open_ = close / (1.0 + hourly_change)
    found = bars.copy()
    prices = np.column_stack([open_, np.maximum(open_, close), np.minimum(open_, close), close])
    found.iloc[position + 1 :, :4] = prices
    return found

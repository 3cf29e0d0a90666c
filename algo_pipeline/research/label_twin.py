"""The 7 labels a second time, by other means: arrays on a full hourly grid instead of a loop over bars.

Shares no code with :mod:`algo_pipeline.data.labels`, so that a label that looks at the wrong bar, or across a gap, is
noticed although the code that made it would make it again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from algo_pipeline.common.time import bar_numbers
from algo_pipeline.common.types import FloatArray, IntArray

_HORIZONS = (1, 4, 24)
_BARRIER_BARS = 24
_TOLERANCE = 1e-7
_BEFORE, _AFTER = _BARRIER_BARS, max(_HORIZONS) + 1


def label_bounds(bars: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All labels of every bar, twice.

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, 5)
        Valid hourly bars, at least one; hours may be missing.

    Returns
    -------
    tuple of two DataFrames of shape (n_bars, 7)
        Equal but for triple barriers that a change of the volatility by 1e-7 of itself would decide otherwise: two
        sums of the same numbers in another order may differ by more than nothing. A right label equals one of them;
        NaN where a bar of its span is missing.
    """
    grid = _Grid.of(bars)
    returns = {f"fwd_return_{horizon}h": _forward_return(grid, horizon) for horizon in _HORIZONS}
    directions = {f"direction_{horizon}h": _sign(returns[f"fwd_return_{horizon}h"]) for horizon in _HORIZONS}
    width = _volatility(grid) * math.sqrt(_BARRIER_BARS)
    frames = [
        pd.DataFrame(
            {**returns, **directions, f"triple_barrier_{_BARRIER_BARS}h": _triple_barrier(grid, width * factor)},
            index=bars.index,
        )
        for factor in (1.0 - _TOLERANCE, 1.0 + _TOLERANCE)
    ]
    return frames[0], frames[1]


@dataclass(frozen=True, slots=True)
class _Grid:
    """Prices at every hour, NaN at those without a bar and for a day and more before the first and after the last."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    at: IntArray

    @classmethod
    def of(cls, bars: pd.DataFrame) -> _Grid:
        numbers = bar_numbers(pd.DatetimeIndex(bars.index))
        at = numbers - numbers[0] + _BEFORE
        prices = np.full((4, int(at[-1]) + _AFTER + 1), np.nan)
        prices[:, at] = bars[["open", "high", "low", "close"]].to_numpy(dtype=np.float64).T
        return cls(prices[0], prices[1], prices[2], prices[3], at)

    def nan_unless_whole(self, n_after: int) -> FloatArray:
        """1.0 where a bar and the ``n_after`` after it exist, else NaN; shape (n_bars,)."""
        whole = ~np.isnan(self.windows(self.open, n_after)).any(axis=1)
        return np.where(whole, 1.0, np.nan)

    def windows(self, values: FloatArray, n_after: int) -> FloatArray:
        """The values of the bar and of the ``n_after`` hours after it; shape (n_bars, n_after + 1)."""
        return np.asarray(sliding_window_view(values, n_after + 1)[self.at])


def _forward_return(grid: _Grid, horizon: int) -> FloatArray:
    change = grid.open[grid.at + 1 + horizon] / grid.open[grid.at + 1] - 1.0
    return np.asarray(change * grid.nan_unless_whole(horizon + 1))


def _sign(change: FloatArray) -> FloatArray:
    return np.where(np.isnan(change), np.nan, (change > 0.0).astype(np.float64))


def _volatility(grid: _Grid) -> FloatArray:
    """Sample deviation of the last 24 log returns; NaN unless all of them exist; shape (n_bars,)."""
    with np.errstate(invalid="ignore"):
        returns = np.log(grid.close[1:] / grid.close[:-1])
    # Return k leads to hour k + 1, so the window that starts at hour t − 24 ends with the return to hour t.
    last = sliding_window_view(returns, _BARRIER_BARS)[grid.at - _BARRIER_BARS]
    return np.asarray(last.std(axis=1, ddof=1))


def _triple_barrier(grid: _Grid, width: FloatArray) -> FloatArray:
    entry = grid.open[grid.at + 1]
    with np.errstate(invalid="ignore"):
        above = grid.windows(grid.high, _BARRIER_BARS)[:, 1:] >= (entry * (1.0 + width))[:, None]
        below = grid.windows(grid.low, _BARRIER_BARS)[:, 1:] <= (entry * (1.0 - width))[:, None]
    first_above = np.where(above.any(axis=1), above.argmax(axis=1), _BARRIER_BARS)
    first_below = np.where(below.any(axis=1), below.argmax(axis=1), _BARRIER_BARS)
    won = (first_above < first_below).astype(np.float64)
    return np.where(np.isnan(width), np.nan, won * grid.nan_unless_whole(_BARRIER_BARS))

"""The figures of a report that are derived from equity, trades and bars: tables and series, no rendering."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from algo_pipeline.common.time import BAR, BAR_NS, epoch_ns
from algo_pipeline.common.types import FloatArray

TOP_DRAWDOWNS = 10
_TAIL = 0.5


@dataclass(frozen=True, slots=True)
class Drawdown:
    """A decline from a peak of equity, marked at closes.

    ``start`` is the open time of the peak's bar (of the first bar, if equity fell from the start on), ``recovery``
    that of the first bar back at the peak, or None; ``depth`` is a fraction of the peak, ``length_bars`` counts the
    bars from peak to recovery or to the end.
    """

    start: pd.Timestamp
    trough: pd.Timestamp
    recovery: pd.Timestamp | None
    depth: float
    length_bars: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts between edges; with ``open_ends`` the outermost bins also hold everything beyond them."""

    edges: FloatArray
    counts: FloatArray
    open_ends: bool = False


def buy_and_hold_equity(close: pd.Series, initial_cash: float, total_return: float) -> pd.Series:
    """Equity of holding the coin from the start, scaled to end at ``total_return`` (of the first close if NaN)."""
    start = close.iloc[-1] / (1.0 + total_return) if math.isfinite(total_return) else close.iloc[0]
    held: pd.Series[float] = initial_cash * close / start
    return held


def drawdown_series(equity: pd.Series, initial_cash: float) -> pd.Series:
    """``1 − equity / peak`` at every close; the peak includes the start cash."""
    return 1.0 - equity / equity.cummax().clip(lower=initial_cash)


def daily_returns(equity: pd.Series, initial_cash: float) -> pd.Series:
    """Return of each UTC day that has a bar, by the open time of the day's bars; the first starts at the cash."""
    return _period_returns(equity, initial_cash, "D")


def monthly_returns(equity: pd.Series, initial_cash: float) -> pd.DataFrame:
    """Return of each UTC month.

    Returns
    -------
    DataFrame of shape (n_years, 13)
        Index ``year``; columns 1 … 12 and ``year`` (the whole year's return). NaN where there is no bar.
    """
    monthly = _period_returns(equity, initial_cash, "M")
    years = pd.PeriodIndex(monthly.index).year
    table = pd.DataFrame(np.nan, index=pd.Index(years.unique(), name="year"), columns=[*range(1, 13), "year"])
    for period, value in monthly.items():
        table.loc[period.year, period.month] = value  # type: ignore[attr-defined]
    table["year"] = (1.0 + monthly).groupby(years).prod() - 1.0
    return table


def top_drawdowns(equity: pd.Series, initial_cash: float, top: int = TOP_DRAWDOWNS) -> tuple[Drawdown, ...]:
    """The deepest drawdowns, deepest first, each between a peak and its recovery."""
    depth = drawdown_series(equity, initial_cash).to_numpy()
    under = np.concatenate([[False], depth > 0.0, [False]])
    starts = np.flatnonzero(~under[:-1] & under[1:])
    ends = np.flatnonzero(under[:-1] & ~under[1:])
    episodes = [_episode(depth, equity.index, int(a), int(b)) for a, b in zip(starts, ends, strict=True)]
    return tuple(sorted(episodes, key=lambda episode: -episode.depth)[:top])


def histogram(values: FloatArray, bins: int, *, clip_tails: bool = False) -> Histogram:
    """Equal bins over the range of the finite values, or over their central 99 % with the rest in the outer bins."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return Histogram(np.empty(0), np.empty(0))
    low, high = np.percentile(finite, [_TAIL, 100 - _TAIL]) if clip_tails else (finite.min(), finite.max())
    if not high > low:
        low, high = low - 0.5 * max(abs(low), 1e-3), high + 0.5 * max(abs(high), 1e-3)
    counts, edges = np.histogram(np.clip(finite, low, high), bins=bins, range=(low, high))
    return Histogram(edges, counts.astype(np.float64), bool(clip_tails and (finite.min() < low or finite.max() > high)))


def gaps(index: pd.DatetimeIndex) -> tuple[tuple[pd.Timestamp, pd.Timestamp], ...]:
    """Open times of the first and last bar missing, for each hole between bars."""
    holes: list[int] = np.flatnonzero(np.diff(epoch_ns(index)) > BAR_NS).tolist()
    return tuple((index[hole] + BAR, index[hole + 1] - BAR) for hole in holes)


def _period_returns(equity: pd.Series, initial_cash: float, frequency: str) -> pd.Series:
    periods = pd.DatetimeIndex(equity.index).tz_localize(None).to_period(frequency)
    last = equity.groupby(periods).last()
    return last / last.shift(fill_value=initial_cash) - 1.0


def _episode(depth: FloatArray, index: pd.Index, first: int, end: int) -> Drawdown:
    trough = first + int(depth[first:end].argmax())
    peak = max(first - 1, 0)
    recovery = index[end] if end < len(index) else None
    return Drawdown(index[peak], index[trough], recovery, float(depth[trough]), min(end, len(index) - 1) - peak)

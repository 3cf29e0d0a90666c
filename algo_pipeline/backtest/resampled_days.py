"""Compiled kernels behind ``backtest.performance_intervals``: a backtest by days, and figures of days drawn anew."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from algo_pipeline.backtest.metrics import DAYS_PER_YEAR
from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.time import DAY_NS
from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.research.resampling import draw_blocks
from algo_pipeline.strategy.risk import drawdown_from_peak

_ANNUAL = math.sqrt(DAYS_PER_YEAR)


class DayFigures(NamedTuple):
    """What each UTC day that has bars contributes, arrays of shape (n_days,).

    ``returns`` from the last close of the day before (start cash for the first); ``highs`` and ``lows`` of equity at
    the day's closes over that same close, ``depths`` the deepest drawdown from a peak within the day; ``gains`` and
    ``losses`` of the round trips closed on it, in quote currency, both ≥ 0.
    """

    returns: FloatArray
    highs: FloatArray
    lows: FloatArray
    depths: FloatArray
    gains: FloatArray
    losses: FloatArray


class ResampledFigures(NamedTuple):
    """Figures by the names of their metrics, arrays of shape (n_resamples,)."""

    sharpe: FloatArray
    max_drawdown: FloatArray
    profit_factor: FloatArray


@compiled
def day_figures(
    open_ns: IntArray, equity: FloatArray, initial_cash: float, day_of_exit: IntArray, pnl: FloatArray
) -> DayFigures:
    """Cut a backtest into days.

    Parameters
    ----------
    open_ns, equity : ndarray of shape (n_bars,)
        Open times in epoch nanoseconds, ascending, and equity at close, positive.
    initial_cash : float
        Equity before the first bar.
    day_of_exit, pnl : ndarray of shape (n_trades,)
        Which of the days that have bars each round trip was closed on, and its net result.
    """
    n_bars = len(equity)
    cuts = np.empty((6, n_bars))
    previous = initial_cash
    day = t = 0
    while t < n_bars:
        day_end = (open_ns[t] // DAY_NS + 1) * DAY_NS
        high, low, depth = 0.0, math.inf, 0.0
        while t < n_bars and open_ns[t] < day_end:
            high, low = max(high, equity[t]), min(low, equity[t])
            depth = max(depth, drawdown_from_peak(equity[t], high))
            t += 1
        last = equity[t - 1]
        cuts[0, day], cuts[1, day], cuts[2, day] = last / previous - 1.0, high / previous, low / previous
        cuts[3, day], cuts[4, day], cuts[5, day] = depth, 0.0, 0.0
        previous = last
        day += 1
    for trade in range(len(pnl)):
        cuts[4, day_of_exit[trade]] += max(pnl[trade], 0.0)
        cuts[5, day_of_exit[trade]] += max(-pnl[trade], 0.0)
    cuts = cuts[:, :day].copy()
    return DayFigures(cuts[0], cuts[1], cuts[2], cuts[3], cuts[4], cuts[5])


@compiled
def resampled_figures(
    rng: np.random.Generator, days: DayFigures, mean_block: int, n_resamples: int
) -> ResampledFigures:
    """Figures of stationary-bootstrap resamples of the days; undefined is NaN, gains without a loss infinite."""
    n_days = len(days.returns)
    centre = days.returns.mean()
    starts, lengths = np.empty(n_days, np.int64), np.empty(n_days, np.int64)
    order = np.empty(n_days, np.int64)
    figures = ResampledFigures(np.empty(n_resamples), np.empty(n_resamples), np.empty(n_resamples))
    for i in range(n_resamples):
        n_blocks = draw_blocks(rng, mean_block, starts, lengths)
        _lay_out(starts[:n_blocks], lengths[:n_blocks], order)
        figures.sharpe[i] = _sharpe(days.returns, centre, order)
        figures.max_drawdown[i] = _max_drawdown(days, order)
        figures.profit_factor[i] = _profit_factor(days.gains, days.losses, order)
    return figures


@compiled
def _lay_out(starts: IntArray, lengths: IntArray, order: IntArray) -> None:
    """Write the days of circular blocks end to end."""
    n_days, place = len(order), 0
    for block in range(len(starts)):
        day = starts[block]
        for _ in range(lengths[block]):
            order[place] = day
            place += 1
            day = day + 1 if day + 1 < n_days else 0


@compiled
def _sharpe(returns: FloatArray, centre: float, order: IntArray) -> float:
    """Annualized; from deviations around ``centre``, so that no digits are lost to a large mean."""
    n_days = len(order)
    total = squares = 0.0
    for day in order:
        deviation = returns[day] - centre
        total += deviation
        squares += deviation * deviation
    variance = (squares - total * total / n_days) / (n_days - 1)
    # What is left of equal returns is rounding, not variance.
    return _ANNUAL * (centre + total / n_days) / math.sqrt(variance) if variance > 1e-20 else math.nan


@compiled
def _max_drawdown(days: DayFigures, order: IntArray) -> float:
    """Deepest drawdown at the closes of the days in this order; the start is the first peak."""
    equity = peak = 1.0
    deepest = 0.0
    for day in order:
        deepest = max(deepest, days.depths[day], drawdown_from_peak(equity * days.lows[day], peak))
        peak = max(peak, equity * days.highs[day])
        equity *= 1.0 + days.returns[day]
    return deepest


@compiled
def _profit_factor(all_gains: FloatArray, all_losses: FloatArray, order: IntArray) -> float:
    gains = losses = 0.0
    for day in order:
        gains += all_gains[day]
        losses += all_losses[day]
    if losses > 0.0:
        return gains / losses
    return math.inf if gains > 0.0 else math.nan

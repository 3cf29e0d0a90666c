"""An equity curve by stretches of bars between two fills, instead of bar by bar.

A stretch at constant cash and quantity moves the peak, the deepest drawdown and the longest one in a way that its least
and greatest equity nearly always decide. Only where they leave something open are its bars looked at.
"""

from __future__ import annotations

from typing import NamedTuple

from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.types import FloatArray
from algo_pipeline.strategy.risk import drawdown_from_peak, kill_switch_trips


class Curve(NamedTuple):
    """What is kept of an equity curve.

    The bar of the peak, the last one that reached it, lies between ``peak_first`` and ``peak_last``, a stretch at
    ``peak_cash`` and ``peak_held``; :func:`peak_bar` says which.
    """

    peak: float
    peak_first: int
    peak_last: int
    peak_cash: float
    peak_held: float
    deepest: float
    longest: int


class Stretch(NamedTuple):
    """Bars ``first`` to ``last`` at constant ``cash`` and ``held``, with the least and greatest equity among them."""

    first: int
    last: int
    cash: float
    held: float
    least: float
    greatest: float


@compiled
def start_of_curve(cash: float) -> Curve:
    """Start cash is the first peak, at the bar before the first."""
    return Curve(cash, -1, -1, cash, 0.0, 0.0, 0)


@compiled
def hangs_on_bars(curve: Curve, stretch: Stretch, max_drawdown: float) -> bool:
    """Whether the order of the bars in the stretch may matter: to the kill switch, or between two peaks."""
    depth = drawdown_from_peak(stretch.least, max(curve.peak, stretch.greatest))
    may_last_longer = stretch.last - curve.peak_first > max(curve.longest, 1)
    is_new_peak = stretch.greatest >= curve.peak
    return kill_switch_trips(depth, max_drawdown) or (is_new_peak and (depth > curve.deepest or may_last_longer))


@compiled
def after_stretch(curve: Curve, stretch: Stretch) -> Curve:
    """The curve after a stretch that does not hang on its bars."""
    if stretch.greatest >= curve.peak:
        return Curve(
            stretch.greatest,
            stretch.first,
            stretch.last,
            stretch.cash,
            stretch.held,
            curve.deepest,
            curve.longest,
        )
    deepest = max(curve.deepest, drawdown_from_peak(stretch.least, curve.peak))
    return Curve(
        curve.peak, curve.peak_first, curve.peak_last, curve.peak_cash, curve.peak_held, deepest, curve.longest
    )


@compiled
def walk_stretch(curve: Curve, stretch: Stretch, closes: FloatArray, max_drawdown: float) -> tuple[Curve, int, bool]:
    """The curve after the stretch bar by bar, its last bar, and whether it ends there by the kill switch."""
    peak, deepest, longest = curve.peak, curve.deepest, curve.longest
    peak_at = peak_bar(curve, closes)
    is_killed = False
    t = stretch.first
    while t <= stretch.last and not is_killed:
        equity = stretch.cash + stretch.held * closes[t]
        if equity >= peak:
            longest = max(longest, t - peak_at) if t - peak_at > 1 else longest
            peak = equity
            peak_at = t
        drawdown = drawdown_from_peak(equity, peak)
        deepest = max(deepest, drawdown)
        is_killed = kill_switch_trips(drawdown, max_drawdown)
        t += 1
    return Curve(peak, peak_at, peak_at, stretch.cash, stretch.held, deepest, longest), t - 1, is_killed


@compiled
def after_idle(curve: Curve, first: int, last: int, cash: float, closes: FloatArray) -> Curve:
    """The curve after bars ``first`` to ``last`` that close with nothing held."""
    if cash < curve.peak:
        return after_stretch(curve, Stretch(first, last, cash, 0.0, cash, cash))
    longest = curve.longest
    if first - curve.peak_first > max(longest, 1):
        way = first - peak_bar(curve, closes)
        longest = max(longest, way) if way > 1 else longest
    return Curve(cash, last, last, cash, 0.0, curve.deepest, longest)


@compiled
def longest_drawdown(curve: Curve, n_bars: int, closes: FloatArray) -> int:
    """Bars of the longest drawdown; the last one may go on to the last bar."""
    if n_bars - 1 - curve.peak_first <= curve.longest:
        return curve.longest
    return max(curve.longest, n_bars - 1 - peak_bar(curve, closes))


@compiled
def peak_bar(curve: Curve, closes: FloatArray) -> int:
    """The last bar that reached the peak."""
    t = curve.peak_last
    while t > curve.peak_first and curve.peak_cash + curve.peak_held * closes[t] < curve.peak:
        t -= 1
    return t

"""Where signals alone would enter and exit: the plan that all configurations of the same thresholds share.

Whether a bar enters or exits hangs on probability, thresholds and cooldown, as long as every entry is filled, no
holding sinks to dust and the kill switch rests. What a holding adds to an equity curve then follows from a few figures
of its bars, for equity ``cash + quantity · close`` rises with the close: rounding keeps the order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from algo_pipeline.backtest.kernel_rules import KernelRules
from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.types import FloatArray, IntArray, Signal
from algo_pipeline.strategy.signal_to_trade import signal_from_score

_LONG = int(Signal.LONG)
_FLAT = int(Signal.FLAT)


class TradePlan(NamedTuple):
    """Planned trips, arrays with room for as many as the bars allow.

    ``entries`` holds the bars that decide to enter (filled one bar later), ``exits`` the last bars that close with the
    holding: they decide to exit, or are the last of all. ``lows``, ``highs`` and ``sums`` are of the closes from the
    entry's fill to the exit's decision. ``at_day_ends``, shape (n_days,), says what is held when a day ends: 2k + 1
    within trip k, 2k before it.
    """

    entries: IntArray
    exits: IntArray
    lows: FloatArray
    highs: FloatArray
    sums: FloatArray
    at_day_ends: IntArray


@compiled
def empty_plan(n_bars: int, n_days: int) -> TradePlan:
    """Room for a plan; a trip takes at least two bars."""
    n = n_bars // 2 + 1
    return TradePlan(
        np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n), np.empty(n), np.empty(n), np.empty(n_days, np.int64)
    )


@compiled
def make_plan(
    plan: TradePlan, closes: FloatArray, probabilities: FloatArray, day_ends: IntArray, rules: KernelRules
) -> int:
    """Fill ``plan`` by the thresholds and the cooldown of ``rules``; return the number of trips.

    Parameters
    ----------
    closes, probabilities : ndarray of shape (n_bars,)
        The market; a NaN probability is HOLD.
    day_ends : ndarray of shape (n_days,)
        The last bar of each day.
    """
    n_bars = len(closes)
    enter, exit_ = rules.enter_threshold, rules.exit_threshold
    pause = 1 + min(rules.cooldown_bars, n_bars)
    n_trips = t = 0
    while True:
        while t < n_bars and signal_from_score(probabilities[t], enter, exit_) != _LONG:
            t += 1
        if t >= n_bars - 1:  # the order of the last bar is not filled
            break
        plan.entries[n_trips] = t
        t += 1
        low = high = closes[t]
        total = 0.0
        while t < n_bars:
            low, high = min(low, closes[t]), max(high, closes[t])
            total += closes[t]
            if signal_from_score(probabilities[t], enter, exit_) == _FLAT:
                break
            t += 1
        plan.exits[n_trips] = min(t, n_bars - 1)
        plan.lows[n_trips], plan.highs[n_trips], plan.sums[n_trips] = low, high, total
        n_trips += 1
        t += pause
    _locate_day_ends(plan, n_trips, day_ends)
    return n_trips


@compiled
def _locate_day_ends(plan: TradePlan, n_trips: int, day_ends: IntArray) -> None:
    k = 0
    for day in range(len(day_ends)):
        while k < n_trips and plan.exits[k] < day_ends[day]:
            k += 1
        is_held = k < n_trips and plan.entries[k] < day_ends[day]
        plan.at_day_ends[day] = 2 * k + 1 if is_held else 2 * k

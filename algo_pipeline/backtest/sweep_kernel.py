"""Many configurations over one symbol: each streams through the bars and keeps figures, never a curve.

While nothing is held equity stands still, so the kernel leaps from one entry signal to the next; only bars with a
holding are marked. Decisions and fills are those of ``backtest.kernel``, by the same functions.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from algo_pipeline.backtest.costs import buy_price, fee_on, sell_price
from algo_pipeline.backtest.execution import cash_cost, fillable_quantity
from algo_pipeline.backtest.kernel import KernelRules, action_at_close
from algo_pipeline.backtest.metrics import DAYS_PER_YEAR
from algo_pipeline.common.compiled import compiled, compiled_parallel
from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.strategy.position_sizing import cash_per_unit, counts_as_flat, entry_quantity
from algo_pipeline.strategy.risk import drawdown_from_peak, kill_switch_trips
from algo_pipeline.strategy.signal_to_trade import Action

_ENTER = int(Action.ENTER)
_EXIT = int(Action.EXIT)
_NEVER = -(2**62)

# Places in the ledger of a run.
_CASH, _HELD, _ORDER, _LAST_EXIT, _ENTRY_BAR, _BOUGHT, _SPENT, _TRIP_FEES = range(8)
_FEES, _SLIPPAGE, _TRADED, _NET_SOLD, _N_TRADES, _N_WINS, _GAINS, _LOSSES, _HOLDING_BARS = range(8, 17)
_LEDGER_SIZE = 17


class SweepMarket(NamedTuple):
    """One symbol's bars, arrays of shape (n_bars,); ``days`` numbers the UTC days that have bars from 0."""

    opens: FloatArray
    closes: FloatArray
    probabilities: FloatArray
    days: IntArray


class SweepFigures(NamedTuple):
    """Raw figures of each configuration, arrays of shape (n_configs,), from which the metrics follow."""

    final_equity: FloatArray
    mean_equity: FloatArray
    sharpe: FloatArray
    sortino: FloatArray
    max_drawdown: FloatArray
    max_drawdown_bars: FloatArray
    n_wins: FloatArray
    gains: FloatArray
    losses: FloatArray
    bars_held: FloatArray
    traded_notional: FloatArray
    n_trades: FloatArray
    holding_bars: FloatArray
    costs: FloatArray
    imbalance: FloatArray


class _Curve(NamedTuple):
    """What is kept of an equity curve; ``day`` and ``day_start`` are of the day under way."""

    equity: float
    peak: float
    trough: float  # least equity since the peak
    peak_bar: int
    longest: int
    deepest: float
    total: float
    day: int
    day_start: float


@compiled_parallel
def sweep(market: SweepMarket, rules: FloatArray, figures: FloatArray) -> None:
    """Run every configuration.

    Parameters
    ----------
    market : SweepMarket
        Validated bars and probabilities.
    rules : ndarray of shape (n_configs, 13)
        :class:`~algo_pipeline.backtest.kernel.KernelRules` by rows.
    figures : ndarray of shape (15, n_configs)
        Filled with :class:`SweepFigures` by rows.
    """
    for i in prange(len(rules)):
        figures[:, i] = _run(market, _rules_of(rules[i]))


@compiled
def _rules_of(row: FloatArray) -> KernelRules:
    return KernelRules(
        row[0], row[1], row[2], row[3], row[4], int(row[5]), row[6], row[7], row[8], row[9], row[10], row[11], row[12]
    )


@compiled
def _run(market: SweepMarket, rules: KernelRules) -> FloatArray:
    """Figures of one configuration, in the order of :class:`SweepFigures`."""
    opens, closes, probabilities, days = market
    n_bars = len(closes)
    ledger = np.zeros(_LEDGER_SIZE)
    ledger[_CASH] = rules.initial_cash
    ledger[_LAST_EXIT] = _NEVER
    daily = np.zeros(days[-1] + 1)
    start = rules.initial_cash
    curve = _Curve(start, start, start, -1, 0, 0.0, 0.0, 0, start)
    bars_held = 0
    killed = False
    t = 0
    while t < n_bars:
        began = t
        if ledger[_ORDER] == 0.0 and ledger[_HELD] == 0.0:
            t = n_bars if killed else _next_entry(t, probabilities, rules, ledger[_LAST_EXIT])
            curve = _through_idle(curve, began, t)
        elif ledger[_ORDER] == 0.0 and not killed:
            t, curve = _through_holding(curve, t, closes, probabilities, days, ledger, rules, daily)
            bars_held += t - began
        if t == n_bars:
            break
        if ledger[_ORDER] != 0.0:
            _fill(t, opens[t], rules, ledger)
        equity = ledger[_CASH] + ledger[_HELD] * closes[t]
        curve = _mark(curve, t, equity, days[t], daily)
        bars_held += equity > ledger[_CASH]
        killed = killed or kill_switch_trips(drawdown_from_peak(equity, curve.peak), rules.max_drawdown)
        _decide(t, closes[t], probabilities[t], equity, killed, rules, ledger)
        t += 1
    daily[curve.day] = curve.equity / curve.day_start - 1.0
    return _figures(ledger, daily, curve, n_bars, bars_held, rules)


@compiled
def _mark(curve: _Curve, t: int, equity: float, day: int, daily: FloatArray) -> _Curve:
    """The curve after bar t closed with ``equity``; a day that ended is written to ``daily``."""
    day_start = curve.day_start
    if day != curve.day:
        daily[curve.day] = curve.equity / day_start - 1.0
        day_start = curve.equity
    peak, trough, peak_bar, longest, deepest = curve.peak, curve.trough, curve.peak_bar, curve.longest, curve.deepest
    if equity >= peak:
        longest = max(longest, t - peak_bar) if t - peak_bar > 1 else longest
        peak = trough = equity
        peak_bar = t
    elif equity < trough:
        trough = equity
        deepest = max(deepest, drawdown_from_peak(equity, peak))
    return _Curve(equity, peak, trough, peak_bar, longest, deepest, curve.total + equity, day, day_start)


@compiled
def _through_holding(
    curve: _Curve,
    t: int,
    closes: FloatArray,
    probabilities: FloatArray,
    days: IntArray,
    ledger: FloatArray,
    rules: KernelRules,
    daily: FloatArray,
) -> tuple[int, _Curve]:
    """Mark bars that change nothing but equity, up to one that sells, trips the switch or sinks to dust.

    The same figures as bar by bar through :func:`_mark`, but in local numbers that stay in registers: three times as
    fast, in the loop where a sweep spends its time.
    """
    cash, held = ledger[_CASH], ledger[_HELD]
    last, peak, trough, peak_bar, longest, deepest, total, day, day_start = curve
    while t < len(closes):
        equity = cash + held * closes[t]
        may_exit = probabilities[t] <= rules.exit_threshold
        if may_exit and action_at_close(probabilities[t], held, closes[t], 0, False, rules) == _EXIT:
            break
        if counts_as_flat(held, closes[t], rules.min_notional):
            break
        if equity < trough:
            drawdown = drawdown_from_peak(equity, peak)
            if kill_switch_trips(drawdown, rules.max_drawdown):
                break
            trough = equity
            deepest = max(deepest, drawdown)
        if days[t] != day:
            daily[day] = last / day_start - 1.0
            day_start = last
            day = days[t]
        if equity >= peak:
            longest = max(longest, t - peak_bar) if t - peak_bar > 1 else longest
            peak = trough = equity
            peak_bar = t
        last = equity
        total += equity
        t += 1
    return t, _Curve(last, peak, trough, peak_bar, longest, deepest, total, day, day_start)


@compiled
def _next_entry(t: int, probabilities: FloatArray, rules: KernelRules, last_exit: float) -> int:
    """First bar from t on that may decide an entry, or the number of bars."""
    start = max(t, int(last_exit) + rules.cooldown_bars) if last_exit >= 0.0 else t
    for bar in range(start, len(probabilities)):
        if probabilities[bar] >= rules.enter_threshold:
            return bar
    return len(probabilities)


@compiled
def _through_idle(curve: _Curve, t: int, until: int) -> _Curve:
    """The curve after bars [t, until) at unchanged equity; their days return 0 but for the one under way."""
    if until == t:
        return curve
    peak_bar, longest = curve.peak_bar, curve.longest
    if curve.equity >= curve.peak:
        longest = max(longest, t - peak_bar) if t - peak_bar > 1 else longest
        peak_bar = until - 1
    total = curve.total + curve.equity * (until - t)
    return _Curve(
        curve.equity, curve.peak, curve.trough, peak_bar, longest, curve.deepest, total, curve.day, curve.day_start
    )


@compiled
def _fill(t: int, open_price: float, rules: KernelRules, ledger: FloatArray) -> None:
    if ledger[_ORDER] < 0.0:
        _sell(t, open_price, rules, ledger)
    else:
        _buy(t, open_price, rules, ledger)
    ledger[_ORDER] = 0.0


@compiled
def _buy(t: int, open_price: float, rules: KernelRules, ledger: FloatArray) -> None:
    price = buy_price(open_price, rules.slippage_rate)
    quantity = fillable_quantity(
        ledger[_ORDER], ledger[_CASH], price, rules.fee_rate_in_cash, rules.steps_per_unit, rules.min_notional
    )
    if quantity <= 0.0:
        return
    if ledger[_BOUGHT] == 0.0:
        ledger[_ENTRY_BAR] = t
    notional = quantity * price
    fee = fee_on(notional, rules.fee_rate)
    ledger[_CASH] -= cash_cost(quantity, price, rules.fee_rate_in_cash)
    ledger[_HELD] += quantity * (1.0 - rules.fee_rate_in_coin)
    ledger[_BOUGHT] += quantity
    ledger[_SPENT] += notional
    ledger[_TRIP_FEES] += fee
    ledger[_FEES] += fee
    ledger[_SLIPPAGE] += quantity * (price - open_price)
    ledger[_TRADED] += notional
    ledger[_NET_SOLD] -= notional + fee_on(notional, rules.fee_rate_in_cash)


@compiled
def _sell(t: int, open_price: float, rules: KernelRules, ledger: FloatArray) -> None:
    price = sell_price(open_price, rules.slippage_rate)
    quantity = ledger[_HELD]
    notional = quantity * price
    fee = fee_on(notional, rules.fee_rate)
    ledger[_CASH] += notional - fee
    fees_in_cash = ledger[_TRIP_FEES] + fee - rules.fee_rate_in_coin * ledger[_SPENT]
    pnl = notional - ledger[_SPENT] - fees_in_cash
    ledger[_N_TRADES] += 1.0
    ledger[_N_WINS] += pnl > 0.0
    ledger[_GAINS] += max(pnl, 0.0)
    ledger[_LOSSES] += max(-pnl, 0.0)
    ledger[_HOLDING_BARS] += t - ledger[_ENTRY_BAR]
    ledger[_FEES] += fee
    ledger[_SLIPPAGE] += quantity * (open_price - price)
    ledger[_TRADED] += notional
    ledger[_NET_SOLD] += notional - fee
    ledger[_LAST_EXIT] = t
    ledger[_HELD] = ledger[_BOUGHT] = ledger[_SPENT] = ledger[_TRIP_FEES] = 0.0


@compiled
def _decide(
    t: int, close: float, probability: float, equity: float, killed: bool, rules: KernelRules, ledger: FloatArray
) -> None:
    action = action_at_close(probability, ledger[_HELD], close, t - int(ledger[_LAST_EXIT]), killed, rules)
    if action == _EXIT:
        ledger[_ORDER] = -ledger[_HELD]
    elif action == _ENTER:
        affordable = math.inf
        if not math.isnan(rules.buffer_rate):
            unit = cash_per_unit(close, rules.slippage_rate, rules.fee_rate_in_cash, rules.buffer_rate)
            affordable = ledger[_CASH] / unit
        ledger[_ORDER] = entry_quantity(
            equity, close, ledger[_HELD], rules.fraction, affordable, rules.steps_per_unit, rules.min_notional
        )


@compiled
def _figures(
    ledger: FloatArray, daily: FloatArray, curve: _Curve, n_bars: int, bars_held: int, rules: KernelRules
) -> FloatArray:
    n_days = len(daily)
    mean = daily.mean()
    deviation = math.sqrt(((daily - mean) ** 2).sum() / (n_days - 1)) if n_days > 1 else 0.0
    downside = math.sqrt((np.minimum(daily, 0.0) ** 2).mean()) if n_days > 1 else 0.0
    balance = rules.initial_cash + ledger[_NET_SOLD] + (curve.equity - ledger[_CASH])
    return np.array(
        [
            curve.equity,
            curve.total / n_bars,
            math.sqrt(DAYS_PER_YEAR) * mean / deviation if deviation > 0.0 else math.nan,
            math.sqrt(DAYS_PER_YEAR) * mean / downside if downside > 0.0 else math.nan,
            curve.deepest,
            max(curve.longest, n_bars - 1 - curve.peak_bar),
            ledger[_N_WINS],
            ledger[_GAINS],
            ledger[_LOSSES],
            bars_held,
            ledger[_TRADED],
            ledger[_N_TRADES],
            ledger[_HOLDING_BARS],
            ledger[_FEES] + ledger[_SLIPPAGE],
            (balance - curve.equity) / max(rules.initial_cash, curve.equity),
        ]
    )

"""The state machine of ``backtest.kernel`` with realistic orders: limits, latency, volume caps, protective exits.

Signals, risk, sizing and costs are the very functions of the plain kernel; with neutral options it gives the same
figures bit for bit.
"""

from __future__ import annotations

import math

import numpy as np

from algo_pipeline.backtest.kernel import KernelRules, Simulation, action_at_close
from algo_pipeline.backtest.realistic_fills import (
    Book,
    FillLog,
    OrderRules,
    empty_book,
    empty_log,
    fill_pending_buys,
    fill_pending_sells,
    place_order,
    run_protective_exits,
)
from algo_pipeline.backtest.realistic_inputs import VenueBars
from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.types import FloatArray, Signal
from algo_pipeline.strategy.position_sizing import cash_per_unit, entry_quantity
from algo_pipeline.strategy.risk import drawdown_from_peak, kill_switch_trips
from algo_pipeline.strategy.signal_to_trade import Action, signal_from_probability

_ENTER = int(Action.ENTER)
_EXIT = int(Action.EXIT)
_FLAT = int(Signal.FLAT)


def simulate_realistic(bars: VenueBars, rules: KernelRules, orders: OrderRules) -> Simulation:
    """Run one account over all bars.

    Parameters
    ----------
    bars : VenueBars
        Checked bars and probabilities; a NaN probability is HOLD.
    rules, orders : KernelRules, OrderRules
        The account's rules, and those of its orders.

    Returns
    -------
    Simulation
        Its ``fill_values`` have a fourth column: the reference price that a fill's slippage is measured from.
    """
    n_symbols, n_bars = bars.opens.shape
    curve = np.empty((3 + n_symbols, n_bars))
    log = empty_log(n_symbols, n_bars)
    kill_bar, bars_held = _run(bars, rules, orders, empty_book(n_symbols, rules.initial_cash), log, curve)
    n_fills = log.n_fills[0]
    return Simulation(curve, log.places[:n_fills].copy(), log.values[:n_fills].copy(), kill_bar, bars_held)


@compiled
def _run(
    bars: VenueBars, rules: KernelRules, orders: OrderRules, book: Book, log: FillLog, curve: FloatArray
) -> tuple[int, int]:
    """Fill log and curve bar by bar; return ``kill_bar`` and the number of bars that close with a holding."""
    n_symbols = len(book.held)
    peak = rules.initial_cash
    kill_bar = -1
    bars_held = 0
    for t in range(bars.opens.shape[1]):
        _begin_bar(book)
        fill_pending_sells(t, bars, book, log, rules)
        fill_pending_buys(t, bars, book, log, rules)
        run_protective_exits(t, bars, book, log, rules, orders)
        equity = _marked_equity(t, bars, book)
        peak = max(peak, equity)
        drawdown = drawdown_from_peak(equity, peak)
        curve[0, t], curve[1, t], curve[2 + n_symbols, t] = equity, book.cash[0], drawdown
        curve[2 : 2 + n_symbols, t] = book.held
        bars_held += equity > book.cash[0]
        if kill_bar < 0 and kill_switch_trips(drawdown, rules.max_drawdown):
            kill_bar = t
        for s in range(n_symbols):
            if kill_bar >= 0 or not math.isnan(bars.closes[s, t]):
                _decide(s, t, bars, book, rules, orders, equity, kill_bar >= 0)
    return kill_bar, bars_held


@compiled
def _begin_bar(book: Book) -> None:
    for s in range(len(book.held)):
        book.traded[s] = 0.0
        book.at_open[s] = book.held[s] > 0.0
        book.inside[s] = False


@compiled
def _marked_equity(t: int, bars: VenueBars, book: Book) -> float:
    equity = float(book.cash[0])
    for s in range(len(book.held)):
        if math.isnan(bars.closes[s, t]):
            book.gaps[s] += 1
        else:
            book.marks[s] = bars.closes[s, t]
        equity += book.held[s] * book.marks[s]
    return equity


@compiled
def _decide(
    s: int,
    t: int,
    bars: VenueBars,
    book: Book,
    rules: KernelRules,
    orders: OrderRules,
    equity: float,
    killed: bool,
) -> None:
    """What becomes of one symbol's pending order at its close, and the new order if there is none."""
    probability = bars.probabilities[s, t]
    signal = signal_from_probability(probability, rules.enter_threshold, rules.exit_threshold)
    if book.ordered[s] > 0.0 and (killed or signal == _FLAT):
        book.ordered[s] = 0.0
    if killed:
        book.limits[s] = math.nan  # a pending sell goes on as a market order
    if book.ordered[s] != 0.0:
        return
    action = action_at_close(probability, book.held[s], book.marks[s], t - book.gaps[s] - book.exits[s], killed, rules)
    limit = math.nan if killed or orders.limit_timeout_bars == 0 else book.marks[s]
    if action == _EXIT:
        place_order(s, -book.held[s], limit, orders.latency_bars, orders.limit_timeout_bars, book)
    elif action == _ENTER:
        quantity = _entry_order(s, book, rules, equity)
        place_order(s, quantity, limit, orders.latency_bars, orders.limit_timeout_bars, book)


@compiled
def _entry_order(s: int, book: Book, rules: KernelRules, equity: float) -> float:
    affordable = math.inf
    if not math.isnan(rules.buffer_rate):
        affordable = (book.cash[0] - _reserved(book, rules)) / _unit_cash(book.marks[s], rules)
    return entry_quantity(
        equity, book.marks[s], book.held[s], rules.fraction, affordable, rules.steps_per_unit, rules.min_notional
    )


@compiled
def _reserved(book: Book, rules: KernelRules) -> float:
    """Cash that pending buys set aside for the quantity that is left of them."""
    total = 0.0
    for s in range(len(book.held)):
        if book.ordered[s] > 0.0:
            total += book.ordered[s] * _unit_cash(book.marks[s], rules)
    return total


@compiled
def _unit_cash(close: float, rules: KernelRules) -> float:
    return cash_per_unit(close, rules.slippage_rate, rules.fee_rate_in_cash, rules.buffer_rate)

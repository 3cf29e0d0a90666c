"""The compiled state machine of one account over flat arrays: fills, marks, kill switch, decisions.

``simulate`` runs an account of any number of symbols; that of a single one has its own loop in
``backtest.symbol_kernel``, which comes to the same numbers bit for bit.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from algo_pipeline.backtest.costs import buy_price, fee_on, sell_price
from algo_pipeline.backtest.execution import cash_cost, fillable_quantity
from algo_pipeline.backtest.kernel_rules import (
    NEVER,
    KernelRules,
    action_at_close,
    cash_to_set_aside,
    entry_order,
    size_limit_at,
)
from algo_pipeline.backtest.symbol_kernel import priced_fills, run_symbol
from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.strategy.risk import drawdown_from_peak, kill_switch_trips
from algo_pipeline.strategy.signal_to_trade import Action

__all__ = ["KernelRules", "Simulation", "action_at_close", "simulate"]

_ENTER = int(Action.ENTER)
_EXIT = int(Action.EXIT)


class Simulation(NamedTuple):
    """What a run leaves behind.

    ``curve`` has shape (3 + n_symbols, n_bars): equity, cash, a quantity per symbol, drawdown, all at close.
    ``fill_places`` has shape (n_fills, 2): bar and symbol positions. ``fill_values`` has shape (n_fills, 3):
    quantity (negative for a sell), price, fee. ``kill_bar`` is the bar that latched the kill switch, or -1;
    ``bars_held`` counts the bars that close with a holding.
    """

    curve: FloatArray
    fill_places: IntArray
    fill_values: FloatArray
    kill_bar: int
    bars_held: int


def simulate(
    opens: FloatArray,
    closes: FloatArray,
    scores: FloatArray,
    rules: KernelRules,
    size_limits: FloatArray | None = None,
) -> Simulation:
    """Run one account over all bars.

    Parameters
    ----------
    opens, closes, scores : ndarray of shape (n_symbols, n_bars)
        On a common grid, symbols in configured order. NaN prices where a symbol has no bar (open and close alike);
        scores are the strategy's, probabilities for fixed thresholds, and NaN is HOLD. Prices are validated by the
        caller.
    rules : KernelRules
        The account's rules, and the band of the scores.
    size_limits : ndarray of shape (n_symbols, n_bars) or (n_symbols, 1), optional
        The strategy's own limits of an entry, as fractions of equity; none if omitted.
    """
    n_symbols, n_bars = opens.shape
    limits = np.full((n_symbols, 1), math.inf) if size_limits is None else size_limits
    if n_symbols == 1:
        return _simulate_symbol(opens[0], closes[0], scores[0], limits[0], rules)
    curve = np.empty((3 + n_symbols, n_bars))
    places = np.empty((n_symbols * n_bars, 2), np.int64)
    values = np.empty((n_symbols * n_bars, 3))
    kill_bar, n_fills, bars_held = run_symbols(opens, closes, scores, limits, rules, curve, places, values)
    return Simulation(curve, places[:n_fills].copy(), values[:n_fills].copy(), kill_bar, bars_held)


def _simulate_symbol(
    opens: FloatArray, closes: FloatArray, scores: FloatArray, size_limits: FloatArray, rules: KernelRules
) -> Simulation:
    # NumPy asks for huge pages where compiled code would not: page faults would cost more than the simulation.
    curve = np.empty((4, len(opens)))
    bars, quantities = np.empty(len(opens), np.int64), np.empty(len(opens))
    kill_bar, n_fills, bars_held = run_symbol(opens, closes, scores, size_limits, rules, curve, bars, quantities)
    places, values = priced_fills(bars[:n_fills], quantities[:n_fills], opens, rules)
    return Simulation(curve, places, values, kill_bar, bars_held)


@compiled
def run_symbols(
    opens: FloatArray,
    closes: FloatArray,
    scores: FloatArray,
    size_limits: FloatArray,
    rules: KernelRules,
    curve: FloatArray,
    places: IntArray,
    values: FloatArray,
) -> tuple[int, int, int]:
    """Fill the outputs bar by bar; return ``kill_bar``, the number of fills and ``bars_held``."""
    n_symbols = len(opens)
    orders = np.zeros(n_symbols)  # pending for the symbol's next bar: > 0 buys, < 0 sells
    held = np.zeros(n_symbols)
    marks = np.zeros(n_symbols)  # last closes
    gaps = np.zeros(n_symbols, np.int64)  # bars of the grid that the symbol has missed: t - gaps counts its own
    exits = np.full(n_symbols, NEVER, np.int64)  # t - gaps of the bar in which the last exit filled
    cash = peak = rules.initial_cash
    kill_bar = -1
    n_fills = n_orders = bars_held = 0
    for t in range(opens.shape[1]):
        if n_orders > 0:
            cash, n_fills = _fill_sells(t, opens, orders, held, gaps, exits, rules, places, values, cash, n_fills)
            cash, n_fills = _fill_buys(t, opens, orders, held, rules, places, values, cash, n_fills)
        equity = cash
        for s in range(n_symbols):
            mark = closes[s, t]
            if math.isnan(mark):
                mark = marks[s]
                gaps[s] += 1
            marks[s] = mark
            equity += held[s] * mark
            curve[2 + s, t] = held[s]
        peak = max(peak, equity)
        drawdown = drawdown_from_peak(equity, peak)
        curve[0, t], curve[1, t], curve[2 + n_symbols, t] = equity, cash, drawdown
        bars_held += equity > cash
        if kill_bar < 0 and kill_switch_trips(drawdown, rules.max_drawdown):
            kill_bar = t
            orders[:] = 0.0  # cancels buys still waiting for their symbol's next bar
        n_orders = 0
        for s in range(n_symbols):
            killed = kill_bar >= 0
            if killed or not math.isnan(closes[s, t]):
                action = action_at_close(scores[s, t], held[s], marks[s], t - gaps[s] - exits[s], killed, rules)
                if action == _EXIT:
                    orders[s] = -held[s]
                elif action == _ENTER:
                    free, limit = cash - _reserved(orders, marks, rules), size_limit_at(size_limits[s], t)
                    orders[s] = entry_order(free, equity, held[s], marks[s], limit, rules)
            n_orders += orders[s] != 0.0
    return kill_bar, n_fills, bars_held


@compiled
def _fill_sells(
    t: int,
    opens: FloatArray,
    orders: FloatArray,
    held: FloatArray,
    gaps: IntArray,
    exits: IntArray,
    rules: KernelRules,
    places: IntArray,
    values: FloatArray,
    cash: float,
    n_fills: int,
) -> tuple[float, int]:
    for s in range(len(orders)):
        quantity = -orders[s]
        if quantity > 0.0 and not math.isnan(opens[s, t]):
            price = sell_price(opens[s, t], rules.slippage_rate)
            notional = quantity * price
            fee = fee_on(notional, rules.fee_rate)
            cash += notional - fee
            held[s] = 0.0
            orders[s] = 0.0
            exits[s] = t - gaps[s]
            n_fills = _record(places, values, n_fills, t, s, -quantity, price, fee)
    return cash, n_fills


@compiled
def _fill_buys(
    t: int,
    opens: FloatArray,
    orders: FloatArray,
    held: FloatArray,
    rules: KernelRules,
    places: IntArray,
    values: FloatArray,
    cash: float,
    n_fills: int,
) -> tuple[float, int]:
    for s in range(len(orders)):
        if orders[s] > 0.0 and not math.isnan(opens[s, t]):
            price = buy_price(opens[s, t], rules.slippage_rate)
            quantity = fillable_quantity(
                orders[s], cash, price, rules.fee_rate_in_cash, rules.steps_per_unit, rules.min_notional
            )
            orders[s] = 0.0
            if quantity > 0.0:
                cash -= cash_cost(quantity, price, rules.fee_rate_in_cash)
                held[s] += quantity * (1.0 - rules.fee_rate_in_coin)
                fee = fee_on(quantity * price, rules.fee_rate)
                n_fills = _record(places, values, n_fills, t, s, quantity, price, fee)
    return cash, n_fills


@compiled
def _record(
    places: IntArray, values: FloatArray, n_fills: int, t: int, s: int, quantity: float, price: float, fee: float
) -> int:
    places[n_fills, 0] = t
    places[n_fills, 1] = s
    values[n_fills, 0] = quantity
    values[n_fills, 1] = price
    values[n_fills, 2] = fee
    return n_fills + 1


@compiled
def _reserved(orders: FloatArray, marks: FloatArray, rules: KernelRules) -> float:
    """Cash that pending buys set aside: earlier ones of this bar, and those waiting for their symbol's next bar."""
    total = 0.0
    for s in range(len(orders)):
        if orders[s] > 0.0:
            total += orders[s] * cash_to_set_aside(marks[s], rules)
    return total

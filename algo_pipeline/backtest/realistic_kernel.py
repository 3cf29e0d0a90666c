"""The state machine of ``backtest.kernel`` with realistic orders: limits, latency, volume caps, protective exits.

Signals, risk, sizing and costs are the very functions of the plain kernel; with neutral options it gives the same
figures bit for bit.
"""

from __future__ import annotations

import math

import numpy as np

from algo_pipeline.backtest.kernel import Simulation
from algo_pipeline.backtest.kernel_rules import NEVER, KernelRules, action_at_close, cash_to_set_aside, entry_order
from algo_pipeline.backtest.realistic_fills import (
    ACCOUNT_STATE,
    FILL,
    SYMBOL_STATE,
    AccountState,
    OrderRules,
    SymbolState,
    fill_pending_buy,
    fill_pending_sell,
    place_order,
    run_protective_exit,
)
from algo_pipeline.backtest.realistic_inputs import VenueBar
from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.types import FloatArray, RecordArray, Signal
from algo_pipeline.strategy.risk import drawdown_from_peak, kill_switch_trips
from algo_pipeline.strategy.signal_to_trade import Action, signal_from_score

_ENTER = int(Action.ENTER)
_EXIT = int(Action.EXIT)
_FLAT = int(Signal.FLAT)


def simulate_realistic(bars: RecordArray, rules: KernelRules, orders: OrderRules) -> Simulation:
    """Run one account over all bars.

    Parameters
    ----------
    bars : ndarray of shape (n_symbols, n_bars)
        Records of ``realistic_inputs.VENUE_BAR``; a NaN score is HOLD.
    rules, orders : KernelRules, OrderRules
        The account's rules, and those of its orders.

    Returns
    -------
    Simulation
        Its ``fill_values`` have a fourth column: the reference price that a fill's slippage is measured from.
    """
    n_symbols, n_bars = bars.shape
    states = np.zeros(n_symbols, SYMBOL_STATE).view(np.recarray)
    states.symbol, states.limit, states.last_exit = np.arange(n_symbols), math.nan, NEVER
    accounts = np.zeros(1, ACCOUNT_STATE).view(np.recarray)
    accounts.cash = rules.initial_cash
    curve = np.empty((3 + n_symbols, n_bars))
    fills = np.empty(2 * n_symbols * n_bars, FILL).view(np.recarray)  # an order's fill and an exit in every bar
    kill_bar, bars_held = _run(bars, rules, orders, states, accounts, fills, curve)
    n_fills = int(accounts[0].n_fills)
    places = np.column_stack([fills[name][:n_fills] for name in ("bar", "symbol")])
    values = np.column_stack([fills[name][:n_fills] for name in ("quantity", "price", "fee", "reference")])
    return Simulation(curve, places, values, kill_bar, bars_held)


@compiled
def _run(
    bars: RecordArray,
    rules: KernelRules,
    orders: OrderRules,
    states: RecordArray,
    accounts: RecordArray,
    fills: RecordArray,
    curve: FloatArray,
) -> tuple[int, int]:
    """Fill log and curve bar by bar; return ``kill_bar`` and the number of bars that close with a holding."""
    n_symbols, n_bars = bars.shape
    account = accounts[0]
    peak = account.cash
    kill_bar = -1
    bars_held = 0
    for t in range(n_bars):
        account.bar = t
        _meet_bar(bars, states, account, fills, rules, orders)
        equity = account.cash
        for s in range(n_symbols):
            equity += states[s].held * states[s].mark
            curve[2 + s, t] = states[s].held
        peak = max(peak, equity)
        drawdown = drawdown_from_peak(equity, peak)
        curve[0, t], curve[1, t], curve[2 + n_symbols, t] = equity, account.cash, drawdown
        bars_held += equity > account.cash
        if kill_bar < 0 and kill_switch_trips(drawdown, rules.max_drawdown):
            kill_bar = t
        for s in range(n_symbols):
            if kill_bar >= 0 or not math.isnan(bars[s, t].close):
                _settle_order(states[s], bars[s, t], kill_bar >= 0, rules)
                if states[s].ordered == 0.0:
                    _decide(s, bars[s, t], states, account, equity, kill_bar >= 0, rules, orders)
    return kill_bar, bars_held


@compiled
def _meet_bar(
    bars: RecordArray,
    states: RecordArray,
    account: AccountState,
    fills: RecordArray,
    rules: KernelRules,
    orders: OrderRules,
) -> None:
    """From open to close of the symbols that have a bar: sells, then buys, then protective exits; and the marks."""
    t = account.bar
    n_symbols = len(states)
    for s in range(n_symbols):
        if not math.isnan(bars[s, t].close):
            _begin_bar(states[s])
            if states[s].ordered < 0.0:
                fill_pending_sell(states[s], bars[s, t], account, fills, rules)
    for s in range(n_symbols):
        if states[s].ordered > 0.0 and not math.isnan(bars[s, t].close):
            fill_pending_buy(states[s], bars[s, t], account, fills, rules)
    for s in range(n_symbols):
        if not math.isnan(bars[s, t].close):
            if states[s].held > 0.0:
                run_protective_exit(states[s], bars[s, t], account, fills, rules, orders)
            states[s].mark = bars[s, t].close


@compiled
def _begin_bar(state: SymbolState) -> None:
    state.age += 1
    state.traded = 0.0
    state.at_open = state.held > 0.0
    state.inside = False


@compiled
def _settle_order(state: SymbolState, bar: VenueBar, killed: bool, rules: KernelRules) -> None:
    """What a close does to the pending order: FLAT cancels a buy, the kill switch makes a sell a market order."""
    signal = signal_from_score(bar.score, rules.enter_threshold, rules.exit_threshold)
    if state.ordered > 0.0 and (killed or signal == _FLAT):
        state.ordered = 0.0
    if killed:
        state.limit = math.nan


@compiled
def _decide(
    s: int,
    bar: VenueBar,
    states: RecordArray,
    account: AccountState,
    equity: float,
    killed: bool,
    rules: KernelRules,
    orders: OrderRules,
) -> None:
    """Place the order of a symbol that has none pending."""
    state = states[s]
    since_exit = state.age - state.last_exit
    action = action_at_close(bar.score, state.held, state.mark, since_exit, killed, rules)
    limit = math.nan if killed or orders.limit_timeout_bars == 0 else state.mark
    if action == _EXIT:
        place_order(state, -state.held, limit, orders.latency_bars, orders.limit_timeout_bars)
    elif action == _ENTER:
        free = account.cash - _reserved(states, rules)
        quantity = entry_order(free, equity, state.held, state.mark, bar.size_limit, rules)
        place_order(state, quantity, limit, orders.latency_bars, orders.limit_timeout_bars)


@compiled
def _reserved(states: RecordArray, rules: KernelRules) -> float:
    """Cash that pending buys set aside for the quantity that is left of them."""
    total = 0.0
    for s in range(len(states)):
        if states[s].ordered > 0.0:
            total += states[s].ordered * cash_to_set_aside(states[s].mark, rules)
    return total

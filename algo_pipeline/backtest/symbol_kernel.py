"""The compiled state machine of an account with one symbol: the same events as ``backtest.kernel``, without its loops.

Holdings and orders are plain numbers here, which stay in registers; that is three times as fast as a row of one.
"""

from __future__ import annotations

import numpy as np

from algo_pipeline.backtest.costs import buy_price, fee_on, sell_price
from algo_pipeline.backtest.execution import cash_cost, fillable_quantity
from algo_pipeline.backtest.kernel_rules import NEVER, KernelRules, action_at_close, entry_order, size_limit_at
from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.strategy.position_sizing import counts_as_flat
from algo_pipeline.strategy.risk import drawdown_from_peak, kill_switch_trips
from algo_pipeline.strategy.signal_to_trade import Action

_ENTER = int(Action.ENTER)
_EXIT = int(Action.EXIT)


@compiled
def run_symbol(
    opens: FloatArray,
    closes: FloatArray,
    scores: FloatArray,
    size_limits: FloatArray,
    rules: KernelRules,
    curve: FloatArray,
    fill_bars: IntArray,
    fill_quantities: FloatArray,
) -> tuple[int, int, int]:
    """Run one symbol over all bars.

    Parameters
    ----------
    opens, closes, scores : ndarray of shape (n_bars,)
        Validated prices, and the strategy's scores; NaN is HOLD.
    size_limits : ndarray of shape (n_bars,) or (1,)
        The strategy's own limits of an entry, as fractions of equity; one stands for every bar.
    rules : KernelRules
        The account's rules, and the band of the scores.
    curve : ndarray of shape (4, n_bars)
        Filled with equity, cash, quantity and drawdown at close.
    fill_bars, fill_quantities : ndarray of shape (n_bars,)
        Their first places are filled with the bar and the quantity of each fill, negative for a sale;
        :func:`priced_fills` says the rest.

    Returns
    -------
    tuple of int
        The bar that latched the kill switch or -1, the number of fills, and the bars that close with a holding.
    """
    order = held = 0.0
    cash = peak = rules.initial_cash
    last_exit = NEVER
    kill_bar = -1
    n_fills = bars_held = t = 0
    while t < len(closes):
        if order != 0.0:
            quantity = order if order < 0.0 else bought_quantity(order, opens[t], cash, rules)
            cash += cash_received(quantity, opens[t], rules)
            if quantity != 0.0:
                fill_bars[n_fills], fill_quantities[n_fills] = t, quantity
                n_fills += 1
            last_exit = t if order < 0.0 else last_exit
            held = 0.0 if order < 0.0 else held + quantity * (1.0 - rules.fee_rate_in_coin)
            order = 0.0
        may_act = False
        while t < len(closes) and not may_act:
            equity = cash + held * closes[t]
            peak = max(peak, equity)
            drawdown = drawdown_from_peak(equity, peak)
            curve[0, t], curve[1, t], curve[2, t], curve[3, t] = equity, cash, held, drawdown
            bars_held += equity > cash
            if kill_bar < 0 and kill_switch_trips(drawdown, rules.max_drawdown):
                kill_bar = t
            may_act = _may_act(scores[t], held, closes[t], kill_bar >= 0, rules)
            t += 1
        close, bars_since_exit = closes[t - 1], t - 1 - last_exit
        action = action_at_close(scores[t - 1], held, close, bars_since_exit, kill_bar >= 0, rules)
        if action == _EXIT:
            order = -held
        elif action == _ENTER:
            order = entry_order(cash, equity, held, close, size_limit_at(size_limits, t - 1), rules)
    return kill_bar, n_fills, bars_held


@compiled
def _may_act(score: float, held: float, close: float, killed: bool, rules: KernelRules) -> bool:
    """False where :func:`action_at_close` can only say NOTHING.

    Asked at every bar in its place, because the first comparison, of two numbers that are there already, decides nearly
    always: the processor need not wait for the size of the holding to see that it guessed the branch wrong.
    """
    if held > 0.0:
        return score <= rules.exit_threshold or killed or counts_as_flat(held, close, rules.min_notional)
    return score >= rules.enter_threshold


@compiled
def bought_quantity(ordered: float, open_price: float, cash: float, rules: KernelRules) -> float:
    """What cash covers of a buy."""
    price = buy_price(open_price, rules.slippage_rate)
    return fillable_quantity(ordered, cash, price, rules.fee_rate_in_cash, rules.steps_per_unit, rules.min_notional)


@compiled
def cash_received(quantity: float, open_price: float, rules: KernelRules) -> float:
    """Proceeds of a sale less its fee, or what a buy costs, negative."""
    if quantity < 0.0:
        notional = -quantity * sell_price(open_price, rules.slippage_rate)
        return notional - fee_on(notional, rules.fee_rate)
    return -cash_cost(quantity, buy_price(open_price, rules.slippage_rate), rules.fee_rate_in_cash)


@compiled
def priced_fills(
    bars: IntArray, quantities: FloatArray, opens: FloatArray, rules: KernelRules
) -> tuple[IntArray, FloatArray]:
    """Places and values of the fills, as in ``kernel.Simulation``, from their bars and quantities."""
    places = np.zeros((len(bars), 2), np.int64)
    values = np.empty((len(bars), 3))
    for i in range(len(bars)):
        quantity = quantities[i]
        open_price, slippage = opens[bars[i]], rules.slippage_rate
        price = buy_price(open_price, slippage) if quantity > 0.0 else sell_price(open_price, slippage)
        places[i, 0] = bars[i]
        values[i, 0], values[i, 1] = quantity, price
        values[i, 2] = fee_on(abs(quantity) * price, rules.fee_rate)
    return places, values

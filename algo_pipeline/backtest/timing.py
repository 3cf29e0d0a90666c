"""What trading at the signals' own hours earns beyond the same exposure at other hours, compiled for many shuffles.

The account is that of ``backtest.symbol_kernel``, decided and filled by the same functions, without its curve and with
the kill switch off: an account that has stopped trading shows nothing.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from algo_pipeline.backtest.kernel_rules import NEVER, KernelRules, order_of_fraction
from algo_pipeline.backtest.symbol_kernel import bought_quantity, cash_received
from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.types import FloatArray, IntArray, Signal
from algo_pipeline.strategy.position_sizing import counts_as_flat
from algo_pipeline.strategy.risk import cooldown_has_passed
from algo_pipeline.strategy.signal_to_trade import Action, action_for_signal

_HOLD = int(Signal.HOLD)
_ENTER = int(Action.ENTER)
_EXIT = int(Action.EXIT)


class SignalMarket(NamedTuple):
    """One symbol's bars and where its signals stand in them; a named tuple, for compiled code reads it.

    Attributes
    ----------
    opens, closes : ndarray of shape (n_bars,)
        Validated prices.
    returns : ndarray of shape (n_bars,)
        From the open before to this open; 0 for the first bar.
    places : ndarray of int64, shape (n_rows,)
        The bar of each signal, ascending; other bars HOLD.
    edges, bar_edges : ndarray of int64, shape (n_circles + 1,)
        The rows of signals that are shifted together, and their bars; all bars belong to a circle.
    """

    opens: FloatArray
    closes: FloatArray
    returns: FloatArray
    places: IntArray
    edges: IntArray
    bar_edges: IntArray

    @classmethod
    def of(cls, opens: FloatArray, closes: FloatArray, places: IntArray, edges: IntArray) -> SignalMarket:
        """Derive the returns and the circles' bars."""
        returns = np.concatenate([[0.0], opens[1:] / opens[:-1] - 1.0])
        bar_edges = np.concatenate([[0], places[edges[1:-1]], [len(opens)]]).astype(np.int64)
        return cls(opens, closes, returns, places, edges, bar_edges)


class Signals(NamedTuple):
    """What a strategy asks for, row by row.

    Attributes
    ----------
    signals : ndarray of int64, shape (n_rows,)
        Values of :class:`~algo_pipeline.common.types.Signal`.
    fractions : ndarray of shape (n_rows,)
        Target notional of an entry decided in that row, as a fraction of equity; read where the signal is LONG.
    """

    signals: IntArray
    fractions: FloatArray


class Timing(NamedTuple):
    """What timing earned.

    Attributes
    ----------
    mean_excess : float
        Mean over bars of the return from open to open, costs taken off, less the market's return times the mean
        exposure of the circle.
    t_value : float
        Sum of these excess returns over the root of the sum of their squares; 0 if nothing was traded.
    n_entries : int
        Buys that filled.
    """

    mean_excess: float
    t_value: float
    n_entries: int


class _Sums(NamedTuple):
    """Sums over a circle's bars: exposure, return, its square, and its product with the market's return."""

    exposure: float
    gain: float
    square: float
    product: float


class _Account(NamedTuple):
    """Balances at an open after its fill, and the order (> 0 buys, < 0 sells) that waits for the next one."""

    cash: float
    held: float
    equity: float
    order: float
    last_exit: int
    n_entries: int


@compiled
def timing_of(market: SignalMarket, signals: Signals, rules: KernelRules) -> Timing:
    """Trade the signals at their own hours.

    Parameters
    ----------
    market : SignalMarket
        Where they stand.
    signals : Signals
        A row for each place.
    rules : KernelRules
        The account's rules; its thresholds, fraction and drawdown limit are not read.
    """
    by_bar = _empty_by_bar(market)
    _lay_out(market, signals, np.zeros(len(market.edges) - 1, np.int64), by_bar)
    return _trade(market, by_bar, rules)


@compiled
def timings_of_shuffles(market: SignalMarket, signals: Signals, rules: KernelRules, shifts: IntArray) -> FloatArray:
    """Mean excess and t-value of every shuffle, shape (n_shuffles, 2); arguments as in :func:`timing_of`.

    ``shifts`` has shape (n_shuffles, n_circles), as in :class:`~algo_pipeline.research.signal_shuffle.Shuffles`.
    """
    figures = np.empty((len(shifts), 2))
    by_bar = _empty_by_bar(market)
    for shuffle in range(len(shifts)):
        _lay_out(market, signals, shifts[shuffle], by_bar)
        timing = _trade(market, by_bar, rules)
        figures[shuffle, 0], figures[shuffle, 1] = timing.mean_excess, timing.t_value
    return figures


@compiled
def _empty_by_bar(market: SignalMarket) -> Signals:
    n_bars = len(market.opens)
    return Signals(np.full(n_bars, _HOLD, np.int64), np.zeros(n_bars))


@compiled
def _lay_out(market: SignalMarket, signals: Signals, shifts: IntArray, by_bar: Signals) -> None:
    """Write every row's shifted signal to its bar."""
    for circle in range(len(shifts)):
        first, last = market.edges[circle], market.edges[circle + 1]
        row = first + shifts[circle]
        for place in market.places[first:last]:
            row = row if row < last else first
            by_bar.signals[place], by_bar.fractions[place] = signals.signals[row], signals.fractions[row]
            row += 1


@compiled
def _trade(market: SignalMarket, by_bar: Signals, rules: KernelRules) -> Timing:
    account = _Account(rules.initial_cash, 0.0, rules.initial_cash, 0.0, NEVER, 0)
    total = squares = 0.0
    for circle in range(len(market.bar_edges) - 1):
        first, last = market.bar_edges[circle], market.bar_edges[circle + 1]
        account, sums = _trade_circle(first, last, market, by_bar, account, rules)
        returns = market.returns[first:last]
        exposure = sums.exposure / (last - first)
        total += sums.gain - exposure * returns.sum()
        squares += sums.square - 2.0 * exposure * sums.product + exposure**2 * (returns * returns).sum()
    t_value = total / math.sqrt(squares) if squares > 0.0 else 0.0
    return Timing(total / len(market.opens), t_value, account.n_entries)


@compiled
def _trade_circle(
    first: int, last: int, market: SignalMarket, by_bar: Signals, account: _Account, rules: KernelRules
) -> tuple[_Account, _Sums]:
    opens, closes = market.opens, market.closes
    cash, held, equity, order, last_exit, n_entries = account
    exposures = gains = squares = products = 0.0
    for t in range(first, last):
        if held > 0.0 or order != 0.0:
            exposures += held * opens[t - 1] / equity
            if order != 0.0:
                quantity = order if order < 0.0 else bought_quantity(order, opens[t], cash, rules)
                cash += cash_received(quantity, opens[t], rules)
                n_entries += quantity > 0.0
                last_exit = t if order < 0.0 else last_exit
                held = 0.0 if order < 0.0 else held + quantity * (1.0 - rules.fee_rate_in_coin)
                order = 0.0
            now = cash + held * opens[t]
            gain = now / equity - 1.0
            equity = now
            gains += gain
            squares += gain * gain
            products += gain * market.returns[t]
        if by_bar.signals[t] != _HOLD:
            close = closes[t]
            is_flat = counts_as_flat(held, close, rules.min_notional)
            rested = cooldown_has_passed(t - last_exit, rules.cooldown_bars)
            action = action_for_signal(by_bar.signals[t], is_flat, rested, False)
            if action == _EXIT:
                order = -held
            elif action == _ENTER:
                order = order_of_fraction(cash, cash + held * close, held, close, by_bar.fractions[t], rules)
    return _Account(cash, held, equity, order, last_exit, n_entries), _Sums(exposures, gains, squares, products)

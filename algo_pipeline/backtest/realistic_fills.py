"""How orders meet a bar: market and limit fills under a volume cap, and protective exits; compiled.

Every function changes the :class:`Book` and the :class:`FillLog` that it is given.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from algo_pipeline.backtest.costs import buy_price, fee_on, sell_price
from algo_pipeline.backtest.execution import cash_cost, fillable_quantity
from algo_pipeline.backtest.kernel import KernelRules
from algo_pipeline.backtest.realism import ExecutionOptions
from algo_pipeline.backtest.realistic_inputs import VenueBars
from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.types import BoolArray, FloatArray, IntArray
from algo_pipeline.strategy.position_sizing import counts_as_flat

_NEVER = -(2**62)
# Less than this part of what a round trip bought is rounding, not a holding.
_ROUNDING = 2.0**-44


class OrderRules(NamedTuple):
    """:class:`ExecutionOptions` as plain numbers; a level that is off lies where no price comes: at 0 or infinity."""

    latency_bars: int
    limit_timeout_bars: int  # 0: market orders
    stop_factor: float  # of the entry price
    trailing_factor: float  # of the highest price
    take_profit_factor: float  # of the entry price

    @classmethod
    def from_options(cls, options: ExecutionOptions) -> OrderRules:
        """Distances as factors of the price that they are measured from."""
        stop, trailing, profit = options.stop_loss_bps, options.trailing_stop_bps, options.take_profit_bps
        return cls(
            latency_bars=options.latency_bars,
            limit_timeout_bars=options.limit_timeout_bars or 0,
            stop_factor=0.0 if stop is None else 1.0 - stop * 1e-4,
            trailing_factor=0.0 if trailing is None else 1.0 - trailing * 1e-4,
            take_profit_factor=math.inf if profit is None else 1.0 + profit * 1e-4,
        )


class Book(NamedTuple):
    """Cash, shape (1,), and the state of every symbol, shape (n_symbols,) each."""

    cash: FloatArray
    ordered: FloatArray  # quantity left of the pending order: > 0 a buy, < 0 a sell (always of all that is held)
    limits: FloatArray  # its limit price; NaN for a market order
    waits: IntArray  # own bars until it is at the venue
    rests: IntArray  # own bars that it still rests as a limit
    held: FloatArray
    bought: FloatArray  # of the round trip under way, as spent and sold
    spent: FloatArray
    sold: FloatArray
    highest: FloatArray  # price since the entry
    marks: FloatArray  # last closes
    gaps: IntArray  # bars of the grid that the symbol has missed: t - gaps counts its own
    exits: IntArray  # t - gaps of the bar in which the last exit sold the last of a holding
    traded: FloatArray  # quantity filled in the bar under way
    at_open: BoolArray  # held at the open of the bar under way
    inside: BoolArray  # bought at a limit inside the bar under way


class FillLog(NamedTuple):
    """Fills so far: places (bar, symbol), values (quantity, price, fee, reference price), and their number."""

    places: IntArray
    values: FloatArray
    n_fills: IntArray


def empty_book(n_symbols: int, initial_cash: float) -> Book:
    """Cash and no holding, no order."""
    floats, counts, flags = np.zeros((8, n_symbols)), np.zeros((4, n_symbols), np.int64), np.zeros((2, n_symbols), bool)
    ordered, held, bought, spent, sold, highest, marks, traded = floats
    waits, rests, gaps, exits = counts
    exits[:] = _NEVER
    limits = np.full(n_symbols, math.nan)
    cash = np.array([initial_cash])
    return Book(
        cash, ordered, limits, waits, rests, held, bought, spent, sold, highest, marks, gaps, exits, traded, *flags
    )


def empty_log(n_symbols: int, n_bars: int) -> FillLog:
    """Room for an order's fill and a protective exit of each symbol in each bar."""
    capacity = 2 * n_symbols * n_bars
    return FillLog(np.empty((capacity, 2), np.int64), np.empty((capacity, 4)), np.zeros(1, np.int64))


@compiled
def fill_pending_sells(t: int, bars: VenueBars, book: Book, log: FillLog, rules: KernelRules) -> None:
    """Let the pending sells of all symbols with a bar meet it; what rests too long becomes a market order."""
    for s in range(len(book.held)):
        if book.ordered[s] < 0.0 and not math.isnan(bars.opens[s, t]) and _is_at_venue(s, book):
            at_open, limit = sell_price(bars.opens[s, t], bars.slippages[s, t]), book.limits[s]
            if not at_open < limit:  # a market order's limit is NaN
                _sell(s, t, at_open, bars.opens[s, t], bars, book, log, rules)
            elif bars.highs[s, t] > limit:
                _sell(s, t, limit, limit, bars, book, log, rules)
            book.ordered[s] = -book.held[s]
            book.rests[s] -= 1
            if book.rests[s] <= 0:
                book.limits[s] = math.nan


@compiled
def fill_pending_buys(t: int, bars: VenueBars, book: Book, log: FillLog, rules: KernelRules) -> None:
    """Let the pending buys of all symbols with a bar meet it; only a limit rests on, and only so long."""
    for s in range(len(book.held)):
        if book.ordered[s] > 0.0 and not math.isnan(bars.opens[s, t]) and _is_at_venue(s, book):
            at_open, limit = buy_price(bars.opens[s, t], bars.slippages[s, t]), book.limits[s]
            if not at_open > limit:
                book.at_open[s] |= _buy(s, t, at_open, bars.opens[s, t], bars, book, log, rules)
            elif bars.lows[s, t] < limit:
                book.inside[s] = _buy(s, t, limit, limit, bars, book, log, rules)
            book.rests[s] -= 1
            if book.rests[s] <= 0:
                book.ordered[s] = 0.0


@compiled
def run_protective_exits(
    t: int, bars: VenueBars, book: Book, log: FillLog, rules: KernelRules, orders: OrderRules
) -> None:
    """Sell at once what a stop or a take-profit catches; what the volume cap holds back is sold at the next open."""
    for s in range(len(book.held)):
        if book.held[s] > 0.0 and not math.isnan(bars.opens[s, t]):
            price, reference = _protective_price(s, t, bars, book, orders)
            if price > 0.0 and not counts_as_flat(book.held[s], price, rules.min_notional):
                _sell(s, t, price, reference, bars, book, log, rules)
                place_order(s, -book.held[s], math.nan, 0, 0, book)
            seen = bars.closes[s, t] if book.inside[s] else bars.highs[s, t]
            book.highest[s] = max(book.highest[s], seen)


@compiled
def place_order(s: int, quantity: float, limit: float, wait_bars: int, rest_bars: int, book: Book) -> None:
    """Make this the symbol's pending order, instead of any other; quantity 0 is none."""
    book.ordered[s] = quantity
    book.limits[s] = limit
    book.waits[s] = wait_bars
    book.rests[s] = rest_bars


@compiled
def _is_at_venue(s: int, book: Book) -> bool:
    """Whether the pending order has arrived; if not, this bar is one of those that it needs to."""
    if book.waits[s] > 0:
        book.waits[s] -= 1
        return False
    return True


@compiled
def _protective_price(s: int, t: int, bars: VenueBars, book: Book, orders: OrderRules) -> tuple[float, float]:
    """Fill price and reference price of a protective exit in bar t; 0 where none is caught."""
    low, high, slippage = bars.lows[s, t], bars.highs[s, t], bars.slippages[s, t]
    entry = book.spent[s] / book.bought[s]
    stop = max(entry * orders.stop_factor, book.highest[s] * orders.trailing_factor)
    if book.at_open[s] and bars.opens[s, t] <= stop:
        return sell_price(bars.opens[s, t], slippage), bars.opens[s, t]
    if low <= stop:
        return sell_price(stop, slippage), stop
    if book.inside[s]:  # the bar's high may have come before the fill
        return 0.0, 0.0
    trailed = high * orders.trailing_factor
    if low <= trailed and trailed > stop:
        return sell_price(trailed, slippage), trailed
    profit = entry * orders.take_profit_factor
    at_open = sell_price(bars.opens[s, t], slippage)
    if at_open >= profit:
        return at_open, bars.opens[s, t]
    return (profit, profit) if high > profit else (0.0, 0.0)


@compiled
def _sell(
    s: int, t: int, price: float, reference: float, bars: VenueBars, book: Book, log: FillLog, rules: KernelRules
) -> None:
    """Sell all that is held, as far as the bar's volume cap goes."""
    quantity = min(book.held[s], _room(s, t, bars, book, rules))
    if quantity <= 0.0:
        return
    notional = quantity * price
    fee = fee_on(notional, rules.fee_rate)
    book.cash[0] += notional - fee
    book.traded[s] += quantity
    book.sold[s] += quantity
    book.held[s] = 0.0 if quantity == book.held[s] else _left_after_sales(s, book, rules)
    if book.held[s] == 0.0:
        book.bought[s] = book.spent[s] = book.sold[s] = 0.0
        book.exits[s] = t - book.gaps[s]
    _record(s, t, -quantity, price, fee, reference, log)


@compiled
def _buy(
    s: int, t: int, price: float, reference: float, bars: VenueBars, book: Book, log: FillLog, rules: KernelRules
) -> bool:
    """Buy what is ordered, as far as the volume cap and cash go; False where nothing was bought."""
    wanted = min(book.ordered[s], _room(s, t, bars, book, rules))
    if wanted <= 0.0:
        return False
    quantity = fillable_quantity(
        wanted, book.cash[0], price, rules.fee_rate_in_cash, rules.steps_per_unit, rules.min_notional
    )
    if quantity <= 0.0:
        book.ordered[s] = 0.0
        return False
    book.cash[0] -= cash_cost(quantity, price, rules.fee_rate_in_cash)
    book.highest[s] = max(book.highest[s], price) if book.held[s] > 0.0 else price
    book.held[s] += quantity * (1.0 - rules.fee_rate_in_coin)
    book.bought[s] += quantity
    book.spent[s] += quantity * price
    book.traded[s] += quantity
    book.ordered[s] = _whole_steps(book.ordered[s] - quantity, rules)
    _record(s, t, quantity, price, fee_on(quantity * price, rules.fee_rate), reference, log)
    return True


@compiled
def _room(s: int, t: int, bars: VenueBars, book: Book, rules: KernelRules) -> float:
    """What may still trade of the symbol in bar t."""
    return _whole_steps(bars.caps[s, t] - book.traded[s], rules)


@compiled
def _left_after_sales(s: int, book: Book, rules: KernelRules) -> float:
    """What partial sales leave, from whole steps: no residue of rounding may stay behind as a holding."""
    left = _whole_steps(book.bought[s] - book.sold[s], rules) - book.bought[s] * rules.fee_rate_in_coin
    return left if left > _ROUNDING * book.bought[s] else 0.0


@compiled
def _whole_steps(quantity: float, rules: KernelRules) -> float:
    """The nearest whole number of steps: frees a difference of two such numbers of its rounding."""
    return float(np.rint(quantity * rules.steps_per_unit) / rules.steps_per_unit)


@compiled
def _record(s: int, t: int, quantity: float, price: float, fee: float, reference: float, log: FillLog) -> None:
    i = log.n_fills[0]
    log.places[i, 0] = t
    log.places[i, 1] = s
    log.values[i, 0] = quantity
    log.values[i, 1] = price
    log.values[i, 2] = fee
    log.values[i, 3] = reference
    log.n_fills[0] = i + 1

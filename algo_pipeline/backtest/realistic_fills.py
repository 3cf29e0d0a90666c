"""How orders meet a bar: market and limit fills under a volume cap, and protective exits; compiled.

Every function changes the records that it is given: the state of a symbol, the account, the log of fills.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np

from algo_pipeline.backtest.costs import buy_price, fee_on, sell_price
from algo_pipeline.backtest.execution import cash_cost, fillable_quantity
from algo_pipeline.backtest.kernel import KernelRules
from algo_pipeline.backtest.realism import ExecutionOptions
from algo_pipeline.backtest.realistic_inputs import VenueBar
from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.types import RecordArray
from algo_pipeline.strategy.position_sizing import counts_as_flat

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


class SymbolState(Protocol):
    """State of one symbol, a record of :data:`SYMBOL_STATE`."""

    symbol: int
    ordered: float  # quantity left of the pending order: > 0 a buy, < 0 a sell (always of all that is held)
    limit: float  # its limit price; NaN for a market order
    wait_bars: int  # own bars until it is at the venue
    rest_bars: int  # own bars that it still rests as a limit
    held: float
    bought: float  # quantity since nothing was held, as spent and sold
    spent: float
    sold: float
    highest: float  # price since the entry
    mark: float  # last close
    age: int  # own bars so far
    last_exit: int  # age at which the last of a holding was sold
    traded: float  # quantity filled in the bar under way
    at_open: bool  # held at the open of the bar under way
    inside: bool  # bought at a limit inside the bar under way


class AccountState(Protocol):
    """Cash, the position of the bar under way and the number of fills so far, a record of :data:`ACCOUNT_STATE`."""

    cash: float
    bar: int
    n_fills: int


_WHOLE = ("symbol", "wait_bars", "rest_bars", "age", "last_exit")
_FLAGS = ("at_open", "inside")
SYMBOL_STATE = np.dtype(
    [(n, np.int64 if n in _WHOLE else np.bool_ if n in _FLAGS else np.float64) for n in SymbolState.__annotations__],
    align=True,
)
ACCOUNT_STATE = np.dtype([("cash", np.float64), ("bar", np.int64), ("n_fills", np.int64)])
FILL = np.dtype(
    [("bar", np.int64), ("symbol", np.int64), *((n, np.float64) for n in ("quantity", "price", "fee", "reference"))]
)


@compiled
def fill_pending_sell(
    state: SymbolState, bar: VenueBar, account: AccountState, fills: RecordArray, rules: KernelRules
) -> None:
    """Let a pending sell meet the bar; what rests too long becomes a market order."""
    if not _is_at_venue(state):
        return
    at_open = sell_price(bar.open, bar.slippage)
    if not at_open < state.limit:  # a market order's limit is NaN
        _sell(state, bar, at_open, bar.open, account, fills, rules)
    elif bar.high > state.limit:
        _sell(state, bar, state.limit, state.limit, account, fills, rules)
    state.ordered = -state.held
    state.rest_bars -= 1
    if state.rest_bars <= 0:
        state.limit = math.nan


@compiled
def fill_pending_buy(
    state: SymbolState, bar: VenueBar, account: AccountState, fills: RecordArray, rules: KernelRules
) -> None:
    """Let a pending buy meet the bar; only a limit rests on, and only so long."""
    if not _is_at_venue(state):
        return
    at_open = buy_price(bar.open, bar.slippage)
    if not at_open > state.limit:
        if _buy(state, bar, at_open, bar.open, account, fills, rules):
            state.at_open = True
    elif bar.low < state.limit:
        state.inside = _buy(state, bar, state.limit, state.limit, account, fills, rules)
    state.rest_bars -= 1
    if state.rest_bars <= 0:
        state.ordered = 0.0


@compiled
def run_protective_exit(
    state: SymbolState,
    bar: VenueBar,
    account: AccountState,
    fills: RecordArray,
    rules: KernelRules,
    orders: OrderRules,
) -> None:
    """Sell what a stop or a take-profit catches; what the volume cap holds back is sold from the next open on."""
    price, reference = _protective_price(state, bar, orders)
    if price > 0.0 and not counts_as_flat(state.held, price, rules.min_notional):
        _sell(state, bar, price, reference, account, fills, rules)
        place_order(state, -state.held, math.nan, 0, 0)
    state.highest = max(state.highest, bar.close if state.inside else bar.high)


@compiled
def place_order(state: SymbolState, quantity: float, limit: float, wait_bars: int, rest_bars: int) -> None:
    """Make this the symbol's pending order, instead of any other; quantity 0 is none."""
    state.ordered = quantity
    state.limit = limit
    state.wait_bars = wait_bars
    state.rest_bars = rest_bars


@compiled
def _is_at_venue(state: SymbolState) -> bool:
    """Whether the pending order has arrived; if not, this bar is one of those that it needs to."""
    if state.wait_bars > 0:
        state.wait_bars -= 1
        return False
    return True


@compiled
def _protective_price(state: SymbolState, bar: VenueBar, orders: OrderRules) -> tuple[float, float]:
    """Fill price and reference price of a protective exit in the bar; 0 where none is caught."""
    entry = state.spent / state.bought
    stop = max(entry * orders.stop_factor, state.highest * orders.trailing_factor)
    if state.at_open and bar.open <= stop:
        return sell_price(bar.open, bar.slippage), bar.open
    if bar.low <= stop:
        return sell_price(stop, bar.slippage), stop
    if state.inside:  # the bar's high may have come before the fill
        return 0.0, 0.0
    lifted = bar.high * orders.trailing_factor
    if bar.low <= lifted:
        return sell_price(lifted, bar.slippage), lifted
    profit = entry * orders.take_profit_factor
    at_open = sell_price(bar.open, bar.slippage)
    if at_open >= profit:
        return at_open, bar.open
    return (profit, profit) if bar.high > profit else (0.0, 0.0)


@compiled
def _sell(
    state: SymbolState,
    bar: VenueBar,
    price: float,
    reference: float,
    account: AccountState,
    fills: RecordArray,
    rules: KernelRules,
) -> None:
    """Sell all that is held, as far as the bar's volume cap goes."""
    quantity = min(state.held, _whole_steps(bar.cap - state.traded, rules))
    if quantity <= 0.0:
        return
    notional = quantity * price
    fee = fee_on(notional, rules.fee_rate)
    account.cash += notional - fee
    state.traded += quantity
    state.sold += quantity
    state.held = 0.0 if quantity == state.held else _left_after_sales(state, rules)
    if state.held == 0.0:
        state.bought = state.spent = state.sold = 0.0
        state.last_exit = state.age
    _record(state, -quantity, price, fee, reference, account, fills)


@compiled
def _buy(
    state: SymbolState,
    bar: VenueBar,
    price: float,
    reference: float,
    account: AccountState,
    fills: RecordArray,
    rules: KernelRules,
) -> bool:
    """Buy what is ordered, as far as the volume cap and cash go; False where nothing was bought."""
    wanted = min(state.ordered, _whole_steps(bar.cap - state.traded, rules))
    if wanted <= 0.0:
        return False
    quantity = fillable_quantity(
        wanted, account.cash, price, rules.fee_rate_in_cash, rules.steps_per_unit, rules.min_notional
    )
    if quantity <= 0.0:  # cash covers no order
        state.ordered = 0.0
        return False
    account.cash -= cash_cost(quantity, price, rules.fee_rate_in_cash)
    state.highest = max(state.highest, price) if state.held > 0.0 else price
    state.held += quantity * (1.0 - rules.fee_rate_in_coin)
    state.bought += quantity
    state.spent += quantity * price
    state.traded += quantity
    state.ordered = _whole_steps(state.ordered - quantity, rules)
    _record(state, quantity, price, fee_on(quantity * price, rules.fee_rate), reference, account, fills)
    return True


@compiled
def _left_after_sales(state: SymbolState, rules: KernelRules) -> float:
    """What partial sales leave, from whole steps: no residue of rounding may stay behind as a holding."""
    left = _whole_steps(state.bought - state.sold, rules) - state.bought * rules.fee_rate_in_coin
    return left if left > _ROUNDING * state.bought else 0.0


@compiled
def _whole_steps(quantity: float, rules: KernelRules) -> float:
    """The nearest whole number of steps: frees a difference of two such numbers of its rounding."""
    return float(np.rint(quantity * rules.steps_per_unit) / rules.steps_per_unit)


@compiled
def _record(
    state: SymbolState,
    quantity: float,
    price: float,
    fee: float,
    reference: float,
    account: AccountState,
    fills: RecordArray,
) -> None:
    fill = fills[account.n_fills]
    fill.bar = account.bar
    fill.symbol = state.symbol
    fill.quantity = quantity
    fill.price = price
    fill.fee = fee
    fill.reference = reference
    account.n_fills += 1

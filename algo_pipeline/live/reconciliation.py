"""Whether the broker's account is the one that the journal tells of; every difference has a defined answer.

What cannot be explained by orders of ours stops trading. Cash alone that came or went is a deposit or a withdrawal.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import pandas as pd

from algo_pipeline.common.errors import LiveStateError
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.interfaces.broker import Account, BaseBroker, BrokerOrder, Position
from algo_pipeline.live.decision import is_flat
from algo_pipeline.live.limits import LiveRules
from algo_pipeline.live.orders import is_ours
from algo_pipeline.live.state import Intent, LiveState

LOOK_BACK = pd.Timedelta(hours=48)
WAY_OUT = 'Look at the account; then start from what it holds: algo-pipeline resume --adopt --reason "…".'
_COIN_TOLERANCE = Decimal("1e-9")
_CASH_TOLERANCE = Decimal("0.01")
_NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The account as the broker shows it at one moment.

    Parameters
    ----------
    positions : mapping
        Every holding, by symbol.
    open_orders : tuple of BrokerOrder
        Whoever placed them.
    recent_orders : tuple of BrokerOrder
        Orders of the last 48 h under ids of ours.
    """

    account: Account
    positions: Mapping[Symbol, Position]
    open_orders: tuple[BrokerOrder, ...]
    recent_orders: tuple[BrokerOrder, ...]

    @property
    def holdings(self) -> dict[Symbol, Decimal]:
        """Quantity held per symbol."""
        return {symbol: position.quantity for symbol, position in self.positions.items()}

    def held(self, symbol: Symbol) -> Decimal:
        """Quantity held of a symbol."""
        position = self.positions.get(symbol)
        return _NONE if position is None else position.quantity

    def available(self, symbol: Symbol) -> Decimal:
        """What of it no open order holds back."""
        position = self.positions.get(symbol)
        return _NONE if position is None else position.quantity_available


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that no order of ours explains; trading stops."""

    reason: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing the account with the journal has shown.

    Parameters
    ----------
    difference : Difference or None
        What stops trading.
    delta_usd : Decimal
        Cash that came (or, negative, went) without an order.
    is_settled : bool
        Whether fills that are known explain every holding, so that the account may become the new base. False while
        an order of unknown outcome may be part of it.
    notes : tuple of str
        What was explained, in words.
    fees_owed : mapping
        Coin that is held now and may still go as fees of fills that are known.
    """

    difference: Difference | None = None
    delta_usd: Decimal = _NONE
    is_settled: bool = True
    notes: tuple[str, ...] = ()
    fees_owed: Mapping[Symbol, Decimal] = field(default_factory=dict)


@dataclass(slots=True)
class _Expected:
    """Coin and cash that the journal leads to, each with how far it may be off."""

    coin: dict[Symbol, Decimal]
    coin_slack: dict[Symbol, Decimal] = field(default_factory=dict)
    fees_owed: Mapping[Symbol, Decimal] = field(default_factory=dict)
    maybe_more: dict[Symbol, Decimal] = field(default_factory=dict)
    maybe_less: dict[Symbol, Decimal] = field(default_factory=dict)
    cash: Decimal = _NONE


def take_snapshot(broker: BaseBroker, now: pd.Timestamp, strategy: str) -> Snapshot:
    """Ask the broker for everything; an error anywhere is raised, never read as "nothing"."""
    account = broker.get_account()
    positions = {position.symbol: position for position in broker.get_positions()}
    open_orders = broker.get_open_orders()
    recent = tuple(order for order in broker.get_orders_since(now - LOOK_BACK) if is_ours_at_broker(order, strategy))
    return Snapshot(account, positions, open_orders, recent)


def is_ours_at_broker(order: BrokerOrder, strategy: str) -> bool:
    """Whether an order at the broker carries an id of ours."""
    return is_ours(order.client_order_id, strategy)


def require_same_account(account: Account, state: LiveState) -> None:
    """Refuse another account's files.

    Raises
    ------
    LiveStateError
        If the journal belongs to another account.
    """
    if state.account_id is not None and state.account_id != account.account_id:
        raise LiveStateError(
            f"The journal belongs to account {state.account_id}; the broker's account is {account.account_id}.",
            "Use the keys of that account, or move the files under live/ away to start a new journal.",
        )


def require_held_symbols_configured(state: LiveState, symbols: Sequence[Symbol], rules: BacktestConfig) -> None:
    """Refuse a list of symbols that lost one which the account still holds.

    Raises
    ------
    LiveStateError
        Naming the symbols.
    """
    lost = [
        str(symbol)
        for symbol, held in _expected(state, rules).coin.items()
        if symbol not in symbols
        and symbol not in state.outside
        and symbol in state.closes
        and not is_flat(held, state.closes[symbol], rules)
    ]
    if lost:
        raise LiveStateError(
            f"{', '.join(lost)} is held by this account but is no longer among the configured symbols "
            f"{', '.join(map(str, symbols))}.",
            "Add it to ALGO_TRADER_SYMBOLS until it is sold.",
        )


def unknown_orders(snapshot: Snapshot, state: LiveState) -> Difference | None:
    """Orders at the broker that the journal does not know: any that is open, and ours of the last 48 h."""
    known = {*state.known_orders, *state.open_intents, *state.adopted_orders}
    at_broker = (*snapshot.open_orders, *snapshot.recent_orders)
    unknown = [order for order in at_broker if order.client_order_id not in known]
    if not unknown:
        return None
    ids = sorted({order.client_order_id for order in unknown})
    return Difference(
        f"orders at the broker that the journal does not know: {', '.join(ids)}",
        "only orders that were journalled before they were sent",
        "; ".join(sorted({f"{o.side.value} {o.quantity} {o.symbol} {o.status}" for o in unknown})),
    )


def compare(snapshot: Snapshot, state: LiveState, symbols: Sequence[Symbol], rules: LiveRules) -> Comparison:
    """Compare holdings and cash with what the journal leads to."""
    expected = _expected(state, rules.trading)
    different = [
        _holding_difference(symbol, expected, snapshot)
        for symbol in sorted({*expected.coin, *snapshot.positions})
        if not _holding_may_be(symbol, expected, snapshot)
    ] + [
        Difference(f"{symbol}, which is not among the configured symbols", f"no {symbol}", f"{plain(held)} {symbol}")
        for symbol, held in snapshot.holdings.items()
        if _is_foreign(symbol, held, state, symbols, rules.trading)
    ]
    if different:
        return Comparison(_joined(different), is_settled=False)
    if state.open_intents or not all(_holding_is(symbol, expected, snapshot) for symbol in expected.coin):
        return Comparison(is_settled=False, notes=("an order of unknown outcome may be part of the holdings",))
    cash, owed = _unexplained_cash(snapshot, expected, rules), _fees_owed(snapshot, expected)
    return Comparison(delta_usd=cash, notes=_notes(state), fees_owed=owed)


def flat_symbols(
    snapshot: Snapshot, symbols: Iterable[Symbol], closes: Mapping[Symbol, float], rules: BacktestConfig
) -> tuple[Symbol, ...]:
    """Symbols whose holding counts as none, at the last closes known."""
    return tuple(symbol for symbol in symbols if is_flat(snapshot.held(symbol), closes.get(symbol, math.inf), rules))


def _is_foreign(
    symbol: Symbol, held: Decimal, state: LiveState, symbols: Sequence[Symbol], rules: BacktestConfig
) -> bool:
    """Whether a holding is neither configured, nor adopted, nor dust of a symbol that was traded before."""
    if symbol in symbols or symbol in state.outside:
        return False
    # Once marked, an account holds nothing else of other symbols than the dust that it was let through with.
    is_known_dust = state.marked_bar is not None and symbol in state.holdings and symbol not in state.closes
    return not is_known_dust and not is_flat(held, state.closes.get(symbol, math.inf), rules)


def _joined(differences: Sequence[Difference]) -> Difference:
    return Difference(
        "holdings that no order explains: " + "; ".join(each.reason for each in differences),
        "; ".join(each.expected for each in differences),
        "; ".join(each.found for each in differences),
    )


def _expected(state: LiveState, rules: BacktestConfig) -> _Expected:
    fee = _fee_rate(rules)
    expected = _Expected(dict(state.holdings), fees_owed=state.fees_owed, cash=state.cash)
    for fill in state.fills:
        symbol, notional = fill.symbol, fill.quantity * fill.price
        held = expected.coin.get(symbol, _NONE)
        slack = fee * fill.quantity
        expected.coin_slack[symbol] = expected.coin_slack.get(symbol, _NONE) + slack
        if fill.side is Side.SELL:
            expected.coin[symbol] = held - fill.quantity
            expected.cash += notional * (1 - fee)
        else:
            expected.coin[symbol] = held + fill.quantity - (slack if rules.fee_in_base else _NONE)
            expected.cash -= notional if rules.fee_in_base else notional * (1 + fee)
    for intent in (*state.open_intents.values(), *state.abandoned.values()):
        _add_maybe(expected, intent)
    return expected


def _add_maybe(expected: _Expected, intent: Intent) -> None:
    maybe = expected.maybe_more if intent.side is Side.BUY else expected.maybe_less
    maybe[intent.symbol] = maybe.get(intent.symbol, _NONE) + intent.quantity - intent.filled
    expected.coin.setdefault(intent.symbol, _NONE)


def _slack(symbol: Symbol, expected: _Expected) -> Decimal:
    return expected.coin_slack.get(symbol, _NONE) + _COIN_TOLERANCE


def _apart(symbol: Symbol, expected: _Expected, snapshot: Snapshot) -> Decimal:
    return snapshot.held(symbol) - expected.coin.get(symbol, _NONE)


def _holding_is(symbol: Symbol, expected: _Expected, snapshot: Snapshot) -> bool:
    slack, owed = _slack(symbol, expected), expected.fees_owed.get(symbol, _NONE)
    return -owed - slack <= _apart(symbol, expected, snapshot) <= slack


def _holding_may_be(symbol: Symbol, expected: _Expected, snapshot: Snapshot) -> bool:
    slack, owed = _slack(symbol, expected), expected.fees_owed.get(symbol, _NONE)
    least = -expected.maybe_less.get(symbol, _NONE) - owed - slack
    return least <= _apart(symbol, expected, snapshot) <= expected.maybe_more.get(symbol, _NONE) + slack


def _fees_owed(snapshot: Snapshot, expected: _Expected) -> dict[Symbol, Decimal]:
    """What is held beyond the fills net of their fees: it may go when the broker posts them."""
    owed = {}
    for symbol in expected.coin:
        coin = expected.fees_owed.get(symbol, _NONE) + _apart(symbol, expected, snapshot)
        if coin > _COIN_TOLERANCE and snapshot.held(symbol) > 0:
            owed[symbol] = min(coin, snapshot.held(symbol))
    return owed


def _holding_difference(symbol: Symbol, expected: _Expected, snapshot: Snapshot) -> Difference:
    should, does = expected.coin.get(symbol, _NONE), snapshot.held(symbol)
    return Difference(
        f"{symbol}: {plain(does)} held and {plain(should)} expected",
        f"{plain(should)} {symbol}",
        f"{plain(does)} {symbol}",
    )


def _unexplained_cash(snapshot: Snapshot, expected: _Expected, rules: LiveRules) -> Decimal:
    """Cash beyond what the fills moved; 0 within the fees that may still be posted."""
    fee = _fee_rate(rules.trading)
    fees = sum(
        (fee * order.filled_quantity * order.average_price for order in snapshot.recent_orders if order.average_price),
        _NONE,
    )
    apart = snapshot.account.cash - expected.cash
    return apart if abs(apart) > fees + _CASH_TOLERANCE else _NONE


def _notes(state: LiveState) -> tuple[str, ...]:
    return tuple(
        f"{fill.side.value} {plain(fill.quantity)} {fill.symbol} at {plain(fill.price)}" for fill in state.fills
    )


def _fee_rate(rules: BacktestConfig) -> Decimal:
    return Decimal(repr(rules.fee_bps)).scaleb(-4)


def plain(amount: Decimal) -> str:
    """An amount in plain digits, all of them, without zeros at the end."""
    digits = format(amount, "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits

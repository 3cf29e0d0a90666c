"""What is known of the live account: frozen records, and their form in ``state.json``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

import pandas as pd

from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.live.events import Outcome
from algo_pipeline.live.lines import FIRST_PREVIOUS, utc
from algo_pipeline.live.watch_records import Alarm, SymbolWatch


@dataclass(frozen=True, slots=True)
class Intent:
    """An order that was journalled before it was sent.

    Parameters
    ----------
    order_id : str
        The client order id.
    quantity, filled : Decimal
        Ordered, and filled as far as known, in coin.
    bar : pd.Timestamp
        Open time of the bar that it was decided on.
    purpose : str
        ``d`` or ``h<n>``.
    created_at : pd.Timestamp
        When its line was written.
    outcome : Outcome
        OPEN until it is known to have ended.
    settled_at : pd.Timestamp or None
        When the line of its end was written.
    """

    order_id: str
    symbol: Symbol
    side: Side
    quantity: Decimal
    bar: pd.Timestamp
    purpose: str
    created_at: pd.Timestamp
    filled: Decimal = Decimal(0)
    outcome: Outcome = Outcome.OPEN
    settled_at: pd.Timestamp | None = None


@dataclass(frozen=True, slots=True)
class Fill:
    """What an order traded in all: coin, and the average price in quote currency, before fees."""

    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """The journalled decision of one symbol; ``action`` is enter, exit or none."""

    symbol: Symbol
    signal: str | None
    prob: float | None
    action: str | None
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BarRecord:
    """What is journalled of the newest bar worked on: the mark's details, the decisions, the ids of the intents."""

    timestamp: pd.Timestamp
    mark: Mapping[str, Any] | None = None
    decisions: Mapping[Symbol, DecisionRecord] = field(default_factory=dict)
    intents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LiveState:
    """Everything that the journal says up to its line ``seq``.

    Parameters
    ----------
    account_id : str or None
        The broker's; None before the first line.
    cash, holdings
        What the broker held when it was last reconciled or adopted: quote currency, and coin per symbol.
    fills : tuple of Fill
        What orders of ours traded since then: the account should hold ``holdings`` and these.
    fees_owed : mapping
        Coin of ``holdings`` that the broker may still take as fees of known fills: some post them at the day's end.
    outside : frozenset of Symbol
        Holdings that a person adopted although they aren't configured: they are no part of equity.
    closes, marked_bar
        Close per symbol of the last mark, and its bar.
    peak, equity, drawdown : float
        Of the last mark; 0 before the first. A resume sets peak and equity to the equity of that moment.
    killed_at : pd.Timestamp or None
        Open time of the bar on which the kill switch latched.
    halted, stopped : str or None
        Reason of a person's halt; reason of a difference that nobody has resolved.
    flatten : bool
        Whether the halt sells everything.
    n_halts : int
        Halts so far; the next one is ``n_halts + 1``.
    last_bar : pd.Timestamp or None
        Newest bar that is accounted for: marked, skipped as stale, or told as missed.
    bar : BarRecord or None
        The newest bar with a mark, a decision or an intent.
    open_intents : mapping
        By order id: sent or about to be, with no known end.
    abandoned : mapping
        By order id: abandoned in the last 24 h, to be looked up again.
    known_orders : mapping
        Ids of the intents of the last 72 h, with the time they were journalled.
    adopted_orders : frozenset of str
        Ids of orders that the last adoption found at the broker.
    exiting : frozenset of Symbol
        Exits in force: every later bar sells what is held until the remainder counts as flat, or a buy is decided.
    last_exit_bar : mapping
        Open time of the bar in which a symbol's last sell filled.
    orders_today : tuple
        UTC date of the last intent's line (ISO; empty before the first) and the intents of that date.
    watches : mapping of Symbol to SymbolWatch
        The watch over each symbol's probabilities and features.
    n_orders, seq : int
        Intents and lines of the whole journal.
    last_hash, offset
        Hash of line ``seq`` and the byte at which the next one starts.
    """

    account_id: str | None = None
    cash: Decimal = Decimal(0)
    holdings: Mapping[Symbol, Decimal] = field(default_factory=dict)
    fills: tuple[Fill, ...] = ()
    fees_owed: Mapping[Symbol, Decimal] = field(default_factory=dict)
    outside: frozenset[Symbol] = frozenset()
    closes: Mapping[Symbol, float] = field(default_factory=dict)
    marked_bar: pd.Timestamp | None = None
    peak: float = 0.0
    equity: float = 0.0
    drawdown: float = 0.0
    killed_at: pd.Timestamp | None = None
    halted: str | None = None
    flatten: bool = False
    n_halts: int = 0
    stopped: str | None = None
    last_bar: pd.Timestamp | None = None
    bar: BarRecord | None = None
    open_intents: Mapping[str, Intent] = field(default_factory=dict)
    abandoned: Mapping[str, Intent] = field(default_factory=dict)
    known_orders: Mapping[str, pd.Timestamp] = field(default_factory=dict)
    adopted_orders: frozenset[str] = frozenset()
    exiting: frozenset[Symbol] = frozenset()
    last_exit_bar: Mapping[Symbol, pd.Timestamp] = field(default_factory=dict)
    orders_today: tuple[str, int] = ("", 0)
    watches: Mapping[Symbol, SymbolWatch] = field(default_factory=dict)
    n_orders: int = 0
    seq: int = 0
    last_hash: str = FIRST_PREVIOUS
    offset: int = 0

    @property
    def alarms(self) -> dict[Symbol, Alarm]:
        """The alarms of the watch that are in force."""
        return {symbol: watch.alarm for symbol, watch in self.watches.items() if watch.alarm is not None}


def to_document(state: LiveState) -> dict[str, Any]:
    """Plain JSON from which :func:`from_document` makes an equal state."""
    plain = {each.name: getattr(state, each.name) for each in fields(LiveState)}
    return plain | {
        "cash": str(state.cash),
        "holdings": {str(symbol): str(quantity) for symbol, quantity in state.holdings.items()},
        "fills": [_fill_document(fill) for fill in state.fills],
        "fees_owed": {str(symbol): str(owed) for symbol, owed in state.fees_owed.items()},
        "outside": sorted(str(symbol) for symbol in state.outside),
        "closes": {str(symbol): close for symbol, close in state.closes.items()},
        "marked_bar": _text(state.marked_bar),
        "killed_at": _text(state.killed_at),
        "last_bar": _text(state.last_bar),
        "bar": None if state.bar is None else _bar_document(state.bar),
        "open_intents": [_intent_document(intent) for intent in state.open_intents.values()],
        "abandoned": [_intent_document(intent) for intent in state.abandoned.values()],
        "known_orders": {order_id: _text(at) for order_id, at in state.known_orders.items()},
        "adopted_orders": sorted(state.adopted_orders),
        "exiting": sorted(str(symbol) for symbol in state.exiting),
        "last_exit_bar": {str(symbol): _text(bar) for symbol, bar in state.last_exit_bar.items()},
        "orders_today": list(state.orders_today),
        "watches": {str(symbol): watch.to_document() for symbol, watch in state.watches.items()},
    }


def from_document(document: Mapping[str, Any]) -> LiveState:
    """The state that a document describes; KeyError, TypeError or ValueError if it describes none."""
    date, n_orders_today = document["orders_today"]
    return LiveState(
        **dict(document)
        | {
            "cash": amount(document["cash"]),
            "holdings": _by_symbol(document["holdings"], amount),
            "fills": tuple(_fill(each) for each in document["fills"]),
            "fees_owed": _by_symbol(document["fees_owed"], amount),
            "outside": frozenset(Symbol.parse(text) for text in document["outside"]),
            "closes": _by_symbol(document["closes"], float),
            "marked_bar": _time(document["marked_bar"]),
            "killed_at": _time(document["killed_at"]),
            "last_bar": _time(document["last_bar"]),
            "bar": None if document["bar"] is None else _bar(document["bar"]),
            "open_intents": {each["order_id"]: _intent(each) for each in document["open_intents"]},
            "abandoned": {each["order_id"]: _intent(each) for each in document["abandoned"]},
            "known_orders": {order_id: _time(at) for order_id, at in document["known_orders"].items()},
            "adopted_orders": frozenset(document["adopted_orders"]),
            "exiting": frozenset(Symbol.parse(text) for text in document["exiting"]),
            "last_exit_bar": _by_symbol(document["last_exit_bar"], _time),
            "orders_today": (date, n_orders_today),
            "watches": _by_symbol(document["watches"], SymbolWatch.from_document),
        }
    )


def _fill_document(fill: Fill) -> dict[str, str]:
    return {
        "symbol": str(fill.symbol),
        "side": fill.side.value,
        "quantity": str(fill.quantity),
        "price": str(fill.price),
    }


def _fill(document: Mapping[str, str]) -> Fill:
    return Fill(
        symbol=Symbol.parse(document["symbol"]),
        side=Side(document["side"]),
        quantity=amount(document["quantity"]),
        price=amount(document["price"]),
    )


def _intent_document(intent: Intent) -> dict[str, Any]:
    plain = {each.name: getattr(intent, each.name) for each in fields(Intent)}
    return plain | {
        "symbol": str(intent.symbol),
        "side": intent.side.value,
        "quantity": str(intent.quantity),
        "bar": _text(intent.bar),
        "created_at": _text(intent.created_at),
        "filled": str(intent.filled),
        "outcome": intent.outcome.value,
        "settled_at": _text(intent.settled_at),
    }


def _intent(document: Mapping[str, Any]) -> Intent:
    return Intent(
        **dict(document)
        | {
            "symbol": Symbol.parse(document["symbol"]),
            "side": Side(document["side"]),
            "quantity": amount(document["quantity"]),
            "bar": _time(document["bar"]),
            "created_at": _time(document["created_at"]),
            "filled": amount(document["filled"]),
            "outcome": Outcome(document["outcome"]),
            "settled_at": _time(document["settled_at"]),
        }
    )


def _bar_document(bar: BarRecord) -> dict[str, Any]:
    return {
        "timestamp": _text(bar.timestamp),
        "mark": None if bar.mark is None else dict(bar.mark),
        "decisions": [
            {
                "symbol": str(decision.symbol),
                "signal": decision.signal,
                "prob": decision.prob,
                "action": decision.action,
                "details": dict(decision.details),
            }
            for decision in bar.decisions.values()
        ],
        "intents": list(bar.intents),
    }


def _bar(document: Mapping[str, Any]) -> BarRecord:
    decisions = (
        DecisionRecord(**dict(each) | {"symbol": Symbol.parse(each["symbol"])}) for each in document["decisions"]
    )
    return BarRecord(
        timestamp=_time(document["timestamp"]),
        mark=document["mark"],
        decisions={decision.symbol: decision for decision in decisions},
        intents=tuple(document["intents"]),
    )


def _by_symbol(document: Mapping[str, Any], read: Callable[[Any], Any]) -> dict[Symbol, Any]:
    return {Symbol.parse(text): read(value) for text, value in document.items()}


def _text(at: pd.Timestamp | None) -> str | None:
    return None if at is None else at.isoformat()


def _time(text: str | None) -> Any:
    return None if text is None else utc(text)


def amount(written: Any) -> Decimal:
    """An amount of coin or money from a decimal string or a number; ValueError if it is neither, or not finite."""
    value = Decimal(str(written)) if isinstance(written, str | int | float | Decimal) else Decimal("NaN")
    if not value.is_finite():
        raise ValueError(f"an amount is expected, found {written!r}")
    return value

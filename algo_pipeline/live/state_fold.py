"""What each journal line changes: a pure fold, so that the state can always be made again from the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import reduce
from types import MappingProxyType

import pandas as pd

from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.live.events import Event, Outcome
from algo_pipeline.live.lines import JournalLine, utc
from algo_pipeline.live.state_records import BarRecord, DecisionRecord, Fill, Intent, LiveState, amount
from algo_pipeline.live.watch_records import SymbolWatch

ABANDONED_FOR = pd.Timedelta(hours=24)
NOT_READABLE = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What a line or a saved state of the wrong shape raises."""
KNOWN_FOR = pd.Timedelta(hours=72)


def apply(state: LiveState, line: JournalLine) -> LiveState:
    """The state after one more line."""
    changed = _CHANGES[line.event](state, line)
    return replace(
        changed,
        abandoned=_still_abandoned(changed.abandoned, line.at),
        known_orders={each: at for each, at in changed.known_orders.items() if line.at - at <= KNOWN_FOR},
        seq=line.seq,
        last_hash=line.sha256,
        offset=line.end,
    )


def fold(state: LiveState, lines: Iterable[JournalLine]) -> LiveState:
    """The state after all of these lines."""
    return reduce(apply, lines, state)


def _started(state: LiveState, line: JournalLine) -> LiveState:
    return _with_account(replace(state, account_id=line.details["account_id"]), line)


def _marked(state: LiveState, line: JournalLine) -> LiveState:
    details = line.details
    bar = _bar_of(state, line)
    return replace(
        _seen(state, line.timestamp),
        equity=float(details["equity"]),
        peak=float(details["peak"]),
        drawdown=float(details["drawdown"]),
        closes={Symbol.parse(text): float(close) for text, close in details["closes"].items() if close is not None},
        marked_bar=line.timestamp,
        bar=replace(bar, mark=details) if bar.timestamp == line.timestamp else bar,
    )


def _killed(state: LiveState, line: JournalLine) -> LiveState:
    return replace(state, killed_at=line.timestamp)


def _decided(state: LiveState, line: JournalLine) -> LiveState:
    bar = _bar_of(state, line)
    if line.symbol is None or bar.timestamp != line.timestamp:
        return state
    decision = DecisionRecord(line.symbol, line.signal, line.prob, line.action, line.details)
    decided = replace(state, bar=replace(bar, decisions={**bar.decisions, line.symbol: decision}))
    seen = line.details.get("watch")
    if seen is None:
        return decided
    watch = state.watches.get(line.symbol, SymbolWatch()).after(line.timestamp, line.prob, seen)
    return replace(decided, watches={**state.watches, line.symbol: watch})


def _intended(state: LiveState, line: JournalLine) -> LiveState:
    intent = _intent(line)
    date = line.at.date().isoformat()
    bar = _bar_of(state, line)
    return replace(
        state,
        bar=replace(bar, intents=(*bar.intents, intent.order_id)) if bar.timestamp == line.timestamp else bar,
        open_intents={**state.open_intents, intent.order_id: intent},
        known_orders={**state.known_orders, intent.order_id: line.at},
        exiting=state.exiting | {intent.symbol} if intent.side is Side.SELL else state.exiting - {intent.symbol},
        orders_today=(date, 1 + (state.orders_today[1] if state.orders_today[0] == date else 0)),
        n_orders=state.n_orders + 1,
    )


def _resulted(state: LiveState, line: JournalLine) -> LiveState:
    order_id, result = str(line.order_id), _Result.of(line)
    known = state.open_intents.get(order_id) or state.abandoned.get(order_id)
    state = replace(
        state,
        open_intents=_without(state.open_intents, order_id),
        abandoned=_without(state.abandoned, order_id),
        last_exit_bar=_last_exit_bar(state, line),
    )
    if known is None:
        return state
    state = replace(state, fills=(*state.fills, *_fill(known, result)))
    settled_at = None if result.outcome is Outcome.OPEN else line.at
    return _with_intent(state, replace(known, filled=result.filled, outcome=result.outcome, settled_at=settled_at))


@dataclass(frozen=True, slots=True)
class _Result:
    outcome: Outcome
    filled: Decimal
    price: Decimal | None

    @classmethod
    def of(cls, line: JournalLine) -> _Result:
        price = line.details["average_price"]
        return cls(
            outcome=Outcome(line.details["outcome"]),
            filled=amount(line.details["filled_quantity"]),
            price=None if price is None else amount(price),
        )


def _fill(intent: Intent, result: _Result) -> tuple[Fill, ...]:
    """What the line adds to what was known to be filled."""
    quantity = result.filled - intent.filled
    return () if quantity <= 0 or result.price is None else (Fill(intent.symbol, intent.side, quantity, result.price),)


def _with_intent(state: LiveState, intent: Intent) -> LiveState:
    if intent.outcome is Outcome.OPEN:
        return replace(state, open_intents={**state.open_intents, intent.order_id: intent})
    if intent.outcome is Outcome.ABANDONED_STALE:
        return replace(state, abandoned={**state.abandoned, intent.order_id: intent})
    return state


def _last_exit_bar(state: LiveState, line: JournalLine) -> Mapping[Symbol, pd.Timestamp]:
    details = line.details
    if line.symbol is None or details["side"] != Side.SELL or details["filled_bar"] is None:
        return state.last_exit_bar
    return {**state.last_exit_bar, line.symbol: utc(details["filled_bar"])}


def _reconciled(state: LiveState, line: JournalLine) -> LiveState:
    details = line.details
    flat = frozenset(Symbol.parse(text) for text in details["flat"])
    owed = {Symbol.parse(text): amount(coin) for text, coin in details.get("fees_owed", {}).items()}
    return replace(_with_account(state, line), exiting=state.exiting - flat, fees_owed=owed)


def _adjusted(state: LiveState, line: JournalLine) -> LiveState:
    # Cash moves with the peak, so that a run that dies before it reconciles does not adjust twice.
    cash = state.cash + amount(line.details["delta_usd"])
    return replace(state, peak=float(line.details["peak_after"]), cash=cash)


def _differed(state: LiveState, line: JournalLine) -> LiveState:
    return replace(state, stopped=str(line.details["reason"]))


def _missed(state: LiveState, line: JournalLine) -> LiveState:
    return _seen(state, utc(line.details["to"]))


def _skipped(state: LiveState, line: JournalLine) -> LiveState:
    return _seen(state, line.timestamp)


def _shadowed(state: LiveState, line: JournalLine) -> LiveState:
    return state


def _halted(state: LiveState, line: JournalLine) -> LiveState:
    details = line.details
    return replace(
        state, halted=str(details["reason"]), flatten=bool(details["flatten"]), n_halts=int(details["number"])
    )


def _resumed(state: LiveState, line: JournalLine) -> LiveState:
    watches = {symbol: watch.resumed() for symbol, watch in state.watches.items()}
    state = replace(state, killed_at=None, halted=None, flatten=False, stopped=None, watches=watches)
    if not line.details.get("keeps_peak", False):
        peak = float(line.details["peak"])
        state = replace(state, peak=peak, equity=peak, drawdown=0.0)
    if not line.details["adopt"]:
        return state
    return replace(
        _with_account(state, line),
        fees_owed={},
        exiting=frozenset(),
        open_intents={},
        abandoned={},
        outside=frozenset(Symbol.parse(text) for text in line.details.get("outside", ())),
        adopted_orders=frozenset(line.details.get("orders", ())),
    )


_CHANGES: Mapping[Event, Callable[[LiveState, JournalLine], LiveState]] = MappingProxyType(
    {
        Event.STARTED: _started,
        Event.MARK: _marked,
        Event.KILL_SWITCH: _killed,
        Event.DECISION: _decided,
        Event.INTENT: _intended,
        Event.RESULT: _resulted,
        Event.RECONCILED: _reconciled,
        Event.ADJUSTMENT: _adjusted,
        Event.DIFFERENCE: _differed,
        Event.MISSED: _missed,
        Event.SKIPPED_STALE: _skipped,
        Event.SHADOW: _shadowed,
        Event.HALT: _halted,
        Event.RESUME: _resumed,
    }
)


def _with_account(state: LiveState, line: JournalLine) -> LiveState:
    holdings = {Symbol.parse(text): amount(quantity) for text, quantity in line.details["holdings"].items()}
    return replace(state, cash=amount(line.details["cash"]), holdings=holdings, fills=())


def _bar_of(state: LiveState, line: JournalLine) -> BarRecord:
    """The record of the line's bar; a newer bar's stays."""
    if state.bar is None or state.bar.timestamp < line.timestamp:
        return BarRecord(line.timestamp)
    return state.bar


def _seen(state: LiveState, bar: pd.Timestamp) -> LiveState:
    return replace(state, last_bar=bar if state.last_bar is None else max(state.last_bar, bar))


def _intent(line: JournalLine) -> Intent:
    if line.symbol is None or line.order_id is None:
        raise ValueError(f"line {line.seq}: an intent without symbol or order id")
    return Intent(
        order_id=line.order_id,
        symbol=line.symbol,
        side=Side(line.details["side"]),
        quantity=amount(line.details["quantity"]),
        bar=line.timestamp,
        purpose=str(line.details["purpose"]),
        created_at=line.at,
    )


def _still_abandoned(abandoned: Mapping[str, Intent], at: pd.Timestamp) -> Mapping[str, Intent]:
    return {
        order_id: intent
        for order_id, intent in abandoned.items()
        if intent.settled_at is None or at - intent.settled_at <= ABANDONED_FOR
    }


def _without(intents: Mapping[str, Intent], order_id: str) -> Mapping[str, Intent]:
    return {each: intent for each, intent in intents.items() if each != order_id}

"""The journal's entries as the live core writes them: one function per event, details in plain JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd

from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.live.champion import Champion
from algo_pipeline.live.decision import Decision
from algo_pipeline.live.events import Entry, Event
from algo_pipeline.live.orders import Settlement
from algo_pipeline.live.reconciliation import Comparison, Difference, Snapshot, plain
from algo_pipeline.live.state import LiveState
from algo_pipeline.strategy.signal_to_trade import Action

ACTION_WORDS: Mapping[Action, str] = {Action.NOTHING: "none", Action.ENTER: "enter", Action.EXIT: "exit"}


def started(bar: pd.Timestamp, snapshot: Snapshot, strategy: str) -> Entry:
    """The account that the journal is about, and what it holds at the start."""
    details = {"account_id": snapshot.account.account_id, **_account(snapshot), "strategy": strategy}
    return Entry(bar, Event.STARTED, details=details)


def reconciled(bar: pd.Timestamp, snapshot: Snapshot, flat: Sequence[Symbol], comparison: Comparison) -> Entry:
    """What the broker holds, all of it explained."""
    details = {**_account(snapshot), "flat": [str(symbol) for symbol in flat], "notes": list(comparison.notes)}
    if comparison.fees_owed:
        details["fees_owed"] = {str(symbol): plain(owed) for symbol, owed in comparison.fees_owed.items()}
    return Entry(bar, Event.RECONCILED, details=details)


def adjustment(bar: pd.Timestamp, delta_usd: Decimal, state: LiveState) -> Entry:
    """Cash that came or went without an order; the peak goes with it."""
    details = {
        "delta_usd": plain(delta_usd),
        "peak_before": state.peak,
        "peak_after": max(state.peak + float(delta_usd), 0.0) if state.peak > 0 else 0.0,
        "reason": "deposit" if delta_usd > 0 else "withdrawal",
    }
    return Entry(bar, Event.ADJUSTMENT, details=details)


def difference(bar: pd.Timestamp, found: Difference) -> Entry:
    """What stops trading."""
    details = {"reason": found.reason, "expected": found.expected, "found": found.found}
    return Entry(bar, Event.DIFFERENCE, details=details)


def mark(
    bar: pd.Timestamp,
    equity: float,
    peak: float,
    drawdown: float,
    snapshot: Snapshot,
    closes: Mapping[Symbol, float],
) -> Entry:
    """The account at the bar's closes; ``closes`` names every configured symbol, NaN where no price is known."""
    details = {
        "equity": equity,
        "peak": peak,
        "drawdown": drawdown,
        "cash": plain(snapshot.account.cash),
        "holdings": {str(symbol): plain(snapshot.held(symbol)) for symbol in closes},
        "closes": {str(symbol): None if math.isnan(close) else close for symbol, close in closes.items()},
        "broker_equity": float(snapshot.account.equity),
    }
    return Entry(bar, Event.MARK, details=details)


def kill_switch(bar: pd.Timestamp, equity: float, peak: float, drawdown: float, max_drawdown: float) -> Entry:
    """The drawdown that latched the kill switch."""
    details = {"equity": equity, "peak": peak, "drawdown": drawdown, "max_drawdown": max_drawdown}
    return Entry(bar, Event.KILL_SWITCH, details=details)


def decision(
    bar: pd.Timestamp,
    made: Decision,
    *,
    close: float,
    held: Decimal,
    quantity: Decimal,
    champion: Champion | None,
    features_exact: bool,
    order_id: str | None,
    watch: Mapping[str, Any] | None = None,
    abstained: bool = False,
) -> Entry:
    """What is done about one symbol, and why; what its watch has seen, and whether an alarm keeps it from entries."""
    details = {
        "reason": made.reason,
        "close": None if math.isnan(close) else close,
        "held": plain(held),
        "quantity": plain(quantity),
        "bundle": None if champion is None else champion.sha256,
        "model_version": None if champion is None else champion.model_version,
        "trading": None if champion is None else champion.trading,
        "verdicts": list(made.verdicts),
        "features_exact": features_exact,
        **({"strategy": dict(made.figures)} if made.figures else {}),
        **({} if watch is None else {"watch": dict(watch)}),
        **({"abstained": True} if abstained else {}),
    }
    return Entry(
        bar,
        Event.DECISION,
        made.symbol,
        made.signal.name,
        None if math.isnan(made.probability) else made.probability,
        ACTION_WORDS[made.action],
        order_id,
        details,
    )


def shadow(bar: pd.Timestamp, challenger: Champion, signal: str, probability: float) -> Entry:
    """What a challenger would have said; nothing follows from it."""
    details = {"bundle": challenger.sha256, "model_version": challenger.model_version}
    return Entry(bar, Event.SHADOW, challenger.symbol, signal, probability, details=details)


def intent(
    bar: pd.Timestamp, symbol: Symbol, side: Side, quantity: Decimal, purpose: str, close: float | None, order_id: str
) -> Entry:
    """The order that is about to be sent."""
    details = {"side": side.value, "quantity": plain(quantity), "purpose": purpose, "close": close}
    return Entry(bar, Event.INTENT, symbol, action=side.value, order_id=order_id, details=details)


def result(settlement: Settlement) -> Entry:
    """How an intent ended."""
    ordered = settlement.intent
    details = {
        "outcome": settlement.outcome.value,
        "side": ordered.side.value,
        "quantity": plain(ordered.quantity),
        "filled_quantity": plain(settlement.filled),
        "average_price": None if settlement.average_price is None else plain(settlement.average_price),
        "broker_order_id": settlement.broker_order_id,
        "broker_status": settlement.broker_status,
        "filled_bar": None if settlement.filled_bar is None else settlement.filled_bar.isoformat(),
        "note": settlement.note,
    }
    return Entry(
        ordered.bar,
        Event.RESULT,
        ordered.symbol,
        action=ordered.side.value,
        order_id=ordered.order_id,
        details=details,
    )


def missed(first: pd.Timestamp, last: pd.Timestamp, hours: int, cause: str | None) -> Entry:
    """Hours in a row without a decision."""
    details = {"from": first.isoformat(), "to": last.isoformat(), "hours": hours, "cause": cause}
    return Entry(first, Event.MISSED, details=details)


def skipped(bar: pd.Timestamp, delay_s: float, reason: str) -> Entry:
    """A bar on which nothing is decided, and why."""
    return Entry(bar, Event.SKIPPED_STALE, details={"delay_s": delay_s, "reason": reason})


def halt(bar: pd.Timestamp, number: int, reason: str, *, flatten: bool) -> Entry:
    """A person stops entries, and with ``flatten`` sells everything."""
    return Entry(bar, Event.HALT, details={"number": number, "flatten": flatten, "reason": reason})


def resume(
    bar: pd.Timestamp,
    reason: str,
    peak: float,
    snapshot: Snapshot,
    symbols: Sequence[Symbol],
    *,
    adopt: bool,
    keeps_peak: bool = False,
) -> Entry:
    """A person lets trading go on; with ``adopt`` from what the account holds now."""
    orders = {order.client_order_id for order in (*snapshot.open_orders, *snapshot.recent_orders)}
    details = {
        "reason": reason,
        "adopt": adopt,
        "peak": peak,
        **_account(snapshot),
        "outside": sorted(str(symbol) for symbol in snapshot.holdings if symbol not in symbols),
        "orders": sorted(orders),
        **({"keeps_peak": True} if keeps_peak else {}),
    }
    return Entry(bar, Event.RESUME, details=details)


def _account(snapshot: Snapshot) -> dict[str, object]:
    holdings = {str(symbol): plain(held) for symbol, held in snapshot.holdings.items()}
    return {"cash": plain(snapshot.account.cash), "holdings": holdings}

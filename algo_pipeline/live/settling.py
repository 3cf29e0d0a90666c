"""Intents of the journal taken to outcomes of the journal: what is open, what was abandoned, what is new."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from algo_pipeline.common.formatting import significant
from algo_pipeline.common.types import Side
from algo_pipeline.interfaces.broker import BrokerOrder
from algo_pipeline.live import entries
from algo_pipeline.live.alerts import Severity
from algo_pipeline.live.events import Outcome, Purpose
from algo_pipeline.live.orders import Executor, Mandate, Settlement
from algo_pipeline.live.reconciliation import Snapshot, is_ours_at_broker, plain
from algo_pipeline.live.session import Session
from algo_pipeline.live.state import Intent

_PATIENCE = pd.Timedelta(seconds=60)
_PATIENCE_WHEN_LATE = pd.Timedelta(seconds=15)
_PRICE_DIGITS = 7


class Settler:
    """Settles intents and journals what became of them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._executor = Executor(session.broker, session.clock)
        self.settlements: list[Settlement] = []

    def settle_open(self) -> None:
        """Take every open intent of earlier runs as far as it goes, sells first."""
        for intent in self._in_order(self._session.state.open_intents.values()):
            self._settle(intent, never_sent=False, patience=_PATIENCE)

    def look_up_abandoned(self) -> None:
        """Ask once more for what was abandoned in the last 24 h; found after all, it is adopted."""
        for intent in tuple(self._session.state.abandoned.values()):
            found = self._executor.look_up(intent)
            if found is not None and found.outcome is not Outcome.OPEN:
                self._record(found)
                self._session.alert(
                    Severity.CRITICAL,
                    "late_order",
                    f"{intent.symbol}: an abandoned order was taken after all",
                    f"{intent.order_id}: {found.outcome.value}, {plain(found.filled)} filled. It is adopted.",
                )

    def send_new(self, order_ids: Iterable[str]) -> None:
        """Send what this run has journalled, sells first; then go on with whatever is unclear while time allows."""
        new = set(order_ids)
        open_intents = self._in_order(self._session.state.open_intents.values())
        bar_orders = [intent for intent in open_intents if intent.order_id in new or self._is_in_time(intent)]
        for intent in bar_orders:
            self._settle(intent, never_sent=intent.order_id in new, patience=_PATIENCE)
        for intent in bar_orders:
            if intent.order_id in self._session.state.open_intents:
                patience = self._deadline(intent) - self._session.now() + _PATIENCE_WHEN_LATE
                self._settle(intent, never_sent=False, patience=patience)

    def cancel_leftovers(self, snapshot: Snapshot) -> bool:
        """Cancel orders of ours that rest although their intents have ended; whether there were any."""
        state = self._session.state
        leftovers = [
            order
            for order in snapshot.open_orders
            if is_ours_at_broker(order, self._session.rules.strategy)
            and order.client_order_id not in state.open_intents
        ]
        for order in leftovers:
            self._cancel_leftover(order)
        return bool(leftovers)

    def tell_of_open(self) -> None:
        """Alert for every intent that the run leaves without an end; a dry run leaves none, for it sends nothing."""
        if self._session.dry_run:
            return
        for intent in self._session.state.open_intents.values():
            self._session.alert(
                Severity.CRITICAL,
                "order_unknown",
                f"{intent.symbol}: an order's outcome is unknown",
                f"{intent.order_id} ({intent.side.value} {plain(intent.quantity)}): the next run asks again, and until "
                f"then {intent.symbol} gets no new order.",
            )

    def _settle(self, intent: Intent, *, never_sent: bool, patience: pd.Timedelta) -> None:
        now = self._session.now()
        if not self._is_in_time(intent):
            patience = min(patience, _PATIENCE_WHEN_LATE)
        send_until = self._deadline(intent) if self._may_be_sent(intent) else None
        self._record(self._executor.settle(intent, Mandate(never_sent, send_until, now + patience)))

    def _record(self, settlement: Settlement) -> None:
        if settlement.outcome is Outcome.OPEN:
            return
        self._session.ledger.write(entries.result(settlement))
        self.settlements.append(settlement)
        self._tell(settlement)

    def _may_be_sent(self, intent: Intent) -> bool:
        """A difference stops every order, a kill switch or a halt those that buy."""
        state = self._session.state
        if intent.purpose.startswith(Purpose.HALT.value):
            return True
        if intent.side is Side.BUY and (state.halted is not None or state.killed_at is not None):
            return False
        return state.stopped is None

    def _deadline(self, intent: Intent) -> pd.Timestamp:
        if intent.purpose.startswith(Purpose.HALT.value):
            return intent.created_at + self._session.rules.max_decision_delay
        return self._session.rules.deadline(intent.bar)

    def _is_in_time(self, intent: Intent) -> bool:
        return self._session.now() <= self._deadline(intent)

    def _in_order(self, intents: Iterable[Intent]) -> list[Intent]:
        """Sells before buys, buys in configured order."""
        places = {symbol: place for place, symbol in enumerate(self._session.symbols)}
        return sorted(intents, key=lambda i: (i.bar, i.side is Side.BUY, places.get(i.symbol, len(places))))

    def _cancel_leftover(self, order: BrokerOrder) -> None:
        ended = self._executor.ended(order)
        self._session.alert(
            Severity.CRITICAL,
            "leftover_order",
            f"{order.symbol}: an order rested after its end was journalled",
            f"{order.client_order_id} was cancelled; the broker now says {ended.status}.",
        )

    def _tell(self, settlement: Settlement) -> None:
        intent, outcome = settlement.intent, settlement.outcome
        paid = settlement.average_price
        price = "" if paid is None else f" at {significant(float(paid), _PRICE_DIGITS)}"
        ordered, filled = plain(intent.quantity), plain(settlement.filled)
        text = f"{intent.order_id}: {intent.side.value} {ordered}, {filled} filled{price}."
        if settlement.note:
            text += f" {settlement.note}"
        self._session.alert(_severity(settlement), f"order_{outcome.value}", _title(settlement), text)


def _severity(settlement: Settlement) -> Severity:
    outcome, side = settlement.outcome, settlement.intent.side
    if outcome is Outcome.FILLED and not settlement.note:
        return Severity.INFO
    if outcome in (Outcome.REFUSED, Outcome.ABANDONED_STALE) and side is Side.SELL:
        return Severity.CRITICAL
    return Severity.INFO if outcome is Outcome.PARTIAL and side is Side.BUY else Severity.WARNING


def _title(settlement: Settlement) -> str:
    words = {
        Outcome.FILLED: "filled",
        Outcome.PARTIAL: "filled in part",
        Outcome.UNFILLED: "not filled",
        Outcome.REFUSED: "refused by the broker",
        Outcome.ABANDONED_STALE: "not taken in time, given up",
    }
    intent = settlement.intent
    what = words.get(settlement.outcome, settlement.outcome.value)
    return f"{intent.symbol}: {intent.side.value} {plain(intent.quantity)} {what}"

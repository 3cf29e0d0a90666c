"""From an intent to a known outcome: one order at most, whatever is lost on the way.

An answer that is not clear is never "failed": the order is looked up by its id. Only the broker's own "no such order",
twice and two seconds apart, lets the same id be sent again, and only while the bar's orders may be sent at all.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal

import pandas as pd
from loguru import logger

from algo_pipeline.common.errors import BrokerError, BrokerRefusedError
from algo_pipeline.common.time import floor_to_bar
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.interfaces.broker import BaseBroker, BrokerOrder
from algo_pipeline.live.champion import Clock
from algo_pipeline.live.events import Outcome
from algo_pipeline.live.state import Intent

BETWEEN_LOOK_UPS_S = 2.0
QUIET_BEFORE_ABANDONING = pd.Timedelta(seconds=10)
_LONGEST_REQUEST = pd.Timedelta(seconds=30)
_POLL_FOR_S, _CONFIRM_CANCEL_FOR_S = 20.0, 10.0
_FIRST_POLL_S, _LONGEST_POLL_S, _POLL_GROWTH = 0.25, 2.0, 1.5
_LONGEST_PAUSE_S = 15.0
_LONGEST_SLUG = 15
_NOTHING = Decimal(0)


def order_id(strategy: str, symbol: Symbol, bar: pd.Timestamp, side: Side, purpose: str) -> str:
    """The client order id of an intent: the same for the same intent on every machine, at most 48 ASCII characters.

    ``algo-BTC-USD-2026010113-b-d``: strategy, slug (a long one shortened and told apart by its hash), open hour of the
    bar, side, and the purpose: ``d`` or ``h<n>``.
    """
    slug = symbol.slug
    if len(slug) > _LONGEST_SLUG:
        slug = slug[: _LONGEST_SLUG - 8] + hashlib.sha256(slug.encode()).hexdigest()[:8]
    return f"{strategy}-{slug}-{bar:%Y%m%d%H}-{side.value[0]}-{purpose}"


def is_ours(client_order_id: str, strategy: str) -> bool:
    """Whether an id is of the form that :func:`order_id` gives."""
    return client_order_id.startswith(f"{strategy}-")


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is known of an intent after the executor has done what it may.

    Parameters
    ----------
    outcome : Outcome
        OPEN where the broker could not be asked or the order would not end: the next run goes on.
    filled : Decimal
        Coin traded, before fees.
    average_price : Decimal or None
        Of what was filled.
    filled_bar : pd.Timestamp or None
        Open time of the bar in which it filled.
    note : str
        What went otherwise than planned; empty if nothing did.
    """

    intent: Intent
    outcome: Outcome
    filled: Decimal = _NOTHING
    average_price: Decimal | None = None
    broker_order_id: str | None = None
    broker_status: str | None = None
    filled_bar: pd.Timestamp | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Mandate:
    """What the executor may do for an intent.

    Parameters
    ----------
    never_sent : bool
        Whether no process can have sent it yet.
    send_until : pd.Timestamp or None
        Until when it may be sent, inclusive; None: it may only be looked up.
    patient_until : pd.Timestamp
        How long unclear answers are borne before the intent is left open.
    """

    never_sent: bool
    send_until: pd.Timestamp | None
    patient_until: pd.Timestamp


class Executor:
    """Takes intents to known outcomes at a broker.

    Parameters
    ----------
    broker : BaseBroker
        Where the orders go.
    clock : Clock
        Time and waiting.
    """

    def __init__(self, broker: BaseBroker, clock: Clock) -> None:
        self._broker, self._clock = broker, clock
        self._started_at = clock.now()

    def settle(self, intent: Intent, mandate: Mandate) -> Settlement:
        """Send, look up, wait and cancel as far as ``mandate`` allows; never raises for what a broker does."""
        search = _Search(self._broker, self._clock, intent, mandate, self._started_at)
        found = search.run()
        return found if isinstance(found, Settlement) else self.finish(intent, found)

    def look_up(self, intent: Intent) -> Settlement | None:
        """An abandoned intent after all, if the broker knows it by now; None if not or if it can't be asked."""
        try:
            order = self._broker.find_order(intent.order_id)
        except BrokerError as error:
            logger.warning("The abandoned order {} could not be looked up: {}", intent.order_id, error)
            return None
        return None if order is None else self.finish(intent, order)

    def finish(self, intent: Intent, order: BrokerOrder) -> Settlement:
        """Wait for an accepted order's end; cancel what rests, and confirm."""
        return _settlement(intent, self.ended(order), self._clock.now())

    def ended(self, order: BrokerOrder) -> BrokerOrder:
        """The order when it has ended by itself or by cancellation; as last seen if it would not end."""
        order = self._polled(order, _POLL_FOR_S)
        if order.is_terminal:
            return order
        try:
            self._broker.cancel_order(order)
        except BrokerError as error:
            logger.warning("Cancelling {} got no clear answer: {}", order.client_order_id, error)
        return self._polled(order, _CONFIRM_CANCEL_FOR_S)

    def _polled(self, order: BrokerOrder, for_s: float) -> BrokerOrder:
        """The order at its end, or as last seen; a question without an answer changes nothing."""
        until = self._clock.now() + pd.Timedelta(seconds=for_s)
        pause_s = _FIRST_POLL_S
        while not order.is_terminal:
            try:
                order = self._broker.find_order(order.client_order_id) or order
            except BrokerError as error:
                logger.warning("{} could not be looked up: {}", order.client_order_id, error)
            if order.is_terminal or self._clock.now() >= until:
                break
            self._clock.sleep(pause_s)
            pause_s = min(_POLL_GROWTH * pause_s, _LONGEST_POLL_S)
        return order


class _Search:
    """One intent on its way to the broker's order, or to the certainty that there is none."""

    def __init__(
        self, broker: BaseBroker, clock: Clock, intent: Intent, mandate: Mandate, started_at: pd.Timestamp
    ) -> None:
        self._broker, self._clock, self._intent, self._mandate = broker, clock, intent, mandate
        self._refusal: BrokerRefusedError | None = None
        self._note = ""
        # Another process may have sent it: it was dead before this one started, and never sent after its time.
        self._last_send = None if mandate.never_sent else _last_send_of_others(mandate, started_at)

    def run(self) -> BrokerOrder | Settlement:
        """The broker's order; or what is known where there is none."""
        if self._last_send is None and self._may_send():
            order = self._sent()
            if order is not None:
                return order
            if self._refusal is not None:
                return self._without_order(Outcome.REFUSED)
        return self._looked_for()

    def _looked_for(self) -> BrokerOrder | Settlement:
        pause_s = BETWEEN_LOOK_UPS_S
        while True:
            try:
                order = self._found_or_absent()
                if order is None and self._may_send():
                    order = self._sent()
                elif order is None and self._is_quiet():
                    return self._without_order(Outcome.REFUSED if self._refusal else Outcome.ABANDONED_STALE)
                if order is not None:
                    return order
            except BrokerError as error:
                self._note = str(error)
            if self._clock.now() >= self._mandate.patient_until and not self._is_nearly_known():
                return self._without_order(Outcome.OPEN)
            self._clock.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _sent(self) -> BrokerOrder | None:
        """The broker's answer to the order; None where it is unclear, or a refusal that may answer a repetition."""
        intent = self._intent
        try:
            return self._broker.place_order(intent.symbol, intent.quantity, intent.side, intent.order_id)
        except BrokerRefusedError as refusal:
            # Sent before, it may be refused now because the account already holds what it asks for: look once more.
            self._refusal, self._note = refusal, str(refusal)
            return None
        except BrokerError as error:
            self._note = str(error)
            return None
        finally:
            self._last_send = self._clock.now()

    def _found_or_absent(self) -> BrokerOrder | None:
        """The order; None only after the broker has said twice, two seconds apart, that there is none."""
        order = self._broker.find_order(self._intent.order_id)
        if order is None:
            self._clock.sleep(BETWEEN_LOOK_UPS_S)
            order = self._broker.find_order(self._intent.order_id)
        return order

    def _may_send(self) -> bool:
        until = self._mandate.send_until
        return self._refusal is None and until is not None and self._clock.now() <= until

    def _is_quiet(self) -> bool:
        return self._last_send is None or self._clock.now() - self._last_send >= QUIET_BEFORE_ABANDONING

    def _is_nearly_known(self) -> bool:
        """Whether the broker answers, and only the silence after the last send is still to be waited for."""
        return not self._may_send() and not self._is_quiet()

    def _without_order(self, outcome: Outcome) -> Settlement:
        if outcome is not Outcome.ABANDONED_STALE:
            return Settlement(self._intent, outcome, note=self._note)
        why = "it may not be sent" if self._mandate.send_until is None else "its time to be sent is over"
        note = f"the broker has no such order and {why}; {self._note}".rstrip("; ")
        return Settlement(self._intent, outcome, note=note)


def _last_send_of_others(mandate: Mandate, started_at: pd.Timestamp) -> pd.Timestamp:
    if mandate.send_until is None:
        return started_at
    return min(started_at, mandate.send_until + _LONGEST_REQUEST)


def _settlement(intent: Intent, order: BrokerOrder, now: pd.Timestamp) -> Settlement:
    filled = order.filled_quantity
    return Settlement(
        intent,
        _outcome(intent, order),
        filled,
        order.average_price,
        order.broker_order_id,
        order.status,
        floor_to_bar(order.created_at if order.created_at is not None else now) if filled > 0 else None,
        _mismatch(intent, order),
    )


def _outcome(intent: Intent, order: BrokerOrder) -> Outcome:
    if not order.is_terminal:
        return Outcome.OPEN
    if order.filled_quantity >= intent.quantity or order.status == "filled":
        return Outcome.FILLED
    if order.filled_quantity > 0:
        return Outcome.PARTIAL
    return Outcome.REFUSED if order.status == "rejected" else Outcome.UNFILLED


def _mismatch(intent: Intent, order: BrokerOrder) -> str:
    # A venue that takes nine decimals cuts the tenth.
    same = abs(order.quantity - intent.quantity) <= Decimal("1e-9")
    if (order.symbol, order.side) == (intent.symbol, intent.side) and same:
        return ""
    return (
        f"the broker has another order under this id: {order.side.value} {order.quantity} {order.symbol} "
        f"instead of {intent.side.value} {intent.quantity} {intent.symbol}"
    )

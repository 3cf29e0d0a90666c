"""What one run of the live half works with: the account's journal and state, the broker, and what to tell a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import pandas as pd
from loguru import logger

from algo_pipeline.common.errors import AlgoPipelineError, AmbiguousBrokerError
from algo_pipeline.common.types import Symbol
from algo_pipeline.interfaces.broker import BaseBroker
from algo_pipeline.live.alerts import Alert, Severity
from algo_pipeline.live.champion import Clock
from algo_pipeline.live.events import Entry
from algo_pipeline.live.journal import Journal
from algo_pipeline.live.limits import LiveRules
from algo_pipeline.live.lines import JournalLine
from algo_pipeline.live.reconciliation import Snapshot, take_snapshot
from algo_pipeline.live.state import LiveState, StateStore, fold

_ASK_FOR = pd.Timedelta(seconds=60)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 15.0

_Answer = TypeVar("_Answer")


class AlertSink(Protocol):
    """Where alerts go."""

    def raise_alert(self, alert: Alert) -> object:
        """Tell a person; never raises."""


@dataclass(frozen=True, slots=True)
class LiveAccount:
    """One account at a broker with its journal and its rules; whoever uses it holds the runner's lock.

    Parameters
    ----------
    symbols : tuple of Symbol
        In configured order, in which buys take the cash.
    broker : BaseBroker
        Where the orders go.
    journal, store
        The account's journal and state.
    clock : Clock
        The venue's on loopback, this machine's elsewhere.
    alerter : AlertSink
        Where alerts go.
    rules : LiveRules
        How it trades.
    """

    symbols: tuple[Symbol, ...]
    broker: BaseBroker
    journal: Journal
    store: StateStore
    clock: Clock
    alerter: AlertSink
    rules: LiveRules


class Ledger:
    """The journal and the state that follows from it, moved on together.

    Parameters
    ----------
    journal, store
        Of one account; the caller holds the runner's lock.
    clock : Clock
        Stamps the lines.
    dry_run : bool
        Move the state only; nothing is written.
    """

    def __init__(self, journal: Journal, store: StateStore, clock: Clock, *, dry_run: bool = False) -> None:
        self.journal = journal
        self._store, self._clock, self._dry_run = store, clock, dry_run
        self._noted: list[Entry] = []
        self.state: LiveState = store.load(journal)
        self._journalled = self.state

    def write(self, *entries: Entry) -> None:
        """Journal what was noted and the entries, in one write, synced before anything follows from them."""
        if not entries:
            return
        if self._dry_run:
            self.state = fold(self.state, self._supposed(entries))
            return
        lines = self.journal.append([*self._noted, *entries], self._clock.now())
        self._journalled = self.state = fold(self._journalled, lines)
        self._noted.clear()

    def note(self, *entries: Entry) -> None:
        """Move the state on by entries from which nothing outside follows yet; the next write journals them first.

        A run that dies before that has done nothing: the next one finds the same account and the same bars.
        """
        if entries:
            self._noted += entries
            self.state = fold(self.state, self._supposed(entries))

    def save(self) -> None:
        """Save the state beside the journal."""
        if self._dry_run:
            return
        noted, self._noted = self._noted, []
        self.write(*noted)
        self._store.save(self.state)

    def _supposed(self, entries: Sequence[Entry]) -> tuple[JournalLine, ...]:
        at, state = self._clock.now(), self.state
        return tuple(
            JournalLine(
                **{name: getattr(entry, name) for name in Entry.__dataclass_fields__},
                at=at,
                seq=state.seq,
                previous=state.last_hash,
                sha256=state.last_hash,
                end=state.offset,
            )
            for entry in entries
        )


@dataclass(slots=True)
class Session:
    """One run over one account.

    Parameters
    ----------
    symbols : tuple of Symbol
        In configured order.
    alerts : list of Alert
        To be raised when the orders are out: no channel ever delays a decision.
    seen_at : pd.Timestamp
        What the clock said when it was last asked; a clock that fails keeps no alert from being told.
    """

    symbols: tuple[Symbol, ...]
    broker: BaseBroker
    clock: Clock
    ledger: Ledger
    rules: LiveRules
    dry_run: bool = False
    alerts: list[Alert] = field(default_factory=list)
    seen_at: pd.Timestamp = field(init=False)

    def __post_init__(self) -> None:
        self.now()

    @classmethod
    def of(cls, account: LiveAccount, *, dry_run: bool = False) -> Session:
        """A run over this account."""
        ledger = Ledger(account.journal, account.store, account.clock, dry_run=dry_run)
        return cls(account.symbols, account.broker, account.clock, ledger, account.rules, dry_run)

    @property
    def state(self) -> LiveState:
        """What the journal says so far."""
        return self.ledger.state

    def now(self) -> pd.Timestamp:
        """The clock's time."""
        self.seen_at = self.clock.now()
        return self.seen_at

    def alert(self, severity: Severity, code: str, title: str, text: str) -> None:
        """Keep something to tell a person at the end of the run."""
        self.alerts.append(Alert(severity, code, title, text, self.seen_at))

    def snapshot(self) -> Snapshot:
        """The account as the broker shows it; asked again for a minute before giving up."""
        return self.asked(lambda: take_snapshot(self.broker, self.now(), self.rules.strategy))

    def asked(self, question: Callable[[], _Answer]) -> _Answer:
        """A question's answer, asked again with growing pauses where it is unclear.

        Raises
        ------
        BrokerError
            If there is none within a minute, or the broker refuses: a failed question is no answer.
        """
        until = self.now() + _ASK_FOR
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return question()
            except AmbiguousBrokerError as error:
                if self.now() >= until:
                    raise
                logger.warning("The broker gives no answer yet: {}", error)
            self.clock.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


@contextmanager
def alerting(session: Session, alerter: AlertSink) -> Iterator[None]:
    """Raise what the run has kept to tell when it is over, its failure included; a dry run tells nobody."""
    try:
        yield
    except AlgoPipelineError as error:
        session.alert(Severity.CRITICAL, f"run_{error.code}", "A live run has failed", str(error))
        _raise_all(session, alerter)
        raise
    except Exception as error:  # a defect: what the run has seen so far must be told all the same
        session.alert(Severity.CRITICAL, "run_defect", "A live run has broken off", repr(error))
        _raise_all(session, alerter)
        raise
    else:
        _raise_all(session, alerter)


def _raise_all(session: Session, alerter: AlertSink) -> None:
    if not session.dry_run:
        for alert in session.alerts:
            alerter.raise_alert(alert)

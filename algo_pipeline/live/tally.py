"""What reports need of the whole journal, taken in line by line: years of it are read once and kept small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pandas as pd

from algo_pipeline.live.costs import FeeTally
from algo_pipeline.live.events import Event, Outcome
from algo_pipeline.live.lines import FIRST_PREVIOUS, JournalLine
from algo_pipeline.live.monitoring import SessionTally
from algo_pipeline.live.watch_report import ShadowTally

DECIDED_BARS_KEPT = 1000


class JournalTally:
    """Figures, costs, challengers and counts of all lines so far, and the decisions of the newest bars.

    Attributes
    ----------
    session : SessionTally
        Equity, money that came or went, closes and fills.
    fees : FeeTally
        What the broker took.
    shadows : ShadowTally
        Challengers beside champions.
    n_decisions, n_orders, n_skipped, n_missed_hours : int
        Decisions and orders so far; hours that came too late to be decided, and hours that nobody decided on.
    newest_at, newest_decision_at : pd.Timestamp or None
        When the newest line, and the newest decision, was written.
    offset, last_hash
        Where the next line starts, and the hash of the line before it.
    """

    def __init__(self) -> None:
        self.session, self.fees, self.shadows = SessionTally(), FeeTally(), ShadowTally()
        self.n_decisions = self.n_orders = self.n_skipped = self.n_missed_hours = 0
        self.newest_at: pd.Timestamp | None = None
        self.newest_decision_at: pd.Timestamp | None = None
        self.offset, self.last_hash = 0, FIRST_PREVIOUS
        self._outcomes: dict[str, Outcome] = {}
        self._decided: dict[pd.Timestamp, list[JournalLine]] = {}

    def take(self, line: JournalLine) -> None:
        """Count the journal's next line."""
        self.session.take(line)
        self.fees.take(line)
        self.shadows.take(line)
        self._count(line)
        self.newest_at, self.offset, self.last_hash = line.at, line.end, line.sha256

    def outcomes(self) -> dict[Outcome, int]:
        """How many orders ended in each way; OPEN counts those whose end is not known."""
        counted = Counter(self._outcomes.values())
        return {outcome: counted[outcome] for outcome in Outcome}

    def decisions(self, n_bars: int) -> tuple[JournalLine, ...]:
        """The decisions of the newest bars (at most ``DECIDED_BARS_KEPT``), oldest first."""
        newest = sorted(self._decided)[-n_bars:]
        return tuple(line for bar in newest for line in self._decided[bar])

    def _count(self, line: JournalLine) -> None:
        if line.event is Event.DECISION:
            self._keep_decision(line)
        elif line.event is Event.INTENT:
            self.n_orders += 1
            self._outcomes[str(line.order_id)] = Outcome.OPEN
        elif line.event is Event.RESULT:
            self._outcomes[str(line.order_id)] = Outcome(line.details["outcome"])
        elif line.event is Event.MISSED:
            self.n_missed_hours += int(line.details["hours"])
        elif line.event is Event.SKIPPED_STALE:
            self.n_skipped += 1

    def _keep_decision(self, line: JournalLine) -> None:
        self.n_decisions += 1
        self.newest_decision_at = line.at
        self._decided.setdefault(line.timestamp, []).append(line)
        if len(self._decided) > DECIDED_BARS_KEPT:
            del self._decided[next(iter(self._decided))]


def tally_of(lines: Iterable[JournalLine]) -> JournalTally:
    """The tally of a whole journal."""
    tally = JournalTally()
    for line in lines:
        tally.take(line)
    return tally

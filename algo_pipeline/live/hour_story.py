"""What the journal says about one hour and symbol: from the account before it to the account after it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd

from algo_pipeline.common.time import BAR
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.live.events import Event
from algo_pipeline.live.lines import JournalLine, utc
from algo_pipeline.live.state_records import amount

_ACCOUNT_EVENTS = (
    *(Event.STARTED, Event.ADJUSTMENT, Event.DIFFERENCE, Event.KILL_SWITCH, Event.SKIPPED_STALE),
    *(Event.HALT, Event.RESUME),
)


@dataclass(frozen=True, slots=True)
class HourStory:
    """The journal's lines about one bar of one symbol.

    Attributes
    ----------
    bar, symbol
        Open time of the bar, and the pair.
    decision : JournalLine or None
        What was decided; None if nothing was.
    intents, results : tuple of JournalLine
        The orders that followed, and every line about how they went, whenever it was written.
    mark, mark_before, mark_after : JournalLine or None
        The account at the closes of this bar, of the last one marked before it, and of the next one marked.
    events : tuple of JournalLine
        What befell the account in this hour: the kill switch, a halt, a deposit, a difference, a late decision.
    missed : JournalLine or None
        The line that tells this hour as missed.
    """

    bar: pd.Timestamp
    symbol: Symbol
    decision: JournalLine | None
    intents: tuple[JournalLine, ...]
    results: tuple[JournalLine, ...]
    mark: JournalLine | None
    mark_before: JournalLine | None
    mark_after: JournalLine | None
    events: tuple[JournalLine, ...]
    missed: JournalLine | None

    @property
    def lines(self) -> tuple[JournalLine, ...]:
        """All of them, in the journal's order."""
        single = (self.decision, self.mark, self.mark_before, self.mark_after, self.missed)
        known = [line for line in single if line is not None]
        return tuple(sorted([*known, *self.intents, *self.results, *self.events], key=lambda line: line.seq))

    @property
    def is_known(self) -> bool:
        """Whether the journal says anything about this hour."""
        return any((self.decision, self.mark, self.missed, self.events, self.intents))

    @property
    def holding_before(self) -> Decimal | None:
        """Coin held when it was decided."""
        return None if self.decision is None else amount(self.decision.details["held"])

    @property
    def holding_after(self) -> Decimal | None:
        """Coin held once the hour's orders had ended, before a fee that is taken in coin."""
        if self.holding_before is None:
            return None
        newest = {line.order_id: line for line in self.results}
        return self.holding_before + sum((_bought(line) for line in newest.values()), Decimal(0))


def hour_story(lines: Iterable[JournalLine], bar: pd.Timestamp, symbol: Symbol) -> HourStory:
    """Gather an hour's lines in one pass over the journal."""
    found = _Found(bar, symbol)
    for line in lines:
        found.take(line)
    return HourStory(bar, symbol, **found.parts)


class _Found:
    def __init__(self, bar: pd.Timestamp, symbol: Symbol) -> None:
        self._bar, self._symbol = bar, symbol
        self.parts: dict[str, Any] = {
            **dict.fromkeys(("decision", "mark", "mark_before", "mark_after", "missed")),
            **dict.fromkeys(("intents", "results", "events"), ()),
        }

    def take(self, line: JournalLine) -> None:
        """Keep the line where it belongs, if it is about this hour."""
        if line.event is Event.MARK:
            self._take_mark(line)
        elif line.event is Event.MISSED and utc(line.details["from"]) <= self._bar <= utc(line.details["to"]):
            self.parts["missed"] = line
        elif line.timestamp != self._bar:
            return
        elif line.event in _ACCOUNT_EVENTS:
            self.parts["events"] += (line,)
        elif line.symbol == self._symbol:
            self._take_of_symbol(line)

    def _take_mark(self, line: JournalLine) -> None:
        if line.timestamp < self._bar:
            self.parts["mark_before"] = line
        elif line.timestamp == self._bar:
            self.parts["mark"] = line
        elif self.parts["mark_after"] is None:
            self.parts["mark_after"] = line

    def _take_of_symbol(self, line: JournalLine) -> None:
        if line.event is Event.DECISION:
            self.parts["decision"] = line
        elif line.event is Event.INTENT:
            self.parts["intents"] += (line,)
        elif line.event is Event.RESULT:  # it carries the bar of its intent, whenever it was written
            self.parts["results"] += (line,)


def hour_span(bar: pd.Timestamp) -> tuple[pd.Timestamp, pd.Timestamp]:
    """When a bar is decided on: from its close to the close of the next."""
    return bar + BAR, bar + 2 * BAR


def _bought(line: JournalLine) -> Decimal:
    filled = amount(line.details["filled_quantity"])
    return filled if line.details["side"] == Side.BUY.value else -filled

"""Incremental ingest: ask a source for what the store lacks, validate it, keep it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import pandas as pd

from algo_pipeline.common.errors import ConfigValueError, DataValidationError, InsufficientHistoryError, StorageError
from algo_pipeline.common.schemas import describe_rows, validate_bars
from algo_pipeline.common.time import BAR, floor_to_bar, to_utc
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.ingest import (
    Gap,
    Span,
    closed_within,
    conflicting_rows,
    contradicted_rows,
    find_gaps,
    merge_bars,
    spans_to_fetch,
)
from algo_pipeline.interfaces.market_data import MarketDataSource
from algo_pipeline.sources.store import BarStore, StoredBars, empty_store

_CHECKPOINT_BARS = 10_000
_LATE_ARRIVAL = pd.Timedelta(days=7)


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """How far an update is: hours of history asked for so far, of how many, up to which time."""

    symbol: Symbol
    done_bars: int
    total_bars: int
    at: pd.Timestamp


@dataclass(frozen=True, slots=True)
class IngestResult:
    """The history asked for, and what it took to have it.

    Parameters
    ----------
    source, symbol, venue_symbol
        Whose bars these are, in our spelling and in the source's.
    bars : pd.DataFrame
        Valid bars that opened at or after ``start`` and closed at or before ``end``.
    gaps : tuple of Gap
        Missing hours inside ``bars``.
    n_new : int
        Bars that the store did not have before.
    n_refetched : int
        Gaps that were asked for again.
    n_repaired : int
        Bars that this brought.
    n_conflicts : int
        Bars the source now gives with other values than stored; the stored ones were kept.
    """

    source: str
    symbol: Symbol
    venue_symbol: str
    bars: pd.DataFrame
    gaps: tuple[Gap, ...]
    n_new: int = 0
    n_refetched: int = 0
    n_repaired: int = 0
    n_conflicts: int = 0


def update_bars(
    source: MarketDataSource,
    store: BarStore,
    symbol: Symbol,
    start: pd.Timestamp,
    end: pd.Timestamp,
    *,
    on_progress: Callable[[IngestProgress], None] | None = None,
    checkpoint_bars: int = _CHECKPOINT_BARS,
) -> IngestResult:
    """Bring the store up to date from ``start`` to ``end`` and return that history.

    Only what is missing is fetched: hours before the first and after the last stored bar, and gaps. A gap is asked
    for twice, then listed; one younger than a week is asked for in every run, for bars may come late. Long downloads
    are saved every ``checkpoint_bars``, so that a killed one goes on where it stopped. A local source is read whole
    and must have every stored bar of the hours asked for, unchanged. Running it again changes nothing.

    Raises
    ------
    ConfigValueError
        If ``start`` is not before ``end``.
    DataValidationError
        If a fetched bar is invalid, or a local source contradicts the store; what was stored stays as it was.
    InsufficientHistoryError
        If the source has no closed bar there.
    StorageError
        If the stored bars come from another market than the source offers, or the folder can't be used.
    SourceError, UnknownSymbolError
        As the source raises them; what was saved before stays.
    """
    wanted = Span(to_utc(start).ceil("h"), floor_to_bar(to_utc(end)))
    if wanted.n_bars < 1:
        raise ConfigValueError(f"start must lie before end; it was {start}, end {end}.", "Ask for at least one hour.")
    session = _Session(source, store, symbol, on_progress, checkpoint_bars)
    counts = session.read_whole(wanted) if source.is_local else session.fetch_missing(wanted)
    bars = closed_within(session.stored.bars, wanted.start, wanted.end)
    if bars.empty:
        raise InsufficientHistoryError(
            f"{source.name} has no closed bar of {symbol} between {wanted.start} and {wanted.end}.",
            "Ask for another time span, or check what the source offers.",
        )
    return replace(counts, bars=bars, gaps=find_gaps(bars))


class _Session:
    """One update of one symbol: holds what is stored and saves it as it grows."""

    def __init__(
        self,
        source: MarketDataSource,
        store: BarStore,
        symbol: Symbol,
        on_progress: Callable[[IngestProgress], None] | None,
        checkpoint_bars: int,
    ) -> None:
        self._source, self._store, self._symbol = source, store, symbol
        self._on_progress, self._checkpoint_bars = on_progress, checkpoint_bars
        self._venue_symbol = source.venue_symbol(symbol)
        self.stored = self._load()

    def read_whole(self, wanted: Span) -> IngestResult:
        """Read a local source from the first stored bar on and add what it has more.

        What is stored must be part of what it says of the hours asked for: another file's bars, or rows taken out of
        this one, would otherwise live on in its history. Bars stored after ``wanted`` were not asked for and stay.
        """
        before = self.stored
        first = min(wanted.start, before.bars.index[0]) if len(before.bars) else wanted.start
        fetched = self._fetch(Span(first, wanted.end))
        asked = closed_within(before.bars, first, wanted.end)
        contradicted = contradicted_rows(asked, fetched, wanted.start)
        if contradicted.any():
            raise DataValidationError(
                f"The {self._source.name} source contradicts the stored bars of {self._symbol}: it lacks, or has with "
                f"other values, {describe_rows(asked, contradicted)}; nothing was stored.",
                f"If the source is right, remove {self._folder} and run again.",
            )
        bars = merge_bars(before.bars, fetched)
        self._save(StoredBars(bars, self._venue_symbol, _earlier(before.asked_from, first), find_gaps(bars)))
        return self._result(n_new=len(bars) - len(before.bars))

    def fetch_missing(self, wanted: Span) -> IngestResult:
        """Fetch what the store lacks, then ask once more for the gaps that are left."""
        before = self.stored
        known_gaps = set(before.gaps)
        spans = spans_to_fetch(before.bars, wanted, before.asked_from, before.settled)
        known = [span for span in spans if _as_gap(span) in known_gaps]
        n_repaired, n_conflicts = self._fetch_all(known)
        n_conflicts += self._fetch_all([span for span in spans if span not in known])[1]
        found = [Span(g.start, g.end + BAR) for g in self.stored.gaps if g not in known_gaps]
        again = self._fetch_all(found)
        self._settle(wanted)
        return self._result(
            n_new=len(self.stored.bars) - len(before.bars),
            n_refetched=len(known) + len(found),
            n_repaired=n_repaired + again[0],
            n_conflicts=n_conflicts + again[1],
        )

    @property
    def _folder(self) -> str:
        return str(self._store.folder(self._source.name, self._symbol))

    def _load(self) -> StoredBars:
        stored = self._store.load(self._source.name, self._symbol)
        if stored is None:
            return empty_store(self._venue_symbol)
        if stored.venue_symbol not in ("", self._venue_symbol):
            raise StorageError(
                f"{self._folder} holds bars of {stored.venue_symbol}; the source now offers {self._venue_symbol}.",
                f"Remove {self._folder}, or use another ALGO_TRADER_DATA_DIR.",
            )
        return replace(stored, venue_symbol=self._venue_symbol)

    def _fetch_all(self, spans: Iterable[Span]) -> tuple[int, int]:
        """Fetch and save chunk by chunk; return the bars added and the conflicts found."""
        chunks = [chunk for span in spans for chunk in span.chunks(self._checkpoint_bars)]
        total, done, n_before, n_conflicts = sum(c.n_bars for c in chunks), 0, len(self.stored.bars), 0
        for chunk in chunks:
            answer = self._fetch(chunk)
            n_conflicts += int(conflicting_rows(self.stored.bars, answer).sum())
            fetched = closed_within(answer, chunk.start, chunk.end)
            self._save(replace(self.stored, bars=merge_bars(self.stored.bars, fetched)))
            done += chunk.n_bars
            if self._on_progress:
                self._on_progress(IngestProgress(self._symbol, done, total, chunk.end))
        return len(self.stored.bars) - n_before, n_conflicts

    def _fetch(self, span: Span) -> pd.DataFrame:
        """Ask for a span; an answer may reach back further than asked, but no bar in it is still open."""
        bars = self._source.fetch_bars(self._symbol, span.start, span.end)
        bars = bars[bars.index + BAR <= span.end]
        try:
            return validate_bars(bars)
        except DataValidationError as error:
            raise DataValidationError(
                f"The {self._source.name} source gave invalid bars of {self._symbol}. {error.message}",
                "Repair or remove these rows at the source, or use another one; nothing of this answer was stored.",
            ) from error

    def _settle(self, wanted: Span) -> None:
        old = tuple(gap for gap in self.stored.gaps if gap.end < wanted.end - _LATE_ARRIVAL)
        if self.stored.bars.empty:
            return
        self._save(replace(self.stored, asked_from=_earlier(self.stored.asked_from, wanted.start), settled=old))

    def _save(self, stored: StoredBars) -> None:
        if stored.bars.empty or _same(stored, self.stored):
            return
        self._store.save(self._source.name, self._symbol, stored)
        self.stored = stored

    def _result(self, **counts: int) -> IngestResult:
        return IngestResult(
            source=self._source.name,
            symbol=self._symbol,
            venue_symbol=self._venue_symbol,
            bars=self.stored.bars,
            gaps=(),
            **counts,
        )


def _as_gap(span: Span) -> Gap:
    return Gap(span.start, span.end - BAR)


def _earlier(known: pd.Timestamp | None, asked: pd.Timestamp) -> pd.Timestamp:
    return asked if known is None else min(known, asked)


def _same(new: StoredBars, old: StoredBars) -> bool:
    return len(new.bars) == len(old.bars) and (new.asked_from, set(new.settled)) == (old.asked_from, set(old.settled))

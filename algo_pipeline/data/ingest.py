"""Pure bar bookkeeping: what is missing, how old and new bars join, where they disagree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.schemas import BAR_COLUMNS
from algo_pipeline.common.time import BAR, bar_numbers
from algo_pipeline.common.types import BoolArray


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """Consecutive hours without a bar between two bars.

    Parameters
    ----------
    start, end : pd.Timestamp
        Open times (UTC) of the first and of the last missing bar.
    """

    start: pd.Timestamp
    end: pd.Timestamp

    @property
    def n_bars(self) -> int:
        """Number of missing bars, at least 1."""
        return int((self.end - self.start) // BAR) + 1

    def __str__(self) -> str:
        noun = "hour" if self.n_bars == 1 else "hours"
        return f"{self.n_bars} {noun} from {self.start:%Y-%m-%dT%H:%MZ}"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open stretch of time ``[start, end)`` on the bar grid, in UTC."""

    start: pd.Timestamp
    end: pd.Timestamp

    @property
    def n_bars(self) -> int:
        """Number of bars the span can hold."""
        return max(int((self.end - self.start) // BAR), 0)

    def chunks(self, n_bars: int) -> Iterator[Span]:
        """Cut the span into consecutive pieces of at most ``n_bars``, oldest first.

        Raises
        ------
        ConfigValueError
            If ``n_bars`` is below 1.
        """
        if n_bars < 1:
            raise ConfigValueError(f"n_bars must be at least 1; it was {n_bars}.", "Pass a positive chunk size.")
        start = self.start
        while start < self.end:
            end = min(start + n_bars * BAR, self.end)
            yield Span(start, end)
            start = end


def find_gaps(bars: pd.DataFrame) -> tuple[Gap, ...]:
    """Find the missing hours between the first and the last bar, oldest first.

    Parameters
    ----------
    bars : pd.DataFrame
        Bars in ascending order; only the index is read. A bar of zero volume is a bar, not a gap.
    """
    steps = np.diff(bar_numbers(_index(bars)))
    before = np.flatnonzero(steps > 1)
    return tuple(Gap(bars.index[i] + BAR, bars.index[i + 1] - BAR) for i in before.tolist())


def merge_bars(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Join two frames of bars in ascending order; where both have an hour, the old bar stays."""
    if old.empty or new.empty:
        return new if old.empty else old
    added = new[~new.index.isin(old.index)]
    return pd.concat([old, added]).sort_index() if len(added) else old


def conflicting_rows(old: pd.DataFrame, new: pd.DataFrame) -> BoolArray:
    """Mark the rows of ``new`` whose hour ``old`` has with other values.

    Returns
    -------
    BoolArray
        Shape (len(new),). Two NaN count as equal.
    """
    marks = np.zeros(len(new), dtype=np.bool_)
    places = old.index.get_indexer(new.index)
    shared = np.flatnonzero(places >= 0)
    before = old[list(BAR_COLUMNS)].to_numpy()[places[shared]]
    after = new[list(BAR_COLUMNS)].to_numpy()[shared]
    same = (before == after) | (np.isnan(before) & np.isnan(after))
    marks[shared] = ~same.all(axis=1)
    return marks


def contradicted_rows(old: pd.DataFrame, new: pd.DataFrame, since: pd.Timestamp) -> BoolArray:
    """Mark the rows of ``old`` that ``new``, a source's whole answer for their hours, lacks or has with other values.

    A row before ``since`` may be missing, unless ``new`` has no row of ``old`` at all: then it is another history.

    Returns
    -------
    BoolArray
        Shape (len(old),). Two NaN count as equal.
    """
    marks = conflicting_rows(new, old)
    lacking = np.asarray(~old.index.isin(new.index), dtype=np.bool_)
    excused = np.asarray(old.index < since) & (not lacking.all())
    return marks | (lacking & ~excused)


def closed_within(bars: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    """Keep the bars with ``start <= open`` and ``close <= end``; the order of rows stays."""
    index = _index(bars)
    return bars[(index >= start) & (index + BAR <= end)]


def spans_to_fetch(
    bars: pd.DataFrame, wanted: Span, asked_from: pd.Timestamp | None, settled: Iterable[Gap]
) -> tuple[Span, ...]:
    """List what has to be asked of a source so that ``bars`` cover ``wanted``, oldest first.

    Parameters
    ----------
    bars : pd.DataFrame
        The bars at hand, possibly none.
    wanted : Span
        The history asked for now.
    asked_from : pd.Timestamp or None
        The earliest time ever asked of the source; the hours between it and the first bar do not exist there.
    settled : iterable of Gap
        Gaps that need no second look.
    """
    if bars.empty:
        return (wanted,)
    first, after_last = bars.index[0], bars.index[-1] + BAR
    head = Span(wanted.start, min(first, wanted.end)) if asked_from is None or wanted.start < asked_from else None
    known = set(settled)
    open_gaps = [Span(gap.start, gap.end + BAR) for gap in find_gaps(bars) if gap not in known]
    tail = Span(max(after_last, wanted.start), wanted.end)
    spans = [span for span in (head, *open_gaps, tail) if span is not None]
    return tuple(span for span in spans if span.n_bars > 0)


def _index(bars: pd.DataFrame) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(bars.index)

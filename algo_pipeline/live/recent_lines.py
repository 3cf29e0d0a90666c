"""The last hours of the journal, whatever its length: what a page shows, at no cost that grows with the years."""

from __future__ import annotations

from algo_pipeline.live.journal import Journal
from algo_pipeline.live.lines import JournalLine

_BYTES = 1 << 18


def recent_lines(journal: Journal, n_bytes: int = _BYTES) -> tuple[JournalLine, ...]:
    """The lines in the last ``n_bytes`` or so of the journal, verified as a chain; none if there is no journal.

    Raises
    ------
    CorruptFileError
        As :meth:`Journal.lines <algo_pipeline.live.journal.Journal.lines>`.
    """
    if not journal.path.exists():
        return ()
    with journal.path.open("rb") as file:
        size = file.seek(0, 2)
        start = file.seek(max(0, size - n_bytes))
        offset = start + (len(file.readline()) if start else 0)
    return journal.read(offset)

"""Bars on disk, one folder per source and symbol, and their incremental update.

``<root>/<source>/<slug>/bars.parquet`` holds the bars, ``_gaps.json`` beside it where they came from and which hours
the source does not have. Both are written aside and renamed, the bars first: a record older than its bars only costs
a repeated question, never a bar.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from algo_pipeline.common.errors import CorruptFileError, StorageError
from algo_pipeline.common.schemas import empty_bars, validate_bars
from algo_pipeline.common.storage import read_checked_json, read_frame, write_checked_json, write_frame
from algo_pipeline.common.time import to_utc
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.ingest import Gap, find_gaps

_BARS_FILE, _RECORD_FILE = "bars.parquet", "_gaps.json"


@dataclass(frozen=True, slots=True)
class StoredBars:
    """What the store holds of one symbol from one source.

    Parameters
    ----------
    bars : pd.DataFrame
        Valid bars, possibly none.
    venue_symbol : str
        The source's spelling under which they were fetched.
    asked_from : pd.Timestamp or None
        Earliest time asked of the source so far; hours between it and the first bar do not exist there.
    settled : tuple of Gap
        Gaps the source was asked for twice and does not have.
    """

    bars: pd.DataFrame
    venue_symbol: str
    asked_from: pd.Timestamp | None = None
    settled: tuple[Gap, ...] = ()

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """All gaps of the bars, settled or not."""
        return find_gaps(self.bars)


class BarStore:
    """Reads and writes the bars below one folder; sources never share a history.

    Parameters
    ----------
    root : Path
        The data folder; created at the first save.
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(root)

    def folder(self, source: str, symbol: Symbol) -> Path:
        """Folder of one symbol's bars from one source."""
        return self._root / source / symbol.slug

    def load(self, source: str, symbol: Symbol) -> StoredBars | None:
        """Read and verify what is stored; None if nothing is.

        Raises
        ------
        CorruptFileError
            If a file was damaged or holds what is not valid bars.
        StorageError
            If a file can't be read or belongs to another source or symbol.
        """
        folder = self.folder(source, symbol)
        bars_path, record_path = folder / _BARS_FILE, folder / _RECORD_FILE
        if not bars_path.exists():
            return None
        bars = _read_bars(bars_path)
        if not record_path.exists():
            return StoredBars(bars, venue_symbol="")
        return _with_record(bars, read_checked_json(record_path), source, symbol, record_path)

    def save(self, source: str, symbol: Symbol, stored: StoredBars) -> None:
        """Replace what is stored, atomically.

        Raises
        ------
        DataValidationError
            If the bars break the schema; nothing is written then.
        StorageError
            If the folder can't be written.
        """
        validate_bars(stored.bars)
        folder = self.folder(source, symbol)
        write_frame(folder / _BARS_FILE, stored.bars)
        write_checked_json(folder / _RECORD_FILE, _record(source, symbol, stored))


def empty_store(venue_symbol: str) -> StoredBars:
    """What there is before the first fetch."""
    return StoredBars(empty_bars(), venue_symbol)


def _read_bars(path: Path) -> pd.DataFrame:
    bars = read_frame(path)
    try:
        return validate_bars(bars)
    except ValueError as error:
        raise CorruptFileError(
            f"{path} holds invalid bars: {error}", f"Remove {path.parent} and materialize it again."
        ) from error


def _record(source: str, symbol: Symbol, stored: StoredBars) -> dict[str, Any]:
    settled = set(stored.settled)
    return {
        "source": source,
        "symbol": str(symbol),
        "venue_symbol": stored.venue_symbol,
        "asked_from": stored.asked_from,
        "gaps": [
            {"start": gap.start, "end": gap.end, "bars": gap.n_bars, "settled": gap in settled} for gap in stored.gaps
        ],
    }


def _with_record(bars: pd.DataFrame, record: Any, source: str, symbol: Symbol, path: Path) -> StoredBars:
    try:
        owner = (record["source"], record["symbol"])
        venue_symbol = str(record["venue_symbol"])
        asked_from = None if record["asked_from"] is None else to_utc(record["asked_from"])
        settled = tuple(Gap(to_utc(gap["start"]), to_utc(gap["end"])) for gap in record["gaps"] if gap["settled"])
    except (KeyError, TypeError) as error:
        raise CorruptFileError(f"{path} lacks what a record of bars holds: {error}.", "Remove it.") from error
    if owner != (source, str(symbol)):
        raise StorageError(
            f"{path.parent} holds bars of {owner[1]} from {owner[0]}, not of {symbol} from {source}.",
            "Move the folder back to where it belongs; bars of different sources are never mixed.",
        )
    return StoredBars(bars, venue_symbol, asked_from, settled)

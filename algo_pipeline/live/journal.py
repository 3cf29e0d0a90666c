"""The journal of live trading: append-only, fsynced, each line carrying the hash of the one before.

What a line says has happened or is about to happen; it is on the disk before anything is done about it. The journal
is the truth: the state is folded from it, and no line is ever changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from loguru import logger

from algo_pipeline.common.errors import ConfigValueError, CorruptFileError, StorageError
from algo_pipeline.common.types import Symbol
from algo_pipeline.live.events import DETAIL_KEYS, Entry, Event
from algo_pipeline.live.files import DiskFiles, Files

JOURNAL_FILE = "decisions.jsonl"
TORN_FILE = "decisions.jsonl.torn"
FIRST_PREVIOUS = "0" * 64
WAY_OUT = (
    f"Restore {JOURNAL_FILE} from a backup; or move it away, check the account at the broker, and start from its "
    'holdings with: algo-pipeline resume --adopt --reason "…".'
)

_KEYS = (
    *("timestamp", "symbol", "event", "signal", "prob", "action", "order_id", "details"),
    *("at", "seq", "previous"),
)
_TAIL_BYTES = 1 << 14


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine(Entry):
    """An entry with its place in the chain.

    Parameters
    ----------
    at : pd.Timestamp
        When it was written.
    seq : int
        Number of the line, from 1.
    previous, sha256 : str
        Hash of the line before (64 zeros for the first) and of this one, over its bytes without the newline.
    end : int
        Byte offset at which the next line starts.
    """

    at: pd.Timestamp
    seq: int
    previous: str
    sha256: str
    end: int


@dataclass(frozen=True, slots=True)
class _Tail:
    """Where the next line goes: the number and hash of the last line, and the offset behind it."""

    seq: int
    sha256: str
    end: int


_EMPTY = _Tail(0, FIRST_PREVIOUS, 0)


class Journal:
    """``decisions.jsonl`` in ``folder``. Only the holder of the runner's lock may append; anyone may read.

    An incomplete last line, left by a kill or a power cut, is no line: readers pass over it, and the next append moves
    it to ``decisions.jsonl.torn``. Any other damage raises CorruptFileError, naming the line and the way out.
    """

    def __init__(self, folder: Path, files: Files | None = None) -> None:
        self._files: Files = files if files is not None else DiskFiles()
        self._path = folder / JOURNAL_FILE
        self._torn_path = folder / TORN_FILE
        self._tail: _Tail | None = None

    @property
    def path(self) -> Path:
        """The journal's file."""
        return self._path

    def append(self, entries: Sequence[Entry], at: pd.Timestamp) -> tuple[JournalLine, ...]:
        """Write all entries in one write and fsync before returning their lines.

        Raises
        ------
        StorageError
            If the disk refuses; the journal then holds none of them, or a torn end that the next append sets aside.
        CorruptFileError
            If the last line is damaged.
        ConfigValueError
            If an entry holds something that is no plain JSON.
        """
        tail = self._current_tail()
        lines: list[JournalLine] = []
        block = b""
        for entry in entries:
            text = _rendered(entry, at, tail)
            lines.append(_parsed(json.loads(text), text, tail.end))
            block += text + b"\n"
            tail = _Tail(lines[-1].seq, lines[-1].sha256, lines[-1].end)
        if lines:
            self._write(block, before=tail.end - len(block))
        self._tail = tail
        return tuple(lines)

    def read(self, from_offset: int = 0) -> tuple[JournalLine, ...]:
        """The lines from a byte offset on, verified as a chain that continues the line before; writes nothing."""
        return tuple(self.lines(from_offset))

    def lines(self, from_offset: int = 0) -> Iterator[JournalLine]:
        """:meth:`read`, a line at a time.

        Raises
        ------
        CorruptFileError
            At the first line that is damaged, missing, moved or repeated.
        """
        tail = self._tail_at(from_offset)
        if tail is None:
            raise ConfigValueError(f"No line of {self._path} ends at byte {from_offset}.", "Read from byte 0.")
        for text in _whole_lines(self._files.read(self._path, from_offset)):
            line = self._verified(text, tail)
            tail = _Tail(line.seq, line.sha256, line.end)
            yield line

    def verify(self) -> int:
        """Check the whole chain and return the number of lines; raises as :meth:`lines`."""
        return sum(1 for _ in self.lines())

    def hash_at(self, offset: int) -> str | None:
        """Hash of the line that ends at a byte offset (zeros at 0); None if none ends there."""
        tail = self._tail_at(offset)
        return None if tail is None else tail.sha256

    def set_torn_line_aside(self) -> bool:
        """Move an incomplete last line to ``decisions.jsonl.torn``; whether there was one. For the lock's holder."""
        size = self._files.size(self._path)
        whole = self._whole_size(size)
        if whole == size:
            return False
        torn = self._files.read(self._path, whole)
        self._files.append(self._torn_path, torn + b"\n")
        self._files.sync(self._torn_path)
        self._files.truncate(self._path, whole)
        self._files.sync(self._path)
        logger.warning("An incomplete last line of {} was moved to {}.", self._path, self._torn_path)
        return True

    def _write(self, block: bytes, before: int) -> None:
        self._tail = None  # whatever ends this early, the next append looks at the file
        try:
            self._files.append(self._path, block)
            self._files.sync(self._path)
        except StorageError:
            with contextlib.suppress(StorageError):
                self._files.truncate(self._path, before)
            raise

    def _current_tail(self) -> _Tail:
        if self._tail is None or self._tail.end != self._files.size(self._path):
            self._tail = self._load_tail()
        return self._tail

    def _load_tail(self) -> _Tail:
        self.set_torn_line_aside()
        size = self._files.size(self._path)
        if size:
            # A line that was written but not synced by a killed process may be acted on from here: make it last.
            self._files.sync(self._path)
        tail = self._tail_at(size)
        if tail is None:
            raise self._damaged(None, "its end changed while it was read")
        return tail

    def _tail_at(self, offset: int) -> _Tail | None:
        if offset == 0:
            return _EMPTY
        text = self._line_ending_at(offset)
        document = None if text is None else _json_object(text)
        if text is None or document is None:
            return None
        try:
            return _Tail(int(document["seq"]), _hash(text), offset)
        except (KeyError, TypeError, ValueError) as error:
            raise self._damaged(None, "its last line has no number") from error

    def _line_ending_at(self, offset: int) -> bytes | None:
        """Bytes of the line whose newline is the last byte before ``offset``, read backwards in growing pieces."""
        n_bytes = _TAIL_BYTES
        while True:
            start = max(0, offset - n_bytes)
            piece = self._files.read(self._path, start, offset)
            if len(piece) != offset - start or not piece.endswith(b"\n"):
                return None
            newline = piece.rfind(b"\n", 0, len(piece) - 1)
            if newline >= 0 or start == 0:
                return piece[newline + 1 : -1]
            n_bytes *= 4

    def _whole_size(self, size: int) -> int:
        """Where the last complete line ends: not inside a line, and not behind one that is no JSON."""
        end = self._last_newline(size)
        text = self._line_ending_at(end) if end else None
        if text is not None and _json_object(text) is None:
            return end - len(text) - 1
        return end

    def _last_newline(self, size: int) -> int:
        """Offset behind the last newline; 0 if there is none."""
        stop = size
        while stop > 0:
            start = max(0, stop - _TAIL_BYTES)
            found = self._files.read(self._path, start, stop).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            stop = start
        return 0

    def _verified(self, text: bytes, tail: _Tail) -> JournalLine:
        document = _json_object(text)
        if document is None:
            raise self._damaged(tail.seq + 1, "it is no JSON object")
        try:
            line = _parsed(document, text, tail.end)
        except (KeyError, ValueError, TypeError) as error:
            raise self._damaged(tail.seq + 1, f"it is not a line of this version: {error!r}") from error
        if (line.seq, line.previous) != (tail.seq + 1, tail.sha256):
            raise self._damaged(tail.seq + 1, "it does not continue the line before, which was changed, moved or lost")
        return line

    def _damaged(self, number: int | None, why: str) -> CorruptFileError:
        where = str(self._path) if number is None else f"Line {number} of {self._path}"
        return CorruptFileError(f"{where} is damaged: {why}.", WAY_OUT)


def _whole_lines(data: bytes) -> list[bytes]:
    """The lines of ``data`` without an incomplete last one."""
    *texts, _ = data.split(b"\n")
    if texts and _json_object(texts[-1]) is None:
        texts.pop()
    return texts


def _json_object(text: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _rendered(entry: Entry, at: pd.Timestamp, tail: _Tail) -> bytes:
    missing = [key for key in DETAIL_KEYS[entry.event] if key not in entry.details]
    if missing:
        raise ConfigValueError(f"A {entry.event.value} line needs details {', '.join(missing)}.", "Add them.")
    fields = {name: getattr(entry, name) for name in _KEYS[:8]}
    try:
        document = _plain({**fields, "at": at, "seq": tail.seq + 1, "previous": tail.sha256})
        text = json.dumps(document, allow_nan=False, ensure_ascii=False)
    except TypeError as error:
        raise ConfigValueError(
            f"A journal entry must be plain JSON: {error}.", "Correct the entry's details."
        ) from error
    return text.encode("utf-8", "backslashreplace")  # half a surrogate pair becomes its JSON escape


def _parsed(document: Mapping[str, Any], text: bytes, start: int) -> JournalLine:
    if tuple(document) != _KEYS:
        raise ValueError(f"keys {', '.join(document)}")
    symbol, details = document["symbol"], document["details"]
    if not isinstance(details, dict) or not isinstance(document["seq"], int):
        raise TypeError("details must be an object and seq a whole number")
    return JournalLine(
        timestamp=_time(document["timestamp"]),
        event=Event(document["event"]),
        symbol=None if symbol is None else Symbol.parse(symbol),
        signal=document["signal"],
        prob=document["prob"],
        action=document["action"],
        order_id=document["order_id"],
        details=details,
        at=_time(document["at"]),
        seq=document["seq"],
        previous=document["previous"],
        sha256=_hash(text),
        end=start + len(text) + 1,
    )


def _time(text: str) -> pd.Timestamp:
    stamp = pd.Timestamp(text)
    if stamp.tzinfo is None:
        raise ValueError(f"a time without a zone: {text}")
    return stamp.as_unit("ns").tz_convert("UTC")


def _hash(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _plain(value: Any) -> Any:
    """Plain JSON: decimals as plain digits, times in ISO 8601 UTC, undefined numbers as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, pd.Timestamp):
        return value.tz_convert("UTC").isoformat()
    if isinstance(value, Symbol | Path):
        return str(value)
    return value.value if isinstance(value, Enum) else value

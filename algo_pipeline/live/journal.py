"""The journal of live trading: append-only, fsynced, each line carrying the hash of the one before.

What a line says has happened or is about to happen; it is on the disk before anything is done about it. The journal
is the truth: the state is folded from it, and no line is ever changed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from loguru import logger

from algo_pipeline.common.errors import ConfigValueError, CorruptFileError, StorageError
from algo_pipeline.live.events import Entry
from algo_pipeline.live.files import DiskFiles, Files
from algo_pipeline.live.line_file import last_newline, line_ending_at
from algo_pipeline.live.lines import FIRST_PREVIOUS, JournalLine, json_object, line_hash, parse_line, render_line
from algo_pipeline.live.state_fold import NOT_READABLE, apply
from algo_pipeline.live.state_records import LiveState

__all__ = ["FIRST_PREVIOUS", "JOURNAL_FILE", "TORN_FILE", "WAY_OUT", "Journal", "JournalLine"]

JOURNAL_FILE = "decisions.jsonl"
TORN_FILE = "decisions.jsonl.torn"
_HOLE = b"\0" * 16  # what a power cut leaves of a page that was not written; JSON has no NUL
WAY_OUT = (
    f"Restore {JOURNAL_FILE} from a backup; or move it away, check the account at the broker, and start from its "
    'holdings with: algo-pipeline resume --adopt --reason "…".'
)


@dataclass(frozen=True, slots=True)
class _Tail:
    """Where the next line goes: the number and hash of the last line, and the offset behind it."""

    seq: int
    sha256: str
    end: int


_EMPTY = _Tail(0, FIRST_PREVIOUS, 0)


class Journal:
    """``decisions.jsonl`` in ``folder``. Only the holder of the runner's lock may append; anyone may read.

    An incomplete last line, left by a kill or a power cut (no newline, or nothing where data should be), is no line:
    readers pass over it, and the next append moves it to ``decisions.jsonl.torn``. Any other damage raises
    CorruptFileError, naming the line and the way out.
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
            If an entry can't be written as JSON, or could not be read back into a state. Nothing is written then.
        """
        tail = self._current_tail()
        lines: list[JournalLine] = []
        block = b""
        for entry in entries:
            text = render_line(entry, at, tail.seq + 1, tail.sha256)
            line = _read_back(text, tail.end)
            lines.append(line)
            block += text + b"\n"
            tail = _Tail(line.seq, line.sha256, line.end)
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

    def sync(self) -> None:
        """Make lasting what a killed process wrote but did not sync, before anybody acts on it."""
        self._files.sync(self._path)

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
            self.sync()
        tail = self._tail_at(size)
        if tail is None:
            raise self._damaged(None, "its last line is no JSON object")
        return tail

    def _tail_at(self, offset: int) -> _Tail | None:
        if offset == 0:
            return _EMPTY
        text = line_ending_at(self._files, self._path, offset)
        document = None if text is None else json_object(text)
        if text is None or document is None:
            return None
        try:
            return _Tail(int(document["seq"]), line_hash(text), offset)
        except (KeyError, TypeError, ValueError) as error:
            raise self._damaged(None, "its last line has no number") from error

    def _whole_size(self, size: int) -> int:
        """Where the last complete line ends."""
        end = last_newline(self._files, self._path, size)
        while (text := line_ending_at(self._files, self._path, end)) is not None and _is_torn(text):
            end -= len(text) + 1
        return end

    def _verified(self, text: bytes, tail: _Tail) -> JournalLine:
        try:
            line = parse_line(text, tail.end)
        except NOT_READABLE as error:
            raise self._damaged(tail.seq + 1, f"it is not a line of this version: {error!r}") from error
        if (line.seq, line.previous) != (tail.seq + 1, tail.sha256):
            raise self._damaged(tail.seq + 1, "it does not continue the line before, which was changed, moved or lost")
        return line

    def _damaged(self, number: int | None, why: str) -> CorruptFileError:
        where = str(self._path) if number is None else f"Line {number} of {self._path}"
        return CorruptFileError(f"{where} is damaged: {why}.", WAY_OUT)


def _whole_lines(data: bytes) -> list[bytes]:
    """The lines of ``data`` up to the last complete one."""
    *texts, _ = data.split(b"\n")
    while texts and _is_torn(texts[-1]):
        texts.pop()
    return texts


def _is_torn(text: bytes) -> bool:
    """Whether a last line, though it has its newline, was never written whole: it is blank or has a hole."""
    return not text.strip() or _HOLE in text


def _read_back(text: bytes, start: int) -> JournalLine:
    """The line of these bytes; one that no state could be folded from must never be written."""
    try:
        line = parse_line(text, start)
        apply(LiveState(), line)
    except NOT_READABLE as error:
        raise ConfigValueError(f"This could not be read back: {error!r} in {text!r}.", "Correct the entry.") from error
    return line

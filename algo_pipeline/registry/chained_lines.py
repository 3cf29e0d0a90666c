"""A file of JSON lines that only grows: each line carries the hash of the one before, and all are fsynced.

Beside ``name.jsonl`` lie ``name.lock``, which keeps writers apart, and ``name.jsonl.head``, the number and hash of the
last line: a chain alone can't tell that its end, or all of it, was taken away.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from algo_pipeline.common.errors import CorruptFileError, StorageError
from algo_pipeline.common.storage import fsync_folder, plain_json_hash, read_bytes, write_bytes

Line = dict[str, Any]


class ChainedLines:
    """The lines of ``path``, a file whose name ends in ``.jsonl``.

    Parameters
    ----------
    path : Path
        The file.
    fields : iterable of str
        What each line must hold: a whole chain of something else in its place is damage too.

    Notes
    -----
    A last line without its newline, left by a crash while appending, is no line: readers pass over it, and the next
    append moves it to ``name.jsonl.torn``. Any other damage raises CorruptFileError, naming the line and the way out.
    """

    def __init__(self, path: Path, fields: Iterable[str] = ()) -> None:
        self._path, self._fields = path, frozenset(fields)
        self._head_path = path.with_name(f"{path.name}.head")

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def append(self, contents: Iterable[Mapping[str, Any]]) -> None:
        """:meth:`extend` with lines that don't depend on those before."""
        self.extend(lambda _: contents)

    def extend(self, make: Callable[[list[Line]], Iterable[Mapping[str, Any]]]) -> None:
        """Append what ``make`` gives for the lines so far: all of it under one lock, in one write and one fsync.

        Parameters
        ----------
        make : callable
            From the verified lines to the contents of new ones: plain JSON values without the keys ``previous`` and
            ``hash``. Writers wait for each other, so that it sees every line before its own.

        Raises
        ------
        CorruptFileError
            If a line before them is damaged or missing; nothing is written then.
        StorageError
            If the file can't be written.
        """
        try:
            with self._locked():
                self._set_torn_line_aside()
                lines = self.lines()
                added = _chained(make(lines), lines[-1]["hash"] if lines else "")
                if added:
                    self._write(added)
                    self._write_head(len(lines) + len(added), added[-1]["hash"])
        except OSError as error:
            raise StorageError(
                f"{self._path} could not be written: {error.strerror or error}.",
                "Make the folder writable, or set ALGO_TRADER_ARTIFACTS_DIR to another one.",
            ) from error

    def lines(self) -> list[Line]:
        """Every complete line, oldest first, verified as a chain; raises CorruptFileError naming a bad line."""
        head = self._head()  # first: a writer may add lines while they are read, and moves the head last
        lines = verified_lines(self._content(), str(self._path), self._way_out(), self._fields)
        self._require_head(head, lines)
        return lines

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the file's lock: the hash of the last line and the new line must not be parted."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _content(self) -> bytes:
        return read_bytes(self._path) if self._path.exists() else b""

    def _set_torn_line_aside(self) -> None:
        whole, newline, torn = self._content().rpartition(b"\n")
        if torn:
            write_bytes(self._path.with_name(f"{self._path.name}.torn"), torn)
            write_bytes(self._path, whole + newline)

    def _write(self, added: list[Line]) -> None:
        is_new = not self._path.exists()
        texts = (json.dumps(line, allow_nan=False, ensure_ascii=False) for line in added)
        with self._path.open("ab") as file:
            file.write("".join(f"{text}\n" for text in texts).encode())
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            fsync_folder(self._path.parent)

    def _write_head(self, n_lines: int, last_hash: str) -> None:
        """Not synced: a head that lags behind the lines, or is lost with the power, only proves less."""
        beside = self._head_path.with_name(f".{self._head_path.name}.tmp")
        beside.write_text(json.dumps({"lines": n_lines, "hash": last_hash}))
        beside.replace(self._head_path)

    def _head(self) -> tuple[int, str] | None:
        try:
            head = json.loads(self._head_path.read_bytes())
            return int(head["lines"]), str(head["hash"])
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None

    def _require_head(self, head: tuple[int, str] | None, lines: list[Line]) -> None:
        """Raise unless the line that was once the last is still where it was."""
        if head is None or [line["hash"] for line in lines[: head[0]][-1:]] == [head[1]]:
            return
        found = f"the file has {len(lines)}" if self._path.exists() else "the file is missing"
        raise CorruptFileError(
            f"{self._path} is expected to hold the {head[0]} lines written so far; {found}.", self._way_out()
        )

    def _way_out(self) -> str:
        return f"Restore the file from a backup, or move it and {self._head_path.name} away to start a new one."


def verified_lines(content: bytes, name: str, remedy: str, fields: frozenset[str] = frozenset()) -> list[Line]:
    """Every complete line of a chain's content, oldest first.

    Parameters
    ----------
    content : bytes
        JSON lines; a last one without its newline is passed over.
    name, remedy : str
        Whose content it is, and the way out, for the error.
    fields : frozenset of str
        What each line must hold.

    Raises
    ------
    CorruptFileError
        Naming the first line that does not carry its own hash and that of the line before, or lacks a field.
    """
    lines: list[Line] = []
    for number, text in enumerate(content.split(b"\n")[:-1], start=1):
        line = _intact(text, lines[-1]["hash"] if lines else "", fields)
        if line is None:
            raise CorruptFileError(f"Line {number} of {name} is damaged or was changed.", remedy)
        lines.append(line)
    return lines


def _intact(text: bytes, previous: str, fields: frozenset[str]) -> Line | None:
    try:
        line = json.loads(text)
        content = {key: value for key, value in line.items() if key != "hash"}
        is_intact = line["hash"] == plain_json_hash(content) and line["previous"] == previous and fields <= set(line)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return None
    return dict(line) if is_intact else None


def _chained(contents: Iterable[Mapping[str, Any]], previous: str) -> list[Line]:
    lines: list[Line] = []
    for given in contents:
        content = {**given, "previous": previous}
        previous = plain_json_hash(content)
        lines.append({**content, "hash": previous})
    return lines

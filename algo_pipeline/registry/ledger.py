"""The promotion ledger: append-only lines that say which model was champion when, and why."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pandas as pd

from algo_pipeline.common.errors import CorruptFileError, StorageError
from algo_pipeline.common.storage import json_hash, read_bytes, to_json, write_bytes


@dataclass(frozen=True, slots=True)
class PromotionEntry:
    """One decision of the gate or of a person.

    ``from_version`` and ``to_version`` are registry versions of the champion before and after (None: none);
    ``trading`` is what was deployed (``on``, ``flat``) or ``unchanged``.
    """

    at: str
    who: str
    symbol: str
    label: str
    candidate_version: str
    from_version: str | None
    to_version: str | None
    trading: str
    policy: str
    passed: bool
    reason: str
    figures: Mapping[str, Any]


class PromotionLedger:
    """``registry/promotions.jsonl``: each line carries the hash of the one before."""

    def __init__(self, artifacts_dir: Path) -> None:
        self._path = artifacts_dir / "registry" / "promotions.jsonl"

    @property
    def path(self) -> Path:
        """The ledger's file."""
        return self._path

    def append(self, entry: PromotionEntry) -> None:
        """Add a line and fsync it; runs that append at the same time wait for each other.

        Raises
        ------
        CorruptFileError
            If a line before it is damaged; nothing is written then.
        StorageError
            If the file can't be written.
        """
        fields = {name: getattr(entry, name) for name in PromotionEntry.__dataclass_fields__}
        try:
            with self._locked():
                self._set_torn_line_aside()
                lines = self.lines()
                content = {**json.loads(to_json(fields)), "previous": lines[-1]["hash"] if lines else ""}
                line = json.dumps({**content, "hash": json_hash(content)}, allow_nan=False, ensure_ascii=False)
                with self._path.open("ab") as file:
                    _write_through(file, line.encode() + b"\n")
        except OSError as error:
            raise StorageError(
                f"{self._path} could not be written: {error.strerror or error}.",
                "Make the folder writable, or set ALGO_TRADER_ARTIFACTS_DIR to another one.",
            ) from error

    def lines(self) -> list[dict[str, Any]]:
        """Every complete line, oldest first, verified as a chain; raises CorruptFileError naming a bad line."""
        lines: list[dict[str, Any]] = []
        for number, text in enumerate(self._content().split(b"\n")[:-1], start=1):
            lines.append(self._verified(text, number, lines[-1]["hash"] if lines else ""))
        return lines

    def champion_at(self, symbol: str, label: str, at: pd.Timestamp) -> dict[str, Any] | None:
        """The line that made the champion of ``symbol`` and ``label`` at a past time, or None."""
        moves = [
            line
            for line in self.lines()
            if (line["symbol"], line["label"]) == (symbol, label)
            and line["to_version"] != line["from_version"]
            and pd.Timestamp(line["at"]) <= at
        ]
        return moves[-1] if moves else None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the ledger's lock: the hash of the last line and the new line must not be parted."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _content(self) -> bytes:
        return read_bytes(self._path) if self._path.exists() else b""

    def _set_torn_line_aside(self) -> None:
        """Move an incomplete last line, left by a crash while appending, to ``promotions.jsonl.torn``."""
        whole, newline, torn = self._content().rpartition(b"\n")
        if torn:
            write_bytes(self._path.with_suffix(".jsonl.torn"), torn)
            write_bytes(self._path, whole + newline)

    def _verified(self, text: bytes, number: int, previous: str) -> dict[str, Any]:
        try:
            line = json.loads(text)
            content = {key: value for key, value in line.items() if key != "hash"}
            intact = line["hash"] == json_hash(content) and line["previous"] == previous
        except (ValueError, KeyError, AttributeError, TypeError):
            intact = False
        if not intact:
            raise CorruptFileError(
                f"Line {number} of {self._path} is damaged or was changed.",
                "Restore the file from a backup, or move it away to start a new ledger.",
            )
        return dict(line)


def _write_through(file: IO[bytes], data: bytes) -> None:
    file.write(data)
    file.flush()
    os.fsync(file.fileno())

"""The promotion ledger: append-only lines that say which model was champion when, and why."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from algo_pipeline.common.errors import CorruptFileError, StorageError
from algo_pipeline.common.storage import json_hash, to_json, write_text


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
        """Add a line and fsync it."""
        self._set_torn_line_aside()
        lines = self.lines()
        previous = lines[-1]["hash"] if lines else ""
        fields = {name: getattr(entry, name) for name in PromotionEntry.__dataclass_fields__}
        content = {**json.loads(to_json(fields)), "previous": previous}
        line = json.dumps({**content, "hash": json_hash(content)}, allow_nan=False, ensure_ascii=False)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageError(f"{self._path} could not be written: {error}.", "Make the folder writable.") from error

    def lines(self) -> list[dict[str, Any]]:
        """Every complete line, oldest first, verified as a chain; raises CorruptFileError naming a bad line."""
        if not self._path.exists():
            return []
        lines: list[dict[str, Any]] = []
        whole, _, _ = self._path.read_text("utf-8").rpartition("\n")
        for number, text in enumerate(whole.splitlines(), start=1):
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

    def _set_torn_line_aside(self) -> None:
        """Move an incomplete last line, left by a crash while appending, to ``promotions.jsonl.torn``."""
        if not self._path.exists():
            return
        whole, newline, torn = self._path.read_text("utf-8").rpartition("\n")
        if torn:
            write_text(self._path.with_suffix(".jsonl.torn"), torn)
            write_text(self._path, whole + newline)

    def _verified(self, text: str, number: int, previous: str) -> dict[str, Any]:
        try:
            line = json.loads(text)
            content = {key: value for key, value in line.items() if key != "hash"}
            intact = line["hash"] == json_hash(content) and line["previous"] == previous
        except (ValueError, KeyError, AttributeError):
            intact = False
        if not intact:
            raise CorruptFileError(
                f"Line {number} of {self._path} is damaged or was changed.",
                "Restore the file from a backup, or move it away to start a new ledger.",
            )
        return dict(line)

"""The promotion ledger: append-only lines that say which model was champion when, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from algo_pipeline.common.storage import to_json
from algo_pipeline.registry.chained_lines import ChainedLines


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
        self._chain = ChainedLines(artifacts_dir / "registry" / "promotions.jsonl")

    @property
    def path(self) -> Path:
        """The ledger's file."""
        return self._chain.path

    def append(self, entry: PromotionEntry) -> None:
        """Add a line and fsync it; runs that append at the same time wait for each other.

        Raises
        ------
        CorruptFileError
            If a line before it is damaged or missing; nothing is written then.
        StorageError
            If the file can't be written.
        """
        fields = {name: getattr(entry, name) for name in PromotionEntry.__dataclass_fields__}
        self._chain.append([json.loads(to_json(fields))])

    def lines(self) -> list[dict[str, Any]]:
        """Every complete line, oldest first, verified as a chain; raises CorruptFileError naming a bad line."""
        return self._chain.lines()

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

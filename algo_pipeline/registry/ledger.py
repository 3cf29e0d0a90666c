"""The promotion ledger: append-only lines that say which model was champion when, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from algo_pipeline.common.storage import to_json
from algo_pipeline.registry.chained_lines import ChainedLines

GATE = "gate"
"""Who decided, where it was not a person."""

_FIELDS = (
    "at",
    "who",
    "symbol",
    "label",
    "candidate_version",
    "from_version",
    "to_version",
    "trading",
    "policy",
    "figures",
)


@dataclass(frozen=True, slots=True)
class PromotionEntry:
    """One decision of the gate or of a person, or something found.

    Attributes
    ----------
    at : str
        Time in ISO 8601.
    who : str
        ``gate``, a person's user name, ``recovery`` (another bundle is in place than was recorded) or ``mlflow`` (an
        alias was moved there).
    symbol, label : str
        Whose champion, and what it learnt.
    candidate_version : str
        The version that was decided on.
    from_version, to_version : str or None
        Registry versions of the champion before and after; None: none.
    trading : str
        What was deployed (``on``, ``flat``) or ``unchanged``.
    policy : str
        ``gated``, ``always``, ``by_hand`` for a person's decision, or ``none`` for what was merely found.
    passed : bool
        Whether the gate's rules are met.
    reason : str
        Why, for people.
    figures : mapping
        The numbers behind it.
    run_id : str or None
        MLflow's run that made the candidate: version numbers start again in a new store.
    may_trade : bool
        Whether the gate's evidence is enough to trade, deployed or not.
    rules_sha256 : str or None
        Of the trading rules that this evidence was measured with.
    bundle_sha256 : str or None
        Checksum of the bundle in place after this decision.
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
    run_id: str | None = None
    may_trade: bool = False
    rules_sha256: str | None = None
    bundle_sha256: str | None = None


class PromotionLedger:
    """``registry/promotions.jsonl``: each line carries the hash of the one before."""

    def __init__(self, artifacts_dir: Path) -> None:
        self._chain = ChainedLines(artifacts_dir / "registry" / "promotions.jsonl", _FIELDS)

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

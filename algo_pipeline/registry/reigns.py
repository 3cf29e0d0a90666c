"""Which model was champion when, and why: the promotion ledger read as spans of time; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from algo_pipeline.common.time import to_utc

RECOVERY = "recovery"
BY_HAND = "by_hand"
NO_POLICY = "none"
INTERRUPTED = "interrupted"
_UNCHANGED = "unchanged"

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reign:
    """A span in which one deployment of a model was the champion.

    Attributes
    ----------
    since : pd.Timestamp
        When it was deployed.
    until : pd.Timestamp or None
        When the next one was, or when none was found any more; None: to this day.
    line : mapping
        The ledger's line that made it champion.
    """

    since: pd.Timestamp
    until: pd.Timestamp | None
    line: Line


def reigns(lines: Iterable[Line], symbol: str) -> tuple[Reign, ...]:
    """Every champion of a symbol, in the ledger's order.

    A symbol has one champion, whatever label it learnt. The ledger is written before the bundle is deployed: where a
    line by ``recovery`` says that this was interrupted, and that the champion before was still in place, then the
    deployment never was, and the champion before has reigned on. A champion whose bundle a person took away reigned
    until that was found.

    Parameters
    ----------
    lines : iterable of mapping
        Of :meth:`~algo_pipeline.registry.ledger.PromotionLedger.lines`, oldest first.
    symbol : str
        ``BTC/USD``.
    """
    made: list[Reign] = []
    for line in lines:
        if line["symbol"] != symbol or not deploys(line):
            continue
        if made and _undoes(line, made[-1].line):
            never = made.pop()
            made[-1:] = [replace(each, until=None) if each.until == never.since else each for each in made[-1:]]
            continue
        at = to_utc(line["at"])
        made[-1:] = [replace(each, until=each.until or at) for each in made[-1:]]
        if line["to_version"] is not None:
            made.append(Reign(at, None, line))
    return tuple(made)


def champion_at(lines: Iterable[Line], symbol: str, at: pd.Timestamp) -> Reign | None:
    """The reign that a time falls into, or None if there was no champion then."""
    found = [reign for reign in reigns(lines, symbol) if reign.since <= at and (not reign.until or at < reign.until)]
    return found[-1] if found else None


def deploys(line: Line) -> bool:
    """Whether a line changes what is deployed; the gate's refusals and what is merely told do not."""
    return bool(line["trading"] != _UNCHANGED or line["to_version"] != line["from_version"])


def _undoes(line: Line, last: Line) -> bool:
    is_recovery = line["who"] == RECOVERY and line["policy"] != BY_HAND
    interrupted = is_recovery and line["figures"].get(INTERRUPTED, True)
    return bool(interrupted and line["to_version"] == last["from_version"])

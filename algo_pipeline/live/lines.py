"""A line of the journal and its bytes: one JSON object with fixed keys, and the hash that the next line carries."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.types import Symbol
from algo_pipeline.live.events import DETAIL_KEYS, Entry, Event

FIRST_PREVIOUS = "0" * 64
_ISO_WITH_ZONE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)

_ENTRY_KEYS = ("timestamp", "symbol", "event", "signal", "prob", "action", "order_id", "details")
_KEYS = (*_ENTRY_KEYS, "at", "seq", "previous")


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


def json_object(text: bytes) -> dict[str, Any] | None:
    """The object that the bytes hold; None if they hold none, as at the torn end of a file."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def render_line(entry: Entry, at: pd.Timestamp, seq: int, previous: str) -> bytes:
    """The bytes of a line, without its newline.

    Raises
    ------
    ConfigValueError
        If a detail that the event always has is missing, or something is no plain JSON.
    """
    missing = [key for key in DETAIL_KEYS[entry.event] if key not in entry.details]
    if missing:
        raise ConfigValueError(f"A {entry.event.value} line needs details {', '.join(missing)}.", "Add them.")
    fields = {name: getattr(entry, name) for name in _ENTRY_KEYS}
    try:
        document = _plain({**fields, "at": at, "seq": seq, "previous": previous})
        text = json.dumps(document, allow_nan=False, ensure_ascii=False)
    except TypeError as error:
        raise ConfigValueError(
            f"A journal entry must be plain JSON: {error}.", "Correct the entry's details."
        ) from error
    return text.encode("utf-8", "backslashreplace")  # half a surrogate pair becomes its JSON escape


def parse_line(text: bytes, start: int) -> JournalLine:
    """The line that stands at byte ``start`` with these bytes; KeyError, TypeError or ValueError if it is none."""
    document = json.loads(text)
    if tuple(document) != _KEYS:
        raise ValueError(f"keys {', '.join(document)}")
    symbol, details = document["symbol"], document["details"]
    if not isinstance(details, dict) or not isinstance(document["seq"], int):
        raise TypeError("details must be an object and seq a whole number")
    return JournalLine(
        timestamp=utc(document["timestamp"]),
        event=Event(document["event"]),
        symbol=None if symbol is None else Symbol.parse(symbol),
        signal=document["signal"],
        prob=document["prob"],
        action=document["action"],
        order_id=document["order_id"],
        details=details,
        at=utc(document["at"]),
        seq=document["seq"],
        previous=document["previous"],
        sha256=line_hash(text),
        end=start + len(text) + 1,
    )


def utc(text: Any) -> pd.Timestamp:
    """A time with a zone, in UTC and nanoseconds; ValueError if it is none."""
    # pandas guesses at words and at unknown zones; a damaged line is to be refused.
    is_told = not isinstance(text, str) or _ISO_WITH_ZONE.fullmatch(text)
    stamp = pd.Timestamp(text if is_told else "NaT")
    if stamp.tzinfo is None:  # as NaT has none
        raise ValueError(f"a time with its zone is expected, found {text!r}")
    return stamp.as_unit("ns").tz_convert("UTC")


def line_hash(text: bytes) -> str:
    """What the next line carries of this one."""
    return hashlib.sha256(text).hexdigest()


def _plain(value: Any) -> Any:
    """Plain JSON: decimals as plain digits, times in ISO 8601 UTC, undefined numbers as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return _digits(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, pd.Timestamp):
        return value.tz_convert("UTC").isoformat()
    if isinstance(value, Symbol | Path):
        return str(value)
    return value.value if isinstance(value, Enum) else value


def _digits(value: Decimal) -> str:
    if not value.is_finite():
        raise TypeError(f"an amount must be finite, it was {value}")
    return format(value, "f")

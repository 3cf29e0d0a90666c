"""A request and a reply without their HTTP server, and how times and decimals are written in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from algo_pipeline.backtest.broker_sim_decimals import EXACT

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_HEADERS: Mapping[str, str] = {}
JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class WireRequest:
    """What an endpoint reads; header names in lower case, ``parts`` the variable parts of the path."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    parts: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The JSON object in the body, its numbers as exact decimals; an empty body is an empty object.

        Raises
        ------
        ValueError
            If it is something else.
        """
        document = json.loads(self.body or b"{}", parse_float=Decimal)
        if not isinstance(document, dict):
            raise ValueError("the body must be a JSON object")  # noqa: TRY004 - of the body, not of an argument
        return document


@dataclass(frozen=True, slots=True)
class Reply:
    """What an endpoint answers."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON_TYPE

    def with_headers(self, headers: Mapping[str, str]) -> Reply:
        """The same answer with more headers."""
        return replace(self, headers={**self.headers, **headers})


def json_reply(document: Any, status: int = 200, headers: Mapping[str, str] = _NO_HEADERS) -> Reply:
    """Answer with JSON; decimals become text, as the venues write them."""
    return Reply(status, json.dumps(document, default=_written).encode(), headers)


def decimal_text(value: Decimal) -> str:
    """All digits, no exponent, no trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def read_decimal(value: object) -> Decimal | None:
    """A finite decimal from JSON's number or text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        number = EXACT.create_decimal(value)
    except ArithmeticError:
        return None
    return number if number.is_finite() else None


def moment(at_ns: int) -> datetime:
    """Nanoseconds since the epoch as a UTC datetime, to the microsecond."""
    return _EPOCH + timedelta(microseconds=at_ns // 1000)


def time_text(at_ns: int) -> str:
    """``2024-01-31T00:00:00.000000Z``."""
    return f"{moment(at_ns):%Y-%m-%dT%H:%M:%S.%fZ}"


def read_time(text: str) -> int:
    """Nanoseconds since the epoch of an ISO 8601 time; without a zone it is read as UTC.

    Raises
    ------
    ValueError
        If the text is no time.
    """
    at = datetime.fromisoformat(text)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


def milliseconds(at_ns: int) -> int:
    """Nanoseconds as whole milliseconds."""
    return at_ns // 1_000_000


def _written(value: object) -> str:
    if isinstance(value, Decimal):
        return decimal_text(value)
    raise TypeError(f"{type(value).__name__} has no place in a reply")

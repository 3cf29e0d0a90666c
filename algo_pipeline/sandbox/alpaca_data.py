"""Alpaca's crypto bars under ``/v1beta3/crypto/us/bars``."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.types import Symbol
from algo_pipeline.sandbox.core import Sandbox
from algo_pipeline.sandbox.faults import Fault, spoiled
from algo_pipeline.sandbox.market import Candle
from algo_pipeline.sandbox.wire import Reply, WireRequest, json_reply, moment, read_time

_BAD_REQUEST = 400
_DEFAULT_LIMIT, _HIGHEST_LIMIT = 1_000, 10_000
_TIMEFRAMES = ("1Hour", "1H", "60Min", "60T")
_EXCHANGE_ZONE = ZoneInfo("America/Chicago")


class _BadQuery(Exception):  # noqa: N818 - the reader's fault
    """A parameter that Alpaca refuses, with its words."""


@dataclass(frozen=True, slots=True)
class _Query:
    symbols: tuple[str, ...]
    start_ns: int
    end_ns: int
    limit: int
    is_descending: bool
    after: tuple[str, int] | None


def get_bars(sandbox: Sandbox, request: WireRequest, fault: Fault | None = None) -> Reply:
    """Bars by symbol and time, page by page; the newest may still be open, an unknown symbol has none."""
    now_ns = sandbox.clock.now_ns()
    try:
        query = _read(request, now_ns)
    except _BadQuery as error:
        return json_reply({"message": str(error)}, _BAD_REQUEST)
    bars: dict[str, list[dict[str, Any]]] = {}
    left, token = query.limit, None
    for name in sorted(query.symbols):
        if query.after is not None and name < query.after[0]:
            continue
        rows = _rows(sandbox, query, name, left + 1, now_ns)
        if len(rows) > left:
            rows, token = rows[:left], _token(name, rows[left].opened_ns)
        shown = spoiled(rows, fault, now_ns)
        if shown:
            bars[name] = [_bar(candle) for candle in shown]
        left -= len(rows)
        if token is not None:
            break
    return json_reply({"bars": bars, "next_page_token": token})


def _rows(sandbox: Sandbox, query: _Query, name: str, limit: int, now_ns: int) -> list[Candle]:
    """The symbol's next bars in the order asked for."""
    try:
        symbol = Symbol.parse(name)
    except ConfigValueError:
        return []
    if symbol not in sandbox.market:
        return []
    first_ns, last_ns = query.start_ns, query.end_ns
    if query.after is not None and query.after[0] == name:
        first_ns, last_ns = (first_ns, query.after[1]) if query.is_descending else (query.after[1], last_ns)
    rows = sandbox.market[symbol].seen(now_ns, first_ns, last_ns, limit, newest=query.is_descending)
    return rows[::-1] if query.is_descending else rows


def _read(request: WireRequest, now_ns: int) -> _Query:
    query = request.query
    names = tuple(name for name in query.get("symbols", "").split(",") if name)
    if not names:
        raise _BadQuery("symbols is required")
    for name in names:
        if "/" not in name:
            raise _BadQuery(f"code=400, message=invalid symbol: {name} does not match ^[A-Z]+/[A-Z]+$")
    timeframe = query.get("timeframe", "")
    if timeframe not in _TIMEFRAMES:
        raise _BadQuery(f"invalid timeframe: {timeframe} (the sandbox has hourly bars only)")
    limit = query.get("limit") or str(_DEFAULT_LIMIT)
    if not limit.isdecimal() or not 0 < int(limit) <= _HIGHEST_LIMIT:
        raise _BadQuery(f"invalid limit: {limit}")
    if query.get("sort", "asc") not in ("asc", "desc"):
        raise _BadQuery("invalid sort")
    start_ns = _time(query.get("start"), _start_of_today(now_ns), "start")
    end_ns = _time(query.get("end"), now_ns, "end")
    after = _page_start(query.get("page_token"))
    return _Query(names, start_ns, end_ns, int(limit), query.get("sort") == "desc", after)


def _time(text: str | None, default: int, name: str) -> int:
    try:
        return read_time(text) if text else default
    except ValueError:
        raise _BadQuery(f"invalid {name}: {text}") from None


def _start_of_today(now_ns: int) -> int:
    """Midnight in Chicago: Alpaca's days of crypto are Central time's."""
    here = moment(now_ns).astimezone(_EXCHANGE_ZONE)
    return read_time(datetime(here.year, here.month, here.day, tzinfo=_EXCHANGE_ZONE).isoformat())


def _token(name: str, opened_ns: int) -> str:
    return base64.urlsafe_b64encode(f"{name}|{opened_ns}".encode()).decode()


def _page_start(token: str | None) -> tuple[str, int] | None:
    if not token:
        return None
    try:
        name, opened_ns = base64.urlsafe_b64decode(token).decode().split("|")
        return name, int(opened_ns)
    except (ValueError, binascii.Error):
        raise _BadQuery("invalid page token") from None


def _bar(candle: Candle) -> dict[str, Any]:
    return {
        "t": f"{moment(candle.opened_ns):%Y-%m-%dT%H:%M:%SZ}",
        "o": candle.open,
        "h": candle.high,
        "l": candle.low,
        "c": candle.close,
        "v": candle.volume,
        "n": 1 if candle.volume > 0 else 0,
        "vw": (candle.high + candle.low + candle.close) / 3,
    }

"""Binance's public spot data under ``/api/v3``: ping, time, exchangeInfo, klines."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

from algo_pipeline.common.types import Symbol
from algo_pipeline.sandbox.core import Sandbox
from algo_pipeline.sandbox.faults import Fault, spoiled
from algo_pipeline.sandbox.market import Candle
from algo_pipeline.sandbox.wire import Reply, WireRequest, json_reply, milliseconds

_BAD_REQUEST, _TOO_MANY = 400, 429
_MS = 1_000_000
_END_OF_TIME_MS = 2**53
_DEFAULT_LIMIT, _HIGHEST_LIMIT = 500, 1_000
_WEIGHTS = {"ping": 1, "time": 1, "klines": 2, "exchangeInfo": 20}
_NAME = re.compile(r"[A-Z0-9-_.]{1,20}")
_INTERVALS = frozenset(
    ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M")
)


class _BadQuery(Exception):  # noqa: N818 - the reader's fault
    """Binance's code and words for a bad parameter."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def ping(sandbox: Sandbox, request: WireRequest) -> Reply:
    """``GET /api/v3/ping``."""
    del request
    return _weighed(sandbox, "ping", {})


def server_time(sandbox: Sandbox, request: WireRequest) -> Reply:
    """``GET /api/v3/time``: the virtual clock."""
    del request
    return _weighed(sandbox, "time", {"serverTime": milliseconds(sandbox.clock.now_ns())})


def exchange_info(sandbox: Sandbox, request: WireRequest) -> Reply:
    """``GET /api/v3/exchangeInfo``, of all symbols or of those named by ``symbol`` or ``symbols``."""
    try:
        symbols = _named(sandbox, request)
    except _BadQuery as error:
        return _bad(sandbox, "exchangeInfo", error)
    document = {
        "timezone": "UTC",
        "serverTime": milliseconds(sandbox.clock.now_ns()),
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
            {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 300000},
        ],
        "exchangeFilters": [],
        "symbols": [_listing(symbol) for symbol in symbols],
    }
    return _weighed(sandbox, "exchangeInfo", document)


def klines(sandbox: Sandbox, request: WireRequest, fault: Fault | None = None) -> Reply:
    """``GET /api/v3/klines``: oldest first from ``startTime``, else the newest; the last may still be open."""
    now_ns = sandbox.clock.now_ns()
    try:
        rows = _rows(sandbox, request, now_ns)
    except _BadQuery as error:
        return _bad(sandbox, "klines", error)
    return _weighed(sandbox, "klines", [_kline(candle) for candle in spoiled(rows, fault, now_ns)])


def venue_symbol(symbol: Symbol) -> str:
    """``BTCUSDT`` for ``BTC/USD``: USDT stands for the dollar that Binance doesn't have."""
    return f"{symbol.base}{_venue_quote(symbol)}"


def _rows(sandbox: Sandbox, request: WireRequest, now_ns: int) -> list[Candle]:
    symbol = _symbol(sandbox, _mandatory(request, "symbol"))
    interval = _mandatory(request, "interval")
    if interval not in _INTERVALS:
        raise _BadQuery(-1120, "Invalid interval.")
    if interval != "1h":
        raise _BadQuery(-1120, "Invalid interval. (The sandbox has hourly bars only.)")
    limit = _number(request, "limit", _DEFAULT_LIMIT)
    if limit < 1:
        raise _BadQuery(-1130, "Data sent for parameter 'limit' is not valid.")
    first_ns = _number(request, "startTime", 0) * _MS
    last_ns = _number(request, "endTime", _END_OF_TIME_MS) * _MS
    newest = not request.query.get("startTime")
    return sandbox.market[symbol].seen(now_ns, first_ns, last_ns, min(limit, _HIGHEST_LIMIT), newest=newest)


def _named(sandbox: Sandbox, request: WireRequest) -> tuple[Symbol, ...]:
    if request.query.get("symbol"):
        return (_symbol(sandbox, request.query["symbol"]),)
    if not request.query.get("symbols"):
        return sandbox.market.symbols
    try:
        names = json.loads(request.query["symbols"])
        return tuple(_symbol(sandbox, str(name)) for name in names)
    except (ValueError, TypeError):
        raise _BadQuery(-1100, "Illegal characters found in parameter 'symbols'.") from None


def _symbol(sandbox: Sandbox, name: str) -> Symbol:
    if not _NAME.fullmatch(name):
        legal = "'^[A-Z0-9-_.]{1,20}$'"
        raise _BadQuery(-1100, f"Illegal characters found in parameter 'symbol'; legal range is {legal}.")
    for symbol in sandbox.market.symbols:
        if venue_symbol(symbol) == name:
            return symbol
    raise _BadQuery(-1121, "Invalid symbol.")


def _mandatory(request: WireRequest, name: str) -> str:
    value = request.query.get(name)
    if not value:
        raise _BadQuery(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return value


def _number(request: WireRequest, name: str, default: int) -> int:
    text = request.query.get(name)
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,15}", text):
        legal = "'^[0-9]{1,20}$'"
        raise _BadQuery(-1100, f"Illegal characters found in parameter '{name}'; legal range is {legal}.")
    return int(text)


def _weighed(sandbox: Sandbox, endpoint: str, document: Any, status: int = 200) -> Reply:
    """The answer with the weight used so far this minute, or the refusal of a caller who used too much."""
    wait_s = sandbox.binance_meter.count(_WEIGHTS[endpoint])
    used = str(sandbox.binance_meter.used)
    headers = {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}
    if wait_s > 0:
        message = "Too much request weight used; current limit is 6000 request weight per 1 MINUTE."
        return json_reply({"code": -1003, "msg": message}, _TOO_MANY, {**headers, "Retry-After": str(wait_s)})
    return json_reply(document, status, headers)


def _bad(sandbox: Sandbox, endpoint: str, error: _BadQuery) -> Reply:
    return _weighed(sandbox, endpoint, {"code": error.code, "msg": str(error)}, _BAD_REQUEST)


def _kline(candle: Candle) -> list[Any]:
    quote_volume = candle.volume * (candle.high + candle.low + candle.close) / 3
    return [
        milliseconds(candle.opened_ns),
        *(_text(value) for value in (candle.open, candle.high, candle.low, candle.close, candle.volume)),
        milliseconds(candle.closes_ns) - 1,
        _text(quote_volume),
        1 if candle.volume > 0 else 0,
        _text(candle.volume / 2),
        _text(quote_volume / 2),
        "0",
    ]


def _text(value: float) -> str:
    """All digits of the shortest decimal that names this double, without an exponent."""
    text = repr(value)
    return format(Decimal(text), "f") if "e" in text else text


def _listing(symbol: Symbol) -> dict[str, Any]:
    return {
        "symbol": venue_symbol(symbol),
        "status": "TRADING",
        "baseAsset": symbol.base,
        "baseAssetPrecision": 8,
        "quoteAsset": _venue_quote(symbol),
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.00000001", "maxPrice": "1000000", "tickSize": "0.00000001"},
            {"filterType": "LOT_SIZE", "minQty": "0.00000001", "maxQty": "9000000", "stepSize": "0.00000001"},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }


def _venue_quote(symbol: Symbol) -> str:
    return "USDT" if symbol.quote == "USD" else symbol.quote

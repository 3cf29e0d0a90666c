"""CoinGecko's free interface under ``/api/v3/coins``: candles stamped with their CLOSE, points, the list of coins."""

from __future__ import annotations

from algo_pipeline.common.time import BAR_NS, DAY_NS
from algo_pipeline.common.types import Symbol
from algo_pipeline.sandbox.core import Sandbox
from algo_pipeline.sandbox.faults import Fault, spoiled
from algo_pipeline.sandbox.market import BarSeries, Candle
from algo_pipeline.sandbox.wire import Reply, WireRequest, json_reply, milliseconds
from algo_pipeline.sources.coingecko import COIN_IDS

_BAD_REQUEST, _UNAUTHORIZED, _NOT_FOUND = 400, 401, 404
_HALF_HOUR_NS, _FIVE_MINUTES_NS = BAR_NS // 2, BAR_NS // 12
_OHLC_DAYS = ("1", "7", "14", "30", "90", "180", "365")
_OLDEST_DAYS = 365
_POINT_LATE_NS = 23_000_000_000
_HALF_HOURLY_DAYS, _FOUR_HOURLY_DAYS, _HOURLY_POINT_DAYS = 2, 30, 90


class _BadQuery(Exception):  # noqa: N818 - the reader's fault
    """The status and CoinGecko's words for a request it refuses."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def list_coins(sandbox: Sandbox, request: WireRequest) -> Reply:
    """``GET /api/v3/coins/list``."""
    del request
    bases = dict.fromkeys(symbol.base for symbol in sandbox.market.symbols)
    return json_reply([{"id": coin_id(base), "symbol": base.lower(), "name": base} for base in bases])


def get_ohlc(sandbox: Sandbox, request: WireRequest, fault: Fault | None = None) -> Reply:
    """``GET /api/v3/coins/{id}/ohlc``: candles of 30 minutes for a day, 4 hours for 30 days, 4 days beyond."""
    now_ns = sandbox.clock.now_ns()
    try:
        symbol, days = _coin(sandbox, request), _days(request)
        if request.query.get("days") not in _OHLC_DAYS:
            raise _BadQuery(_BAD_REQUEST, "Invalid days parameter")
    except _BadQuery as error:
        return _refused(error)
    span_ns = _candle_span(days)
    first_ns = (now_ns - days * DAY_NS) // span_ns * span_ns
    candles = spoiled(sandbox.market[symbol].seen(now_ns, first_ns // BAR_NS * BAR_NS, now_ns), fault, now_ns)
    rows = _halved(candles, first_ns, now_ns) if span_ns < BAR_NS else _grouped(candles, span_ns, now_ns)
    return json_reply([[milliseconds(row.opened_ns), row.open, row.high, row.low, row.close] for row in rows])


def get_market_chart(sandbox: Sandbox, request: WireRequest, fault: Fault | None = None) -> Reply:
    """``GET /api/v3/coins/{id}/market_chart``: points every 5 minutes for a day, hourly for 90 days, daily beyond."""
    now_ns = sandbox.clock.now_ns()
    try:
        symbol, days = _coin(sandbox, request), _days(request)
    except _BadQuery as error:
        return _refused(error)
    series = sandbox.market[symbol]
    if days == 1:
        points = _path(series, now_ns)
    else:
        step_ns = BAR_NS if days <= _HOURLY_POINT_DAYS else DAY_NS
        candles = series.seen(now_ns, now_ns - days * DAY_NS - BAR_NS, now_ns - BAR_NS)
        points = [
            (candle.closes_ns + _POINT_LATE_NS, candle.close)
            for candle in spoiled(candles, fault, now_ns)
            if candle.closes_ns % step_ns == 0 and candle.closes_ns + _POINT_LATE_NS <= now_ns
        ]
    latest = series.price_at(now_ns)
    points = points if latest is None else [*points, (now_ns, latest)]
    prices = [[milliseconds(at_ns), price] for at_ns, price in points]
    nothing = [[at_ms, 0.0] for at_ms, _ in prices]
    return json_reply({"prices": prices, "market_caps": nothing, "total_volumes": nothing})


def coin_id(base: str) -> str:
    """CoinGecko's name of a coin, or its symbol in lower case where the pipeline knows none."""
    return COIN_IDS.get(base, base.lower())


def _coin(sandbox: Sandbox, request: WireRequest) -> Symbol:
    currency = request.query.get("vs_currency", "")
    if not currency:
        raise _BadQuery(_BAD_REQUEST, "Missing parameter vs_currency")
    named = [symbol for symbol in sandbox.market.symbols if coin_id(symbol.base) == request.parts["coin"]]
    if not named:
        raise _BadQuery(_NOT_FOUND, "coin not found")
    for symbol in named:
        if symbol.quote.lower() == currency.lower():
            return symbol
    raise _BadQuery(_BAD_REQUEST, "invalid vs_currency")


def _days(request: WireRequest) -> int:
    text = request.query.get("days", "")
    if not text.isdecimal() or int(text) == 0:
        raise _BadQuery(_BAD_REQUEST, "Invalid days parameter")
    if int(text) > _OLDEST_DAYS:
        raise _BadQuery(_UNAUTHORIZED, "Your request exceeds the allowed time range: the past 365 days.")
    return int(text)


def _refused(error: _BadQuery) -> Reply:
    return json_reply({"error": str(error)}, error.status)


def _path(series: BarSeries, now_ns: int) -> list[tuple[int, float]]:
    """A day of prices every five minutes."""
    first_ns = (now_ns - DAY_NS) // _FIVE_MINUTES_NS * _FIVE_MINUTES_NS
    times = range(first_ns, now_ns, _FIVE_MINUTES_NS)
    return [(at_ns, price) for at_ns in times if (price := series.price_at(at_ns)) is not None]


def _candle_span(days: int) -> int:
    if days <= _HALF_HOURLY_DAYS:
        return _HALF_HOUR_NS
    return 4 * BAR_NS if days <= _FOUR_HOURLY_DAYS else 4 * DAY_NS


def _halved(candles: list[Candle], first_ns: int, now_ns: int) -> list[Candle]:
    """Halves of bars after a time that are over, by the path of the price, stamped with their close."""
    halves = [_half(candle, at_ns, at_ns + _HALF_HOUR_NS) for candle in candles for at_ns in _half_hours(candle)]
    return [half for half in halves if first_ns < half.opened_ns <= now_ns]


def _half_hours(candle: Candle) -> tuple[int, int]:
    return candle.opened_ns, candle.opened_ns + _HALF_HOUR_NS


def _half(candle: Candle, start_ns: int, end_ns: int) -> Candle:
    low, high = candle.extremes(start_ns, end_ns)
    return Candle(end_ns, candle.price_at(start_ns), high, low, candle.price_at(end_ns), candle.volume / 2)


def _grouped(candles: list[Candle], span_ns: int, now_ns: int) -> list[Candle]:
    """Candles of a span that are over, stamped with their close."""
    groups: dict[int, list[Candle]] = {}
    for candle in candles:
        groups.setdefault(candle.opened_ns // span_ns, []).append(candle)
    closing = {(number + 1) * span_ns: group for number, group in groups.items()}
    return [_merged(closes_ns, group) for closes_ns, group in closing.items() if closes_ns <= now_ns]


def _merged(closes_ns: int, group: list[Candle]) -> Candle:
    low, high = min(candle.low for candle in group), max(candle.high for candle in group)
    return Candle(closes_ns, group[0].open, high, low, group[-1].close, sum(candle.volume for candle in group))

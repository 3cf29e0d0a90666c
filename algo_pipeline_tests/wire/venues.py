"""The right answers of Binance, Alpaca's data API and CoinGecko, as their documentation gives them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from algo_pipeline_tests.wire.server import WireServer

HOUR = pd.Timedelta(hours=1)
Reply = tuple[int, str]


def answer(server: WireServer, path: str, query: Mapping[str, str]) -> Reply:
    routes = {
        "/api/v3/time": binance_time,
        "/api/v3/klines": binance_klines,
        "/api/v3/exchangeInfo": binance_exchange_info,
        "/v1beta3/crypto/us/bars": alpaca_bars,
        "/api/v3/coins/list": coingecko_list,
    }
    if path in routes:
        return routes[path](server, query)
    if path.startswith("/api/v3/coins/") and path.endswith(("/market_chart", "/ohlc")):
        _, _, _, _, coin, kind = path.split("/")
        return coingecko_chart(server, coin, kind, query)
    return 404, json.dumps({"error": "not found"})


def binance_time(server: WireServer, query: Mapping[str, str]) -> Reply:
    return 200, json.dumps({"serverTime": _ms(server.now)})


def binance_klines(server: WireServer, query: Mapping[str, str]) -> Reply:
    bars = server.bars.get(query["symbol"])
    if bars is None:
        return 400, json.dumps({"code": -1121, "msg": "Invalid symbol."})
    bars = _started(server, bars)
    start, end = int(query.get("startTime", 0)), int(query.get("endTime", 2**62))
    inside = [row for row in bars.itertuples() if start <= _ms(row.Index) <= end]
    limit = min(int(query.get("limit", 500)), server.page_limit)
    return 200, json.dumps([_kline(row) for row in inside[:limit]])


def binance_exchange_info(server: WireServer, query: Mapping[str, str]) -> Reply:
    symbols = [
        {"symbol": name, "status": "TRADING", "baseAsset": name.removesuffix("USDT"), "quoteAsset": "USDT"}
        for name in server.bars
        if name.endswith("USDT")
    ]
    return 200, json.dumps({"timezone": "UTC", "serverTime": _ms(server.now), "symbols": symbols})


def alpaca_bars(server: WireServer, query: Mapping[str, str]) -> Reply:
    symbol = query["symbols"]
    if "/" not in symbol:
        return 400, json.dumps({"message": f"code=400, message=invalid symbol: {symbol}"})
    bars = server.bars.get(symbol)
    if bars is None:
        return 200, json.dumps({"bars": {}, "next_page_token": None})
    bars = _started(server, bars)
    start, end = pd.Timestamp(query["start"]), pd.Timestamp(query.get("end", server.now))
    inside = bars[(bars.index >= start) & (bars.index <= end)]
    first, limit = int(query.get("page_token", 0)), min(int(query.get("limit", 1000)), server.page_limit)
    page = inside.iloc[first : first + limit]
    token = str(first + limit) if first + limit < len(inside) else None
    rows = [_alpaca_bar(row) for row in page.itertuples()]
    return 200, json.dumps({"bars": {symbol: rows} if rows else {}, "next_page_token": token})


def coingecko_list(server: WireServer, query: Mapping[str, str]) -> Reply:
    coins = [("pepe", "pepe"), ("twin-one", "twin"), ("twin-two", "twin")]
    return 200, json.dumps([{"id": coin, "symbol": symbol, "name": coin} for coin, symbol in coins])


def coingecko_chart(server: WireServer, coin: str, kind: str, query: Mapping[str, str]) -> Reply:
    bars = server.bars.get(f"coingecko:{coin}")
    if bars is None:
        return 404, json.dumps({"error": "coin not found"})
    since = server.now - pd.Timedelta(days=int(query["days"]))
    closed = bars[(bars.index + HOUR <= server.now) & (bars.index + HOUR > since)]
    if kind == "ohlc":
        rows = [[_ms(row.Index + HOUR), row.open, row.high, row.low, row.close] for row in closed.itertuples()]
        return 200, json.dumps(rows)
    late = pd.Timedelta(seconds=23)
    prices = [[_ms(row.Index + HOUR + late), row.close] for row in closed.itertuples()]
    return 200, json.dumps({"prices": prices, "market_caps": [], "total_volumes": []})


def _started(server: WireServer, bars: pd.DataFrame) -> pd.DataFrame:
    """Bars that have begun by the venue's clock: the last of them may still be open, as at the real venues."""
    return bars[bars.index <= server.now]


def _kline(row: Any) -> list[Any]:
    opened = _ms(row.Index)
    prices = [str(row.open), str(row.high), str(row.low), str(row.close), str(row.volume)]
    return [opened, *prices, opened + 3_599_999, "0", 1, "0", "0", "0"]


def _alpaca_bar(row: Any) -> dict[str, Any]:
    stamp = row.Index.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"t": stamp, "o": row.open, "h": row.high, "l": row.low, "c": row.close, "v": row.volume, "n": 1, "vw": 1.0}


def _ms(at: pd.Timestamp) -> int:
    return int(at.value // 1_000_000)

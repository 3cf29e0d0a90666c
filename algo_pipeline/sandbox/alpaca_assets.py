"""Alpaca's list of crypto assets, and how symbols are spelled in its paths."""

from __future__ import annotations

from functools import cache
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from algo_pipeline.common.types import Symbol
from algo_pipeline.sandbox.alpaca_errors import unknown
from algo_pipeline.sandbox.core import Sandbox
from algo_pipeline.sandbox.market import Market
from algo_pipeline.sandbox.wire import Reply, WireRequest, json_reply


def position_symbol(symbol: Symbol) -> str:
    """``BTCUSD``: positions have no slash."""
    return f"{symbol.base}{symbol.quote}"


@cache
def asset_id(symbol: Symbol) -> str:
    """The asset's UUID in lists of assets and in orders."""
    return str(uuid5(NAMESPACE_URL, f"sandbox/asset/{symbol}"))


@cache
def position_asset_id(symbol: Symbol) -> str:
    """The UUID of the same coin in positions: Alpaca's is another one."""
    return str(uuid5(NAMESPACE_URL, f"sandbox/position/{symbol}"))


def find_symbol(market: Market, text: str) -> Symbol | None:
    """The symbol spelled ``BTC/USD`` or ``BTCUSD``, if the sandbox has it."""
    wanted = text.replace("/", "", 1)
    return next((symbol for symbol in market.symbols if position_symbol(symbol) == wanted), None)


def list_assets(sandbox: Sandbox, request: WireRequest) -> Reply:
    """``GET /v2/assets``."""
    wanted_class, wanted_status = request.query.get("asset_class", "crypto"), request.query.get("status", "active")
    if wanted_class != "crypto" or wanted_status not in ("active", "all"):
        return json_reply([])
    return json_reply([_asset(symbol) for symbol in sandbox.market.symbols])


def get_asset(sandbox: Sandbox, request: WireRequest) -> Reply:
    """``GET /v2/assets/{symbol or id}``."""
    wanted = request.parts["symbol"]
    symbol = find_symbol(sandbox.market, wanted)
    if symbol is None:
        symbol = next((each for each in sandbox.market.symbols if asset_id(each) == wanted), None)
    if symbol is None:
        raise unknown(f"asset not found for {wanted}")
    return json_reply(_asset(symbol))


def _asset(symbol: Symbol) -> dict[str, Any]:
    return {
        "id": asset_id(symbol),
        "class": "crypto",
        "exchange": "CRYPTO",
        "symbol": str(symbol),
        "name": f"{symbol.base} / {symbol.quote}",
        "status": "active",
        "tradable": True,
        "marginable": False,
        "maintenance_margin_requirement": 100,
        "shortable": False,
        "easy_to_borrow": False,
        "fractionable": True,
        "attributes": [],
        "min_order_size": "0.000000001",
        "min_trade_increment": "0.000000001",
        "price_increment": "0.000000001",
    }

"""Alpaca's account, positions and clock under ``/v2``."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

from algo_pipeline.backtest.broker_sim_decimals import EXACT, ROUNDED, ZERO, exact
from algo_pipeline.common.time import DAY_NS
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.sandbox.alpaca_assets import position_asset_id, position_symbol
from algo_pipeline.sandbox.alpaca_errors import bad_parameter, unknown
from algo_pipeline.sandbox.alpaca_orders import order_document
from algo_pipeline.sandbox.core import Sandbox
from algo_pipeline.sandbox.orders import OrderRequest, OrderType, Refusal, TimeInForce, VenueOrder
from algo_pipeline.sandbox.wire import Reply, WireRequest, json_reply, read_decimal, time_text

_MULTI_STATUS = 207
_WIRE_STEP = Decimal("1e-9")


def get_clock(sandbox: Sandbox, request: WireRequest) -> Reply:
    """``GET /v2/clock``: the virtual time; crypto never closes."""
    del request
    now_ns = sandbox.clock.now_ns()
    later = time_text(now_ns + DAY_NS)
    return json_reply({"timestamp": time_text(now_ns), "is_open": True, "next_open": later, "next_close": later})


def get_account(sandbox: Sandbox, request: WireRequest) -> Reply:
    """``GET /v2/account``."""
    del request
    ledger = sandbox.venue.ledger
    now_ns = sandbox.clock.now_ns()
    held = _worth(sandbox, now_ns)
    equity, free = EXACT.add(ledger.cash, held), ledger.free_cash()
    return json_reply(
        {
            "id": ledger.account_id,
            "account_number": f"PA{ledger.account_id[:10].replace('-', '').upper()}",
            "status": "ACTIVE",
            "crypto_status": "ACTIVE",
            "currency": "USD",
            "cash": ledger.cash,
            "equity": equity,
            "portfolio_value": equity,
            "last_equity": EXACT.add(ledger.cash, _worth(sandbox, now_ns - now_ns % DAY_NS)),
            "buying_power": free,
            "regt_buying_power": free,
            "non_marginable_buying_power": free,
            "long_market_value": held,
            "short_market_value": "0",
            "position_market_value": held,
            "initial_margin": "0",
            "maintenance_margin": "0",
            "last_maintenance_margin": "0",
            "accrued_fees": "0",
            "sma": "0",
            "multiplier": "1",
            "shorting_enabled": False,
            "trading_blocked": False,
            "transfers_blocked": False,
            "account_blocked": False,
            "trade_suspended_by_user": ledger.blocked,
            "created_at": time_text(ledger.opened_ns),
        }
    )


def list_positions(sandbox: Sandbox, request: WireRequest) -> Reply:
    """``GET /v2/positions``."""
    del request
    return json_reply([_position(sandbox, symbol) for symbol in sandbox.venue.ledger.held_symbols()])


def get_position(sandbox: Sandbox, request: WireRequest) -> Reply:
    """``GET /v2/positions/{BTCUSD or asset id}``."""
    return json_reply(_position(sandbox, _held(sandbox, request.parts["symbol"])))


def close_position(sandbox: Sandbox, request: WireRequest) -> Reply:
    """``DELETE /v2/positions/{BTCUSD or asset id}``: a market sell of all that is available, or of a part."""
    symbol = _held(sandbox, request.parts["symbol"])
    return json_reply(order_document(_sell(sandbox, symbol, _part(sandbox, symbol, request))))


def close_all_positions(sandbox: Sandbox, request: WireRequest) -> Reply:
    """``DELETE /v2/positions``."""
    venue = sandbox.venue
    if request.query.get("cancel_orders", "false").lower() == "true":
        for order in venue.ledger.open_orders:
            venue.cancel(order)
    return json_reply([_closed(sandbox, symbol) for symbol in venue.ledger.held_symbols()], _MULTI_STATUS)


def _closed(sandbox: Sandbox, symbol: Symbol) -> dict[str, Any]:
    name = position_symbol(symbol)
    try:
        order = _sell(sandbox, symbol, sandbox.venue.ledger.free_quantity(symbol))
    except Refusal as refusal:
        return {"symbol": name, "status": refusal.status, "body": {"code": refusal.code, "message": refusal.message}}
    return {"symbol": name, "status": 200, "body": order_document(order)}


def _sell(sandbox: Sandbox, symbol: Symbol, quantity: Decimal) -> VenueOrder:
    order_id = sandbox.venue.new_client_order_id()
    return sandbox.venue.place(
        OrderRequest(symbol, Side.SELL, OrderType.MARKET, TimeInForce.GTC, quantity, None, None, order_id)
    )


def _part(sandbox: Sandbox, symbol: Symbol, request: WireRequest) -> Decimal:
    available = sandbox.venue.ledger.free_quantity(symbol)
    if "qty" in request.query:
        part = read_decimal(request.query["qty"])
    elif "percentage" in request.query:
        percentage = read_decimal(request.query["percentage"])
        part = None if percentage is None else EXACT.multiply(available, percentage.scaleb(-2)).quantize(_WIRE_STEP)
    else:
        part = available
    if part is None or part <= 0:
        raise bad_parameter("qty or percentage must be a number > 0")
    return part


def _held(sandbox: Sandbox, wanted: str) -> Symbol:
    for symbol in sandbox.venue.ledger.held_symbols():
        if wanted in (position_symbol(symbol), position_asset_id(symbol)):
            return symbol
    raise unknown("position does not exist")


def _worth(sandbox: Sandbox, at_ns: int) -> Decimal:
    """What all holdings are worth at the prices of a time."""
    ledger, worth = sandbox.venue.ledger, ZERO
    with localcontext(EXACT):
        for symbol in ledger.held_symbols():
            worth += ledger.holding(symbol).quantity * exact(sandbox.market[symbol].price_at(at_ns) or 0.0)
    return worth


def _position(sandbox: Sandbox, symbol: Symbol) -> dict[str, Any]:
    ledger = sandbox.venue.ledger
    holding, price = ledger.holding(symbol), sandbox.venue.price(symbol)
    now_ns = sandbox.clock.now_ns()
    yesterday = exact(sandbox.market[symbol].price_at(now_ns - now_ns % DAY_NS) or 0.0)
    worth = EXACT.multiply(holding.quantity, price)
    with localcontext(ROUNDED):
        gain, today = worth - holding.cost, (price - yesterday) * holding.quantity
        return {
            "asset_id": position_asset_id(symbol),
            "symbol": position_symbol(symbol),
            "exchange": "CRYPTO",
            "asset_class": "crypto",
            "asset_marginable": False,
            "side": "long",
            "qty": holding.quantity,
            "qty_available": ledger.free_quantity(symbol),
            "avg_entry_price": _ratio(holding.cost, holding.quantity),
            "cost_basis": holding.cost,
            "market_value": worth,
            "current_price": price,
            "lastday_price": yesterday,
            "change_today": _ratio(price - yesterday, yesterday),
            "unrealized_pl": gain,
            "unrealized_plpc": _ratio(gain, holding.cost),
            "unrealized_intraday_pl": today,
            "unrealized_intraday_plpc": _ratio(price - yesterday, yesterday),
        }


def _ratio(value: Decimal, of: Decimal) -> Decimal:
    return (value / of).quantize(_WIRE_STEP) if of else ZERO

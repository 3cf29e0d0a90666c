"""Alpaca's orders under ``/v2/orders``."""

from __future__ import annotations

from bisect import bisect_right
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from algo_pipeline.common.types import Side
from algo_pipeline.sandbox.alpaca_assets import asset_id, find_symbol
from algo_pipeline.sandbox.alpaca_errors import (
    BAD_ORDER,
    BAD_REQUEST,
    MALFORMED,
    UNPROCESSABLE,
    bad_parameter,
    unknown,
)
from algo_pipeline.sandbox.core import Sandbox
from algo_pipeline.sandbox.orders import OrderRequest, OrderType, Refusal, TimeInForce, VenueOrder
from algo_pipeline.sandbox.wire import Reply, WireRequest, json_reply, read_decimal, read_time, time_text

_LONGEST_ID = 48
_DEFAULT_LIMIT, _HIGHEST_LIMIT = 50, 500
_WIRE_DECIMALS = 9
_LARGEST = Decimal("1e15")
_MULTI_STATUS, _NO_CONTENT = 207, 204
_STATUSES = ("open", "closed", "all")
_DIRECTIONS = ("asc", "desc")

T = TypeVar("T")


def place_order(sandbox: Sandbox, request: WireRequest) -> Reply:
    """``POST /v2/orders``: acknowledged as ``pending_new``, whatever has already been filled."""
    return json_reply(order_document(sandbox.venue.place(read_order(sandbox, _body(request)))))


def read_order(sandbox: Sandbox, body: dict[str, Any]) -> OrderRequest:
    """Understand the body of an order.

    Raises
    ------
    Refusal
        In Alpaca's words, if it is none.
    """
    name = body.get("symbol")
    if not isinstance(name, str) or not name:
        raise bad_parameter("symbol is required")
    symbol = find_symbol(sandbox.market, name)
    if symbol is None:
        raise Refusal(UNPROCESSABLE, BAD_ORDER, f'asset "{name}" not found')
    order_type = _member(OrderType, body.get("type"), bad_parameter("invalid order type for crypto order"))
    limit = _positive(body, "limit_price")
    if (limit is None) is (order_type is OrderType.LIMIT):
        raise bad_parameter(f"{order_type.value} orders {'require a' if limit is None else 'take no'} limit price")
    quantity, notional = _amount(sandbox, body)
    return OrderRequest(
        symbol,
        _member(Side, body.get("side"), bad_parameter("side must be buy or sell")),
        order_type,
        _member(
            TimeInForce,
            body.get("time_in_force"),
            Refusal(UNPROCESSABLE, BAD_ORDER, "invalid crypto time_in_force"),
        ),
        quantity,
        notional,
        limit,
        _client_order_id(sandbox, body),
    )


def list_orders(sandbox: Sandbox, request: WireRequest) -> Reply:
    """``GET /v2/orders``: newest first unless asked otherwise; ``after`` and ``until`` exclude their own time."""
    orders = _selected(sandbox, request)
    if _choice(request, "direction", _DIRECTIONS, "desc") == "desc":
        orders = orders[::-1]
    return json_reply([order_document(order) for order in orders[: _limit(request)]])


def get_order(sandbox: Sandbox, request: WireRequest) -> Reply:
    """``GET /v2/orders/{id}``."""
    return json_reply(order_document(_order(sandbox, request)))


def get_order_by_client_id(sandbox: Sandbox, request: WireRequest) -> Reply:
    """``GET /v2/orders:by_client_order_id``."""
    wanted = request.query.get("client_order_id", "")
    if not wanted:
        raise bad_parameter("client_order_id is required")
    order = sandbox.venue.ledger.order_of_client(wanted)
    if order is None:
        raise unknown(f"order not found for {wanted}")
    return json_reply(order_document(order))


def cancel_order(sandbox: Sandbox, request: WireRequest) -> Reply:
    """``DELETE /v2/orders/{id}``."""
    sandbox.venue.cancel(_order(sandbox, request))
    return Reply(_NO_CONTENT)


def cancel_all_orders(sandbox: Sandbox, request: WireRequest) -> Reply:
    """``DELETE /v2/orders``."""
    del request
    orders = sandbox.venue.ledger.open_orders
    for order in orders:
        sandbox.venue.cancel(order)
    return json_reply([{"id": order.id, "status": 200} for order in orders], _MULTI_STATUS)


def order_document(order: VenueOrder) -> dict[str, Any]:
    """An order as Alpaca writes it: numbers as text, what does not apply null."""
    request = order.request
    return {
        "id": order.id,
        "client_order_id": request.client_order_id,
        "created_at": time_text(order.created_ns),
        "updated_at": time_text(order.updated_ns),
        "submitted_at": time_text(order.created_ns),
        "filled_at": _time_or_null(order.filled_ns if order.status == "filled" else None),
        "expired_at": None,
        "expires_at": None,
        "canceled_at": _time_or_null(order.canceled_ns),
        "failed_at": None,
        "replaced_at": None,
        "replaced_by": None,
        "replaces": None,
        "asset_id": asset_id(request.symbol),
        "symbol": str(request.symbol),
        "asset_class": "crypto",
        "notional": request.notional,
        "qty": request.quantity,
        "filled_qty": order.filled_quantity,
        "filled_avg_price": order.average_price,
        "order_class": "simple",
        "order_type": request.type.value,
        "type": request.type.value,
        "side": request.side.value,
        "position_intent": "buy_to_open" if request.side is Side.BUY else "sell_to_close",
        "time_in_force": request.time_in_force.value,
        "limit_price": request.limit,
        "stop_price": None,
        "status": order.status,
        "extended_hours": False,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "subtag": None,
        "source": None,
    }


def _body(request: WireRequest) -> dict[str, Any]:
    try:
        return request.document()
    except ValueError:
        raise Refusal(BAD_REQUEST, MALFORMED, "request body format is invalid") from None


def _amount(sandbox: Sandbox, body: dict[str, Any]) -> tuple[Decimal | None, Decimal | None]:
    quantity, notional = _positive(body, "qty"), _positive(body, "notional")
    if (quantity is None) is (notional is None):
        raise bad_parameter(
            "qty or notional is required" if quantity is None else "only one of qty or notional is accepted"
        )
    # A fee taken from the coin leaves a tenth decimal, and an exit in parity mode sells all that is held.
    if quantity is not None and not sandbox.venue.rules.is_parity and _decimals(quantity) > _WIRE_DECIMALS:
        raise bad_parameter(f"qty must be limited to {_WIRE_DECIMALS} decimal places")
    return quantity, notional


def _client_order_id(sandbox: Sandbox, body: dict[str, Any]) -> str:
    order_id = body.get("client_order_id") or sandbox.venue.new_client_order_id()
    if not isinstance(order_id, str) or len(order_id) > _LONGEST_ID:
        raise bad_parameter(f"client_order_id must be no more than {_LONGEST_ID} characters")
    return order_id


def _positive(body: dict[str, Any], key: str) -> Decimal | None:
    if body.get(key) is None:
        return None
    value = read_decimal(body[key])
    if value is None or not 0 < value < _LARGEST:
        raise bad_parameter(f"{key} must be > 0")
    return value


def _member(kind: type[T], value: object, refusal: Refusal) -> T:
    try:
        return kind(value)  # type: ignore[call-arg]  # an enum is called with its value
    except ValueError:
        raise refusal from None


def _order(sandbox: Sandbox, request: WireRequest) -> VenueOrder:
    wanted = request.parts["order_id"]
    try:
        UUID(wanted)
    except ValueError:
        raise bad_parameter("order_id must be a UUID") from None
    order = sandbox.venue.ledger.order(wanted)
    if order is None:
        raise unknown(f"order not found for {wanted}")
    return order


def _selected(sandbox: Sandbox, request: WireRequest) -> list[VenueOrder]:
    """The orders that a list asks for, oldest first."""
    status = _choice(request, "status", _STATUSES, "open")
    ledger = sandbox.venue.ledger
    orders = ledger.open_orders if status == "open" else ledger.orders
    after_ns, until_ns = _time(request, "after"), _time(request, "until")
    first = 0 if after_ns is None else bisect_right(orders, after_ns, key=_created_ns)
    names, side = request.query.get("symbols"), request.query.get("side")
    wanted = None if not names else {find_symbol(sandbox.market, name) for name in names.split(",")}
    return [
        order
        for order in orders[first:]
        if (status != "closed" or not order.is_open)
        and (until_ns is None or order.created_ns < until_ns)
        and (wanted is None or order.request.symbol in wanted)
        and (side is None or order.request.side.value == side)
    ]


def _created_ns(order: VenueOrder) -> int:
    return order.created_ns


def _choice(request: WireRequest, name: str, allowed: tuple[str, ...], default: str) -> str:
    value = request.query.get(name) or default
    if value not in allowed:
        raise bad_parameter(f"{name} must be one of {', '.join(allowed)}")
    return value


def _limit(request: WireRequest) -> int:
    text = request.query.get("limit") or str(_DEFAULT_LIMIT)
    if not text.isdecimal() or not 0 < int(text) <= _HIGHEST_LIMIT:
        raise bad_parameter(f"limit must be between 1 and {_HIGHEST_LIMIT}")
    return int(text)


def _time(request: WireRequest, name: str) -> int | None:
    text = request.query.get(name)
    if not text:
        return None
    try:
        return read_time(text)
    except ValueError:
        raise bad_parameter(f"{name} must be a time, for example 2024-01-31T00:00:00Z") from None


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def _time_or_null(at_ns: int | None) -> str | None:
    return None if at_ns is None else time_text(at_ns)

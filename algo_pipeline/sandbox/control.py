"""The sandbox's own interface under ``/sandbox``: clock, faults, account, ledger, request log, snapshot."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from algo_pipeline.common.errors import AlgoPipelineError, ConfigValueError
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.sandbox.alpaca_assets import find_symbol
from algo_pipeline.sandbox.alpaca_orders import order_document, read_order
from algo_pipeline.sandbox.core import Sandbox
from algo_pipeline.sandbox.faults import Fault, FaultKind
from algo_pipeline.sandbox.orders import OrderRequest, OrderType, Refusal, TimeInForce
from algo_pipeline.sandbox.request_log import LoggedRequest
from algo_pipeline.sandbox.state import fill_document, restore, snapshot, transfer_document
from algo_pipeline.sandbox.wire import Reply, WireRequest, json_reply, read_decimal, read_time, time_text

_UNPROCESSABLE = 422
_SHOWN_REQUESTS = 1_000
_FAULT_FIELDS = frozenset(field.name for field in dataclasses.fields(Fault))
_REMEDY = "See docs/sandbox.md for what the control interface takes."


def controlled(handler: Callable[[Sandbox, WireRequest], Any], sandbox: Sandbox, request: WireRequest) -> Reply:
    """Answer with what a handler returns, or with why it refused."""
    try:
        return json_reply(handler(sandbox, request))
    except AlgoPipelineError as error:
        return json_reply({"error": {"message": error.message, "remedy": error.remedy}}, _UNPROCESSABLE)
    except Refusal as refusal:
        return json_reply({"error": {"message": refusal.message, "remedy": _REMEDY}}, _UNPROCESSABLE)


def get_state(sandbox: Sandbox, request: WireRequest) -> Any:
    """``GET /sandbox/state``."""
    del request
    venue = sandbox.venue
    return {
        **_time(sandbox),
        "mode": venue.rules.mode.value,
        "symbols": [str(symbol) for symbol in sandbox.market.symbols],
        "last_bar": time_text(sandbox.market.last_open_ns),
        "account_id": venue.ledger.account_id,
        "cash": venue.ledger.cash,
        "holdings": _holdings(sandbox),
        "orders": venue.ledger.n_orders,
        "open_orders": len(venue.ledger.open_orders),
        "requests": sandbox.log.n_requests,
        "faults": len(sandbox.faults.listed()),
    }


def set_clock(sandbox: Sandbox, request: WireRequest) -> Any:
    """``POST /sandbox/clock`` with ``advance_s``, ``set`` or ``speed``."""
    body = _body(request, {"advance_s", "set", "speed"})
    if len(body) != 1:
        raise ConfigValueError("One of advance_s, set and speed is expected.", _REMEDY)
    if "advance_s" in body:
        sandbox.clock.advance(int(_number(body, "advance_s") * 1_000_000_000))
    elif "set" in body:
        sandbox.clock.set(_moment(body["set"]))
    else:
        sandbox.clock.run(float(_number(body, "speed")))
    sandbox.venue.catch_up()
    return _time(sandbox)


def list_faults(sandbox: Sandbox, request: WireRequest) -> Any:
    """``GET /sandbox/faults``."""
    del request
    return [{**dataclasses.asdict(fault), "hits": hits} for fault, hits in sandbox.faults.listed()]


def add_fault(sandbox: Sandbox, request: WireRequest) -> Any:
    """``POST /sandbox/faults`` with the fields of a :class:`Fault`."""
    body = _body(request, _FAULT_FIELDS)
    sandbox.faults.add(_fault(body))
    return list_faults(sandbox, request)


def clear_faults(sandbox: Sandbox, request: WireRequest) -> Any:
    """``DELETE /sandbox/faults``."""
    sandbox.faults.clear()
    return list_faults(sandbox, request)


def get_ledger(sandbox: Sandbox, request: WireRequest) -> Any:
    """``GET /sandbox/ledger``: exact decimals, checked to add up."""
    del request
    sandbox.venue.catch_up()
    ledger = sandbox.venue.ledger
    ledger.verify()
    return {
        **_time(sandbox),
        "account_id": ledger.account_id,
        "cash": ledger.cash,
        "holdings": _holdings(sandbox),
        "orders": [order_document(order) for order in ledger.orders],
        "fills": [{"at": time_text(fill.at_ns), **fill_document(fill)} for fill in ledger.fills],
        "transfers": [{"at": time_text(each.at_ns), **transfer_document(each)} for each in ledger.transfers],
    }


def get_requests(sandbox: Sandbox, request: WireRequest) -> Any:
    """``GET /sandbox/requests``: the newest ``limit`` (1,000) after number ``after``, oldest first."""
    after, limit = (_count(request, name, default) for name, default in (("after", 0), ("limit", _SHOWN_REQUESTS)))
    return [_logged(entry) for entry in sandbox.log.since(after, limit)]


def clear_requests(sandbox: Sandbox, request: WireRequest) -> Any:
    """``DELETE /sandbox/requests``."""
    del request
    sandbox.log.clear()
    return []


def change_account(sandbox: Sandbox, request: WireRequest) -> Any:
    """``POST /sandbox/account`` with an ``action``: what happens to an account besides its strategy's orders."""
    body = _body(request, None)
    action = ACTIONS.get(str(body.get("action")))
    if action is None:
        raise ConfigValueError(f"action must be one of {', '.join(ACTIONS)}; it was {body.get('action')!r}.", _REMEDY)
    sandbox.venue.catch_up()
    order = action(sandbox, body)
    state = get_state(sandbox, request)
    return state if order is None else {**state, "order": order}


def get_snapshot(sandbox: Sandbox, request: WireRequest) -> Any:
    """``GET /sandbox/snapshot``."""
    del request
    return snapshot(sandbox.venue)


def put_snapshot(sandbox: Sandbox, request: WireRequest) -> Any:
    """``POST /sandbox/snapshot``: clock and account as they were; faults and the request log stay."""
    restore(sandbox.venue, _body(request, None))
    return get_state(sandbox, request)


def _deposit(sandbox: Sandbox, body: Mapping[str, Any]) -> None:
    sandbox.venue.transfer(_coin(sandbox, body), _number(body, "amount"))


def _withdraw(sandbox: Sandbox, body: Mapping[str, Any]) -> None:
    sandbox.venue.transfer(_coin(sandbox, body), -_number(body, "amount"))


def _reset(sandbox: Sandbox, body: Mapping[str, Any]) -> None:
    sandbox.venue.reset(_number(body, "cash") if "cash" in body else None)


def _block(sandbox: Sandbox, body: Mapping[str, Any]) -> None:
    del body
    sandbox.venue.block(blocked=True)


def _unblock(sandbox: Sandbox, body: Mapping[str, Any]) -> None:
    del body
    sandbox.venue.block(blocked=False)


def _trade(sandbox: Sandbox, body: Mapping[str, Any]) -> dict[str, Any]:
    """A market order placed by hand, at ``price`` if one is given."""
    symbol = _coin(sandbox, body)
    if symbol is None or body.get("side") not in ("buy", "sell"):
        raise ConfigValueError("A trade needs symbol, side (buy or sell) and qty.", _REMEDY)
    quantity, side, order_id = _number(body, "qty"), Side(body["side"]), sandbox.venue.new_client_order_id()
    request = OrderRequest(symbol, side, OrderType.MARKET, TimeInForce.GTC, quantity, None, None, order_id)
    price = _number(body, "price") if "price" in body else None
    return order_document(sandbox.venue.trade_by_hand(request, price))


def _order(sandbox: Sandbox, body: Mapping[str, Any]) -> dict[str, Any]:
    """An order that someone else sent, with Alpaca's own fields."""
    request = read_order(sandbox, {key: value for key, value in body.items() if key != "action"})
    return order_document(sandbox.venue.place(request))


ACTIONS: Mapping[str, Callable[[Sandbox, Mapping[str, Any]], dict[str, Any] | None]] = MappingProxyType(
    {
        "deposit": _deposit,
        "withdraw": _withdraw,
        "reset": _reset,
        "block": _block,
        "unblock": _unblock,
        "trade": _trade,
        "order": _order,
    }
)
"""What ``POST /sandbox/account`` can do, by name."""


def _time(sandbox: Sandbox) -> dict[str, Any]:
    return {"now": time_text(sandbox.clock.now_ns()), "speed": sandbox.clock.speed}


def _holdings(sandbox: Sandbox) -> dict[str, Decimal]:
    ledger = sandbox.venue.ledger
    return {str(symbol): ledger.holding(symbol).quantity for symbol in ledger.held_symbols()}


def _logged(entry: LoggedRequest) -> dict[str, Any]:
    return {
        "number": entry.number,
        "at": time_text(entry.at_ns),
        "method": entry.method,
        "path": entry.path,
        "query": dict(entry.query),
        "client_order_id": entry.client_order_id,
        "status": entry.status,
        "fault": entry.fault,
    }


def _body(request: WireRequest, allowed: set[str] | frozenset[str] | None) -> dict[str, Any]:
    try:
        body = request.document()
    except ValueError as error:
        raise ConfigValueError(f"A JSON object is expected: {error}.", _REMEDY) from error
    unknown = [] if allowed is None else sorted(set(body) - allowed)
    if unknown:
        raise ConfigValueError(
            f"{', '.join(unknown)} is unknown; known are {', '.join(sorted(allowed or ()))}.", _REMEDY
        )
    return body


def _fault(body: Mapping[str, Any]) -> Fault:
    try:
        plain: dict[str, Any] = {
            name: float(value) if isinstance(value, Decimal) else value for name, value in body.items()
        }
        plain["kind"] = FaultKind(body.get("kind"))
        return Fault(**plain)
    except (TypeError, ValueError) as error:
        if isinstance(error, ConfigValueError):
            raise
        kinds = ", ".join(kind.value for kind in FaultKind)
        raise ConfigValueError(f"A fault needs a kind of {kinds}, and fields of the right type.", _REMEDY) from error


def _coin(sandbox: Sandbox, body: Mapping[str, Any]) -> Symbol | None:
    if body.get("symbol") is None:
        return None
    symbol = find_symbol(sandbox.market, str(body["symbol"]))
    if symbol is None:
        raise ConfigValueError(f"The sandbox has no bars of {body['symbol']}.", "Start it with that symbol.")
    return symbol


def _number(body: Mapping[str, Any], name: str) -> Decimal:
    number = read_decimal(body.get(name))
    if number is None or number < 0:
        raise ConfigValueError(f"{name} must be a number >= 0; it was {body.get(name)!r}.", _REMEDY)
    return number


def _count(request: WireRequest, name: str, default: int) -> int:
    text = request.query.get(name) or str(default)
    if not text.isdecimal():
        raise ConfigValueError(f"{name} must be a whole number; it was {text!r}.", _REMEDY)
    return int(text)


def _moment(value: object) -> int:
    try:
        return read_time(str(value))
    except ValueError as error:
        raise ConfigValueError(
            f"set must be a time, for example 2024-01-31T00:00:00Z; it was {value!r}.", _REMEDY
        ) from error

"""The sandbox as an ASGI application: routes, keys, rate limits, faults and the log around the endpoints."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from algo_pipeline.sandbox import alpaca_account, alpaca_assets, alpaca_data, alpaca_orders, binance, coingecko, control
from algo_pipeline.sandbox.alpaca_errors import forbidden, refused, too_many, unauthorized
from algo_pipeline.sandbox.core import Sandbox
from algo_pipeline.sandbox.endings import Ending, answer_of, hang_up, send_reply
from algo_pipeline.sandbox.faults import Fault
from algo_pipeline.sandbox.orders import Refusal
from algo_pipeline.sandbox.state import StateKeeper
from algo_pipeline.sandbox.wire import Reply, WireRequest, json_reply

_LOCAL_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?", re.IGNORECASE)
_MISDIRECTED, _NOT_FOUND = 421, 404
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
Handler = Callable[[Sandbox, WireRequest, Fault | None], Reply]


def build_app(sandbox: Sandbox, keeper: StateKeeper) -> Router:
    """Put all endpoints of all venues, and the control interface, under one root."""
    venues = [*_trading_routes(), *_data_routes()]
    routes = [Route(path, _VenueEndpoint(sandbox, keeper, handler), methods=[verb]) for verb, path, handler in venues]
    routes += [
        Route(path, _ControlEndpoint(sandbox, keeper, handler), methods=[verb]) for verb, path, handler in _CONTROL
    ]
    routes.append(Route("/{rest:path}", _VenueEndpoint(sandbox, keeper, _unknown_path), methods=list(_METHODS)))
    return Router(routes, redirect_slashes=False)


def _trading_routes() -> Sequence[tuple[str, str, Handler]]:
    return [(verb, path, functools.partial(_traded, handler)) for verb, path, handler in _TRADING]


def _data_routes() -> Sequence[tuple[str, str, Handler]]:
    plain = [(verb, path, functools.partial(_plain, handler)) for verb, path, handler in _PLAIN_DATA]
    return [*plain, *_BARS]


_TRADING: Sequence[tuple[str, str, Callable[[Sandbox, WireRequest], Reply]]] = (
    ("GET", "/v2/account", alpaca_account.get_account),
    ("GET", "/v2/positions", alpaca_account.list_positions),
    ("DELETE", "/v2/positions", alpaca_account.close_all_positions),
    ("GET", "/v2/positions/{symbol}", alpaca_account.get_position),
    ("DELETE", "/v2/positions/{symbol}", alpaca_account.close_position),
    ("POST", "/v2/orders", alpaca_orders.place_order),
    ("GET", "/v2/orders", alpaca_orders.list_orders),
    ("DELETE", "/v2/orders", alpaca_orders.cancel_all_orders),
    ("GET", "/v2/orders:by_client_order_id", alpaca_orders.get_order_by_client_id),
    ("GET", "/v2/orders/{order_id}", alpaca_orders.get_order),
    ("DELETE", "/v2/orders/{order_id}", alpaca_orders.cancel_order),
    ("GET", "/v2/clock", alpaca_account.get_clock),
    ("GET", "/v2/assets", alpaca_assets.list_assets),
    ("GET", "/v2/assets/{symbol:path}", alpaca_assets.get_asset),
)
_PLAIN_DATA: Sequence[tuple[str, str, Callable[[Sandbox, WireRequest], Reply]]] = (
    ("GET", "/api/v3/ping", binance.ping),
    ("GET", "/api/v3/time", binance.server_time),
    ("GET", "/api/v3/exchangeInfo", binance.exchange_info),
    ("GET", "/api/v3/coins/list", coingecko.list_coins),
)
_BARS: Sequence[tuple[str, str, Handler]] = (
    ("GET", "/v1beta3/crypto/us/bars", alpaca_data.get_bars),
    ("GET", "/api/v3/klines", binance.klines),
    ("GET", "/api/v3/coins/{coin}/ohlc", coingecko.get_ohlc),
    ("GET", "/api/v3/coins/{coin}/market_chart", coingecko.get_market_chart),
)
_CONTROL: Sequence[tuple[str, str, Callable[[Sandbox, WireRequest], Any]]] = (
    ("GET", "/sandbox/state", control.get_state),
    ("POST", "/sandbox/clock", control.set_clock),
    ("GET", "/sandbox/faults", control.list_faults),
    ("POST", "/sandbox/faults", control.add_fault),
    ("DELETE", "/sandbox/faults", control.clear_faults),
    ("GET", "/sandbox/ledger", control.get_ledger),
    ("GET", "/sandbox/requests", control.get_requests),
    ("DELETE", "/sandbox/requests", control.clear_requests),
    ("POST", "/sandbox/account", control.change_account),
    ("GET", "/sandbox/snapshot", control.get_snapshot),
    ("POST", "/sandbox/snapshot", control.put_snapshot),
)


@dataclass(frozen=True, slots=True)
class _VenueEndpoint:
    """An endpoint of a venue: may fail as told, and is logged."""

    sandbox: Sandbox
    keeper: StateKeeper
    handler: Handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await _read(scope, receive)
        fault = self.sandbox.faults.take(request.method, request.path)
        if fault is not None and fault.waits_first:
            await asyncio.sleep(fault.delay_s)
        reply, ending = answer_of(fault, request.path, self._carry_out(request, fault))
        self._log(request, fault, reply, ending)
        if fault is not None and not fault.waits_first:
            await asyncio.sleep(fault.delay_s)
        now_ns = self.sandbox.clock.now_ns()
        if ending is Ending.COMPLETE:
            await send_reply(send, reply, now_ns)
        else:
            await hang_up(scope, receive, reply if ending is Ending.CUT_SHORT else None, now_ns)

    def _carry_out(self, request: WireRequest, fault: Fault | None) -> Reply | None:
        """The right answer, or None if the request takes no effect."""
        if fault is not None and not fault.takes_effect:
            return None
        reply = self.handler(self.sandbox, request, fault)
        self.keeper.keep(self.sandbox.venue)
        return reply

    def _log(self, request: WireRequest, fault: Fault | None, reply: Reply, ending: Ending) -> None:
        status = "reset" if ending is Ending.RESET else reply.status
        kind = None if fault is None else fault.kind.value
        self.sandbox.log.note(self.sandbox.clock.now_ns(), request, status, kind)


@dataclass(frozen=True, slots=True)
class _ControlEndpoint:
    """An endpoint of the sandbox's own: never fails on purpose, is not logged, and answers programs only."""

    sandbox: Sandbox
    keeper: StateKeeper
    handler: Callable[[Sandbox, WireRequest], Any]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await _read(scope, receive)
        if _LOCAL_HOST.fullmatch(request.headers.get("host", "")) and "origin" not in request.headers:
            reply = control.controlled(self.handler, self.sandbox, request)
            self.keeper.keep(self.sandbox.venue)
        else:
            # A web page that some browser shows here must not move money, not even play money.
            reply = json_reply(
                {"error": {"message": "The control interface is for programs.", "remedy": ""}}, _MISDIRECTED
            )
        await send_reply(send, reply, self.sandbox.clock.now_ns())


def _traded(
    handler: Callable[[Sandbox, WireRequest], Reply], sandbox: Sandbox, request: WireRequest, fault: Fault | None
) -> Reply:
    """Check keys and rate, bring the account up to date, then answer; a refusal in Alpaca's words."""
    del fault
    meter = sandbox.alpaca_meter
    wait_s = meter.count()
    headers = {
        "X-Ratelimit-Limit": str(meter.per_minute),
        "X-Ratelimit-Remaining": str(meter.left),
        "X-Ratelimit-Reset": str(meter.resets_at_s),
    }
    return (_unlisted(sandbox, request, wait_s) or _handled(handler, sandbox, request)).with_headers(headers)


def _unlisted(sandbox: Sandbox, request: WireRequest, wait_s: int) -> Reply | None:
    """Why the caller is turned away, if so."""
    keys = tuple(request.headers.get(name, "") for name in ("apca-api-key-id", "apca-api-secret-key"))
    if not all(keys):
        return unauthorized()
    if sandbox.keys is not None and keys != sandbox.keys:
        return forbidden()
    return too_many(wait_s) if wait_s > 0 else None


def _handled(handler: Callable[[Sandbox, WireRequest], Reply], sandbox: Sandbox, request: WireRequest) -> Reply:
    sandbox.venue.catch_up()
    try:
        return handler(sandbox, request)
    except Refusal as refusal:
        return refused(refusal)


def _plain(
    handler: Callable[[Sandbox, WireRequest], Reply], sandbox: Sandbox, request: WireRequest, fault: Fault | None
) -> Reply:
    del fault
    return handler(sandbox, request)


def _unknown_path(sandbox: Sandbox, request: WireRequest, fault: Fault | None) -> Reply:
    del sandbox, request, fault
    return json_reply({"message": "endpoint not found."}, _NOT_FOUND)


async def _read(scope: Scope, receive: Receive) -> WireRequest:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return WireRequest(
        scope["method"],
        scope["path"],
        dict(parse_qsl(scope["query_string"].decode("latin-1"))),
        {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        body,
        scope.get("path_params", {}),
    )

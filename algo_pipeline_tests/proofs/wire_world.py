"""The live core's test world with the real Alpaca client: requests reach a sandbox's ASGI application without a socket.

Everything is deterministic and in one process. A simulated crash comes before or after any write, sync or request, in
the middle of a write, or while a request is on its way: it then arrives later, although its sender is dead.
"""

from __future__ import annotations

import contextlib
import copy
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import requests
from pydantic import SecretStr
from requests.adapters import BaseAdapter

from algo_pipeline.broker.alpaca import AlpacaBroker, exact_float
from algo_pipeline.broker.auth import PaperAccess
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.interfaces.broker import BrokerOrder
from algo_pipeline.live.limits import LiveRules
from algo_pipeline.live.session import LiveAccount
from algo_pipeline.sandbox.app import build_app
from algo_pipeline.sandbox.core import Sandbox
from algo_pipeline.sandbox.endings import TRANSPORT
from algo_pipeline.sandbox.server import SandboxConfig, make_sandbox
from algo_pipeline.sandbox.state import StateKeeper, restore, snapshot
from algo_pipeline.sources.catalog import make_source
from algo_pipeline_tests.live.harness import AlertList, CrashPoints, FakeChampion, ScriptedFeed, VirtualClock, World

URL = "http://127.0.0.1:1"
_NOT_FOUND = b'{"code": 40410000, "message": "order not found"}'


@dataclass
class WireFault:
    """What a network does to the next ``count`` requests of a kind; the sandbox's own faults do the rest.

    ``late``: an order arrives after ``delay_s``, its sender having given up. ``unseen``: a look-up does not see the
    order yet.
    """

    kind: str
    count: int = 1
    delay_s: float = 12.0


@dataclass(frozen=True)
class _Late:
    due_ns: int
    request: requests.PreparedRequest


class SandboxTime(VirtualClock):
    """The sandbox's clock as the world moves it; a request that is still on its way arrives when its time comes."""

    def __init__(self, sandbox: Sandbox, wire: Wire) -> None:
        self._sandbox, self._wire = sandbox, wire

    @property
    def at(self) -> pd.Timestamp:
        return pd.Timestamp(self._sandbox.clock.now_ns(), tz="UTC")

    @at.setter
    def at(self, at: pd.Timestamp) -> None:
        self._move(int(at.value))

    def now(self) -> pd.Timestamp:
        return self.at

    def sleep(self, seconds: float) -> None:
        self._move(self._sandbox.clock.now_ns() + int(seconds * 1e9))

    def _move(self, to_ns: int) -> None:
        for late in self._wire.due(to_ns):
            self._sandbox.clock.set(max(late.due_ns, self._sandbox.clock.now_ns()))
            with contextlib.suppress(requests.RequestException):  # nobody waits for the answer any more
                self._wire.deliver(late.request)
        self._sandbox.clock.set(max(to_ns, self._sandbox.clock.now_ns()))


class Wire(BaseAdapter):
    """Carries requests of the paper line to the sandbox in this process."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self._app = build_app(sandbox, StateKeeper(None))
        self._sandbox = sandbox
        self.time = SandboxTime(sandbox, self)
        self.points: CrashPoints | None = None
        self.faults: list[WireFault] = []
        self.late: list[_Late] = []
        self.asked: dict[str, Decimal] = {}
        self.sent: list[tuple[str, Symbol, Side, Decimal]] = []
        self.late_after_death_s = 8.0

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> Wire:
        """Be the connection pool too."""
        return self

    def cert_verify(self, *_: Any) -> None:
        """There are no certificates here."""

    def urlopen(self, method: str, target: str, *, body: bytes | None, headers: Any, **_: Any) -> Any:
        """Send a request as a pool of connections does."""
        request = requests.Request(method, f"{URL}{target}", headers=headers, data=body).prepare()
        answer = self.send(request)
        return SimpleNamespace(status=answer.status_code, headers=answer.headers, data=answer.content)

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        name = f"request {request.method} {urlsplit(str(request.url)).path}"
        if self.points is None:
            return self._exchanged(request)
        return self.points.around(name, lambda: self._exchanged(request), torn=lambda: self._leave_on_the_way(request))

    def close(self) -> None:
        """Nothing is open."""

    def due(self, until_ns: int) -> list[_Late]:
        """What arrives up to a time, in order; it is on its way no more."""
        arriving = sorted((late for late in self.late if late.due_ns <= until_ns), key=lambda late: late.due_ns)
        self.late = [late for late in self.late if late.due_ns > until_ns]
        return arriving

    def deliver(self, request: requests.PreparedRequest) -> requests.Response:
        """Let the sandbox answer; raises as ``requests`` does where the connection breaks."""
        transport, messages = _Transport(), list[Any]()
        coroutine = self._app(_scope(request, transport), _receiver(request), _sender(messages))
        try:
            while True:
                coroutine.send(None)
        except StopIteration:
            pass
        if transport.is_reset:
            raise requests.ConnectionError("Connection reset by peer")
        if transport.is_cut:
            raise requests.exceptions.ChunkedEncodingError("Connection broken: IncompleteRead")
        return _response(request, messages)

    def _exchanged(self, request: requests.PreparedRequest) -> requests.Response:
        fault = self._fault("late" if request.method == "POST" else "unseen", request)
        if fault is None:
            self._note_order(request)
            return self.deliver(request)
        if fault.kind == "unseen":
            return _answer(request, 404, _NOT_FOUND)
        self._leave_on_the_way(request, fault.delay_s)
        self.time.sleep(10.0)
        raise requests.ReadTimeout("Read timed out.")

    def _fault(self, kind: str, request: requests.PreparedRequest) -> WireFault | None:
        if kind == "unseen" and "by_client_order_id" not in str(request.url):
            return None
        fault = next((fault for fault in self.faults if fault.kind == kind and fault.count > 0), None)
        if fault is not None:
            fault.count -= 1
        return fault

    def _leave_on_the_way(self, request: requests.PreparedRequest, delay_s: float | None = None) -> None:
        self._note_order(request)
        delay_s = self.late_after_death_s if delay_s is None else delay_s
        self.late.append(_Late(self._sandbox.clock.now_ns() + int(delay_s * 1e9), request))

    def _note_order(self, request: requests.PreparedRequest) -> None:
        if request.method != "POST":
            return
        body = requests.models.complexjson.loads(request.body or b"{}", parse_float=Decimal, parse_int=Decimal)
        order_id, quantity = body["client_order_id"], Decimal(body["qty"])
        asked = self.asked.get(order_id, quantity)
        # JSON knows doubles: the nearest one below is what can be sent of a quantity with more digits.
        quantity = asked if exact_float(asked) == float(quantity) else quantity
        self.sent.append((order_id, Symbol.parse(body["symbol"]), Side(body["side"]), quantity))


class WireBroker(AlpacaBroker):
    """The real broker over a :class:`Wire`, with the sandbox's books as the harness reads them."""

    def __init__(self, sandbox: Sandbox, wire: Wire) -> None:
        access = PaperAccess(URL, SecretStr("key"), SecretStr("secret"))
        super().__init__(access, make_source("simulated"), sleep=wire.time.sleep)
        self._sandbox, self._wire = sandbox, wire
        self._client._session.mount(URL, wire)

    @property
    def points(self) -> CrashPoints | None:
        return self._wire.points

    @points.setter
    def points(self, points: CrashPoints | None) -> None:
        self._wire.points = points

    def place_order(self, symbol: Symbol, quantity: Decimal, side: Side, client_order_id: str) -> BrokerOrder:
        self._wire.asked[client_order_id] = quantity
        return super().place_order(symbol, quantity, side, client_order_id)

    @property
    def orders(self) -> dict[str, BrokerOrder]:
        """Every order that the sandbox has taken, by client order id."""
        return {order.request.client_order_id: _order(order) for order in self._sandbox.venue.ledger.orders}

    @property
    def sent(self) -> list[tuple[str, Symbol, Side, Decimal]]:
        """Every order that was put on the wire, repetitions included."""
        return self._wire.sent


class BrokerClock:
    """The venue's time through the broker's own request, as on loopback; waiting moves the virtual clock."""

    def __init__(self, broker: WireBroker, time: SandboxTime) -> None:
        self._broker, self._time = broker, time

    def now(self) -> pd.Timestamp:
        return self._broker.now()

    def sleep(self, seconds: float) -> None:
        self._time.sleep(seconds)


@dataclass
class WireWorld(World):
    """The harness' world over a sandbox and the real client."""

    options: Mapping[str, Any] = field(default_factory=dict)
    asks_for_the_time: bool = False
    sandbox: Sandbox = field(init=False)
    wire: Wire = field(init=False)

    def __post_init__(self) -> None:
        self.rules = LiveRules(trading=self.config, is_loopback=True, max_orders_per_day=10_000, price_band_bps=1e9)
        start = min(frame.index[0] for frame in self.bars.values())
        self.sandbox, _ = make_sandbox(SandboxConfig(self.bars, start=start, rules=self.config, **self.options))
        self.wire = Wire(self.sandbox)
        self.clock = self.wire.time
        self.broker = WireBroker(self.sandbox, self.wire)  # type: ignore[assignment]
        self.feed = ScriptedFeed(self.bars, self.probability, self.clock)
        self.alerts = AlertList()
        self.champions = {
            symbol: FakeChampion(symbol, self.config.enter_threshold, self.config.exit_threshold)
            for symbol in self.bars
        }

    def account(self, points: CrashPoints | None = None, symbols: tuple[Symbol, ...] | None = None) -> LiveAccount:
        self.broker = WireBroker(self.sandbox, self.wire)  # type: ignore[assignment]
        account = super().account(points, symbols)
        if not self.asks_for_the_time:
            return account
        return replace(account, clock=BrokerClock(self.broker, self.wire.time))  # type: ignore[arg-type]

    def clone(self, folder: Path) -> WireWorld:
        market = self.bars, self.probability, self.config
        twin = WireWorld(folder, *market, options=self.options, asks_for_the_time=self.asks_for_the_time)
        if self.folder.exists():
            shutil.copytree(self.folder, folder)
        restore(twin.sandbox.venue, snapshot(self.sandbox.venue))
        twin.wire.faults = copy.deepcopy(self.wire.faults)
        twin.wire.late, twin.wire.sent = list(self.wire.late), list(self.wire.sent)
        twin.wire.late_after_death_s = self.wire.late_after_death_s
        for fault, hits in self.sandbox.faults.listed():
            twin.sandbox.faults.add(fault if fault.count is None else replace(fault, count=fault.count - hits))
        return twin


@dataclass
class _Transport:
    """As much of a connection as a fault needs to break it."""

    is_reset: bool = False
    is_cut: bool = False
    _socket: socket.socket | None = None

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str) -> socket.socket:
        assert name == "socket"
        self._socket = socket.socket()
        return self._socket

    def abort(self) -> None:
        self.is_reset = True
        if self._socket is not None:
            self._socket.close()

    def write(self, data: bytes) -> None:
        del data

    def close(self) -> None:
        self.is_cut = True


def _scope(request: requests.PreparedRequest, transport: _Transport) -> dict[str, Any]:
    url = urlsplit(str(request.url))
    headers = [(name.lower().encode(), str(value).encode()) for name, value in request.headers.items()]
    return {
        "type": "http",
        "method": request.method,
        "path": url.path,
        "query_string": url.query.encode(),
        "headers": headers,
        "root_path": "",
        TRANSPORT: transport,
    }


def _receiver(request: requests.PreparedRequest) -> Any:
    body = request.body or b""
    messages = iter([{"type": "http.request", "body": body if isinstance(body, bytes) else body.encode()}])

    async def receive() -> dict[str, Any]:
        return next(messages, {"type": "http.disconnect"})

    return receive


def _sender(messages: list[Any]) -> Any:
    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    return send


def _response(request: requests.PreparedRequest, messages: list[Any]) -> requests.Response:
    start, body = messages
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return _answer(request, start["status"], body["body"], headers)


def _answer(
    request: requests.PreparedRequest, status: int, body: bytes, headers: Mapping[str, str] | None = None
) -> requests.Response:
    response = requests.Response()
    response.status_code, response._content, response.url, response.request = status, body, str(request.url), request
    response.headers.update(headers or {})
    response.encoding = "utf-8"
    return response


def _order(order: Any) -> BrokerOrder:
    request = order.request
    return BrokerOrder(
        request.client_order_id,
        order.id,
        request.symbol,
        request.side,
        request.quantity,
        order.filled_quantity,
        order.average_price,
        order.status,
        pd.Timestamp(order.created_ns, tz="UTC"),
    )

"""Brokers over a sandbox or over a scripted server, and keys that must never be seen."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pandas as pd
import requests
from pydantic import SecretStr

from algo_pipeline.broker.alpaca import AlpacaBroker
from algo_pipeline.broker.auth import PaperAccess, require_paper
from algo_pipeline.common.paper import PAPER_TRADING_URL
from algo_pipeline.common.types import Symbol
from algo_pipeline.sandbox.client import SandboxControl
from algo_pipeline.sandbox.server import SandboxConfig, running_sandbox
from algo_pipeline.sources.catalog import make_source
from algo_pipeline_tests.sandbox.rig import FIRST, HOUR, steady

BTC, ETH = Symbol("BTC", "USD"), Symbol("ETH", "USD")
NOW = FIRST + 10 * HOUR
KEY, SECRET = "PKSENTINELKEY0000001", "sentinel/secret+0000000000000000000000001"
SENTINELS = (KEY, SECRET)
WALL = pd.Timestamp("2026-03-01T12:00:00Z")


class Waits(list[float]):
    """Keeps how long was waited, and waits not at all."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@dataclass(frozen=True)
class Script:
    """One answer of a scripted server."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    date: pd.Timestamp | None = WALL

    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Asked:
    """One request that a scripted server has seen."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class ScriptedServer:
    """Answers with its scripts in their order, the last one again and again."""

    def __init__(self, scripts: Sequence[Script]) -> None:
        self.scripts = list(scripts)
        self.asked: list[Asked] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._http.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @contextmanager
    def running(self) -> Iterator[ScriptedServer]:
        thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()


@contextmanager
def answering(*scripts: Script) -> Iterator[ScriptedServer]:
    with ScriptedServer(scripts).running() as server:
        yield server


def access_to(url: str) -> PaperAccess:
    return require_paper(url, SecretStr(KEY), SecretStr(SECRET))


def broker_of(url: str, **more: Any) -> AlpacaBroker:
    """A broker that waits for nothing."""
    return AlpacaBroker(access_to(url), make_source("simulated"), **{"sleep": Waits(), **more})


def paper_broker_of(server: ScriptedServer, **more: Any) -> AlpacaBroker:
    """A broker for Alpaca's own paper host whose requests reach a scripted server instead."""
    broker = broker_of(PAPER_TRADING_URL, **{"wall_clock": lambda: WALL, **more})
    broker._client._session.mount(PAPER_TRADING_URL, _Detour(server.url))
    return broker


@dataclass(frozen=True)
class Paper:
    """A broker over a sandbox, and the sandbox's control."""

    broker: AlpacaBroker
    control: SandboxControl
    waits: Waits

    def requests(self, path: str, method: str = "GET") -> int:
        """How often the broker has asked for a path."""
        return sum(seen["path"] == path and seen["method"] == method for seen in self.control.requests())


@contextmanager
def paper(**options: Any) -> Iterator[Paper]:
    config = {"bars": {BTC: steady(50), ETH: steady(50, 2000.0)}, "start": NOW}
    with running_sandbox(SandboxConfig(**{**config, **options})) as url:
        waits, control = Waits(), SandboxControl(url)
        yield Paper(broker_of(url, sleep=waits), control, waits)
        control.close()


def order_document(client_order_id: str = "one", **changes: Any) -> dict[str, Any]:
    """An order as Alpaca writes it."""
    return {
        "id": "61e69015-8549-4bfd-b9c3-01e75843f47d",
        "client_order_id": client_order_id,
        "created_at": "2026-03-01T11:59:58.123456789Z",
        "submitted_at": "2026-03-01T11:59:59.123456789Z",
        "asset_class": "crypto",
        "symbol": "BTC/USD",
        "qty": "0.5",
        "filled_qty": "0.25",
        "filled_avg_price": "60000.125",
        "side": "buy",
        "status": "partially_filled",
    } | changes


class _Detour(requests.adapters.HTTPAdapter):
    """Carries what is meant for one root to another."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self._root = root

    def get_connection_with_tls_context(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> Any:
        request.url = str(request.url).replace(PAPER_TRADING_URL, self._root)
        return super().get_connection_with_tls_context(request, True)

    def cert_verify(self, *_: Any) -> None:
        """The scripted server has no certificate."""


def _handler_of(server: ScriptedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            server.asked.append(Asked(self.command, self.path, dict(self.headers), body))
            script = server.scripts.pop(0) if len(server.scripts) > 1 else server.scripts[0]
            content = script.content()
            self.send_response_only(script.status)
            if script.date is not None:
                self.send_header("Date", format_datetime(script.date.to_pydatetime(warn=False), usegmt=True))
            for name, value in {"Content-Length": str(len(content)), **script.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = do_CONNECT = _answer  # noqa: N815 - as the base class calls them

        def log_message(self, *args: object) -> None:
            pass

    return Handler

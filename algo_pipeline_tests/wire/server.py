"""A loopback server with bars, a clock and faults, on which the real ccxt, alpaca-py and requests run."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pandas as pd

from algo_pipeline_tests.wire import venues


@dataclass(frozen=True)
class Fault:
    """An answer given in place of the right one, a number of times; status 0 resets the connection."""

    path: str
    status: int = 500
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    delay_s: float = 0.0
    cut_short: bool = False
    passes: bool = False


@dataclass(frozen=True)
class Request:
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class WireServer:
    """Bars per venue symbol (``BTCUSDT``, ``BTC/USD``), the venue's clock, pending faults, and what was asked."""

    def __init__(self, bars: Mapping[str, pd.DataFrame], now: pd.Timestamp) -> None:
        self.bars = dict(bars)
        self.now = now
        self.page_limit = 1000
        self.requests: list[Request] = []
        self._faults: list[Fault] = []
        self._released = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._http.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def fail(self, fault: Fault, times: int = 1, after: int = 0) -> None:
        """Answer so, a number of times, once ``after`` requests to that path have been answered well."""
        self._faults += [Fault(fault.path, passes=True)] * after + [fault] * times

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def take_fault(self, path: str) -> Fault | None:
        for fault in self._faults:
            if path.startswith(fault.path):
                self._faults.remove(fault)
                return None if fault.passes else fault
        return None

    def hold(self, seconds: float) -> None:
        self._released.wait(seconds)

    def serve(self) -> None:
        self._http.serve_forever(poll_interval=0.01)

    def close(self) -> None:
        self._released.set()
        self._http.shutdown()
        self._http.server_close()


@contextmanager
def running(server: WireServer) -> Iterator[WireServer]:
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()


def _handler_of(server: WireServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
            server.requests.append(Request(parts.path, query, dict(self.headers)))
            fault = server.take_fault(parts.path)
            if fault is None:
                status, body = venues.answer(server, parts.path, query)
                self._send(Fault(parts.path, status, body))
            elif fault.status == 0:
                self.close_connection = True
                self.connection.close()
            else:
                server.hold(fault.delay_s)
                self._send(fault)

        def _send(self, reply: Fault) -> None:
            data = reply.body.encode()
            self.send_response_only(reply.status)
            self.send_header("Date", format_datetime(server.now.to_pydatetime(warn=False), usegmt=True))
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(data) + (100 if reply.cut_short else 0)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
            if reply.cut_short:
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    return Handler

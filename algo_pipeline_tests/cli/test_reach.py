"""Why a host does not answer is told apart: its name, a refusal, silence, no way; and how far clocks are apart."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from algo_pipeline.cli.reach import clock_ahead, obstacle


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def url_of_clock() -> Iterator[Any]:
    """Serves a Date that is off by so much."""
    servers: list[HTTPServer] = []

    def serve(off: timedelta, status: int = 404) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.send_response_only(status)
                self.send_header("Date", format_datetime(datetime.now(UTC) + off, usegmt=True))
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        servers.append(HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/api/v3/klines"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_nothing_is_told_of_a_host_that_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert obstacle(f"http://127.0.0.1:{listener.getsockname()[1]}/api/v3/ping") is None


def test_a_refusal_names_host_port_and_url(closed_port: int) -> None:
    told = obstacle(f"http://127.0.0.1:{closed_port}/api/v3/ping")
    assert told is not None
    assert f"127.0.0.1 refuses connections to port {closed_port}" in told.words
    assert f"http://127.0.0.1:{closed_port};" in told.remedy


@pytest.mark.parametrize(
    ("error", "words", "remedy"),
    [
        (socket.gaierror(-3, "Temporary failure"), "The name venue.invalid can't be resolved", "/etc/resolv.conf"),
        (TimeoutError(), "venue.invalid did not answer on port 443 within 3 s", "firewall"),
        (OSError(101, "Network is unreachable"), "no way to venue.invalid: Network is unreachable", "ip route"),
    ],
)
def test_a_name_silence_and_no_way_are_told_apart(
    error: OSError, words: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("algo_pipeline.cli.reach.socket.create_connection", refuse)
    told = obstacle("https://venue.invalid")
    assert told is not None
    assert words in told.words
    assert remedy in told.remedy


def test_behind_a_proxy_it_is_the_proxy_that_is_tried(closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port}")
    told = obstacle("https://venue.invalid")
    assert told is not None
    assert f"127.0.0.1 (the proxy that is set) refuses connections to port {closed_port}" in told.words


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_the_clocks_are_compared_whatever_the_page(url_of_clock: Any, seconds: int, status: int) -> None:
    ahead = clock_ahead(url_of_clock(timedelta(seconds=-seconds), status))
    assert ahead is not None
    assert abs(ahead.total_seconds() - seconds) < 5


def test_a_host_that_does_not_answer_tells_no_time(closed_port: int) -> None:
    assert clock_ahead(f"http://127.0.0.1:{closed_port}") is None

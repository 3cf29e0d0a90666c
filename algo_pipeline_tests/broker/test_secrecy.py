"""Keys go to the paper account or the sandbox and nowhere else: no proxy, no .netrc, no error, no log shows them."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from algo_pipeline.broker.alpaca import AlpacaBroker
from algo_pipeline.common.errors import AmbiguousBrokerError, BrokerError, PaperOnlyError, causes
from algo_pipeline.common.paper import PAPER_TRADING_URL
from algo_pipeline.common.types import Side
from algo_pipeline.interfaces.broker import BrokerOrder
from algo_pipeline_tests.broker.rig import (
    BTC,
    KEY,
    NOW,
    SECRET,
    SENTINELS,
    Script,
    ScriptedServer,
    answering,
    broker_of,
    order_document,
    paper_broker_of,
)
from algo_pipeline_tests.broker.test_alpaca import ACCOUNT, CLOCK, PAGE, D

PROXY_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
ORDER = BrokerOrder("one", "61e69015-8549-4bfd-b9c3-01e75843f47d", BTC, Side.BUY, D(1), D(0), None, "new")
REQUESTS: dict[str, Callable[[AlpacaBroker], object]] = {
    "account": lambda broker: broker.get_account(),
    "positions": lambda broker: broker.get_positions(),
    "order": lambda broker: broker.place_order(BTC, D(1), Side.BUY, "one"),
    "look-up": lambda broker: broker.find_order("one"),
    "open orders": lambda broker: broker.get_open_orders(),
    "recent orders": lambda broker: broker.get_orders_since(NOW),
    "cancellation": lambda broker: broker.cancel_order(ORDER),
    "clock": lambda broker: broker.now(),
}
ECHO = f"you sent {KEY} and {SECRET} " * 2
ANSWERS: dict[str, tuple[int, Any]] = {
    "refusal that repeats the keys": (403, {"message": ECHO}),
    "refusal with the keys at the cut": (403, {"message": "x" * 195 + ECHO}),
    "page that repeats the keys": (500, f"<html>{ECHO}</html>".encode()),
    "words that repeat the keys": (200, json.dumps(ECHO).encode()),
    "keys as values": (200, {**ACCOUNT, "cash": KEY, "qty": SECRET, "timestamp": SECRET, "side": KEY, "symbol": KEY}),
    "list of the keys": (200, [KEY, SECRET]),
    "keys at the cut": (200, ["x" * 70 + ECHO]),
    "cut JSON": (200, b'{"id": "' + ECHO.encode()),
    "redirect to the keys": (302, {"message": ECHO}),
}


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """A spy that the environment names as proxy for everything."""
    with answering(Script(403, {"message": "no"})) as spy:
        for name in PROXY_NAMES:
            monkeypatch.setenv(name, spy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield spy


def shown(error: BaseException, *, with_locals: bool) -> str:
    """What anybody could print of an error: every cause and context of it, with or without the locals of its frames."""
    parts = [f"{each} {each!r} {getattr(each, 'remedy', '')} {each.args!r}" for each in causes(error)]
    for each in causes(error):
        parts += traceback.TracebackException.from_exception(each, capture_locals=with_locals).format()
    return "".join(parts)


def failure_of(ask: Callable[[AlpacaBroker], object], broker: AlpacaBroker) -> BrokerError | None:
    try:
        ask(broker)
    except BrokerError as error:
        return error
    return None


def leaked(text: str) -> list[str]:
    """Keys, or the better part of one, in a text."""
    return [secret for secret in SENTINELS if secret in text or secret[:12] in text]


class TestProxies:
    @pytest.mark.parametrize("ask", REQUESTS.values(), ids=REQUESTS.keys())
    def test_of_the_environment_see_nothing_of_a_sandbox(
        self, proxy: ScriptedServer, ask: Callable[[AlpacaBroker], object]
    ) -> None:
        with answering(Script(503)) as server:
            assert failure_of(ask, broker_of(server.url)) is not None
        assert proxy.asked == []
        assert server.asked

    @pytest.mark.parametrize("ask", REQUESTS.values(), ids=REQUESTS.keys())
    def test_on_the_way_to_alpaca_see_a_tunnel_and_no_key(
        self, proxy: ScriptedServer, ask: Callable[[AlpacaBroker], object]
    ) -> None:
        error = failure_of(ask, broker_of(PAPER_TRADING_URL))
        assert isinstance(error, AmbiguousBrokerError)
        assert "ProxyError" in error.message
        assert proxy.asked
        assert {(asked.method, asked.path) for asked in proxy.asked} == {("CONNECT", "paper-api.alpaca.markets:443")}
        assert not leaked(repr(proxy.asked))


class TestHeaders:
    def write_netrc(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = folder / "netrc"
        path.write_text("default login somebody password thing\n")
        path.chmod(0o600)
        monkeypatch.setenv("NETRC", str(path))
        assert requests.utils.get_netrc_auth(PAPER_TRADING_URL) == ("somebody", "thing")

    def test_hold_the_keys_and_nothing_of_a_netrc(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.write_netrc(tmp_path, monkeypatch)
        with answering(Script(body=ACCOUNT)) as server:
            for broker in (broker_of(server.url), paper_broker_of(server)):
                broker.get_account()
        assert len(server.asked) == 2
        for asked in server.asked:
            assert (asked.headers["APCA-API-KEY-ID"], asked.headers["APCA-API-SECRET-KEY"]) == SENTINELS
            assert "Authorization" not in asked.headers

    def test_hold_no_cookie_of_an_earlier_answer(self) -> None:
        with answering(Script(body=ACCOUNT, headers={"Set-Cookie": "session=one; Path=/"})) as server:
            broker = broker_of(server.url)
            broker.get_account()
            broker.get_account()
        assert len(server.asked) == 2
        assert not any("Cookie" in asked.headers for asked in server.asked)

    def test_are_sent_to_no_host_that_alpaca_py_might_choose_instead(self) -> None:
        with answering(Script(body=ACCOUNT)) as server, answering(Script(body=ACCOUNT)) as spy:
            broker = broker_of(server.url)
            for base_url in (spy.url, f"{server.url}.evil.example", f"{server.url}0", "https://api.alpaca.markets"):
                with pytest.raises(PaperOnlyError):
                    broker._client._request("GET", "/account", base_url=base_url)
        assert (server.asked, spy.asked) == ([], [])


class TestErrors:
    @pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
    @pytest.mark.parametrize("ask", REQUESTS.values(), ids=REQUESTS.keys())
    def test_mask_the_keys_whatever_the_answer(
        self, ask: Callable[[AlpacaBroker], object], answer: tuple[int, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        with answering(Script(*answer)) as server:
            error = failure_of(ask, broker_of(server.url))
        assert server.asked
        assert error is not None or ask is REQUESTS["cancellation"]
        assert not leaked(caplog.text)
        assert error is None or not leaked(shown(error, with_locals=False))

    @pytest.mark.parametrize("ask", REQUESTS.values(), ids=REQUESTS.keys())
    def test_of_the_network_hold_no_frame_with_the_keys(self, ask: Callable[[AlpacaBroker], object]) -> None:
        with answering(Script()) as server:
            url = server.url
        error = failure_of(ask, broker_of(url))
        assert isinstance(error, AmbiguousBrokerError)
        assert "ConnectionError" in error.message
        assert not leaked(shown(error, with_locals=True))

    @pytest.mark.parametrize("ask", REQUESTS.values(), ids=REQUESTS.keys())
    @pytest.mark.parametrize("status", [302, 401, 429, 503])
    def test_of_an_answer_hold_no_frame_with_the_keys(self, ask: Callable[[AlpacaBroker], object], status: int) -> None:
        with answering(Script(status, {"message": "no"})) as server:
            error = failure_of(ask, broker_of(server.url))
        assert error is not None
        assert not leaked(shown(error, with_locals=True))

    def test_of_any_kind_leave_an_order_ambiguous(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with answering(Script(body=order_document())) as server:
            broker = broker_of(server.url)

            def burst(*_: object, **__: object) -> None:
                raise RuntimeError(f"{KEY} {SECRET}")

            monkeypatch.setattr(broker._client._line, "ask", burst)
            error = failure_of(REQUESTS["order"], broker)
        assert isinstance(error, AmbiguousBrokerError)
        assert "RuntimeError" in error.message
        assert not leaked(shown(error, with_locals=True))


def test_a_broker_and_its_client_show_no_key() -> None:
    with answering(Script(body=CLOCK), Script(500, PAGE)) as server:
        broker = broker_of(server.url)
        broker.now()
        assert not leaked(f"{broker!r} {broker._client!r} {broker._access!r} {broker._headers!r}")

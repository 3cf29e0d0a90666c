"""Every fault as a client meets it, and whether the request took effect all the same."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal

import pandas as pd
import pytest
import requests
from alpaca.common.exceptions import APIError
from alpaca.trading.requests import MarketOrderRequest

from algo_pipeline.common.errors import ConfigValueError, DataValidationError, SourceError, TransientSourceError
from algo_pipeline.sandbox.endings import TRANSPORT, hang_up
from algo_pipeline.sandbox.faults import Fault, FaultBox, FaultKind, spoiled
from algo_pipeline.sandbox.market import Candle
from algo_pipeline.sandbox.server import SandboxConfig
from algo_pipeline.sandbox.wire import Reply
from algo_pipeline.sources.alpaca_bars import AlpacaBarsSource
from algo_pipeline.sources.binance import BinanceSource
from algo_pipeline.sources.retry import RetryPolicy
from algo_pipeline_tests.sandbox.conftest import START
from algo_pipeline_tests.sandbox.rig import BTC, FIRST, HOUR, Rig, ns, running, steady

ORDERS = {"path": "/v2/orders", "method": "POST"}
KLINES, ALPACA_BARS = "/api/v3/klines", "/v1beta3/crypto/us/bars"
UNREADABLE = (SourceError, DataValidationError)
ONCE = RetryPolicy(attempts=1)


def was_taken(rig: Rig) -> bool:
    """Whether the order exists at the venue, by a client that no fault meets."""
    found = rig.get("/v2/orders:by_client_order_id", client_order_id="one")
    assert found.status_code in (200, 404)
    return found.status_code == 200


class _LeftConnection:
    """A connection that its client has closed: whoever touches it fails."""

    def is_closing(self) -> bool:
        return True


@pytest.mark.parametrize("reply", [None, Reply(body=b"{}")], ids=["a reset", "half of an answer"])
def test_a_client_that_has_left_is_not_hung_up_on(reply):
    asyncio.run(hang_up({TRANSPORT: _LeftConnection()}, None, reply, 0))


class TestStatus:
    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    def test_an_error_status_is_json_and_the_order_was_not_taken(self, rig, status):
        rig.control.add_fault(Fault(FaultKind.STATUS, **ORDERS, status=status, retry_after_s=7))
        answer = rig.buy()
        assert (answer.status_code, answer.headers["Retry-After"]) == (status, "7")
        assert isinstance(answer.json()["code"], int)
        assert not was_taken(rig)
        assert rig.buy().status_code == 200

    @pytest.mark.parametrize("status", [429, 500, 504])
    def test_it_may_hide_that_the_order_was_taken(self, rig, status):
        rig.control.add_fault(Fault(FaultKind.STATUS, **ORDERS, status=status, after_effect=True))
        assert rig.buy().status_code == status
        assert was_taken(rig)
        assert rig.buy().json()["message"] == "client_order_id must be unique"

    def test_on_binance_it_has_binances_shape(self, rig):
        rig.control.add_fault(Fault(FaultKind.STATUS, KLINES, status=429))
        assert rig.get(KLINES).json() == {"code": -1003, "msg": "rate limit exceeded"}

    def test_alpaca_py_retries_a_504_with_the_same_id_and_meets_its_own_order(self, rig, monkeypatch):
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        rig.control.add_fault(Fault(FaultKind.STATUS, **ORDERS, status=504, after_effect=True))
        body = {"symbol": "BTC/USD", "qty": 1, "side": "buy", "time_in_force": "ioc", "client_order_id": "one"}
        with pytest.raises(APIError) as error:
            rig.trading().submit_order(MarketOrderRequest(**body))
        assert (error.value.status_code, error.value.message) == (422, "client_order_id must be unique")
        assert [entry["status"] for entry in rig.control.requests()] == [504, 422]
        assert was_taken(rig)


class TestReset:
    def test_before_the_effect_nothing_has_happened(self, rig):
        rig.control.add_fault(Fault(FaultKind.RESET, **ORDERS))
        with pytest.raises(requests.ConnectionError, match="reset"):
            rig.buy()
        assert not was_taken(rig)

    def test_after_the_effect_the_order_was_really_taken(self, rig):
        rig.control.add_fault(Fault(FaultKind.RESET, **ORDERS, after_effect=True))
        with pytest.raises(requests.ConnectionError, match="reset"):
            rig.buy()
        assert was_taken(rig)
        assert rig.get("/v2/positions/BTCUSD").json()["qty"] == "0.9975"

    def test_the_log_tells_how_it_ended(self, rig):
        rig.control.add_fault(Fault(FaultKind.RESET, **ORDERS, after_effect=True))
        with pytest.raises(requests.ConnectionError):
            rig.buy()
        entry = rig.control.requests()[-1]
        expected = {
            "method": "POST",
            "path": "/v2/orders",
            "client_order_id": "one",
            "status": "reset",
            "fault": "reset",
        }
        assert {name: entry[name] for name in expected} == expected


class TestSpoiledBodies:
    @pytest.mark.parametrize("kind", [FaultKind.TRUNCATED, FaultKind.MALFORMED, FaultKind.HTML, FaultKind.EMPTY])
    def test_the_order_was_taken_although_the_answer_is_unreadable(self, rig, kind):
        rig.control.add_fault(Fault(kind, **ORDERS))
        with pytest.raises(requests.RequestException):
            rig.buy().json()
        assert was_taken(rig)

    @pytest.mark.parametrize("kind", [FaultKind.TRUNCATED, FaultKind.MALFORMED, FaultKind.HTML, FaultKind.EMPTY])
    def test_it_may_also_not_have_been_taken(self, rig, kind):
        rig.control.add_fault(Fault(kind, **ORDERS, after_effect=False))
        with pytest.raises(requests.RequestException):
            rig.buy().json()
        assert not was_taken(rig)

    def test_a_truncated_answer_promises_more_than_it_holds(self, rig):
        rig.control.add_fault(Fault(FaultKind.TRUNCATED, "/v2/account"))
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
            rig.get("/v2/account")

    def test_malformed_is_whole_but_no_json(self, rig):
        rig.control.add_fault(Fault(FaultKind.MALFORMED, "/v2/account"))
        answer = rig.get("/v2/account")
        assert (answer.status_code, answer.content[:6]) == (200, b'{"id":')

    def test_html_and_empty_come_with_200_or_the_status_given(self, rig):
        for kind, status, shown in (("html", None, 200), ("html", 502, 502), ("empty", None, 200), ("empty", 503, 503)):
            rig.control.add_fault(Fault(FaultKind(kind), "/v2/account", status=status))
            answer = rig.get("/v2/account")
            assert answer.status_code == shown
            assert answer.content == b"" if kind == "empty" else answer.text.startswith("<html>")


class TestDelay:
    def test_the_answer_is_late_but_right(self, rig):
        rig.control.add_fault(Fault(FaultKind.DELAY, **ORDERS, delay_s=0.3))
        begun = time.monotonic()
        assert rig.buy().status_code == 200
        assert time.monotonic() - begun >= 0.3

    def test_an_impatient_client_misses_an_order_that_is_taken_later(self, rig):
        rig.control.add_fault(Fault(FaultKind.DELAY, **ORDERS, delay_s=0.6))
        body = {"symbol": "BTC/USD", "side": "buy", "type": "market", "time_in_force": "ioc", "qty": "1"}
        with pytest.raises(requests.ReadTimeout):
            rig.http.post(f"{rig.url}/v2/orders", json={**body, "client_order_id": "one"}, timeout=0.05)
        assert not was_taken(rig)
        deadline = time.monotonic() + 5
        while not was_taken(rig) and time.monotonic() < deadline:
            pass
        assert len(rig.control.ledger()["fills"]) == 1

    def test_after_the_effect_it_is_taken_at_once(self, rig):
        rig.control.add_fault(Fault(FaultKind.DELAY, **ORDERS, delay_s=5.0, after_effect=True))
        body = {"symbol": "BTC/USD", "side": "buy", "type": "market", "time_in_force": "ioc", "qty": "1"}
        with pytest.raises(requests.ReadTimeout):
            rig.http.post(f"{rig.url}/v2/orders", json={**body, "client_order_id": "one"}, timeout=0.2)
        assert was_taken(rig)

    def test_others_are_served_meanwhile_and_the_server_still_stops_at_once(self):
        with running(SandboxConfig({BTC: steady(50)}, START)) as rig:
            rig.control.add_fault(Fault(FaultKind.DELAY, **ORDERS, delay_s=30.0))
            with pytest.raises(requests.ReadTimeout):
                rig.http.post(f"{rig.url}/v2/orders", json={}, timeout=0.05)
            assert rig.get("/v2/account").status_code == 200
            begun = time.monotonic()
        assert time.monotonic() - begun < 5

    def test_any_fault_may_be_late(self, rig):
        rig.control.add_fault(Fault(FaultKind.STATUS, "/v2/account", status=503, delay_s=0.2))
        begun = time.monotonic()
        assert rig.get("/v2/account").status_code == 503
        assert time.monotonic() - begun >= 0.2


class TestBars:
    """At 10:10 the newest closed bar opened at 9:00 and the running one at 10:00."""

    @staticmethod
    def hours(rig: Rig, path: str) -> list[int]:
        answer = rig.get(
            path, symbol="BTCUSDT", symbols="BTC/USD", interval="1h", timeframe="1Hour", start=FIRST.isoformat()
        )
        rows = answer.json()
        if path == KLINES:
            return [pd.Timestamp(row[0], unit="ms").hour for row in rows]
        return [pd.Timestamp(bar["t"]).hour for bar in rows["bars"]["BTC/USD"]]

    @pytest.mark.parametrize("path", [KLINES, ALPACA_BARS])
    @pytest.mark.parametrize(
        ("fault", "newest"),
        [
            (Fault(FaultKind.STALE), [6, 7, 8]),
            (Fault(FaultKind.STALE, bars=3), [4, 5, 6]),
            (Fault(FaultKind.MISSING), [7, 8, 10]),
            (Fault(FaultKind.DUPLICATED), [8, 9, 9, 10]),
            (Fault(FaultKind.DELAY), [8, 9, 10]),
        ],
    )
    def test_which_bars_are_there(self, rig, path, fault, newest):
        before = self.hours(rig, path)
        rig.control.add_fault(Fault(fault.kind, path, bars=fault.bars))
        assert self.hours(rig, path)[-len(newest) :] == newest
        assert self.hours(rig, path) == before

    def test_our_sources_miss_what_is_missing(self, rig):
        for source, path in ((BinanceSource, KLINES), (AlpacaBarsSource, ALPACA_BARS)):
            reading = source(base_url=rig.url, policy=ONCE)
            for kind in (FaultKind.STALE, FaultKind.MISSING):
                rig.control.add_fault(Fault(kind, path, count=None))
                assert reading.fetch_bars(BTC, FIRST, FIRST + 40 * HOUR).index[-1] == FIRST + 8 * HOUR
                rig.control.clear_faults()
            assert reading.fetch_bars(BTC, FIRST, FIRST + 40 * HOUR).index[-1] == FIRST + 9 * HOUR

    def test_a_crazy_bar_is_valid_but_ten_times_as_high(self, rig):
        rig.control.add_fault(Fault(FaultKind.CRAZY, KLINES))
        bars = BinanceSource(base_url=rig.url, policy=ONCE).fetch_bars(BTC, FIRST, FIRST + 40 * HOUR)
        assert list(bars["close"].iloc[-2:]) == [108.5, 1095.0]

    def test_an_invalid_bar_breaks_the_schema(self, rig):
        rig.control.add_fault(Fault(FaultKind.INVALID, KLINES))
        rows = rig.get(KLINES, symbol="BTCUSDT", interval="1h").json()
        assert float(rows[-2][2]) < float(rows[-2][3])

    @pytest.mark.parametrize(
        ("kind", "error"),
        [
            (FaultKind.STATUS, TransientSourceError),
            (FaultKind.RESET, TransientSourceError),
            (FaultKind.TRUNCATED, TransientSourceError),
            (FaultKind.MALFORMED, UNREADABLE),
            (FaultKind.HTML, UNREADABLE),
            (FaultKind.EMPTY, UNREADABLE),
        ],
    )
    @pytest.mark.parametrize("path", [KLINES, ALPACA_BARS])
    def test_our_sources_understand_every_failure(self, rig, path, kind, error):
        source = BinanceSource if path == KLINES else AlpacaBarsSource
        rig.control.add_fault(Fault(kind, path))
        with pytest.raises(error):
            source(base_url=rig.url, policy=ONCE).fetch_bars(BTC, FIRST, FIRST + 40 * HOUR)

    def test_coingecko_can_be_crazy_too(self, rig):
        chart = "/api/v3/coins/bitcoin/market_chart"
        right = rig.get(chart, vs_currency="usd", days=2).json()["prices"]
        rig.control.add_fault(Fault(FaultKind.CRAZY, chart, factor=2.0))
        crazy = rig.get(chart, vs_currency="usd", days=2).json()["prices"]
        assert [at for at, _ in crazy] == [at for at, _ in right]
        assert [now / then for (_, now), (_, then) in zip(crazy, right, strict=True)][-3:] == [1.0, 2.0, 1.0]


class TestChoice:
    GET = ("GET", "/v2/account")

    def hits(self, box: FaultBox, n: int) -> list[bool]:
        return [box.take(*self.GET) is not None for _ in range(n)]

    def test_it_hits_as_often_as_told_after_those_it_skips(self):
        box = FaultBox()
        box.add(Fault(FaultKind.RESET, count=2, skip=1))
        assert self.hits(box, 5) == [False, True, True, False, False]

    def test_without_a_count_it_has_no_end(self):
        box = FaultBox()
        box.add(Fault(FaultKind.RESET, count=None))
        assert all(self.hits(box, 50))
        box.clear()
        assert not any(self.hits(box, 5))

    def test_by_probability_and_seed(self):
        def pattern(seed: int) -> list[bool]:
            box = FaultBox()
            box.add(Fault(FaultKind.RESET, count=None, probability=0.3, seed=seed))
            return self.hits(box, 1000)

        assert pattern(1) == pattern(1) != pattern(2)
        assert 250 <= sum(pattern(1)) <= 350  # 300 expected, deviation 14.5

    @pytest.mark.parametrize(
        ("path", "method", "hit"),
        [
            ("/v2/account", "GET", True),
            ("/v2/*", "*", True),
            ("/v2/*", "get", True),
            ("*", "POST", False),
            ("/v2/acc", "GET", False),
        ],
    )
    def test_by_path_and_method(self, path, method, hit):
        box = FaultBox()
        box.add(Fault(FaultKind.RESET, path, method))
        assert self.hits(box, 1) == [hit]

    def test_a_request_meets_the_oldest_of_several(self):
        box = FaultBox()
        box.add(Fault(FaultKind.RESET))
        box.add(Fault(FaultKind.HTML))
        assert [box.take(*self.GET).kind.value for _ in range(2)] == ["reset", "html"]

    def test_what_is_armed_is_listed_with_its_hits(self, rig):
        rig.control.add_fault(Fault(FaultKind.STATUS, "/v2/account", count=None))
        rig.get("/v2/account")
        listed = rig.control._call("GET", "faults")
        assert [(entry["kind"], entry["path"], entry["hits"]) for entry in listed] == [("status", "/v2/account", 1)]

    @pytest.mark.parametrize(
        "wrong",
        [{"count": 0}, {"probability": 1.5}, {"skip": -1}, {"delay_s": -0.1}, {"bars": 0}, {"status": 99}],
    )
    def test_impossible_faults_are_refused(self, wrong):
        with pytest.raises(ConfigValueError):
            Fault(FaultKind.RESET, **wrong)


def test_the_control_interface_never_fails_on_purpose(rig):
    rig.control.add_fault(Fault(FaultKind.RESET, count=None))
    assert rig.control.state()["faults"] == 1
    with pytest.raises(requests.ConnectionError):
        rig.get("/v2/account")


def test_only_the_newest_closed_bar_is_spoiled():
    candles = [Candle(ns(FIRST + n * HOUR), 1.0, 2.0, 0.5, 1.5, 3.0) for n in range(3)]
    crazy = spoiled(candles, Fault(FaultKind.CRAZY), ns(FIRST + 2 * HOUR))
    assert [candle.close for candle in crazy] == [1.5, 15.0, 1.5]
    assert Decimal(str(crazy[1].volume)) == 3

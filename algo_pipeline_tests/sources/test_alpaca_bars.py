from __future__ import annotations

import json
import traceback

import pandas as pd
import pytest

from algo_pipeline.common.errors import (
    ConfigValueError,
    DataValidationError,
    SettingsError,
    SourceBlockedError,
    SourceError,
    TransientSourceError,
    UnknownSymbolError,
)
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.ingest import find_gaps
from algo_pipeline.sources.alpaca_bars import AlpacaBarsSource
from algo_pipeline_tests.sources.conftest import BTC, NOW, START, Waits
from algo_pipeline_tests.wire.server import Fault, WireServer

HOUR = pd.Timedelta(hours=1)
BARS = "/v1beta3/crypto/us/bars"


def source_at(venue: WireServer, waits: Waits | None = None, **options: object) -> AlpacaBarsSource:
    return AlpacaBarsSource(base_url=venue.url, sleep=Waits() if waits is None else waits, **options)  # type: ignore[arg-type]


def fetch_day(source: AlpacaBarsSource, symbol: Symbol = BTC) -> pd.DataFrame:
    return source.fetch_bars(symbol, START, START + 24 * HOUR)


def test_all_pages_are_fetched_exactly_and_the_open_bar_is_left_out(venue: WireServer) -> None:
    bars = source_at(venue).fetch_bars(BTC, START, NOW + 100 * HOUR)
    pd.testing.assert_frame_equal(bars, venue.bars["BTC/USD"].iloc[:-1], check_freq=False)
    assert len(venue.requests) == 3
    assert {request.query["symbols"] for request in venue.requests} == {"BTC/USD"}
    assert {request.query["timeframe"] for request in venue.requests} == {"1Hour"}


def test_a_failed_second_page_costs_no_bar(venue: WireServer) -> None:
    venue.page_limit = 10
    venue.fail(Fault(BARS, 502), after=1)
    pd.testing.assert_frame_equal(fetch_day(source_at(venue)), venue.bars["BTC/USD"].iloc[:24], check_freq=False)
    assert [request.query.get("page_token") for request in venue.requests] == [None, "10", None, "10", "20"]


def test_an_hour_without_trades_is_a_bar_and_no_gap(venue: WireServer) -> None:
    quiet = venue.bars["BTC/USD"].assign(volume=0.0)
    venue.bars["BTC/USD"] = quiet
    bars = fetch_day(source_at(venue))
    assert (bars["volume"] == 0).all()
    assert find_gaps(bars) == ()


def test_an_unknown_symbol_is_told_from_an_empty_span(venue: WireServer) -> None:
    source = source_at(venue)
    assert source.fetch_bars(BTC, START - 100 * HOUR, START).empty
    with pytest.raises(UnknownSymbolError, match="NOPE/USD"):
        fetch_day(source, Symbol.parse("NOPE/USD"))


def test_a_symbol_that_alpaca_calls_invalid_is_unknown(venue: WireServer) -> None:
    venue.fail(Fault(BARS, 400, json.dumps({"message": "code=400, message=invalid symbol: X"})))
    with pytest.raises(UnknownSymbolError):
        fetch_day(source_at(venue))


def test_keys_are_sent_to_loopback_when_given_and_not_otherwise(venue: WireServer) -> None:
    fetch_day(source_at(venue))
    fetch_day(source_at(venue, api_key="the-key", secret_key="the-secret"))
    without, with_keys = (request.headers for request in venue.requests)
    assert "APCA-API-KEY-ID" not in without
    assert with_keys["APCA-API-KEY-ID"] == "the-key"
    assert with_keys["APCA-API-SECRET-KEY"] == "the-secret"


@pytest.mark.parametrize(
    "url", ["https://data.alpaca.markets.evil.com", "http://data.alpaca.markets", "https://api.alpaca.markets"]
)
def test_any_other_host_is_refused_before_a_request(url: str) -> None:
    with pytest.raises(SettingsError):
        AlpacaBarsSource(base_url=url, api_key="key", secret_key="secret")


def test_half_a_pair_of_keys_is_refused() -> None:
    with pytest.raises(ConfigValueError):
        AlpacaBarsSource(api_key="key")


def test_a_proxy_of_the_environment_never_sees_a_loopback_request(
    venue: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert len(fetch_day(source_at(venue))) == 24


def test_a_redirect_is_not_followed(venue: WireServer) -> None:
    venue.fail(Fault(BARS, 302, "", {"Location": f"{venue.url}/elsewhere"}))
    with pytest.raises(DataValidationError):
        fetch_day(source_at(venue, api_key="key", secret_key="secret"))
    assert venue.paths() == [BARS]


@pytest.mark.parametrize("status", [429, 500, 502, 504, 0], ids=["429", "500", "502", "504", "reset"])
def test_a_failure_that_passes_costs_our_own_retry_only(venue: WireServer, status: int) -> None:
    venue.fail(Fault(BARS, status, "{}"), times=2)
    waits = Waits()
    assert len(fetch_day(source_at(venue, waits))) == 24
    assert waits == [1.0, 2.0]
    assert len(venue.requests) == 3


def test_a_failure_that_stays_is_unavailable(venue: WireServer) -> None:
    venue.fail(Fault(BARS, 503), times=99)
    with pytest.raises(TransientSourceError):
        fetch_day(source_at(venue))


def test_a_venue_that_hangs_times_out(venue: WireServer) -> None:
    venue.fail(Fault(BARS, 200, "{}", delay_s=60.0))
    waits = Waits()
    assert len(fetch_day(source_at(venue, waits, timeout_s=0.3))) == 24
    assert waits == [1.0]


def test_an_answer_cut_short_is_asked_for_again(venue: WireServer) -> None:
    venue.fail(Fault(BARS, 200, '{"bars": {"BTC', cut_short=True))
    assert len(fetch_day(source_at(venue))) == 24


@pytest.mark.parametrize("status", [401, 403])
def test_refused_keys_name_the_settings(venue: WireServer, status: int) -> None:
    venue.fail(Fault(BARS, status, '{"message": "forbidden."}'))
    with pytest.raises(SourceError, match="keys") as caught:
        fetch_day(source_at(venue, api_key="the-key", secret_key="the-secret"))
    assert "ALGO_TRADER_ALPACA_API_KEY" in caught.value.remedy
    assert "the-secret" not in str(caught.value)


def test_a_block_without_keys_stops_the_source(venue: WireServer) -> None:
    venue.fail(Fault(BARS, 403, "<html>denied</html>"), times=5)
    with pytest.raises(SourceBlockedError):
        fetch_day(source_at(venue))
    assert len(venue.requests) == 1


BAR = {"t": "2024-01-01T00:00:00Z", "o": 1.0, "h": 2.0, "l": 0.5, "c": 1.5, "v": 1.0}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html></html>",
        "[]",
        "null",
        '{"bars": {"BTC/USD": 5}, "next_page_token": null}',
        json.dumps({"bars": {"BTC/USD": [None]}, "next_page_token": None}),
        json.dumps({"bars": {"BTC/USD": [{**BAR, "c": None}]}, "next_page_token": None}),
        json.dumps({"bars": {"BTC/USD": [{**BAR, "c": "one"}]}, "next_page_token": None}),
        json.dumps({"bars": {"BTC/USD": [{**BAR, "t": "soon"}]}, "next_page_token": None}),
        json.dumps({"bars": {"BTC/USD": [{"t": BAR["t"]}]}, "next_page_token": None}),
    ],
)
def test_an_answer_that_is_not_bars_is_an_error_and_never_empty(venue: WireServer, body: str) -> None:
    venue.fail(Fault(BARS, 200, body), times=9)
    with pytest.raises(DataValidationError, match="not bars"):
        fetch_day(source_at(venue))


@pytest.mark.parametrize(
    "keys", [("PKSECRETKEY\n", "SECRET"), ("PKKEY", "SECRET\nSECRETKEY"), (" PKSECRETKEY", "SECRET")]
)
def test_keys_that_no_header_can_carry_are_refused_without_showing_them(keys: tuple[str, str]) -> None:
    source = AlpacaBarsSource(base_url="http://127.0.0.1:1", api_key=keys[0], secret_key=keys[1])
    with pytest.raises(SourceError, match="hold a blank or a line break") as caught:
        source.fetch_bars(BTC, START, START + HOUR)
    shown = "".join(traceback.format_exception(caught.value))
    assert not any(part in shown for part in ("PKSECRETKEY", "SECRETKEY\\n", "nSECRETKEY"))

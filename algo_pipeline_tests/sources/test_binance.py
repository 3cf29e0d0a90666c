from __future__ import annotations

import json
import subprocess
import sys

import pandas as pd
import pytest

from algo_pipeline.common.errors import (
    DataValidationError,
    SourceBlockedError,
    SourceError,
    TransientSourceError,
    UnknownSymbolError,
)
from algo_pipeline.common.types import Symbol
from algo_pipeline.sources.binance import DEFAULT_URL, BinanceSource
from algo_pipeline.sources.retry import RetryPolicy
from algo_pipeline_tests.sources.conftest import BTC, NOW, START, Waits
from algo_pipeline_tests.wire.server import Fault, WireServer

HOUR = pd.Timedelta(hours=1)
KLINES, TIME = "/api/v3/klines", "/api/v3/time"


def source_at(venue: WireServer, waits: Waits | None = None, **options: object) -> BinanceSource:
    return BinanceSource(base_url=venue.url, sleep=Waits() if waits is None else waits, **options)  # type: ignore[arg-type]


def fetch_day(source: BinanceSource, symbol: Symbol = BTC) -> pd.DataFrame:
    return source.fetch_bars(symbol, START, START + 24 * HOUR)


def fetch_newest(source: BinanceSource) -> pd.DataFrame:
    """A span up to the present, of which only the venue's clock can tell what is closed."""
    return source.fetch_bars(BTC, NOW.floor("h") - 24 * HOUR, NOW + HOUR)


def test_dollars_are_tethers_at_binance_and_other_quotes_stay() -> None:
    source = BinanceSource()
    assert source.venue_symbol(Symbol.parse("BTC/USD")) == "BTCUSDT"
    assert source.venue_symbol(Symbol.parse("ETH/BTC")) == "ETHBTC"
    assert source.venue_symbol(Symbol.parse("SOL/USDC")) == "SOLUSDC"


def test_a_fetch_loads_no_exchange_but_binance_and_leaves_ccxt_whole_for_others(venue: WireServer) -> None:
    code = (
        "import sys\n"
        "from algo_pipeline.sources.binance import BinanceSource\n"
        "from algo_pipeline_tests.sources.conftest import BTC, START\n"
        "import pandas as pd\n"
        f"BinanceSource(base_url={venue.url!r}).fetch_bars(BTC, START, START + pd.Timedelta(hours=1))\n"
        "print('ccxt' in sys.modules, 'ccxt.kraken' in sys.modules)\n"
        "import ccxt\n"
        "print(ccxt.binance is sys.modules['ccxt.binance'].binance, hasattr(ccxt, 'kraken'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "True", "True"]


def test_building_a_source_contacts_nobody(venue: WireServer) -> None:
    source_at(venue)
    assert venue.requests == []
    assert DEFAULT_URL == "https://data-api.binance.vision"


def test_all_pages_are_fetched_exactly_and_the_open_bar_is_left_out(venue: WireServer) -> None:
    bars = source_at(venue).fetch_bars(BTC, START, NOW.floor("h"))
    pd.testing.assert_frame_equal(bars, venue.bars["BTCUSDT"].iloc[:-1], check_freq=False)
    asked = [request.query for request in venue.requests if request.path == KLINES]
    assert [query["limit"] for query in asked] == ["1000", "1000", "1000"]
    assert {query["symbol"] for query in asked} == {"BTCUSDT"}


def test_a_bar_after_which_another_has_begun_is_closed_and_nobody_is_asked_for_the_time(venue: WireServer) -> None:
    newest_closed = NOW.floor("h") - HOUR
    bars = source_at(venue).fetch_bars(BTC, newest_closed, newest_closed + HOUR)
    assert list(bars.index) == [newest_closed]
    assert venue.paths() == [KLINES]


def test_the_newest_bar_of_all_is_left_out_while_it_is_open_by_the_clock_of_the_venue(venue: WireServer) -> None:
    bars = source_at(venue).fetch_bars(BTC, START, NOW + 100 * HOUR)
    pd.testing.assert_frame_equal(bars, venue.bars["BTCUSDT"].iloc[:-1], check_freq=False)
    assert venue.paths().count(TIME) == 1


def test_the_newest_bar_of_all_is_read_again_once_the_clock_of_the_venue_says_that_it_is_closed(
    venue: WireServer,
) -> None:
    last = venue.bars["BTCUSDT"].index[-1]
    venue.now = last + HOUR
    half_done = [int(last.value // 10**6), "1", "2", "0.5", "1.5", "10", 0, "0", 1, "0", "0", "0"]
    venue.fail(Fault(KLINES, 200, json.dumps([half_done])))
    bars = source_at(venue).fetch_bars(BTC, last, last + HOUR)
    pd.testing.assert_frame_equal(bars, venue.bars["BTCUSDT"].iloc[-1:], check_freq=False)
    assert venue.paths()[-2:] == [TIME, KLINES]


def test_an_hour_that_nobody_traded_in_does_not_keep_the_bar_before_it_open(venue: WireServer) -> None:
    last = venue.bars["BTCUSDT"].index[-1]
    venue.now = last + 5 * HOUR
    assert list(source_at(venue).fetch_bars(BTC, last - HOUR, last + 3 * HOUR).index) == [last - HOUR, last]


def test_a_venue_with_smaller_pages_loses_no_bar(venue: WireServer) -> None:
    venue.page_limit = 7
    assert len(fetch_day(source_at(venue))) == 24


def test_only_the_spot_host_given_is_asked(venue: WireServer) -> None:
    fetch_newest(source_at(venue))
    assert set(venue.paths()) == {TIME, KLINES}
    assert not any("APIKEY" in name.upper() for request in venue.requests for name in request.headers)


def test_a_start_before_the_listing_just_begins_later(venue: WireServer) -> None:
    bars = source_at(venue).fetch_bars(BTC, START - 5_000 * HOUR, START + 3 * HOUR)
    assert list(bars.index) == [START, START + HOUR, START + 2 * HOUR]


def test_a_span_before_the_listing_is_empty(venue: WireServer) -> None:
    assert source_at(venue).fetch_bars(BTC, START - 50 * HOUR, START).empty


def test_an_unknown_symbol_names_near_matches(venue: WireServer) -> None:
    with pytest.raises(UnknownSymbolError, match="SOLL/USD") as caught:
        fetch_day(source_at(venue), Symbol.parse("SOLL/USD"))
    assert "SOL/USDT" in caught.value.remedy


@pytest.mark.parametrize("body", ["{}", "<html></html>", '{"symbols": null}', '{"symbols": [{}]}', "[]", ""])
def test_an_unreadable_list_of_markets_does_not_hide_that_the_symbol_is_unknown(venue: WireServer, body: str) -> None:
    venue.fail(Fault("/api/v3/exchangeInfo", 200, body))
    with pytest.raises(UnknownSymbolError, match="does not list"):
        fetch_day(source_at(venue), Symbol.parse("NOPE/USD"))


@pytest.mark.parametrize("status", [418, 403, 451])
def test_a_venue_that_blocks_us_is_asked_once_only(venue: WireServer, status: int) -> None:
    venue.fail(Fault(KLINES, status, json.dumps({"code": 0, "msg": "no"}), {"Retry-After": "5"}), times=9)
    waits = Waits()
    with pytest.raises(SourceBlockedError, match=str(status)) as caught:
        fetch_day(source_at(venue, waits))
    assert venue.paths().count(KLINES) == 1
    assert waits == []
    assert "another" in caught.value.remedy


def test_a_geo_block_says_so(venue: WireServer) -> None:
    body = json.dumps({"code": 0, "msg": "Service unavailable from a restricted location"})
    venue.fail(Fault(TIME, 451, body))
    with pytest.raises(SourceBlockedError, match="region"):
        fetch_newest(source_at(venue))


def test_a_rate_limit_waits_as_long_as_the_venue_says(venue: WireServer) -> None:
    venue.fail(Fault(KLINES, 429, "{}", {"Retry-After": "17"}), times=2)
    waits = Waits()
    assert len(fetch_day(source_at(venue, waits))) == 24
    assert waits == [17.0, 17.0]


def test_a_rate_limit_without_a_wait_backs_off_doubling(venue: WireServer) -> None:
    venue.fail(Fault(KLINES, 429, "{}"), times=3)
    waits = Waits()
    assert len(fetch_day(source_at(venue, waits))) == 24
    assert waits == [1.0, 2.0, 4.0]


def test_a_wait_beyond_the_limit_stops_with_its_length(venue: WireServer) -> None:
    venue.fail(Fault(KLINES, 429, "{}", {"Retry-After": "3600"}), times=9)
    waits = Waits()
    with pytest.raises(TransientSourceError, match="3600 s"):
        fetch_day(source_at(venue, waits))
    assert waits == []
    assert venue.paths().count(KLINES) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 0], ids=["500", "502", "503", "504", "reset"])
def test_a_failure_that_passes_costs_a_retry_only(venue: WireServer, status: int) -> None:
    venue.fail(Fault(KLINES, status, '{"code": -1008, "msg": "Server is currently overloaded"}'), times=2)
    waits = Waits()
    assert len(fetch_day(source_at(venue, waits))) == 24
    assert waits == [1.0, 2.0]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 0], ids=["500", "502", "503", "504", "reset"])
def test_a_failure_that_stays_ends_after_the_last_attempt(venue: WireServer, status: int) -> None:
    venue.fail(Fault(KLINES, status), times=99)
    waits = Waits()
    with pytest.raises(TransientSourceError, match="could not be reached"):
        fetch_day(source_at(venue, waits))
    assert venue.paths().count(KLINES) == RetryPolicy().attempts


def test_a_venue_that_hangs_times_out(venue: WireServer) -> None:
    venue.fail(Fault(KLINES, 200, "[]", delay_s=60.0))
    waits = Waits()
    assert len(fetch_day(source_at(venue, waits, timeout_ms=300))) == 24
    assert waits == [1.0]


def test_an_answer_cut_short_is_asked_for_again(venue: WireServer) -> None:
    venue.fail(Fault(KLINES, 200, "[[1, 2", cut_short=True))
    waits = Waits()
    assert len(fetch_day(source_at(venue, waits))) == 24
    assert waits == [1.0]


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(TransientSourceError, match="could not be reached"):
        BinanceSource(base_url="http://127.0.0.1:9", sleep=Waits()).fetch_bars(BTC, START, NOW)


def test_other_refusals_are_not_retried(venue: WireServer) -> None:
    venue.fail(Fault(KLINES, 400, '{"code": -1100, "msg": "Illegal characters found in a parameter."}'), times=9)
    with pytest.raises(SourceError, match="Illegal characters") as caught:
        fetch_day(source_at(venue))
    assert not isinstance(caught.value, TransientSourceError | SourceBlockedError)
    assert venue.paths().count(KLINES) == 1


ROW = [1704067200000, "1", "2", "0.5", "1.5", "10", 1704070799999, "0", 1, "0", "0", "0"]


@pytest.mark.parametrize(
    "body",
    [
        "<html>maintenance</html>",
        "",
        "null",
        "{}",
        '"text"',
        "[[9",
        json.dumps([None]),
        json.dumps([[9]]),
        json.dumps([[*ROW[:4], None, *ROW[5:]]]),
        json.dumps([["soon", *ROW[1:]]]),
        json.dumps([[ROW[0], "one", *ROW[2:]]]),
        json.dumps([[10**30, *ROW[1:]]]),
        json.dumps({"symbol": "BTCUSDT"}),
    ],
)
def test_an_answer_that_is_not_klines_is_an_error_and_never_empty(venue: WireServer, body: str) -> None:
    venue.fail(Fault(KLINES, 200, body), times=9)
    with pytest.raises(DataValidationError, match="not klines"):
        fetch_day(source_at(venue))


@pytest.mark.parametrize("body", ["<html></html>", "{}", "[]", '{"serverTime": null}', ""])
def test_an_answer_that_is_not_a_time_is_an_error(venue: WireServer, body: str) -> None:
    venue.fail(Fault(TIME, 200, body), times=9)
    with pytest.raises(DataValidationError, match="not the time"):
        fetch_newest(source_at(venue))


def test_a_venue_that_repeats_old_bars_does_not_loop(venue: WireServer) -> None:
    venue.fail(Fault(KLINES, 200, json.dumps([[ROW[0] - 7_200_000, *ROW[1:]]])), times=9)
    with pytest.raises(DataValidationError, match="older ones"):
        fetch_day(source_at(venue))

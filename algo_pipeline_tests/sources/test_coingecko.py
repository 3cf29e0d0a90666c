from __future__ import annotations

import json

import pandas as pd
import pytest

from algo_pipeline.common.errors import (
    DataValidationError,
    SourceBlockedError,
    TransientSourceError,
    UnknownSymbolError,
)
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.crosscheck import compare_closes
from algo_pipeline.sources.coingecko import CoinGeckoPrices
from algo_pipeline_tests.sources.conftest import BTC, NOW, Waits
from algo_pipeline_tests.wire.server import Fault, WireServer

HOUR = pd.Timedelta(hours=1)
CHART = "/api/v3/coins/bitcoin/market_chart"


def prices_at(venue: WireServer, waits: Waits | None = None) -> CoinGeckoPrices:
    return CoinGeckoPrices(base_url=venue.url, sleep=Waits() if waits is None else waits, now=lambda: NOW)


@pytest.mark.parametrize("method", ["fetch_closes", "fetch_candle_closes"])
def test_close_stamps_are_mapped_to_the_bar_they_close(venue: WireServer, method: str) -> None:
    start, end = NOW.floor("h") - 30 * HOUR, NOW.floor("h") - 2 * HOUR
    closes = getattr(prices_at(venue), method)(BTC, start, end)
    ours = venue.bars["coingecko:bitcoin"].loc[start : end - HOUR]
    pd.testing.assert_series_equal(closes, ours["close"], check_freq=False)
    assert compare_closes(ours, closes, tolerance_bps=1e-9).agrees


@pytest.mark.parametrize(("hours", "days"), [(3, "2"), (49, "3"), (24 * 90, "90"), (24 * 400, "90")])
def test_days_asked_for_keep_hourly_points(venue: WireServer, hours: int, days: str) -> None:
    prices_at(venue).fetch_closes(BTC, NOW - hours * HOUR, NOW)
    assert venue.requests[-1].query == {"vs_currency": "usd", "days": days}


def test_points_that_are_no_hours_close_are_left_out_and_the_first_of_an_hour_counts(venue: WireServer) -> None:
    noon = pd.Timestamp("2024-03-01T12:00Z")
    points = [(0, 1.0), (60, 2.0), (3600 + 1200, 3.0), (7200 - 30, 4.0), (7200 + 300, 5.0)]
    body = {"prices": [[noon.value // 10**6 + seconds * 1000, price] for seconds, price in points]}
    venue.fail(Fault(CHART, 200, json.dumps(body)))
    closes = prices_at(venue).fetch_closes(BTC, noon - 24 * HOUR, noon + 24 * HOUR)
    assert closes.to_dict() == {noon - HOUR: 1.0, noon + HOUR: 5.0}


def test_a_coin_beyond_the_table_is_looked_up(venue: WireServer) -> None:
    venue.bars["coingecko:pepe"] = venue.bars["BTCUSDT"]
    assert len(prices_at(venue).fetch_closes(Symbol.parse("PEPE/USD"), NOW - 5 * HOUR, NOW)) == 4
    assert venue.paths() == ["/api/v3/coins/list", "/api/v3/coins/pepe/market_chart"]


@pytest.mark.parametrize(("base", "said"), [("TWIN", "twin-one, twin-two"), ("NOPE", "no coin")])
def test_an_unknown_or_ambiguous_coin_is_refused(venue: WireServer, base: str, said: str) -> None:
    with pytest.raises(UnknownSymbolError, match=said):
        prices_at(venue).fetch_closes(Symbol(base, "USD"), NOW - 5 * HOUR, NOW)


def test_a_coin_that_is_gone_is_unknown(venue: WireServer) -> None:
    with pytest.raises(UnknownSymbolError, match="ETH/USD"):
        prices_at(venue).fetch_closes(Symbol.parse("ETH/USD"), NOW - 5 * HOUR, NOW)


def test_a_rate_limit_waits_as_long_as_it_says(venue: WireServer) -> None:
    venue.fail(Fault(CHART, 429, "{}", {"Retry-After": "30"}))
    waits = Waits()
    assert len(prices_at(venue, waits).fetch_closes(BTC, NOW - 5 * HOUR, NOW)) == 4
    assert waits == [30.0]


def test_a_block_stops_and_an_outage_is_unavailable(venue: WireServer) -> None:
    venue.fail(Fault(CHART, 403), times=1)
    with pytest.raises(SourceBlockedError):
        prices_at(venue).fetch_closes(BTC, NOW - 5 * HOUR, NOW)
    venue.fail(Fault(CHART, 0), times=9)
    with pytest.raises(TransientSourceError):
        prices_at(venue).fetch_closes(BTC, NOW - 5 * HOUR, NOW)


@pytest.mark.parametrize("body", ["", "<html>", "{}", "[]", "null", '{"prices": [[1]]}', '{"prices": [["x", 1]]}'])
def test_an_answer_that_is_not_prices_is_an_error(venue: WireServer, body: str) -> None:
    venue.fail(Fault(CHART, 200, body))
    with pytest.raises(DataValidationError):
        prices_at(venue).fetch_closes(BTC, NOW - 5 * HOUR, NOW)

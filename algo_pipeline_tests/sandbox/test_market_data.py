"""Bars and prices as the pipeline's own clients and alpaca-py see them."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
import pytest
from alpaca.data.historical import CryptoHistoricalDataClient
from alpaca.data.requests import CryptoBarsRequest
from alpaca.data.timeframe import TimeFrame

from algo_pipeline.common.errors import UnknownSymbolError
from algo_pipeline.common.types import Symbol
from algo_pipeline.sandbox.server import SandboxConfig
from algo_pipeline.sources.alpaca_bars import AlpacaBarsSource
from algo_pipeline.sources.binance import BinanceSource
from algo_pipeline.sources.coingecko import CoinGeckoPrices
from algo_pipeline.sources.retry import RetryPolicy
from algo_pipeline_tests.market import random_bars
from algo_pipeline_tests.sandbox.rig import BTC, ETH, running

ONCE = RetryPolicy(attempts=1)
BARS = random_bars(2500, seed=8, start="2024-01-01", price=40_000.0)
NOW = BARS.index[2400] + pd.Timedelta(minutes=30)
CLOSED = BARS.iloc[:2400]


@pytest.fixture(scope="module")
def market():
    with running(SandboxConfig({BTC: BARS, ETH: random_bars(2500, seed=9)}, NOW)) as made:
        yield made


@pytest.fixture
def binance(market):
    return BinanceSource(base_url=market.url, policy=ONCE)


@pytest.fixture
def alpaca(market):
    return AlpacaBarsSource(base_url=market.url, policy=ONCE)


class TestOurSources:
    def test_binance_gives_the_closed_bars_to_the_bit_over_three_pages(self, binance):
        pd.testing.assert_frame_equal(binance.fetch_bars(BTC, BARS.index[0], BARS.index[-1]), CLOSED, check_freq=False)

    def test_alpaca_gives_the_closed_bars_to_the_bit(self, alpaca):
        pd.testing.assert_frame_equal(alpaca.fetch_bars(BTC, BARS.index[0], BARS.index[-1]), CLOSED, check_freq=False)

    def test_a_bar_is_there_as_soon_as_the_clock_closes_it(self):
        with running(SandboxConfig({BTC: BARS}, NOW)) as rig:
            sources = BinanceSource(base_url=rig.url, policy=ONCE), AlpacaBarsSource(base_url=rig.url, policy=ONCE)
            for closing, newest in ((1799.0, 2399), (1.0, 2400)):
                rig.control.advance(closing)
                for source in sources:
                    bars = source.fetch_bars(BTC, BARS.index[2390], BARS.index[-1])
                    assert bars.index[-1] == BARS.index[newest]

    def test_an_unknown_symbol_is_told_with_near_matches(self, binance, alpaca):
        with pytest.raises(UnknownSymbolError, match="BTC/USDT"):
            binance.fetch_bars(Symbol("BTCC", "USD"), BARS.index[0], BARS.index[9])
        with pytest.raises(UnknownSymbolError):
            alpaca.fetch_bars(Symbol("XYZ", "USD"), BARS.index[0], BARS.index[9])

    def test_coingecko_agrees_with_the_closes(self, market):
        prices = CoinGeckoPrices(base_url=market.url, policy=ONCE, now=lambda: NOW)
        closes = prices.fetch_closes(BTC, BARS.index[2300], NOW)
        pd.testing.assert_series_equal(closes, CLOSED["close"].iloc[2300:], check_freq=False)
        candles = prices.fetch_candle_closes(BTC, NOW - pd.Timedelta(days=6), NOW)
        assert len(candles) == 36
        pd.testing.assert_series_equal(candles, CLOSED.loc[candles.index, "close"], check_freq=False)

    def test_coingecko_has_hours_of_the_last_day(self, market):
        prices = CoinGeckoPrices(base_url=market.url, policy=ONCE, now=lambda: NOW)
        closes = prices.fetch_candle_closes(BTC, NOW - pd.Timedelta(hours=20), NOW)
        pd.testing.assert_series_equal(closes, CLOSED.loc[closes.index, "close"], check_freq=False)
        assert closes.index[-1] == CLOSED.index[-1]


class TestAlpacaBars:
    PATH = "/v1beta3/crypto/us/bars"

    def test_alpacas_own_client_reads_two_symbols(self, market):
        client = CryptoHistoricalDataClient(url_override=market.url)
        request = CryptoBarsRequest(
            symbol_or_symbols=["BTC/USD", "ETH/USD"], timeframe=TimeFrame.Hour, start=BARS.index[2380].to_pydatetime()
        )
        frame = client.get_crypto_bars(request).df
        assert [len(frame.loc[name]) for name in ("BTC/USD", "ETH/USD")] == [21, 21]

    def bars(self, market, **query):
        plain = {"symbols": "BTC/USD", "timeframe": "1Hour", "start": "2024-01-01"}
        return market.get(self.PATH, **{**plain, **query}).json()

    @pytest.mark.parametrize("sort", ["asc", "desc"])
    def test_pages_hold_every_bar_once_by_symbol_then_time(self, market, sort):
        seen, token = [], None
        while True:
            page = self.bars(market, symbols="ETH/USD,BTC/USD", limit=700, sort=sort, page_token=token)
            seen += [(name, bar["t"]) for name, rows in page["bars"].items() for bar in rows]
            assert sum(len(rows) for rows in page["bars"].values()) <= 700
            token = page["next_page_token"]
            if token is None:
                break
        times = [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in BARS.index[:2401]]
        expected = times if sort == "asc" else times[::-1]
        assert seen == [(name, at) for name in ("BTC/USD", "ETH/USD") for at in expected]

    def test_a_page_that_ends_with_the_bars_has_no_next(self, market):
        page = self.bars(market, start="2024-04-09T20:00:00Z", limit=5)
        assert (len(page["bars"]["BTC/USD"]), page["next_page_token"]) == (5, None)

    def test_the_open_candle_shows_its_open_and_the_extremes_so_far(self, market):
        last, recorded = self.bars(market, start=NOW.floor("h").isoformat())["bars"]["BTC/USD"][-1], BARS.iloc[2400]
        assert last["o"] == recorded.open
        assert recorded.low <= last["l"] <= last["c"] <= last["h"] <= recorded.high
        assert last["v"] == recorded.volume / 2

    def test_the_end_is_inclusive(self, market):
        rows = self.bars(market, start="2024-01-05T00:00:00+00:00", end="2024-01-05T02:00:00Z")["bars"]["BTC/USD"]
        assert [bar["t"][11:13] for bar in rows] == ["00", "01", "02"]

    def test_it_starts_with_chicagos_day_unless_told(self, market):
        rows = market.get(self.PATH, symbols="BTC/USD", timeframe="1Hour").json()["bars"]["BTC/USD"]
        assert rows[0]["t"] == "2024-04-09T05:00:00Z"  # now is half past midnight UTC of the tenth

    def test_an_unknown_symbol_has_no_bars(self, market):
        assert self.bars(market, symbols="XYZ/USD") == {"bars": {}, "next_page_token": None}
        assert list(self.bars(market, symbols="XYZ/USD,BTC/USD")["bars"]) == ["BTC/USD"]

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ({"symbols": "BTCUSD"}, "invalid symbol: BTCUSD"),
            ({"symbols": ""}, "symbols is required"),
            ({"timeframe": "1Day"}, "invalid timeframe"),
            ({"limit": "10001"}, "invalid limit"),
            ({"start": "soon"}, "invalid start"),
            ({"sort": "up"}, "invalid sort"),
            ({"page_token": "%%%"}, "invalid page token"),
        ],
    )
    def test_what_it_refuses(self, market, query, words):
        answer = market.get(self.PATH, **{"symbols": "BTC/USD", "timeframe": "1Hour", **query})
        assert answer.status_code == 400
        assert words in answer.json()["message"]


class TestBinance:
    KLINES = "/api/v3/klines"

    def klines(self, market, **query):
        return market.get(self.KLINES, **{"symbol": "BTCUSDT", "interval": "1h", **query})

    def test_the_newest_five_hundred_unless_told(self, market):
        rows = self.klines(market).json()
        assert (len(rows), rows[-1][0]) == (500, int(BARS.index[2400].value // 10**6))
        assert rows[-1][6] > NOW.value // 10**6  # the last one closes in the future

    def test_from_a_start_the_oldest_first_and_never_more_than_a_thousand(self, market):
        rows = self.klines(market, startTime=int(BARS.index[5].value // 10**6), limit=5000).json()
        assert (len(rows), rows[0][0]) == (1000, int(BARS.index[5].value // 10**6))

    def test_up_to_an_end_the_newest(self, market):
        rows = self.klines(market, endTime=int(BARS.index[50].value // 10**6), limit=3).json()
        assert [row[0] for row in rows] == [int(BARS.index[n].value // 10**6) for n in (48, 49, 50)]

    def test_prices_are_text_that_reads_back_to_the_same_double(self, market):
        row = self.klines(market, startTime=0, limit=1).json()[0]
        assert len(row) == 12
        assert [float(text) for text in row[1:6]] == list(BARS.iloc[0])
        assert all(isinstance(text, str) and "e" not in text for text in row[1:6])

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ({"symbol": "XYZUSDT"}, -1121),
            ({"symbol": "BTC/USDT"}, -1100),
            ({"symbol": ""}, -1102),
            ({"interval": ""}, -1102),
            ({"interval": "2y"}, -1120),
            ({"interval": "1m"}, -1120),
            ({"limit": "0"}, -1130),
            ({"limit": "many"}, -1100),
            ({"startTime": "-5"}, -1100),
        ],
    )
    def test_its_error_codes(self, market, query, code):
        answer = self.klines(market, **query)
        assert (answer.status_code, answer.json()["code"]) == (400, code)

    def test_listed_pairs_and_their_limits(self, market):
        info = market.get("/api/v3/exchangeInfo").json()
        assert [pair["symbol"] for pair in info["symbols"]] == ["BTCUSDT", "ETHUSDT"]
        assert {"REQUEST_WEIGHT", "RAW_REQUESTS"} == {limit["rateLimitType"] for limit in info["rateLimits"]}
        one = market.get("/api/v3/exchangeInfo", symbols='["ETHUSDT"]').json()
        assert [pair["baseAsset"] for pair in one["symbols"]] == ["ETH"]
        assert market.get("/api/v3/exchangeInfo", symbol="NONEUSDT").json()["code"] == -1121
        assert market.get("/api/v3/exchangeInfo", symbols="ETHUSDT").json()["code"] == -1100

    def test_ping_time_and_the_weight_used(self, market):
        assert market.get("/api/v3/ping").json() == {}
        assert market.get("/api/v3/time").json() == {"serverTime": int(NOW.value // 10**6)}
        assert int(market.get("/api/v3/time").headers["X-MBX-USED-WEIGHT-1M"]) >= 1

    def test_too_much_weight_is_refused_when_asked(self):
        with running(SandboxConfig({BTC: BARS}, NOW, enforce_limits=True)) as rig:
            answers = [rig.get("/api/v3/exchangeInfo") for _ in range(601)]  # 20 each, 6,000 a minute, two minutes
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused[0].json()["code"] == -1003
        assert int(refused[0].headers["Retry-After"]) >= 1


class TestCoinGecko:
    def test_the_list_names_its_coins(self, market):
        assert [coin["id"] for coin in market.get("/api/v3/coins/list").json()] == ["bitcoin", "ethereum"]

    def test_candles_are_stamped_with_their_close(self, market):
        rows = market.get("/api/v3/coins/bitcoin/ohlc", vs_currency="usd", days=1).json()
        assert (rows[-1][0], len(rows)) == (int(NOW.value // 10**6), 48)
        assert rows[-2][0] == int(NOW.floor("h").value // 10**6)
        assert rows[-2][4] == CLOSED["close"].iloc[-1]

    def test_beyond_thirty_days_a_candle_is_four_days_long(self, market):
        rows = market.get("/api/v3/coins/bitcoin/ohlc", vs_currency="usd", days=90).json()
        assert {(after[0] - before[0]) // 3_600_000 for before, after in pairwise(rows)} == {96}

    def test_points_are_five_minutes_an_hour_or_a_day_apart(self, market):
        for days, seconds in ((1, 300), (30, 3600), (91, 86_400)):
            prices = market.get("/api/v3/coins/bitcoin/market_chart", vs_currency="usd", days=days).json()["prices"]
            steps = {(after[0] - before[0]) // 1000 for before, after in pairwise(prices[:-1])}
            assert steps == {seconds}

    @pytest.mark.parametrize(
        ("coin", "query", "status"),
        [
            ("dogwifhat", {}, 404),
            ("bitcoin", {"vs_currency": "eur"}, 400),
            ("bitcoin", {"vs_currency": ""}, 400),
            ("bitcoin", {"days": "2.5"}, 400),
            ("bitcoin", {"days": "400"}, 401),
        ],
    )
    def test_what_it_refuses(self, market, coin, query, status):
        plain = {"vs_currency": "usd", "days": "7"}
        for kind in ("ohlc", "market_chart"):
            answer = market.get(f"/api/v3/coins/{coin}/{kind}", **{**plain, **query})
            assert answer.status_code == status
            assert "error" in answer.json()


def test_answers_are_dated_by_the_virtual_clock(rig):
    assert rig.get("/api/v3/ping").headers["Date"] == "Fri, 01 Mar 2024 10:10:00 GMT"

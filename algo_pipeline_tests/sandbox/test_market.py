from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import ConfigValueError, UnknownSymbolError
from algo_pipeline.sandbox.market import BarSeries, Candle, Market
from algo_pipeline_tests.market import random_bars, without_rows
from algo_pipeline_tests.sandbox.rig import BTC, ETH, FIRST, HOUR, bars_of, ns, steady

MINUTE = pd.Timedelta(minutes=1)
RISING = Candle(ns(FIRST), 100.0, 130.0, 70.0, 120.0, 60.0)
FALLING = Candle(ns(FIRST), 120.0, 130.0, 70.0, 100.0, 60.0)


class TestPathInsideABar:
    def test_a_rising_bar_falls_to_its_low_first(self):
        prices = [RISING.price_at(ns(FIRST + m * MINUTE)) for m in (0, 10, 20, 30, 40, 60)]
        assert prices == pytest.approx([100.0, 85.0, 70.0, 100.0, 130.0, 120.0])

    def test_a_falling_bar_rises_to_its_high_first(self):
        prices = [FALLING.price_at(ns(FIRST + m * MINUTE)) for m in (0, 20, 40, 60)]
        assert prices == pytest.approx([120.0, 130.0, 70.0, 100.0])

    def test_at_its_open_a_bar_shows_its_open_alone(self):
        assert RISING.seen_at(ns(FIRST)) == Candle(ns(FIRST), 100.0, 100.0, 100.0, 100.0, 0.0)

    def test_half_way_it_shows_the_extremes_so_far_and_half_the_volume(self):
        seen = RISING.seen_at(ns(FIRST + 30 * MINUTE))
        assert (seen.open, seen.high, seen.low, seen.close, seen.volume) == pytest.approx((100, 100, 70, 100, 30))

    def test_closed_it_is_the_recorded_bar_to_the_bit(self):
        assert RISING.seen_at(ns(FIRST + HOUR)) == RISING

    def test_extremes_between_two_times(self):
        assert RISING.extremes(ns(FIRST + 10 * MINUTE), ns(FIRST + 30 * MINUTE)) == pytest.approx((70.0, 100.0))
        assert RISING.extremes(ns(FIRST + 50 * MINUTE), ns(FIRST + 60 * MINUTE)) == pytest.approx((120.0, 125.0))

    @given(st.integers(0, 400), st.integers(0, 3_600_000), st.integers(0, 3_600_000))
    @settings(max_examples=200, deadline=None)
    def test_what_is_seen_is_a_valid_bar_within_the_whole_one_and_only_widens(self, seed, first_ms, second_ms):
        whole = BarSeries(random_bars(1, seed=seed)).candle(0)
        early, late = (whole.seen_at(whole.opened_ns + ms * 1_000_000) for ms in sorted((first_ms, second_ms)))
        for seen in (early, late):
            assert whole.low <= seen.low <= min(seen.open, seen.close)
            assert max(seen.open, seen.close) <= seen.high <= whole.high
        assert late.low <= early.low
        assert early.high <= late.high
        assert early.volume <= late.volume


class TestSeries:
    BARS = without_rows(steady(6), 3)

    @pytest.fixture
    def series(self):
        return BarSeries(self.BARS)

    def test_a_bar_is_closed_an_hour_after_its_open_and_not_before(self, series):
        assert series.last_closed(ns(FIRST + HOUR) - 1) is None
        assert series.last_closed(ns(FIRST + HOUR)).open == 100.0
        assert series.last_closed(ns(FIRST + 2 * HOUR)).open == 101.0

    def test_the_bar_that_contains_a_time(self, series):
        assert series.running_or_next(ns(FIRST + 2 * HOUR)).open == 102.0
        assert series.running_or_next(ns(FIRST + 3 * HOUR) - 1).open == 102.0

    def test_in_a_gap_it_is_the_next_one(self, series):
        assert series.running_or_next(ns(FIRST + 3 * HOUR)).open == 104.0

    def test_after_the_last_bar_there_is_none(self, series):
        assert series.running_or_next(ns(FIRST + 6 * HOUR) - 1).open == 105.0
        assert series.running_or_next(ns(FIRST + 6 * HOUR)) is None

    def test_in_a_gap_the_price_is_the_last_close(self, series):
        assert series.price_at(ns(FIRST + 3 * HOUR + 30 * MINUTE)) == 102.5
        assert series.price_at(ns(FIRST) - 1) is None

    def test_only_bars_that_have_begun_are_seen_and_the_open_one_in_part(self, series):
        seen = series.seen(ns(FIRST + HOUR + 30 * MINUTE), 0, ns(FIRST + 5 * HOUR))
        assert [candle.open for candle in seen] == [100.0, 101.0]
        assert seen[1].volume == 30.0

    def test_bounds_are_inclusive(self, series):
        seen = series.seen(ns(FIRST + 6 * HOUR), ns(FIRST + HOUR), ns(FIRST + 4 * HOUR))
        assert [candle.open for candle in seen] == [101.0, 102.0, 104.0]

    def test_a_limit_keeps_the_oldest_or_the_newest(self, series):
        now = ns(FIRST + 6 * HOUR)
        assert [candle.open for candle in series.seen(now, 0, now, 2)] == [100.0, 101.0]
        assert [candle.open for candle in series.seen(now, 0, now, 2, newest=True)] == [104.0, 105.0]

    def test_bars_between_two_times_share_time_with_them(self, series):
        spans = [(0, 60), (59, 61), (60, 60), (180, 240), (180, 241)]
        opens = [[c.open for c in series.between(ns(FIRST + a * MINUTE), ns(FIRST + b * MINUTE))] for a, b in spans]
        assert opens == [[100.0], [100.0, 101.0], [], [], [104.0]]


def test_a_market_names_its_symbols_in_order_and_knows_no_other():
    market = Market({ETH: steady(2), BTC: steady(3)})
    assert market.symbols == (ETH, BTC)
    assert market.last_open_ns == ns(FIRST + 2 * HOUR)
    with pytest.raises(UnknownSymbolError):
        Market({ETH: steady(2)})[BTC]


def test_a_market_without_bars_is_refused():
    with pytest.raises(ConfigValueError):
        Market({})
    with pytest.raises(ConfigValueError):
        Market({BTC: bars_of([])})

"""Features of bars as they come: to the bit what the whole history gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import DataValidationError, InsufficientHistoryError
from algo_pipeline.common.schemas import empty_bars
from algo_pipeline.data.feature_registry import MAX_WARMUP_BARS
from algo_pipeline.data.feature_stream import FeatureStream
from algo_pipeline.data.features import build_features
from algo_pipeline_tests.data.test_latest import assert_same_bits, market, markets
from algo_pipeline_tests.market import random_bars


class TestFeatureStream:
    @pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "SOLUSDT"])
    def test_a_month_of_real_bars_one_by_one_gives_the_rows_of_the_whole(
        self, real_bars: Callable[[str], pd.DataFrame], symbol: str
    ) -> None:
        bars = real_bars(symbol)
        features, first = build_features(bars), len(bars) - 720
        stream = FeatureStream(bars.iloc[:first])
        for position in range(first, len(bars)):
            stream.append(bars.iloc[position : position + 1])
            assert_same_bits(stream.latest(), features.iloc[[position]])

    @given(markets, st.lists(st.integers(0, 400), min_size=1, max_size=5), st.integers(0, 900))
    @settings(max_examples=60, deadline=None)
    def test_any_market_in_pieces_of_any_size_gives_the_rows_of_the_whole(
        self, bars: pd.DataFrame, pieces: list[int], start: int
    ) -> None:
        features = build_features(bars)
        position = min(start, len(bars))
        stream = FeatureStream(bars.iloc[:position])
        for size in (*pieces, 1, 1):
            stream.append(bars.iloc[position : position + size])
            position = min(position + size, len(bars))
            if position:
                assert_same_bits(stream.latest(), features.iloc[[position - 1]])
            assert stream.n_bars == position

    @pytest.mark.parametrize("first", [MAX_WARMUP_BARS - 1, MAX_WARMUP_BARS, MAX_WARMUP_BARS + 1])
    def test_a_market_that_stands_still_and_moves_again_gives_the_rows_of_the_whole(self, first: int) -> None:
        bars = market(11, 1600, 3, (700, 720), (600, 900), 100.0)
        features = build_features(bars)
        stream = FeatureStream(bars.iloc[:first])
        for position in range(first, len(bars)):
            stream.append(bars.iloc[position : position + 1])
            if position % 5 == 0 or position > 1400:
                assert_same_bits(stream.latest(), features.iloc[[position]])

    def test_the_first_trade_after_a_history_without_any_sets_the_scale_of_volume(self) -> None:
        bars = market(4, 900, 0, (0, 0), (0, 700), 100.0)
        features = build_features(bars)
        stream = FeatureStream(bars.iloc[:690])
        for position in range(690, 900):
            stream.append(bars.iloc[position : position + 1])
            assert_same_bits(stream.latest(), features.iloc[[position]])

    def test_asking_changes_nothing(self) -> None:
        bars = random_bars(800, seed=1)
        stream = FeatureStream(bars)
        assert_same_bits(stream.latest(), stream.latest())
        stream.append(bars.iloc[:0])
        assert_same_bits(stream.latest(), build_features(bars).iloc[[-1]])

    def test_the_newest_bar_is_told(self) -> None:
        bars = random_bars(700)
        stream = FeatureStream(bars.iloc[:0])
        assert (stream.last_at, stream.n_bars) == (None, 0)
        stream.append(bars.iloc[:10])
        assert (stream.last_at, stream.n_bars) == (bars.index[9], 10)
        stream.append(bars.iloc[10:])
        assert (stream.last_at, stream.n_bars) == (bars.index[-1], 700)

    @pytest.mark.parametrize("n_bars", [20, 800])
    def test_bars_that_do_not_follow_are_refused_and_none_is_taken_in(self, n_bars: int) -> None:
        bars = random_bars(n_bars + 5)
        stream = FeatureStream(bars.iloc[:n_bars])
        before = stream.latest()
        broken = bars.iloc[n_bars:].assign(close=np.nan)
        for wrong in (bars.iloc[n_bars - 1 :], bars.iloc[:1], broken):
            with pytest.raises(DataValidationError):
                stream.append(wrong)
        assert_same_bits(stream.latest(), before)
        stream.append(bars.iloc[n_bars:])
        assert_same_bits(stream.latest(), build_features(bars).iloc[[-1]])

    def test_no_bars_have_no_latest_features(self) -> None:
        with pytest.raises(InsufficientHistoryError):
            FeatureStream(empty_bars()).latest()

    def test_the_history_is_not_kept(self) -> None:
        bars = random_bars(5000)
        stream = FeatureStream(bars)
        held = [value for value in vars(stream).values() if isinstance(value, pd.DataFrame)]
        assert sum(len(frame) for frame in held) < MAX_WARMUP_BARS

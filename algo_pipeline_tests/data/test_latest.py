"""The newest bar's features are the last row of ``build_features``, to the bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import DataValidationError, InsufficientHistoryError
from algo_pipeline.common.schemas import empty_bars
from algo_pipeline.common.time import BAR
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.features import build_features
from algo_pipeline.data.latest import latest_features
from algo_pipeline.data.simulation import GENESIS, simulate_bars
from algo_pipeline_tests.market import random_bars, without_rows


def assert_same_bits(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_index_equal(found.index, expected.index)
    assert list(found.columns) == list(expected.columns)
    different = found.to_numpy().view(np.int64) != expected.to_numpy().view(np.int64)
    assert not different.any(), list(found.columns[different[0]])


def market(seed: int, n: int, n_gaps: int, flat: tuple[int, int], quiet: tuple[int, int], price: float) -> pd.DataFrame:
    """Random bars with gaps, a stretch in which no price moves, and one in which nothing is traded."""
    bars = random_bars(n, seed=seed, price=price)
    start, length = flat
    bars.iloc[start : start + length, :4] = bars["close"].iloc[min(max(start - 1, 0), n - 1)]
    start, length = quiet
    bars.iloc[start : start + length, 4] = 0.0
    gaps = np.random.default_rng(seed).integers(1, n, n_gaps) if n > 1 else []
    return without_rows(bars, *{int(gap) for gap in gaps})


stretches = st.tuples(st.integers(0, 900), st.integers(0, 800))
markets = st.builds(
    market,
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 900),
    n_gaps=st.integers(0, 3),
    flat=stretches,
    quiet=stretches,
    price=st.sampled_from([1e-8, 0.3, 100.0, 6e4]),
)


class TestLatestFeatures:
    @pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "SOLUSDT"])
    def test_real_bars_cut_anywhere_give_the_row_of_the_whole(
        self, real_bars: Callable[[str], pd.DataFrame], symbol: str
    ) -> None:
        bars = real_bars(symbol)
        features = build_features(bars)
        drawn = np.random.default_rng(7).integers(0, len(bars), 60)
        for position in (*range(0, 700, 13), *range(650, 662), *drawn, len(bars) - 1):
            assert_same_bits(latest_features(bars.iloc[: position + 1]), features.iloc[[position]])

    @given(markets)
    @settings(max_examples=80, deadline=None)
    def test_any_market_gives_the_last_row(self, bars: pd.DataFrame) -> None:
        assert_same_bits(latest_features(bars), build_features(bars).iloc[[-1]])

    def test_simulated_bars_give_the_row_of_the_whole(self) -> None:
        bars = simulate_bars(Symbol("BTC", "USD"), GENESIS, GENESIS + 3000 * BAR, seed=7, signal_strength=0.3)
        features = build_features(bars)
        for position in range(2500, 3000, 7):
            assert_same_bits(latest_features(bars.iloc[: position + 1]), features.iloc[[position]])

    def test_each_bar_behind_a_gap_gives_the_row_of_the_whole(self) -> None:
        bars = without_rows(random_bars(900, seed=5), 700, 701, 704)
        features = build_features(bars)
        for position in range(695, len(bars)):
            assert_same_bits(latest_features(bars.iloc[: position + 1]), features.iloc[[position]])

    def test_a_market_that_stands_still_for_longer_than_any_warm_up_gives_the_row_of_the_whole(self) -> None:
        bars = market(3, 1500, 0, (600, 750), (0, 0), 100.0)
        features = build_features(bars)
        for position in range(1240, 1380, 3):
            assert_same_bits(latest_features(bars.iloc[: position + 1]), features.iloc[[position]])

    def test_bars_of_any_layout_in_memory_give_the_same_bits(self) -> None:
        bars = random_bars(800, seed=2)
        columns = pd.DataFrame({name: bars[name].to_numpy() for name in bars.columns}, index=bars.index)
        by_rows = pd.DataFrame(np.ascontiguousarray(bars.to_numpy()), index=bars.index, columns=bars.columns)
        assert_same_bits(latest_features(columns), latest_features(by_rows))

    def test_no_bars_have_no_latest_features(self) -> None:
        with pytest.raises(InsufficientHistoryError):
            latest_features(empty_bars())

    def test_invalid_bars_are_refused_wherever_they_lie(self) -> None:
        bars = random_bars(900)
        bars.iloc[3, 1] = -1.0
        with pytest.raises(DataValidationError):
            latest_features(bars)

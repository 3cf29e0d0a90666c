from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.errors import InsufficientHistoryError
from algo_pipeline.data.feature_registry import FEATURE_NAMES, MAX_WARMUP_BARS
from algo_pipeline.data.features import build_features
from algo_pipeline.data.skew import feature_skew
from algo_pipeline_tests.market import random_bars

N = MAX_WARMUP_BARS + 400


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    return random_bars(N, seed=3)


def test_a_source_is_not_apart_from_itself(bars: pd.DataFrame) -> None:
    skew = feature_skew(bars, bars)
    assert sorted(skew.table.index) == sorted(FEATURE_NAMES)
    assert (skew.table == 0.0).all(axis=None)
    assert skew.last == bars.index[-1]


def test_differences_are_in_deviations_of_the_reference(bars: pd.DataFrame) -> None:
    noise = np.random.default_rng(1).normal(0.0, 1e-4, N)
    other = bars.assign(close=np.clip(bars["close"] * (1 + noise), bars["low"], bars["high"]))
    skew = feature_skew(bars, other, n_hours=100)
    ours, theirs = (build_features(frame)["log_return_1"].iloc[-100:] for frame in (bars, other))
    units = (theirs - ours).abs() / ours.std()
    assert skew.n_hours == 100
    assert skew.table.loc["log_return_1", "median"] == pytest.approx(units.median())
    assert skew.table.loc["log_return_1", "max"] == pytest.approx(units.max())


def test_only_what_differs_shows_and_the_worst_comes_first(bars: pd.DataFrame) -> None:
    other = bars.assign(volume=bars["volume"] * np.random.default_rng(2).uniform(0.5, 1.5, N))
    skew = feature_skew(bars, other)
    assert skew.worst in ("volume_zscore_168", "mfi_14", "obv_slope_24")
    assert set(skew.table.index[skew.table["max"] > 0]) == {"volume_zscore_168", "mfi_14", "obv_slope_24"}
    assert skew.table["median"].is_monotonic_decreasing


def test_another_scale_of_prices_is_no_difference(bars: pd.DataFrame) -> None:
    prices = ["open", "high", "low", "close"]
    assert (feature_skew(bars, bars.assign(**{name: bars[name] * 4 for name in prices})).table == 0.0).all(axis=None)


def test_only_hours_that_both_have_are_compared(bars: pd.DataFrame) -> None:
    skew = feature_skew(bars, bars.iloc[:-10])
    assert skew.last == bars.index[-11]
    assert skew.n_hours == 400 - 10 + 1


def test_too_little_in_common_is_said(bars: pd.DataFrame) -> None:
    with pytest.raises(InsufficientHistoryError, match="0 hours"):
        feature_skew(bars, bars.iloc[:100])

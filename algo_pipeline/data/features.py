"""The 37 features: scale-free, causal, certified; NaN until warm and across gaps, finite otherwise."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numba import njit

from algo_pipeline.common.schemas import validate_bars
from algo_pipeline.common.time import bar_numbers
from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.data.feature_registry import FEATURE_NAMES, FEATURES, MAX_WARMUP_BARS, FeatureSpec
from algo_pipeline.data.feature_rows import Market, fill_calendar, fill_recursive, fill_windowed

__all__ = ["FEATURES", "FEATURE_NAMES", "MAX_WARMUP_BARS", "FeatureSpec", "build_features"]


def build_features(bars: pd.DataFrame) -> pd.DataFrame:
    """Compute all features of every bar from that bar and those before it.

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, 5)
        Valid hourly bars; hours may be missing.

    Returns
    -------
    DataFrame of shape (n_bars, 37)
        Columns ``FEATURE_NAMES``, float64, same index. A value is NaN on fewer than ``warmup_bars`` bars of history
        and where its ``window_bars`` bars cross a gap; finite everywhere else.

    Raises
    ------
    DataValidationError
        If ``bars`` break the schema of bars.
    """
    validate_bars(bars)
    numbers = bar_numbers(pd.DatetimeIndex(bars.index))
    matrix = np.empty((len(FEATURES), len(bars)))
    if len(bars):
        market, rows = Market.of(bars), dict(zip(FEATURE_NAMES, matrix, strict=True))
        fill_windowed(market, rows)
        fill_recursive(market, rows)
        fill_calendar(numbers, rows)
        _mask_unknown(matrix, numbers, _column("window_bars"), _column("warmup_bars"))
    return pd.DataFrame(matrix.T, index=bars.index, columns=list(FEATURE_NAMES), copy=False)


@njit(cache=True)
def _mask_unknown(matrix: FloatArray, numbers: IntArray, window_bars: IntArray, warmup_bars: IntArray) -> None:
    n_features, n_bars = matrix.shape
    for feature in range(n_features):
        matrix[feature, : warmup_bars[feature] - 1] = np.nan
    for bar in range(1, n_bars):
        if numbers[bar] - numbers[bar - 1] != 1:
            for feature in range(n_features):
                matrix[feature, bar : bar + window_bars[feature] - 1] = np.nan


def _column(attribute: str) -> IntArray:
    return np.array([getattr(spec, attribute) for spec in FEATURES], dtype=np.int64)

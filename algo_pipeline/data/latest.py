"""The newest bar's features without computing the whole history's: bit for bit the last row of ``build_features``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import InsufficientHistoryError
from algo_pipeline.common.schemas import validate_bars
from algo_pipeline.common.time import bar_numbers
from algo_pipeline.common.types import IntArray
from algo_pipeline.data.feature_registry import FEATURE_NAMES, FEATURES
from algo_pipeline.data.feature_rows import RECURSIVE, Market, fill_calendar, fill_recursive, fill_windowed

WINDOW_BARS = max(spec.window_bars for spec in FEATURES)

_WINDOWS = np.array([spec.window_bars for spec in FEATURES])
_WARMUPS = np.array([spec.warmup_bars for spec in FEATURES])


def latest_features(bars: pd.DataFrame) -> pd.DataFrame:
    """The last row of ``build_features(bars)``, to the bit.

    Windowed features are computed from the last bars alone, at the scale of the whole history; recursive ones from all.

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, 5)
        Valid hourly bars; hours may be missing.

    Returns
    -------
    DataFrame of shape (1, 37)
        Columns ``FEATURE_NAMES``, float64, indexed by the last bar; NaN as ``build_features`` has it.

    Raises
    ------
    DataValidationError
        If ``bars`` break the schema of bars.
    InsufficientHistoryError
        If there are none.
    """
    validate_bars(bars)
    if bars.empty:
        raise InsufficientHistoryError("The latest features of no bars were asked for.", "Fetch bars first.")
    market = Market.of(bars)
    numbers = bar_numbers(pd.DatetimeIndex(bars.index[-WINDOW_BARS:]))
    return latest_frame(bars.index[-1:], market.last(WINDOW_BARS), numbers, _recursive_values(market), len(bars))


def latest_frame(
    index: pd.Index, market: Market, numbers: IntArray, recursive: Mapping[str, float], n_bars: int
) -> pd.DataFrame:
    """The last row of features.

    Parameters
    ----------
    index : Index of length 1
        The last bar.
    market : Market
        The last :data:`WINDOW_BARS` bars, or all if there are fewer.
    numbers : int64 array
        Whole hours since the epoch of those bars.
    recursive : mapping
        The last value of each recursive feature.
    n_bars : int
        Length of the whole history.
    """
    matrix = np.empty((len(FEATURES), len(numbers)))
    rows = dict(zip(FEATURE_NAMES, matrix, strict=True))
    fill_windowed(market, rows)
    fill_calendar(numbers, rows)
    for name, value in recursive.items():
        rows[name][-1] = value
    row = matrix[:, -1:].T.copy()
    row[0, (n_bars < _WARMUPS) | (_bars_since_gap(numbers) < _WINDOWS)] = np.nan
    return pd.DataFrame(row, index=index, columns=list(FEATURE_NAMES), copy=False)


def _recursive_values(market: Market) -> dict[str, float]:
    rows = dict(zip(RECURSIVE, np.empty((len(RECURSIVE), market.close.size)), strict=True))
    fill_recursive(market, rows)
    return {name: float(values[-1]) for name, values in rows.items()}


def _bars_since_gap(numbers: IntArray) -> int:
    """Bars from the last one behind a gap on, that one included; all of them where there is no gap."""
    behind_gap = np.flatnonzero(np.diff(numbers) != 1)
    # Without a gap among these bars no window of theirs crosses one.
    return len(numbers) - int(behind_gap[-1]) - 1 if behind_gap.size else WINDOW_BARS

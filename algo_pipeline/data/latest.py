"""The newest bar's features without computing the whole history's: bit for bit the last row of ``build_features``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import InsufficientHistoryError
from algo_pipeline.common.schemas import bar_values, validate_bars
from algo_pipeline.common.time import bar_numbers
from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.data.feature_registry import FEATURE_NAMES, FEATURES, MAX_WARMUP_BARS
from algo_pipeline.data.feature_rows import Market, fill_calendar, fill_windowed
from algo_pipeline.data.features import build_features
from algo_pipeline.data.indicator_stream import Recursions
from algo_pipeline.data.indicators import canonical_scale

WINDOW_BARS = max(spec.window_bars for spec in FEATURES)

_WARMUPS = {spec.name: spec.warmup_bars for spec in FEATURES}
_WINDOWS = np.array([spec.window_bars for spec in FEATURES])


def latest_features(bars: pd.DataFrame) -> pd.DataFrame:
    """The last row of ``build_features(bars)``, to the bit.

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
    if len(bars) < MAX_WARMUP_BARS:
        features = build_features(bars).iloc[-1:]
        if features.empty:
            raise InsufficientHistoryError("The latest features of no bars were asked for.", "Fetch bars first.")
        return features
    return NewestBar(validate_bars(bars)).features()


class NewestBar:
    """What a long history leaves behind for its newest bar: the longest window, the scale, and the recursions.

    Windowed features follow from the bars of their windows alone, at the scale of the whole history.

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, 5)
        Valid hourly bars, at least ``MAX_WARMUP_BARS``.
    """

    def __init__(self, bars: pd.DataFrame) -> None:
        self._price_scale = canonical_scale(bars["close"].to_numpy())
        self._volume_scale = canonical_scale(bars["volume"].to_numpy())
        self._has_volume = bool((bars["volume"].to_numpy() > 0.0).any())
        self._recursions = Recursions(*(bars[name].to_numpy() * self._price_scale for name in ("high", "low", "close")))
        self._values = _values(bars.iloc[-WINDOW_BARS:])
        self._numbers = _numbers(bars.iloc[-WINDOW_BARS:])
        self.index = bars.index[-1:]
        self.n_bars = len(bars)

    def append(self, bars: pd.DataFrame) -> None:
        """Take in the bars that follow; valid ones."""
        if bars.empty:
            return
        values = _values(bars)
        if not self._has_volume:  # the scale of volumes follows from the first one that is positive
            self._volume_scale = canonical_scale(values[:, 4])
            self._has_volume = bool((values[:, 4] > 0.0).any())
        for _, high, low, close in (values[:, :4] * self._price_scale).tolist():
            self._recursions.update(high, low, close)
        self._values = np.concatenate([self._values, values])[-WINDOW_BARS:]
        self._numbers = np.concatenate([self._numbers, _numbers(bars)])[-WINDOW_BARS:]
        self.index = bars.index[-1:]
        self.n_bars += len(bars)

    def features(self) -> pd.DataFrame:
        """Its features, as :func:`latest_features` of all bars."""
        matrix = np.empty((len(FEATURES), len(self._numbers)))
        rows = dict(zip(FEATURE_NAMES, matrix, strict=True))
        fill_windowed(self._market(), rows)
        fill_calendar(self._numbers, rows)
        for name, value in self._recursive_values().items():
            rows[name][-1] = value
        row = matrix[:, -1:].T.copy()
        row[0, _bars_since_gap(self._numbers) < _WINDOWS] = np.nan
        return pd.DataFrame(row, index=self.index, columns=list(FEATURE_NAMES), copy=False)

    def _market(self) -> Market:
        open_, high, low, close, volume = np.ascontiguousarray(self._values.T)
        scale = self._price_scale
        return Market(open_ * scale, high * scale, low * scale, close * scale, volume * self._volume_scale)

    def _recursive_values(self) -> Mapping[str, float]:
        """As ``feature_rows.fill_recursive`` has them in the last row."""
        recursions, close = self._recursions, float(self._values[-1, 3]) * self._price_scale
        line, histogram = recursions.macd()
        distances = {
            "ema_ratio_12": close / recursions.ema(12) - 1.0,
            "ema_ratio_48": close / recursions.ema(48) - 1.0,
            "macd_ratio": line / close,
            "macd_hist_ratio": histogram / close,
        }
        equal = recursions.equal_closes
        return {name: 0.0 if equal >= _WARMUPS[name] else distance for name, distance in distances.items()} | {
            "adx_14": recursions.adx(),
            "rsi_7": recursions.rsi(7),
            "rsi_14": recursions.rsi(14),
            "atr_ratio_14": recursions.atr() / close,
        }


def _values(bars: pd.DataFrame) -> FloatArray:
    return np.array(bar_values(bars), dtype=np.float64)


def _numbers(bars: pd.DataFrame) -> IntArray:
    return bar_numbers(pd.DatetimeIndex(bars.index))


def _bars_since_gap(numbers: IntArray) -> int:
    """Bars from the last one behind a gap on, that one included; all of the longest window where it has no gap."""
    behind_gap = np.flatnonzero(np.diff(numbers) != 1)
    return len(numbers) - int(behind_gap[-1]) - 1 if behind_gap.size else WINDOW_BARS

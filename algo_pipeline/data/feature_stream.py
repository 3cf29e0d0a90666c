"""Features of bars as they come: each new bar costs the same however long the history is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import DataValidationError
from algo_pipeline.common.schemas import BAR_COLUMNS, validate_bars
from algo_pipeline.common.time import bar_numbers
from algo_pipeline.common.types import FloatArray
from algo_pipeline.data.feature_registry import FEATURES, MAX_WARMUP_BARS
from algo_pipeline.data.feature_rows import Market
from algo_pipeline.data.indicator_stream import Recursions
from algo_pipeline.data.indicators import canonical_scale
from algo_pipeline.data.latest import WINDOW_BARS, latest_features, latest_frame

_WARMUPS = {spec.name: spec.warmup_bars for spec in FEATURES}


class FeatureStream:
    """The features of the newest bar, to the bit what ``build_features`` gives for all bars.

    Bars that were given once can't change: start a new stream where a source has corrected some.

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, 5)
        Valid hourly bars, oldest first; may be empty, hours may be missing.

    Raises
    ------
    DataValidationError
        If ``bars`` break the schema of bars.
    """

    def __init__(self, bars: pd.DataFrame) -> None:
        validate_bars(bars)
        self._bars: pd.DataFrame
        self._carried: _Carried | None
        self._keep(bars)

    @property
    def n_bars(self) -> int:
        """Bars so far."""
        return len(self._bars) if self._carried is None else self._carried.n_bars

    @property
    def last_at(self) -> pd.Timestamp | None:
        """Open time of the newest bar; None before the first."""
        newest = self._bars.index[-1:] if self._carried is None else self._carried.newest
        return newest[0] if len(newest) else None

    def append(self, bars: pd.DataFrame) -> None:
        """Take in the bars that follow.

        Raises
        ------
        DataValidationError
            If they break the schema of bars, or do not all lie behind the newest bar; none is taken in then.
        """
        validate_bars(bars)
        last_at = self.last_at
        if last_at is not None and len(bars) and bars.index[0] <= last_at:
            raise DataValidationError(
                f"Bars after {last_at} are expected; the first one found is {bars.index[0]}.",
                "Pass new bars only, or start a new stream where old ones changed.",
            )
        if self._carried is not None:
            self._carried.append(bars)
            return
        self._keep(pd.concat([self._bars, bars]) if len(self._bars) else bars)

    def latest(self) -> pd.DataFrame:
        """:func:`~algo_pipeline.data.latest.latest_features` of all bars; shape (1, 37).

        Raises
        ------
        InsufficientHistoryError
            If there are no bars.
        """
        return latest_features(self._bars) if self._carried is None else self._carried.latest()

    def _keep(self, bars: pd.DataFrame) -> None:
        """All bars while a recursive feature could still miss some; then only what they leave behind."""
        is_long = len(bars) >= MAX_WARMUP_BARS
        self._carried = _Carried(bars) if is_long else None
        self._bars = bars.iloc[:0] if is_long else bars


class _Carried:
    """What a long history leaves behind: the bars of the longest window, the scale, and the recursions."""

    def __init__(self, bars: pd.DataFrame) -> None:
        market = Market.of(bars)
        self._recursions = Recursions(market.high, market.low, market.close)
        self._price_scale = canonical_scale(bars["close"].to_numpy())
        self._volume_scale = canonical_scale(bars["volume"].to_numpy())
        self._has_volume = bool((bars["volume"] > 0.0).any())
        self._values = _rows(bars)[-WINDOW_BARS:].copy()
        self._numbers = bar_numbers(pd.DatetimeIndex(bars.index[-WINDOW_BARS:]))
        self.newest = bars.index[-1:]
        self.n_bars = len(bars)

    def append(self, bars: pd.DataFrame) -> None:
        if bars.empty:
            return
        values = _rows(bars)
        if not self._has_volume:  # the scale of volumes follows from the first one that is positive
            self._volume_scale = canonical_scale(values[:, 4])
            self._has_volume = bool((values[:, 4] > 0.0).any())
        for _, high, low, close in (values[:, :4] * self._price_scale).tolist():
            self._recursions.update(high, low, close)
        self._values = np.concatenate([self._values, values])[-WINDOW_BARS:]
        self._numbers = np.concatenate([self._numbers, bar_numbers(pd.DatetimeIndex(bars.index))])[-WINDOW_BARS:]
        self.newest = bars.index[-1:]
        self.n_bars += len(bars)

    def latest(self) -> pd.DataFrame:
        return latest_frame(self.newest, self._market(), self._numbers, self._recursive_values(), self.n_bars)

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
        still = recursions.equal_closes
        return {name: 0.0 if still >= _WARMUPS[name] else distance for name, distance in distances.items()} | {
            "adx_14": recursions.adx(),
            "rsi_7": recursions.rsi(7),
            "rsi_14": recursions.rsi(14),
            "atr_ratio_14": recursions.atr() / close,
        }


def _rows(bars: pd.DataFrame) -> FloatArray:
    return np.asarray(bars[list(BAR_COLUMNS)].to_numpy(), dtype=np.float64)

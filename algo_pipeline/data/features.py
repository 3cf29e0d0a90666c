"""The 37 features: scale-free, causal, certified; NaN until warm and across gaps, finite otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import njit

from algo_pipeline.common.schemas import PRICE_COLUMNS, validate_bars
from algo_pipeline.common.time import BARS_PER_DAY, bar_numbers
from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.data import indicators
from algo_pipeline.data.feature_registry import FEATURE_NAMES, FEATURES, MAX_WARMUP_BARS, FeatureSpec
from algo_pipeline.data.rolling import window_moments, zero_run

__all__ = ["FEATURES", "FEATURE_NAMES", "MAX_WARMUP_BARS", "FeatureSpec", "build_features"]

_Rows = dict[str, FloatArray]
_WARMUP_BARS = {spec.name: spec.warmup_bars for spec in FEATURES}
_DAYS_PER_WEEK = 7
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday


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
        _fill(_Market.of(bars), numbers, dict(zip(FEATURE_NAMES, matrix, strict=True)))
        _mask_unknown(matrix, numbers, _column("window_bars"), _column("warmup_bars"))
    return pd.DataFrame(matrix.T, index=bars.index, columns=list(FEATURE_NAMES), copy=False)


@dataclass(frozen=True, slots=True)
class _Market:
    """Bars as contiguous arrays, prices and volumes brought to canonical scale."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    @classmethod
    def of(cls, bars: pd.DataFrame) -> _Market:
        prices = indicators.canonical_scale(bars["close"].to_numpy())
        volumes = indicators.canonical_scale(bars["volume"].to_numpy())
        open_, high, low, close = (bars[name].to_numpy() * prices for name in PRICE_COLUMNS)
        return cls(open_, high, low, close, bars["volume"].to_numpy() * volumes)

    @property
    def typical_price(self) -> FloatArray:
        return (self.high + self.low + self.close) / 3.0


def _fill(market: _Market, numbers: IntArray, rows: _Rows) -> None:
    _fill_returns_and_volatility(market, rows)
    _fill_trend(market, rows)
    _fill_oscillators(market, rows)
    _fill_candle(market, rows)
    _fill_volume(market, rows)
    _fill_calendar(numbers, rows)


def _fill_returns_and_volatility(market: _Market, rows: _Rows) -> None:
    for bars in (1, 3, 6, 12, 24, 72):
        rows[f"log_return_{bars}"][:] = indicators.log_return(market.close, bars)
    lengths = (6, 24, 72, 168)
    for returns, deviation in zip(lengths, indicators.realized_volatility(rows["log_return_1"], lengths), strict=True):
        rows[f"realized_vol_{returns}"][:] = deviation
    rows["parkinson_vol_24"][:] = indicators.parkinson_volatility(market.high, market.low, 24)
    np.divide(indicators.atr(market.high, market.low, market.close, 14), market.close, out=rows["atr_ratio_14"])


def _fill_trend(market: _Market, rows: _Rows) -> None:
    close = market.close
    offsets, squares = window_moments(close, np.array((20, 24, 168)))
    rows["sma_ratio_24"][:] = -offsets[1] / (close + offsets[1])
    rows["sma_ratio_168"][:] = -offsets[2] / (close + offsets[2])
    deviation = np.sqrt(squares[0] / 20)
    rows["bb_percent_b_20"][:] = 0.5 + indicators.ratio(-offsets[0], 4.0 * deviation, 0.0)
    rows["bb_width_20"][:] = 4.0 * deviation / (close + offsets[0])
    for bars in (12, 48):
        rows[f"ema_ratio_{bars}"][:] = close / indicators.ema(close, bars) - 1.0
    line, histogram = indicators.macd(close)
    rows["macd_ratio"][:] = line / close
    rows["macd_hist_ratio"][:] = histogram / close
    _clear_rounding(close, rows)
    rows["adx_14"][:] = indicators.adx(market.high, market.low, 14)


def _clear_rounding(close: FloatArray, rows: _Rows) -> None:
    """An average of equal prices is off by its rounding; after a whole warm-up of them the distance is 0."""
    equal_closes = zero_run(np.diff(close, prepend=np.nan)) + 1
    for name in ("ema_ratio_12", "ema_ratio_48", "macd_ratio", "macd_hist_ratio"):
        rows[name][equal_closes >= _WARMUP_BARS[name]] = 0.0


def _fill_oscillators(market: _Market, rows: _Rows) -> None:
    high, low, close, typical = market.high, market.low, market.close, market.typical_price
    for bars in (7, 14):
        rows[f"rsi_{bars}"][:] = indicators.rsi(close, bars)
    rows["stoch_k_14"][:], rows["stoch_d_14"][:] = indicators.stochastic(high, low, close, 14, 3)
    rows["cci_20"][:] = indicators.cci(typical, 20)
    rows["range_position_72"][:] = indicators.range_position(high, low, close, 72)
    rows["mfi_14"][:] = indicators.money_flow_index(typical, market.volume, 14)


def _fill_candle(market: _Market, rows: _Rows) -> None:
    span = market.high - market.low
    rows["body_ratio"][:] = indicators.ratio(market.close - market.open, span, 0.0)
    rows["upper_wick_ratio"][:] = indicators.ratio(market.high - np.maximum(market.open, market.close), span, 0.0)
    rows["lower_wick_ratio"][:] = indicators.ratio(np.minimum(market.open, market.close) - market.low, span, 0.0)


def _fill_volume(market: _Market, rows: _Rows) -> None:
    rows["volume_zscore_168"][:] = indicators.z_score(market.volume, 168)
    rows["obv_slope_24"][:] = indicators.obv_slope(market.close, market.volume, 24)


def _fill_calendar(numbers: IntArray, rows: _Rows) -> None:
    hour = numbers % BARS_PER_DAY
    weekday = (numbers // BARS_PER_DAY + _EPOCH_WEEKDAY) % _DAYS_PER_WEEK
    for name, phase, period in (("hour", hour, BARS_PER_DAY), ("weekday", weekday, _DAYS_PER_WEEK)):
        angles = 2.0 * np.pi * np.arange(period) / period
        rows[f"{name}_sin"][:] = np.sin(angles)[phase]
        rows[f"{name}_cos"][:] = np.cos(angles)[phase]


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

"""How each feature follows from arrays of bars: the windowed ones, the recursive ones and the calendar, apart.

A windowed feature of a bar depends on the bars of its window alone, to the bit; a recursive one on all of history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from algo_pipeline.common.schemas import PRICE_COLUMNS
from algo_pipeline.common.time import BARS_PER_DAY
from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.data import indicators
from algo_pipeline.data.feature_registry import FEATURES
from algo_pipeline.data.rolling import window_moments, zero_run

Rows = Mapping[str, FloatArray]
"""An array of shape (n_bars,) per feature, to be filled."""

_WARMUP_BARS = {spec.name: spec.warmup_bars for spec in FEATURES}
_DAYS_PER_WEEK = 7
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday


@dataclass(frozen=True, slots=True)
class Market:
    """Bars as contiguous arrays of shape (n_bars,), prices and volumes brought to canonical scale."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    @classmethod
    def of(cls, bars: pd.DataFrame) -> Market:
        """The market of valid bars, oldest first."""
        prices = indicators.canonical_scale(bars["close"].to_numpy())
        volumes = indicators.canonical_scale(bars["volume"].to_numpy())
        open_, high, low, close = (bars[name].to_numpy() * prices for name in PRICE_COLUMNS)
        return cls(open_, high, low, close, bars["volume"].to_numpy() * volumes)

    @property
    def typical_price(self) -> FloatArray:
        """Mean of high, low and close."""
        return (self.high + self.low + self.close) / 3.0


def fill_windowed(market: Market, rows: Rows) -> None:
    """Fill every feature whose value follows from the bars of its window."""
    _fill_returns_and_volatility(market, rows)
    _fill_averages(market, rows)
    _fill_oscillators(market, rows)
    _fill_candle(market, rows)
    _fill_volume(market, rows)


def fill_recursive(market: Market, rows: Rows) -> None:
    """Fill every feature that carries something of all bars before."""
    close = market.close
    for bars in (12, 48):
        rows[f"ema_ratio_{bars}"][:] = close / indicators.ema(close, bars) - 1.0
    line, histogram = indicators.macd(close)
    rows["macd_ratio"][:] = line / close
    rows["macd_hist_ratio"][:] = histogram / close
    _clear_rounding(close, rows)
    for bars in (7, 14):
        rows[f"rsi_{bars}"][:] = indicators.rsi(close, bars)
    rows["adx_14"][:] = indicators.adx(market.high, market.low, 14)
    np.divide(indicators.atr(market.high, market.low, close, 14), close, out=rows["atr_ratio_14"])


def fill_calendar(numbers: IntArray, rows: Rows) -> None:
    """Fill the features of the clock from whole hours since the epoch."""
    hour = numbers % BARS_PER_DAY
    weekday = (numbers // BARS_PER_DAY + _EPOCH_WEEKDAY) % _DAYS_PER_WEEK
    for name, phase, period in (("hour", hour, BARS_PER_DAY), ("weekday", weekday, _DAYS_PER_WEEK)):
        angles = 2.0 * np.pi * np.arange(period) / period
        rows[f"{name}_sin"][:] = np.sin(angles)[phase]
        rows[f"{name}_cos"][:] = np.cos(angles)[phase]


def _fill_returns_and_volatility(market: Market, rows: Rows) -> None:
    for bars in (1, 3, 6, 12, 24, 72):
        rows[f"log_return_{bars}"][:] = indicators.log_return(market.close, bars)
    lengths = (6, 24, 72, 168)
    for returns, deviation in zip(lengths, indicators.realized_volatility(rows["log_return_1"], lengths), strict=True):
        rows[f"realized_vol_{returns}"][:] = deviation
    rows["parkinson_vol_24"][:] = indicators.parkinson_volatility(market.high, market.low, 24)


def _fill_averages(market: Market, rows: Rows) -> None:
    close = market.close
    offsets, squares = window_moments(close, np.array((20, 24, 168)))
    rows["sma_ratio_24"][:] = -offsets[1] / (close + offsets[1])
    rows["sma_ratio_168"][:] = -offsets[2] / (close + offsets[2])
    deviation = np.sqrt(squares[0] / 20)
    rows["bb_percent_b_20"][:] = 0.5 + indicators.ratio(-offsets[0], 4.0 * deviation, 0.0)
    rows["bb_width_20"][:] = 4.0 * deviation / (close + offsets[0])


def _clear_rounding(close: FloatArray, rows: Rows) -> None:
    """An average of equal prices is off by its rounding; after a whole warm-up of them the distance is 0."""
    equal_closes = zero_run(np.diff(close, prepend=np.nan)) + 1
    for name in ("ema_ratio_12", "ema_ratio_48", "macd_ratio", "macd_hist_ratio"):
        rows[name][equal_closes >= _WARMUP_BARS[name]] = 0.0


def _fill_oscillators(market: Market, rows: Rows) -> None:
    high, low, close, typical = market.high, market.low, market.close, market.typical_price
    rows["stoch_k_14"][:], rows["stoch_d_14"][:] = indicators.stochastic(high, low, close, 14, 3)
    rows["cci_20"][:] = indicators.cci(typical, 20)
    rows["range_position_72"][:] = indicators.range_position(high, low, close, 72)
    rows["mfi_14"][:] = indicators.money_flow_index(typical, market.volume, 14)


def _fill_candle(market: Market, rows: Rows) -> None:
    span = market.high - market.low
    rows["body_ratio"][:] = indicators.ratio(market.close - market.open, span, 0.0)
    rows["upper_wick_ratio"][:] = indicators.ratio(market.high - np.maximum(market.open, market.close), span, 0.0)
    rows["lower_wick_ratio"][:] = indicators.ratio(np.minimum(market.open, market.close) - market.low, span, 0.0)


def _fill_volume(market: Market, rows: Rows) -> None:
    rows["volume_zscore_168"][:] = indicators.z_score(market.volume, 168)
    rows["obv_slope_24"][:] = indicators.obv_slope(market.close, market.volume, 24)

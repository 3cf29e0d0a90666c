"""The 37 features once more: slow, obvious, written from their definitions with pandas and plain Python.

Ties that depend on sums or differences of prices are decided in exact decimals, as the prices were quoted.
"""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pandas as pd


def reference_features(bars: pd.DataFrame) -> pd.DataFrame:
    """All features by name, without masking of warm-up and gaps."""
    columns: dict[str, pd.Series] = {}
    for part in (_returns, _volatility, _trend, _oscillators, _bands, _candles, _volume, _calendar):
        columns |= part(bars)
    return pd.DataFrame(columns, index=bars.index)


def _returns(bars: pd.DataFrame) -> dict[str, pd.Series]:
    return {f"log_return_{n}": np.log(bars["close"] / bars["close"].shift(n)) for n in (1, 3, 6, 12, 24, 72)}


def _volatility(bars: pd.DataFrame) -> dict[str, pd.Series]:
    returns = np.log(bars["close"] / bars["close"].shift(1))
    columns = {f"realized_vol_{n}": returns.rolling(n).std(ddof=1) for n in (6, 24, 72, 168)}
    squared_range = np.log(bars["high"] / bars["low"]) ** 2
    columns["parkinson_vol_24"] = (squared_range.rolling(24).mean() / (4 * math.log(2))) ** 0.5
    return columns


def _trend(bars: pd.DataFrame) -> dict[str, pd.Series]:
    close = bars["close"]
    columns = {f"sma_ratio_{n}": close / close.rolling(n).mean() - 1 for n in (24, 168)}
    columns |= {f"ema_ratio_{n}": close / _ema(close, n) - 1 for n in (12, 48)}
    macd = _ema(close, 12) - _ema(close, 26)
    columns["macd_ratio"] = macd / close
    columns["macd_hist_ratio"] = (macd - _ema(macd, 9)) / close
    columns["adx_14"] = _adx(bars, 14)
    return columns


def _oscillators(bars: pd.DataFrame) -> dict[str, pd.Series]:
    close = bars["close"]
    columns = {f"rsi_{n}": _rsi(close, n) for n in (7, 14)}
    lowest, highest = bars["low"].rolling(14).min(), bars["high"].rolling(14).max()
    fast_k = (100 * (close - lowest) / (highest - lowest)).where(highest > lowest, 50.0).where(highest.notna())
    columns["stoch_k_14"] = fast_k.rolling(3).mean()
    columns["stoch_d_14"] = columns["stoch_k_14"].rolling(3).mean()
    typical = (bars["high"] + bars["low"] + close) / 3
    mean = typical.rolling(20).mean()
    deviation = typical.rolling(20).apply(lambda window: np.abs(window - window.mean()).mean(), raw=True)
    columns["cci_20"] = (typical - mean) / (0.015 * deviation)
    return columns


def _bands(bars: pd.DataFrame) -> dict[str, pd.Series]:
    close = bars["close"]
    mean, deviation = close.rolling(20).mean(), close.rolling(20).std(ddof=0)
    upper, lower = mean + 2 * deviation, mean - 2 * deviation
    ranges = pd.concat(
        [bars["high"] - bars["low"], (bars["high"] - close.shift()).abs(), (bars["low"] - close.shift()).abs()], axis=1
    )
    lowest, highest = bars["low"].rolling(72).min(), bars["high"].rolling(72).max()
    return {
        "bb_percent_b_20": (close - lower) / (upper - lower),
        "bb_width_20": (upper - lower) / mean,
        "atr_ratio_14": _wilder(ranges.max(axis=1), 14) / close,
        "range_position_72": (close - lowest) / (highest - lowest),
    }


def _candles(bars: pd.DataFrame) -> dict[str, pd.Series]:
    span = bars["high"] - bars["low"]
    parts = {
        "body_ratio": bars["close"] - bars["open"],
        "upper_wick_ratio": bars["high"] - bars[["open", "close"]].max(axis=1),
        "lower_wick_ratio": bars[["open", "close"]].min(axis=1) - bars["low"],
    }
    return {name: (part / span).where(span > 0, 0.0) for name, part in parts.items()}


def _volume(bars: pd.DataFrame) -> dict[str, pd.Series]:
    volume, direction = bars["volume"], np.sign(bars["close"].diff())
    window = volume.rolling(168)
    return {
        "volume_zscore_168": (volume - window.mean()) / window.std(ddof=1),
        "mfi_14": _mfi(bars, 14),
        "obv_slope_24": (direction * volume).rolling(24).sum() / volume.rolling(24).sum(),
    }


def _calendar(bars: pd.DataFrame) -> dict[str, pd.Series]:
    hours = pd.Series(pd.DatetimeIndex(bars.index).hour, bars.index) * (2 * math.pi / 24)
    days = pd.Series(pd.DatetimeIndex(bars.index).weekday, bars.index) * (2 * math.pi / 7)
    return {
        "hour_sin": np.sin(hours),
        "hour_cos": np.cos(hours),
        "weekday_sin": np.sin(days),
        "weekday_cos": np.cos(days),
    }


def _ema(values: pd.Series, length: int) -> pd.Series:
    return values.ewm(alpha=2 / (length + 1), adjust=False).mean()


def _wilder(values: pd.Series, length: int) -> pd.Series:
    return values.ewm(alpha=1 / length, adjust=False).mean()


def _rsi(close: pd.Series, length: int) -> pd.Series:
    change = close.diff()
    gain, loss = _wilder(change.clip(lower=0), length), _wilder(-change.clip(upper=0), length)
    return 100 * gain / (gain + loss)


def _adx(bars: pd.DataFrame, length: int) -> pd.Series:
    highs, lows = (list(map(_decimal, bars[name])) for name in ("high", "low"))
    plus, minus = [0.0], [0.0]
    for t in range(1, len(bars)):
        up, down = highs[t] - highs[t - 1], lows[t - 1] - lows[t]
        plus.append(float(up) if up > 0 and up > down else 0.0)
        minus.append(float(down) if down > 0 and down > up else 0.0)
    average_plus = _wilder(pd.Series(plus, bars.index), length)
    average_minus = _wilder(pd.Series(minus, bars.index), length)
    index = 100 * (average_plus - average_minus).abs() / (average_plus + average_minus)
    return _wilder(index.fillna(0.0), length)


def _mfi(bars: pd.DataFrame, length: int) -> pd.Series:
    sums = [sum(map(_decimal, row)) for row in bars[["high", "low", "close"]].to_numpy()]
    signs = np.array([0, *(int(now > before) - int(now < before) for before, now in pairwise(sums))])
    money = np.array([float(total) for total in sums]) * bars["volume"]
    gained, lost = money.where(signs > 0, 0.0), money.where(signs < 0, 0.0)
    gained.iloc[:1] = lost.iloc[:1] = np.nan
    flow_in, flow_out = gained.rolling(length).sum(), lost.rolling(length).sum()
    return 100 * flow_in / (flow_in + flow_out)


def _decimal(price: float) -> Decimal:
    return Decimal(repr(float(price)))

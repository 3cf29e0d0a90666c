"""Features: our 37 beside plain pandas' same 37, and a set of like size of the package ``ta``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from algo_pipeline.data.features import build_features
from benchmarks.harness import Row, Tool, race, table, timed, unchanged
from benchmarks.session import Session, installed

Way = Callable[[pd.DataFrame], pd.DataFrame]


def report(session: Session) -> str:
    """The table."""
    return table("Features", rows(session))


def rows(session: Session) -> list[Row]:
    """A line per tool and size."""
    bars = session.source.market(5_000, 0).bars
    tools = [
        Tool(f"{name}: {way(bars).shape[1]} columns", timed(partial(_work, way), unchanged)) for name, way in ways()
    ]
    return [
        row
        for n_bars in session.sizes
        for row in race(tools, n_bars, partial(session.source.bootstrap, n_bars), session.effort)
    ]


def ways() -> Iterator[tuple[str, Way]]:
    """Name and function of every way to features that is installed."""
    yield "algo_pipeline", build_features
    yield "plain pandas", plain_pandas
    if installed("ta"):
        yield "ta, its vectorized set", ta_features


def ta_features(bars: pd.DataFrame) -> pd.DataFrame:
    """What ``ta`` adds to the bars."""
    import ta

    made: pd.DataFrame = ta.add_all_ta_features(bars.copy(), "open", "high", "low", "close", "volume", vectorized=True)
    return made.drop(columns=bars.columns)


def plain_pandas(bars: pd.DataFrame) -> pd.DataFrame:
    """The same 37 features as a careful pandas user writes them: no validation, no masks, no neutral values."""
    open_, high, low, close, volume = (bars[name] for name in ("open", "high", "low", "close", "volume"))
    returns, typical, span = _log(close / close.shift()), (high + low + close) / 3, high - low
    columns: dict[str, Any] = {f"log_return_{n}": _log(close / close.shift(n)) for n in (1, 3, 6, 12, 24, 72)}
    columns |= {f"realized_vol_{n}": returns.rolling(n).std() for n in (6, 24, 72, 168)}
    columns["parkinson_vol_24"] = ((_log(high / low) ** 2).rolling(24).mean() / (4 * np.log(2))) ** 0.5
    columns |= {f"sma_ratio_{n}": close / close.rolling(n).mean() - 1 for n in (24, 168)}
    columns |= {f"ema_ratio_{n}": close / _ema(close, n) - 1 for n in (12, 48)}
    macd = _ema(close, 12) - _ema(close, 26)
    columns |= {"macd_ratio": macd / close, "macd_hist_ratio": (macd - _ema(macd, 9)) / close}
    columns["adx_14"] = _adx(high, low)
    columns |= {f"rsi_{n}": _rsi(close, n) for n in (7, 14)}
    lowest, highest = low.rolling(14).min(), high.rolling(14).max()
    columns["stoch_k_14"] = (100 * (close - lowest) / (highest - lowest)).rolling(3).mean()
    columns["stoch_d_14"] = columns["stoch_k_14"].rolling(3).mean()
    columns["cci_20"] = (typical - typical.rolling(20).mean()) / (0.015 * _mean_deviation(typical, 20))
    mean, deviation = close.rolling(20).mean(), close.rolling(20).std(ddof=0)
    columns |= {"bb_percent_b_20": 0.5 + (close - mean) / (4 * deviation), "bb_width_20": 4 * deviation / mean}
    true_range = pd.Series(np.maximum(high, close.shift()) - np.minimum(low, close.shift()))
    columns["atr_ratio_14"] = true_range.ewm(alpha=1 / 14, adjust=False).mean() / close
    lowest, highest = low.rolling(72).min(), high.rolling(72).max()
    columns["range_position_72"] = (close - lowest) / (highest - lowest)
    columns["body_ratio"] = (close - open_) / span
    columns["upper_wick_ratio"] = (high - np.maximum(open_, close)) / span
    columns["lower_wick_ratio"] = (np.minimum(open_, close) - low) / span
    columns["volume_zscore_168"] = (volume - volume.rolling(168).mean()) / volume.rolling(168).std()
    money, rising, falling = typical * volume, typical.diff() > 0, typical.diff() < 0
    gained, lost = money.where(rising, 0.0).rolling(14).sum(), money.where(falling, 0.0).rolling(14).sum()
    columns["mfi_14"] = 100 * gained / (gained + lost)
    columns["obv_slope_24"] = (np.sign(close.diff()) * volume).rolling(24).sum() / volume.rolling(24).sum()
    return pd.DataFrame(columns | _calendar(pd.DatetimeIndex(bars.index)), index=bars.index)


def _log(values: pd.Series) -> pd.Series:
    return pd.Series(np.log(values))


def _ema(values: pd.Series, length: int) -> pd.Series:
    return values.ewm(span=length, adjust=False).mean()


def _rsi(close: pd.Series, length: int) -> pd.Series:
    change = close.diff()
    gain = change.clip(lower=0).ewm(alpha=1 / length, adjust=False).mean()
    loss = (-change.clip(upper=0)).ewm(alpha=1 / length, adjust=False).mean()
    return 100 * gain / (gain + loss)


def _adx(high: pd.Series, low: pd.Series) -> pd.Series:
    up, down = high.diff(), -low.diff()
    plus = up.where((up > down) & (up > 0), 0.0).ewm(alpha=1 / 14, adjust=False).mean()
    minus = down.where((down > up) & (down > 0), 0.0).ewm(alpha=1 / 14, adjust=False).mean()
    index: pd.Series = 100 * (plus - minus).abs() / (plus + minus)
    return index.ewm(alpha=1 / 14, adjust=False).mean()


def _mean_deviation(values: pd.Series, length: int) -> pd.Series:
    windows = np.lib.stride_tricks.sliding_window_view(values.to_numpy(), length)
    deviation = np.abs(windows - windows.mean(axis=1, keepdims=True)).mean(axis=1)
    return pd.Series(np.concatenate([np.full(length - 1, np.nan), deviation]), values.index)


def _calendar(index: pd.DatetimeIndex) -> dict[str, pd.Series]:
    hours, days = 2 * np.pi * index.hour / 24, 2 * np.pi * index.weekday / 7
    waves = {"hour_sin": np.sin(hours), "hour_cos": np.cos(hours), "weekday_sin": np.sin(days)}
    return {name: pd.Series(wave, index) for name, wave in (waves | {"weekday_cos": np.cos(days)}).items()}


def _work(way: Way, bars: pd.DataFrame) -> None:
    way(bars)

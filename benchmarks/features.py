"""Feature speed: ours beside plain pandas and the usual libraries, on the same bars, in one process, side by side.

Run ``python -m benchmarks.features``. Prints one table; the ratio is to ours at the same size. Peers that are not
installed are left out. ``ta`` computes a set of its own, of the size the table states.
"""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from algo_pipeline.data.features import build_features

SIZES = (37_660, 1_000_000)
ROUNDS = 7
MAX_SECONDS_PER_TOOL = 60.0

Tool = Callable[[pd.DataFrame], pd.DataFrame]


def main() -> None:
    """Print the table."""
    print(f"{'tool':<28}{'bars':>10}{'columns':>9}{'median ms':>12}{'ratio':>8}")
    for size in SIZES:
        bars = simulated_bars(size)
        tools = dict(_tools())
        columns = {name: _columns_made(tool, bars) for name, tool in tools.items()}
        medians = _medians(tools, bars)
        for name, median in medians.items():
            ratio = median / medians["algo_pipeline"]
            print(f"{name:<28}{size:>10,}{columns[name]:>9}{median * 1e3:>12.1f}{ratio:>8.1f}", flush=True)


def simulated_bars(n: int) -> pd.DataFrame:
    """A random walk of valid hourly bars."""
    rng = np.random.default_rng(1)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.005, n)))
    open_ = np.concatenate([[100.0], close[:-1]])
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0.0, 0.002, n)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0.0, 0.002, n)))
    index = pd.date_range("1900-01-01", periods=n, freq="h", tz="UTC", name="timestamp", unit="ns")
    columns = {"open": open_, "high": high, "low": low, "close": close, "volume": rng.lognormal(3.0, 1.0, n)}
    return pd.DataFrame(columns, index=index)


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


def _tools() -> Iterator[tuple[str, Tool]]:
    yield "algo_pipeline", build_features
    yield "plain pandas", plain_pandas
    if importlib.util.find_spec("ta"):
        yield "ta, vectorized set", _ta_features


def _ta_features(bars: pd.DataFrame) -> pd.DataFrame:
    import ta  # type: ignore[import-not-found]

    made: pd.DataFrame = ta.add_all_ta_features(bars.copy(), "open", "high", "low", "close", "volume", vectorized=True)
    return made.drop(columns=bars.columns)


def _columns_made(tool: Tool, bars: pd.DataFrame) -> int:
    """Columns of a first, unmeasured call on a part of the bars, which also compiles what there is to compile."""
    return tool(bars.iloc[:5_000]).shape[1]


def _medians(tools: dict[str, Tool], bars: pd.DataFrame) -> dict[str, float]:
    """Median seconds per tool; the tools take turns, so that a slow moment of the machine hits all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in tools}
    for _ in range(ROUNDS):
        for name, tool in tools.items():
            if sum(seconds[name]) < MAX_SECONDS_PER_TOOL:
                start = time.perf_counter()
                tool(bars)
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


if __name__ == "__main__":
    main()

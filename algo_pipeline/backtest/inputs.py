"""Bars and probabilities checked and turned into the flat arrays that the kernel reads."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.errors import ConfigValueError, DataValidationError, InsufficientHistoryError
from algo_pipeline.common.schemas import BAR_COLUMNS, GREATEST, LEAST_PRICE, describe_rows, validate_bars
from algo_pipeline.common.time import BAR_NS, epoch_ns
from algo_pipeline.common.types import FloatArray, IntArray


class Market(NamedTuple):
    """Everything a run reads: prices and probabilities of shape (n_symbols, n_bars) on one grid of open times."""

    times: pd.DatetimeIndex
    open_ns: IntArray
    opens: FloatArray
    closes: FloatArray
    probabilities: FloatArray


def one_symbol_market(bars: pd.DataFrame, probability: pd.Series[float]) -> Market:
    """Check one symbol's bars and probabilities; its grid is the bars that exist.

    Raises
    ------
    InsufficientHistoryError
        If there is no bar.
    DataValidationError
        If bars break their schema, a probability lies outside [0, 1], or one belongs to no bar.
    """
    if len(bars) == 0:
        raise InsufficientHistoryError("A backtest needs at least one bar; there was none.", "Pass a longer history.")
    open_ns = _checked_open_times(bars)
    opens, closes = _plain(bars["open"].to_numpy()), _plain(bars["close"].to_numpy())
    aligned = _aligned_probability(bars.index, probability)
    return Market(_as_times(bars.index), open_ns, opens[None, :], closes[None, :], aligned[None, :])


def account_market(
    bars_by_symbol: Mapping[Hashable, pd.DataFrame], probability_by_symbol: Mapping[Hashable, pd.Series[float]]
) -> Market:
    """Check every symbol and lay them on the union of their open times, NaN where a symbol has no bar.

    Raises
    ------
    ConfigValueError
        If the two mappings do not name the same symbols, or none.
    InsufficientHistoryError, DataValidationError
        As :func:`one_symbol_market`.
    """
    if not bars_by_symbol or set(bars_by_symbol) != set(probability_by_symbol):
        raise ConfigValueError(
            f"Bars and probabilities must name the same symbols, at least one; bars name "
            f"{[str(s) for s in bars_by_symbol]}, probabilities {[str(s) for s in probability_by_symbol]}.",
            "Pass one frame of bars and one series of probabilities for each symbol.",
        )
    markets = [one_symbol_market(bars, probability_by_symbol[symbol]) for symbol, bars in bars_by_symbol.items()]
    return markets[0] if len(markets) == 1 else _on_common_grid(markets)


def _on_common_grid(markets: list[Market]) -> Market:
    open_ns = np.unique(np.concatenate([market.open_ns for market in markets]))
    opens, closes, probabilities = np.full((3, len(markets), len(open_ns)), math.nan)
    for row, market in enumerate(markets):
        places = np.searchsorted(open_ns, market.open_ns)
        opens[row, places] = market.opens[0]
        closes[row, places] = market.closes[0]
        probabilities[row, places] = market.probabilities[0]
    times = pd.DatetimeIndex(open_ns, tz="UTC", name=markets[0].times.name)
    return Market(times, open_ns, opens, closes, probabilities)


def _checked_open_times(bars: pd.DataFrame) -> IntArray:
    """Open times in epoch nanoseconds of bars that keep the schema; the slow validator only words the error."""
    if tuple(bars.columns) == BAR_COLUMNS and isinstance(bars.index, pd.DatetimeIndex) and str(bars.index.tz) == "UTC":
        open_ns = epoch_ns(bars.index)
        columns = [bars[column].to_numpy() for column in BAR_COLUMNS]
        is_float = all(values.dtype == np.float64 for values in columns)
        if is_float and _on_grid(open_ns) and _are_valid(*map(_plain, columns)):
            return open_ns
    return epoch_ns(_as_times(validate_bars(bars).index))


def _plain(values: FloatArray) -> FloatArray:
    """Contiguous and writable, the one layout that compiled code is made for; most often ``values`` themselves."""
    return np.require(values, np.float64, ("C", "W"))


def _as_times(index: pd.Index[pd.Timestamp]) -> pd.DatetimeIndex:
    return index if isinstance(index, pd.DatetimeIndex) else pd.DatetimeIndex(index)


# Counting by ``1 if … else 0`` over a whole array, without an early exit, is what the compiler turns into SIMD.


@compiled
def _on_grid(open_ns: IntArray) -> bool:
    """Whether open times are whole hours, unique and ascending; divides only where there is a gap."""
    n_irregular = 0
    for t in range(1, len(open_ns)):
        n_irregular += 1 if open_ns[t] - open_ns[t - 1] != BAR_NS else 0
    ok = bool(open_ns[0] % BAR_NS == 0)
    for t in range(1, len(open_ns) if n_irregular > 0 else 1):
        step = open_ns[t] - open_ns[t - 1]
        ok &= step == BAR_NS or (step > 0 and step % BAR_NS == 0)
    return ok


@compiled
def _are_valid(opens: FloatArray, highs: FloatArray, lows: FloatArray, closes: FloatArray, volumes: FloatArray) -> bool:
    """The rules of ``common.schemas.validate_bars`` on values; a comparison with NaN is False and so fails."""
    n_valid = 0
    for t in range(len(opens)):
        low, high = lows[t], highs[t]
        in_range = (
            (low >= LEAST_PRICE) & (low <= opens[t]) & (low <= closes[t]) & (opens[t] <= high) & (closes[t] <= high)
        )
        n_valid += 1 if in_range & (high <= GREATEST) & (volumes[t] >= 0.0) & (volumes[t] <= GREATEST) else 0
    return n_valid == len(opens)


def _aligned_probability(times: pd.Index[pd.Timestamp], probability: pd.Series[float]) -> FloatArray:
    """Probabilities by bar as float64, NaN for bars that have none."""
    if not _are_same(probability.index, times):
        probability = _reindexed(times, probability)
    values = _plain(_as_floats(probability))
    if not _all_probable(values):
        outside = ~(np.isnan(values) | ((values >= 0.0) & (values <= 1.0)))
        raise DataValidationError(
            f"A probability must lie in [0, 1] or be NaN; outside are "
            f"{describe_rows(pd.DataFrame({'probability': values}, index=times), outside)}.",
            "Pass calibrated probabilities; NaN where there is none.",
        )
    return values


def _as_floats(probability: pd.Series[float]) -> FloatArray:
    if probability.dtype == np.float64:
        return np.asarray(probability.array, np.float64)  # with a value for NaN, to_numpy would copy
    try:
        if pd.api.types.is_complex_dtype(probability.dtype):
            raise TypeError("complex numbers")
        return np.asarray(probability.to_numpy(dtype=np.float64, na_value=math.nan), np.float64)
    except (TypeError, ValueError) as error:
        raise DataValidationError(
            f"Probabilities must be numbers; found {probability.dtype} ({error}).", "Pass a Series of floats."
        ) from error


def _are_same(left: pd.Index[Any], right: pd.Index[Any]) -> bool:
    if left.is_(right):
        return True
    if isinstance(left, pd.DatetimeIndex) and isinstance(right, pd.DatetimeIndex) and left.dtype == right.dtype:
        return np.array_equal(epoch_ns(left), epoch_ns(right))  # several times faster than Index.equals
    return left.equals(right)


def _reindexed(times: pd.Index[pd.Timestamp], probability: pd.Series[float]) -> pd.Series[float]:
    frame = probability.to_frame("probability")
    for problem, broken in (
        ("Probabilities must have unique times; repeated are", probability.index.duplicated()),
        ("Every probability must belong to a bar; without one are", ~probability.index.isin(times)),
    ):
        if broken.any():
            raise DataValidationError(
                f"{problem} {describe_rows(frame, broken)}.", "Index probabilities by the bars' open times in UTC."
            )
    return probability.reindex(times)


@compiled
def _all_probable(values: FloatArray) -> bool:
    n_outside = 0
    for t in range(len(values)):
        n_outside += 1 if (values[t] < 0.0) | (values[t] > 1.0) else 0
    return n_outside == 0

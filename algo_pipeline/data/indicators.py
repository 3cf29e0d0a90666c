"""Technical indicators over plain arrays; the only door to TA-Lib.

TA-Lib computes an indicator where it keeps our promises: no absolute thresholds, nothing left behind by a spike, the
same bits wherever the history starts unless the indicator is recursive by definition, neutral values for a market
that stands still. Where it does not, a kernel of our own stands in, and says why; on ordinary data the two agree.

Arrays are float64 of shape (n_rows,), oldest bar first. Rows before an indicator's first value are NaN.
"""

from __future__ import annotations

import math
from typing import Any, Protocol, cast

import numpy as np
import talib
from numba import njit
from talib import stream

from algo_pipeline.common.types import BoolArray, FloatArray
from algo_pipeline.data.rolling import window_mean_deviation, window_moments, window_sum, zero_run

CCI_CONSTANT = 0.015
PARKINSON_CONSTANT = 4.0 * math.log(2.0)
MACD_SPANS = (12, 26, 9)

_CANONICAL_EXPONENT = 50
_LARGEST_SHIFT = 1000
_ROUNDING = 1e-12  # relative to the price; far above the rounding of sums of prices, far below any tick


def canonical_scale(values: FloatArray) -> float:
    """Power of two that brings the first positive value close to 2**50.

    Multiplying by it is exact, so scaling all prices by a power of two changes no bit of what is computed from them;
    and at that size TA-Lib's absolute thresholds (1e-14) lie out of reach, for a coin at 1e-8 as for one at 1e5.
    Returns 1.0 where no value is positive.
    """
    positive = np.flatnonzero(values > 0.0)[:1]
    if positive.size == 0:
        return 1.0
    exponent = int(np.frexp(values[positive[0]])[1])
    return float(np.ldexp(1.0, int(np.clip(_CANONICAL_EXPONENT - exponent, -_LARGEST_SHIFT, _LARGEST_SHIFT))))


def ratio(numerator: FloatArray, denominator: FloatArray, neutral: float) -> FloatArray:
    """``numerator / denominator``, and ``neutral`` where the denominator is exactly 0."""
    return np.asarray(_ratio(numerator, denominator, neutral))


@njit(cache=True)
def log_return(close: FloatArray, bars: int) -> FloatArray:
    """``ln(close / close of ``bars`` bars ago)``."""
    out = np.full(close.size, np.nan)
    for row in range(bars, close.size):
        out[row] = math.log(close[row] / close[row - bars])
    return out


def realized_volatility(log_returns: FloatArray, lengths: tuple[int, ...]) -> FloatArray:
    """Sample deviation (ddof 1) of the last ``lengths`` one-bar log returns, per bar; shape (n_lengths, n_rows)."""
    _, squares = window_moments(log_returns, np.array(lengths))
    squares /= np.array(lengths)[:, None] - 1
    return np.asarray(np.sqrt(squares, out=squares))


def parkinson_volatility(high: FloatArray, low: FloatArray, length: int) -> FloatArray:
    """Range volatility per bar, ``sqrt(mean(ln(high/low)**2) / (4 ln 2))``.

    References
    ----------
    Parkinson (1980), "The extreme value method for estimating the variance of the rate of return", J. Business 53.
    """
    return np.asarray(np.sqrt(window_sum(_squared_log_ratio(high, low), length) / (length * PARKINSON_CONSTANT)))


def ema(close: FloatArray, length: int) -> FloatArray:
    """Exponential moving average, alpha ``2 / (length + 1)``, seeded with the first simple average (TA-Lib EMA)."""
    return np.asarray(talib.EMA(close, length))


def macd(close: FloatArray) -> tuple[FloatArray, FloatArray]:
    """MACD line and histogram, spans 12, 26, 9, in price units (TA-Lib MACD)."""
    line, _, histogram = talib.MACD(close, *MACD_SPANS)
    return line, histogram


def atr(high: FloatArray, low: FloatArray, close: FloatArray, length: int) -> FloatArray:
    """Average true range, Wilder's average, in price units (TA-Lib ATR)."""
    return np.asarray(talib.ATR(high, low, close, length))


def rsi(close: FloatArray, length: int) -> FloatArray:
    """Relative strength index 0…100 (TA-Lib RSI); 50 while the close has not moved for ``length`` changes.

    Wilder's two averages decay alike while the price stands still, so that TA-Lib repeats the value of the last move
    for ever (and gives 0 where there never was one).
    """
    values = np.asarray(talib.RSI(close, length))
    values[_stands_still(np.diff(close, prepend=np.nan), length)] = 50.0
    return values


def adx(high: FloatArray, low: FloatArray, length: int) -> FloatArray:
    """Average directional index 0…100 from TA-Lib's EMA (Wilder's average of n is the EMA of 2n − 1).

    Not TA-Lib ADX: it compares the two directional movements bit by bit. With prices on a tick grid they are often
    equal, and then rounding noise, which changes with the unit of the price, decides which one counts. It also skips
    bars without movement, so that a market standing still keeps its last trend for ever; here their index is 0.
    The true range cancels in the index of one bar.

    References
    ----------
    Wilder (1978), "New concepts in technical trading systems".
    """
    plus, minus = directional_movement(high, low)
    span = 2 * length - 1
    index = directional_index(ema(plus, span), ema(minus, span), _stands_still(plus + minus, length))
    return 100.0 * ema(index, span)


class Stream(Protocol):
    """An indicator carried from bar to bar in constant time: to the bit what its function gives for all bars so far."""

    @property
    def value(self) -> Any:
        """At the last bar."""

    def update(self, *bar: float) -> Any:
        """Take in the next bar; its value."""


def ema_stream(values: FloatArray, length: int) -> tuple[Stream, FloatArray]:
    """:func:`ema`, and how it goes on; leading NaN are no history. Of at least ``length`` values."""
    handle, filled = stream.EMA.open_and_fill(values, length)
    return cast("Stream", handle), np.asarray(filled)


def macd_stream(close: FloatArray) -> Stream:
    """How TA-Lib MACD goes on: line, signal, histogram."""
    return cast("Stream", stream.MACD(close, *MACD_SPANS))


def atr_stream(high: FloatArray, low: FloatArray, close: FloatArray, length: int) -> Stream:
    """How :func:`atr` goes on."""
    return cast("Stream", stream.ATR(high, low, close, length))


def rsi_stream(close: FloatArray, length: int) -> Stream:
    """How TA-Lib RSI goes on, without the neutral value of :func:`rsi`."""
    return cast("Stream", stream.RSI(close, length))


def range_position(high: FloatArray, low: FloatArray, close: FloatArray, length: int) -> FloatArray:
    """Place of the close in the range of the last bars, 0…1; 0.5 where the range is 0 (TA-Lib MAX and MIN)."""
    lowest = talib.MIN(low, length)
    return ratio(close - lowest, talib.MAX(high, length) - lowest, 0.5)


def stochastic(
    high: FloatArray, low: FloatArray, close: FloatArray, length: int, smoothing: int
) -> tuple[FloatArray, FloatArray]:
    """Slow stochastic %K and %D, 0…100; an empty range counts as 50.

    Not TA-Lib STOCH: it takes an empty range as 0, and its running sums depend on where the history starts.

    References
    ----------
    Lane (1984), "Lane's stochastics", Technical Analysis of Stocks & Commodities 2.
    """
    slow_k = window_sum(100.0 * range_position(high, low, close, length), smoothing) / smoothing
    return slow_k, window_sum(slow_k, smoothing) / smoothing


def cci(typical_price: FloatArray, length: int) -> FloatArray:
    """Commodity channel index; 0 where the window is flat.

    Not TA-Lib CCI: in a flat window it divides rounding error by rounding error (±66.7), and it adds up a ring buffer
    in an order that depends on where the history starts.

    References
    ----------
    Lambert (1980), "Commodity channel index", Commodities 9.
    """
    offset, deviation = window_mean_deviation(typical_price, length)
    return ratio(-offset, CCI_CONSTANT * deviation, 0.0)


def money_flow_index(typical_price: FloatArray, volume: FloatArray, length: int) -> FloatArray:
    """Money flow index 0…100; 50 where no money flowed.

    Not TA-Lib MFI: it gives 0 while the flow is below 1.0 in absolute terms, its running sums keep what a spike leaves
    behind, and it takes the rounding error of equal typical prices for a direction.
    """
    inflow, outflow = _money_flow(typical_price, volume)
    gained = window_sum(inflow, length)
    return 100.0 * ratio(gained, gained + window_sum(outflow, length), 0.5)


def obv_slope(close: FloatArray, volume: FloatArray, length: int) -> FloatArray:
    """On-balance volume gained over the last bars as a share −1…1 of their volume; 0 without volume.

    Not TA-Lib OBV: a sum since the beginning of history loses its small changes to one huge volume.
    """
    signed = np.sign(np.diff(close, prepend=np.nan)) * volume
    return ratio(window_sum(signed, length), window_sum(volume, length), 0.0)


def z_score(values: FloatArray, length: int) -> FloatArray:
    """Newest value in sample deviations (ddof 1) from the mean of its window; 0 where the window is flat."""
    offsets, squares = window_moments(values, np.array([length]))
    return ratio(-offsets[0], np.sqrt(squares[0] / (length - 1)), 0.0)


@njit(cache=True)
def _ratio(numerator: FloatArray, denominator: FloatArray, neutral: float) -> FloatArray:
    out = np.empty(numerator.size)
    for row in range(numerator.size):
        out[row] = numerator[row] / denominator[row] if denominator[row] != 0.0 else neutral
    return out


def directional_index(average_plus: FloatArray, average_minus: FloatArray, still: BoolArray) -> FloatArray:
    """``|DM⁺ − DM⁻| / (DM⁺ + DM⁻)`` of averaged movements, 0…1; 0 where the market has stood ``still``."""
    difference = np.abs(average_plus - average_minus)
    difference[still] = 0.0
    return ratio(difference, average_plus + average_minus, 0.0)


def _stands_still(changes: FloatArray, length: int) -> BoolArray:
    return np.asarray(zero_run(changes) >= length)


@njit(cache=True)
def _squared_log_ratio(high: FloatArray, low: FloatArray) -> FloatArray:
    out = np.empty(high.size)
    for row in range(high.size):
        out[row] = math.log(high[row] / low[row]) ** 2
    return out


@njit(cache=True)
def movement(high: float, low: float, high_before: float, low_before: float) -> tuple[float, float]:
    """Wilder's upward and downward movement from one bar to the next; both 0 where they are equal but for rounding."""
    up, down = high - high_before, low_before - low
    tie = _ROUNDING * high
    if up > 0.0 and up - down > tie:
        return up, 0.0
    if down > 0.0 and down - up > tie:
        return 0.0, down
    return 0.0, 0.0


@njit(cache=True)
def directional_movement(high: FloatArray, low: FloatArray) -> tuple[FloatArray, FloatArray]:
    """:func:`movement` of every bar; 0 for the first."""
    plus, minus = np.zeros(high.size), np.zeros(high.size)
    for row in range(1, high.size):
        plus[row], minus[row] = movement(high[row], low[row], high[row - 1], low[row - 1])
    return plus, minus


@njit(cache=True)
def _money_flow(typical_price: FloatArray, volume: FloatArray) -> tuple[FloatArray, FloatArray]:
    inflow, outflow = np.zeros(volume.size), np.zeros(volume.size)
    inflow[:1] = outflow[:1] = np.nan
    for row in range(1, volume.size):
        change = typical_price[row] - typical_price[row - 1]
        tie = _ROUNDING * typical_price[row]
        if change > tie:
            inflow[row] = typical_price[row] * volume[row]
        elif change < -tie:
            outflow[row] = typical_price[row] * volume[row]
    return inflow, outflow

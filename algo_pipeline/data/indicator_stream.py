"""Recursive indicators carried from bar to bar: to the bit what :mod:`.indicators` gives for all bars so far."""

from __future__ import annotations

import numpy as np

from algo_pipeline.common.types import FloatArray
from algo_pipeline.data.indicators import (
    atr_stream,
    directional_index,
    directional_movement,
    ema_stream,
    macd_stream,
    movement,
    rsi_stream,
)
from algo_pipeline.data.rolling import zero_run

_ADX_LENGTH = 14


class Recursions:
    """The recursive indicators of a market at its last bar.

    Parameters
    ----------
    high, low, close : arrays of shape (n_rows,)
        All bars so far, at least 54: what the average directional index of 14 bars takes.
    """

    def __init__(self, high: FloatArray, low: FloatArray, close: FloatArray) -> None:
        changes = np.diff(close, prepend=np.nan)
        self._high, self._low, self._close = float(high[-1]), float(low[-1]), float(close[-1])
        self._still_bars = int(zero_run(changes)[-1])
        self._emas = {bars: ema_stream(close, bars)[0] for bars in (12, 48)}
        self._macd = macd_stream(close)
        self._rsis = {bars: rsi_stream(close, bars) for bars in (7, 14)}
        self._atr = atr_stream(high, low, close, 14)
        self._open_adx(high, low)

    @property
    def equal_closes(self) -> int:
        """How many closes up to the last one are equal without a break."""
        return self._still_bars + 1

    def ema(self, length: int) -> float:
        """As ``indicators.ema``; of 12 or 48 bars."""
        return float(self._emas[length].value)

    def macd(self) -> tuple[float, float]:
        """As ``indicators.macd``."""
        line, _, histogram = self._macd.value
        return float(line), float(histogram)

    def rsi(self, length: int) -> float:
        """As ``indicators.rsi``; of 7 or 14 bars."""
        return 50.0 if self._still_bars >= length else float(self._rsis[length].value)

    def atr(self) -> float:
        """As ``indicators.atr`` of 14 bars."""
        return float(self._atr.value)

    def adx(self) -> float:
        """As ``indicators.adx`` of 14 bars."""
        return 100.0 * float(self._index.value)

    def update(self, high: float, low: float, close: float) -> None:
        """Take in the next bar."""
        self._still_bars = self._still_bars + 1 if close == self._close else 0
        for average in (*self._emas.values(), self._macd, *self._rsis.values()):
            average.update(close)
        self._atr.update(high, low, close)
        self._update_adx(high, low)
        self._high, self._low, self._close = high, low, close

    def _open_adx(self, high: FloatArray, low: FloatArray) -> None:
        plus, minus = directional_movement(high, low)
        span = 2 * _ADX_LENGTH - 1
        self._plus, average_plus = ema_stream(plus, span)
        self._minus, average_minus = ema_stream(minus, span)
        still = zero_run(plus + minus)
        self._unmoved_bars = int(still[-1])
        index = directional_index(average_plus, average_minus, still >= _ADX_LENGTH)
        self._index, _ = ema_stream(index, span)

    def _update_adx(self, high: float, low: float) -> None:
        plus, minus = movement(high, low, self._high, self._low)
        self._unmoved_bars = self._unmoved_bars + 1 if plus + minus == 0.0 else 0
        average_plus, average_minus = self._plus.update(plus), self._minus.update(minus)
        total = average_plus + average_minus
        difference = 0.0 if self._unmoved_bars >= _ADX_LENGTH else abs(average_plus - average_minus)
        self._index.update(difference / total if total != 0.0 else 0.0)

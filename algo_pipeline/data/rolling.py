"""Window kernels that recompute every window from its own values alone.

Running sums are quicker but drift: what a bar of 1e12 volume leaves behind in the sum poisons every later window,
and the last bits of a result depend on where the history starts. Here a value depends on nothing but its window,
to the bit, wherever that window stands in the history.

Recomputing stays cheap because the inner loops run over neighbouring rows (one lag for a whole block of rows), which
the compiler turns into vector instructions. The order of additions within a window is the same for every row, so a
row's place in its block changes no bit. All kernels give NaN until the first full window and for windows with a NaN.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from algo_pipeline.common.types import FloatArray, IntArray

_BLOCK_ROWS = 512  # accumulators and their inputs stay in the first-level cache


@njit(cache=True)
def window_moments(values: FloatArray, lengths: IntArray) -> tuple[FloatArray, FloatArray]:
    """Mean, relative to the newest value, and sum of squared deviations of every window.

    Values enter as differences d from the window's newest value. That makes a flat window exactly 0, and because the
    newest value is a member of the window, ``sum(d)**2 <= (n - 1) * sum(d**2)``: at most a factor n of precision is
    lost in ``sum(d**2) - sum(d)**2 / n``, however large the mean or an outlier.

    Parameters
    ----------
    values : array of shape (n_rows,)
    lengths : int64 array of shape (n_windows,)
        Ascending window lengths >= 1; a longer window goes on where the shorter one stopped.

    Returns
    -------
    offsets, squares : arrays of shape (n_windows, n_rows)
        ``mean - newest value`` and ``sum((value - mean)**2)``.
    """
    n_rows, padding = values.size, lengths[-1]
    padded = _padded(values, padding)
    offsets = np.empty((lengths.size, n_rows))
    squares = np.empty((lengths.size, n_rows))
    first, second = np.empty(_BLOCK_ROWS), np.empty(_BLOCK_ROWS)
    for start in range(0, n_rows, _BLOCK_ROWS):
        size = min(_BLOCK_ROWS, n_rows - start)
        first[:] = 0.0
        second[:] = 0.0
        lag = 1
        for k in range(lengths.size):
            _add_differences(padded, padding + start, size, lag, lengths[k], first, second)
            lag = lengths[k]
            for i in range(size):
                mean = first[i] / lag
                offsets[k, start + i] = mean
                squares[k, start + i] = second[i] - first[i] * mean
    return offsets, squares


@njit(cache=True)
def window_sum(values: FloatArray, length: int) -> FloatArray:
    """Sum of the last ``length`` values; shape (n_rows,) in and out."""
    n_rows = values.size
    sums = np.full(n_rows, np.nan)
    for start in range(length - 1, n_rows, _BLOCK_ROWS):
        stop = min(start + _BLOCK_ROWS, n_rows)
        total = sums[start:stop]
        total[:] = values[start:stop]
        for lag in range(1, length):
            past = values[start - lag : stop - lag]
            for i in range(total.size):
                total[i] += past[i]
    return sums


@njit(cache=True)
def window_mean_deviation(values: FloatArray, length: int) -> tuple[FloatArray, FloatArray]:
    """Mean, relative to the newest value, and mean absolute deviation from the mean of the last ``length`` values.

    Returns
    -------
    offsets, deviations : arrays of shape (n_rows,)
        Both exactly 0 where the window is flat.
    """
    n_rows = values.size
    offsets, deviations = np.full(n_rows, np.nan), np.full(n_rows, np.nan)
    for start in range(length - 1, n_rows, _BLOCK_ROWS):
        stop = min(start + _BLOCK_ROWS, n_rows)
        newest, offset, deviation = values[start:stop], offsets[start:stop], deviations[start:stop]
        offset[:] = 0.0
        for lag in range(1, length):
            past = values[start - lag : stop - lag]
            for i in range(offset.size):
                offset[i] += past[i] - newest[i]
        offset /= length
        deviation[:] = np.abs(offset)
        for lag in range(1, length):
            past = values[start - lag : stop - lag]
            for i in range(offset.size):
                deviation[i] += abs((past[i] - newest[i]) - offset[i])
        deviation /= length
    return offsets, deviations


@njit(cache=True)
def zero_run(values: FloatArray) -> IntArray:
    """How many values, up to and including each row's, are exactly 0 without a break; shape (n_rows,), int64."""
    runs = np.empty(values.size, dtype=np.int64)
    run = 0
    for row in range(values.size):
        run = run + 1 if values[row] == 0.0 else 0
        runs[row] = run
    return runs


@njit(cache=True)
def _padded(values: FloatArray, padding: int) -> FloatArray:
    padded = np.full(padding + values.size, np.nan)
    padded[padding:] = values
    return padded


@njit(cache=True)
def _add_differences(
    padded: FloatArray, start: int, size: int, first_lag: int, end_lag: int, first: FloatArray, second: FloatArray
) -> None:
    """Add the differences of lags ``first_lag`` … ``end_lag - 1``, four at a time to spare loads and stores."""
    newest = padded[start : start + size]
    in_fours = end_lag - (end_lag - first_lag) % 4
    for lag in range(first_lag, in_fours, 4):
        past = padded[start - lag - 3 : start - lag + size]
        for i in range(size):
            a, b = past[i + 3] - newest[i], past[i + 2] - newest[i]
            c, d = past[i + 1] - newest[i], past[i] - newest[i]
            first[i] = (((first[i] + a) + b) + c) + d
            second[i] = (((second[i] + a * a) + b * b) + c * c) + d * d
    for lag in range(in_fours, end_lag):
        past = padded[start - lag : start - lag + size]
        for i in range(size):
            a = past[i] - newest[i]
            first[i] += a
            second[i] += a * a

"""Fewer points for a picture, without losing a single extreme."""

from __future__ import annotations

import numpy as np

from algo_pipeline.common.types import FloatArray, IntArray


def extreme_positions(columns: FloatArray, max_points: int) -> IntArray:
    """Row positions that keep every column's minimum and maximum in each of many equal buckets.

    A line drawn through them looks the same as the full one as long as a pixel is no narrower than a bucket
    (min/max decimation). All columns share the positions, so that they stay comparable at every point kept.

    Parameters
    ----------
    columns : ndarray of shape (n_rows, n_columns)
        NaN is ignored, unless a bucket has nothing else.
    max_points : int
        Upper bound on the positions returned, at least ``2 * n_columns + 2``.

    Returns
    -------
    ndarray of shape (n_kept,)
        Ascending and unique; first and last row included; all rows if they are no more than ``max_points``.
    """
    n_rows, n_columns = columns.shape
    if n_rows <= max_points:
        return np.arange(n_rows, dtype=np.int64)
    n_buckets = max((max_points - 2) // (2 * n_columns), 1)
    size = -(-n_rows // n_buckets)
    starts = np.arange(0, n_rows, size, dtype=np.int64)[:, None]
    lows = starts + _argmin_per_bucket(columns, size)
    highs = starts + _argmin_per_bucket(-columns, size)
    ends = np.array([0, n_rows - 1], dtype=np.int64)
    return np.unique(np.concatenate([ends, lows.ravel(), highs.ravel()]))


def _argmin_per_bucket(columns: FloatArray, size: int) -> IntArray:
    n_rows, n_columns = columns.shape
    padded = np.full((-(-n_rows // size) * size, n_columns), np.inf)
    padded[:n_rows] = np.where(np.isnan(columns), np.inf, columns)
    return np.asarray(padded.reshape(-1, size, n_columns).argmin(axis=1), dtype=np.int64)

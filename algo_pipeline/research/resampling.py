"""Compiled kernels of the stationary bootstrap; apart, so that what only reads its results need not load Numba."""

from __future__ import annotations

import numpy as np

from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.types import FloatArray, IntArray


@compiled
def draw_blocks(rng: np.random.Generator, mean_block: int, starts: IntArray, lengths: IntArray) -> int:
    """Fill ``starts`` and ``lengths``, both of shape (n,), with one resample's circular blocks; return their number.

    Block lengths are geometric with the given mean, starts uniform; the last block is cut so that lengths sum to n.
    """
    n = len(starts)
    filled, count = 0, 0
    while filled < n:
        starts[count] = rng.integers(0, n)
        lengths[count] = min(rng.geometric(1.0 / mean_block), n - filled)
        filled += lengths[count]
        count += 1
    return count


@compiled
def resampled_means(rng: np.random.Generator, sums: FloatArray, mean_block: int, n_resamples: int) -> FloatArray:
    """Means of resamples of the series whose running sums, from 0 on, are ``sums``; shape (n_resamples,)."""
    n = len(sums) - 1
    starts, lengths = np.empty(n, np.int64), np.empty(n, np.int64)
    means = np.empty(n_resamples)
    for resample in range(n_resamples):
        total = 0.0
        for block in range(draw_blocks(rng, mean_block, starts, lengths)):
            start, stop = starts[block], starts[block] + lengths[block]
            if stop <= n:
                total += sums[stop] - sums[start]
            else:
                total += sums[n] - sums[start] + sums[stop - n]
        means[resample] = total / n
    return means

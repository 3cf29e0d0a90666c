"""Compiled kernels of combinatorially symmetric cross-validation; apart, so that its results load without Numba."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np

from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.types import BoolArray, FloatArray

_ROUNDING = 1e-12


class Choices(NamedTuple):
    """The configuration chosen in each split, arrays of shape (n_splits,).

    ``in_sample`` and ``out_of_sample``: its Sharpe ratio per day in either half. ``rank``: its out-of-sample rank among
    all, 1 for the worst; equal ones share their mean rank.
    """

    in_sample: FloatArray
    out_of_sample: FloatArray
    rank: FloatArray


def half_masks(n_blocks: int) -> BoolArray:
    """Every half of the blocks that holds the first one, shape (C(n_blocks, n_blocks / 2) / 2, n_blocks).

    The others are their complements.
    """
    halves = list(itertools.combinations(range(1, n_blocks), n_blocks // 2 - 1))
    masks = np.zeros((len(halves), n_blocks), dtype=np.bool_)
    masks[:, 0] = True
    for mask, half in zip(masks, halves, strict=True):
        mask[list(half)] = True
    return masks


@compiled
def choices_of_halves(sums: FloatArray, squares: FloatArray, masks: BoolArray, n_days: int) -> Choices:
    """Choose in each half and look at the other: two splits for every mask, so two choices.

    Parameters
    ----------
    sums, squares : ndarray of shape (n_blocks, n_configurations)
        Sums of the returns, and of their squares, in each block: all that a Sharpe ratio needs, so that a split costs
        additions and no pass over days.
    masks : ndarray of bool, shape (n_masks, n_blocks)
        Blocks of one half; the rest is the other half.
    n_days : int
        Days in a half.
    """
    n_masks, n_blocks = masks.shape
    n = sums.shape[1]
    choices = Choices(np.empty(2 * n_masks), np.empty(2 * n_masks), np.empty(2 * n_masks))
    halves = np.empty((4, n))  # sums and squares of one half, then of the other
    sharpes = np.empty((2, n))
    for k in range(n_masks):
        halves[:] = 0.0
        for block in range(n_blocks):
            row = 0 if masks[k, block] else 2
            for i in range(n):
                halves[row, i] += sums[block, i]
                halves[row + 1, i] += squares[block, i]
        for side in range(2):
            for i in range(n):
                sharpes[side, i] = _sharpe(halves[2 * side, i], halves[2 * side + 1, i], n_days)
        for side in range(2):
            best = np.argmax(sharpes[side])
            place = 2 * k + side
            choices.in_sample[place] = sharpes[side, best]
            choices.out_of_sample[place] = sharpes[1 - side, best]
            choices.rank[place] = _rank(sharpes[1 - side], sharpes[1 - side, best])
    return choices


@compiled
def _sharpe(total: float, squares: float, n_days: int) -> float:
    """Mean over sample deviation (ddof 1); 0 where the variance is none or only rounding."""
    variance = (squares - total * total / n_days) / (n_days - 1)
    return total / n_days / math.sqrt(variance) if variance > _ROUNDING * squares / n_days else 0.0


@compiled
def _rank(values: FloatArray, value: float) -> float:
    below = equal = 0
    for other in values:
        below += other < value
        equal += other == value
    return below + 0.5 * (equal + 1)

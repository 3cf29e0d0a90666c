"""Weights of training rows: how much of a row's label is its own, and how old the row is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.time import bar_numbers
from algo_pipeline.common.types import FloatArray, IntArray

if TYPE_CHECKING:
    from algo_pipeline.data.labels import LabelSpec

WEIGHT_KINDS = ("none", "uniqueness", "recency", "uniqueness+recency")
HALF_LIFE_BARS = 8760 * 2
"""Two years: recency halves a row's weight over this many bars."""


def sample_weights(kind: str, timestamps: pd.DatetimeIndex, label: LabelSpec) -> FloatArray | None:
    """Weights of the rows on which a model or a calibrator is fitted.

    Parameters
    ----------
    kind : str
        A name of :data:`WEIGHT_KINDS`; two names joined by ``+`` multiply.
    timestamps : pd.DatetimeIndex
        Open times of those rows, ascending; hours may be missing. No other row counts, so the weights of a train part
        know nothing of what comes after it.
    label : LabelSpec
        What the rows are labelled with.

    Returns
    -------
    ndarray of shape (n,), or None
        In (0, 1]; None for ``none``, where every row counts 1. Their sum is an effective number of rows: penalties
        and priors weigh against it.
    """
    require_weight_kind(kind)
    if kind == "none":
        return None
    numbers = bar_numbers(timestamps)
    weights = np.ones(len(numbers))
    if "uniqueness" in kind:
        # A barrier touched early would end its label early; the whole horizon is the cautious reading.
        weights *= average_uniqueness(numbers + 1, numbers + 1 + label.horizon_bars)
    if "recency" in kind:
        weights *= 0.5 ** ((numbers[-1] - numbers) / HALF_LIFE_BARS)
    return weights


def average_uniqueness(starts: IntArray, stops: IntArray) -> FloatArray:
    """Average uniqueness of labels that overlap.

    With c(s) the number of labels alive on bar s, the average uniqueness of a label is the mean of 1/c(s) over its own
    bars: 1 for a label that shares nothing, about 1/h where every hour has a label of h bars.

    Parameters
    ----------
    starts, stops : ndarray of shape (n,)
        First bar number on which each label lives, and the first on which it lives no more; ``starts < stops``.

    Returns
    -------
    ndarray of shape (n,)
        In (0, 1].

    References
    ----------
    López de Prado (2018), "Advances in financial machine learning", sections 4.3 and 4.4.
    """
    if len(starts) == 0:
        return np.empty(0)
    first = int(starts.min())
    births, deaths = starts - first, stops - first
    n_bars = int(deaths.max()) + 1
    alive = np.cumsum(np.bincount(births, minlength=n_bars) - np.bincount(deaths, minlength=n_bars))
    shares = np.concatenate([[0.0], np.cumsum(1.0 / np.maximum(alive, 1))])
    uniqueness: FloatArray = (shares[deaths] - shares[births]) / (deaths - births)
    return uniqueness


def require_weight_kind(kind: str) -> None:
    """Raise ConfigValueError unless there are such weights."""
    if kind not in WEIGHT_KINDS:
        raise ConfigValueError(f"sample_weight must be one of {', '.join(WEIGHT_KINDS)}; it was {kind!r}.")

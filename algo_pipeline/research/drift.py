"""Whether the features of the last week look like those that a model learnt from: the population stability index.

The textbook calls an index above 0.25 drift. That is a rule for large independent samples: a week of an hourly feature
that moves once a month lies in one or two deciles, with an index above 2, though nothing has changed. Here each feature
has its own limit, from what the weeks of the training rows themselves showed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from algo_pipeline.common.types import FloatArray, IntArray

WINDOW_H = 168
"""Hours of live features that are compared with the training's: a week."""

_LEAST_H = 160  # with a day less, the calendar features of a week would have drifted
_STEP_H = 24
_N_EDGES = 11  # smallest, nine deciles, largest
_N_BINS = _N_EDGES + 1
_DIGITS = "0123456789ab"
_PRIOR_ROWS = 1.0
_LEAST_ROWS = 26 * WINDOW_H
_MARGIN = 2.5  # of the strangest week in training: chosen on real bars, see docs/statistics.md
_TEXTBOOK = 0.25


@dataclass(frozen=True, slots=True)
class Drift:
    """A feature, the index of its last week, and its limit."""

    feature: str
    index: float
    limit: float

    @property
    def is_beyond(self) -> bool:
        """Whether it has drifted."""
        return self.index > self.limit


@dataclass(frozen=True, eq=False)
class FeatureReference:
    """What the features of the training rows looked like.

    Attributes
    ----------
    names : tuple of str
        The features.
    edges : ndarray of shape (n_features, 11)
        Smallest value, deciles and largest value. A value up to an edge lies below it: twelve bins, of which the first
        and the last hold what training has never seen.
    shares : ndarray of shape (n_features, 12)
        Share of the training rows per bin, above 0: half a row counts in every bin beside the rows.
    limits : ndarray of shape (n_features,)
        The index of a week above which a feature has drifted.
    """

    names: tuple[str, ...]
    edges: FloatArray
    shares: FloatArray
    limits: FloatArray

    def bins(self, row: FloatArray) -> str:
        """The bin of every feature of one row, shape (n_features,), as a digit of base twelve."""
        places = (row[:, None] > self.edges).sum(axis=1)
        return "".join(_DIGITS[place] for place in places)

    def indices(self, rows: Sequence[str]) -> FloatArray:
        """The population stability index of every feature over rows that :meth:`bins` made, shape (n_features,)."""
        return self._indices_of(self._counts(rows))

    def _counts(self, rows: Sequence[str]) -> IntArray:
        n_features = len(self.names)
        digits = np.frombuffer("".join(rows).encode(), np.uint8).astype(np.int64).reshape(-1, n_features)
        digits -= np.where(digits >= ord("a"), ord("a") - 10, ord("0"))
        places = digits + np.arange(n_features) * _N_BINS
        return np.bincount(places.ravel(), minlength=n_features * _N_BINS).reshape(n_features, _N_BINS)

    def _indices_of(self, counts: IntArray) -> FloatArray:
        """Of counts of shape (..., n_features, 12)."""
        n_rows = counts.sum(axis=-1, keepdims=True)
        shares = (counts + _PRIOR_ROWS * self.shares) / (n_rows + _PRIOR_ROWS)
        index: FloatArray = ((shares - self.shares) * (np.log(shares) - self._log_shares)).sum(axis=-1)
        return index

    def strangest(self, rows: Sequence[str]) -> Drift | None:
        """The feature that is furthest towards or beyond its limit.

        None where more than eight hours of the week are missing; empty rows, and those of other features, don't count.
        """
        rows = [row for row in rows if len(row) == len(self.names)]
        if len(rows) < _LEAST_H:
            return None
        indices = self.indices(rows)
        place = int(np.argmax(indices / self.limits))
        return Drift(self.names[place], float(indices[place]), float(self.limits[place]))

    def to_document(self) -> dict[str, Any]:
        """Plain JSON from which :meth:`from_document` makes an equal reference."""
        arrays = {name: getattr(self, name).tolist() for name in ("edges", "shares", "limits")}
        return {"names": list(self.names), **arrays}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> FeatureReference:
        """Inverse of :meth:`to_document`; KeyError, TypeError or ValueError if it describes none."""
        names = tuple(map(str, document["names"]))
        edges, shares, limits = (np.array(document[name], float) for name in ("edges", "shares", "limits"))
        n = len(names)
        if (edges.shape, shares.shape, limits.shape) != ((n, _N_EDGES), (n, _N_BINS), (n,)):
            raise ValueError(f"edges, shares and limits of {n} features are expected")
        return cls(names, edges, shares, limits)

    @cached_property
    def _log_shares(self) -> FloatArray:
        logs: FloatArray = np.log(self.shares)
        return logs


def reference_of(features: pd.DataFrame) -> FeatureReference | None:
    """What the training rows look like; None for less than half a year of them, which knows too few weeks.

    The limit of a feature is two and a half times the index of the strangest week of the training rows, taken every
    24 rows, and at least the textbook's 0.25.

    Parameters
    ----------
    features : pd.DataFrame
        Shape (n, n_features), finite; hourly, rows may be missing.

    References
    ----------
    Siddiqi (2006), "Credit risk scorecards" (the index and 0.25); Yurdakul and Naranjo (2020), "Statistical properties
    of the population stability index", Journal of Risk Model Validation 14 (why 0.25 fits no sample size but one).
    """
    if len(features) < _LEAST_ROWS:
        return None
    values = features.to_numpy(np.float64)
    edges = np.quantile(values, np.linspace(0.0, 1.0, _N_EDGES), axis=0).T
    daily = _daily_counts(values, edges)
    shares = (daily.sum(axis=0) + 0.5) / (len(values) + 0.5 * _N_BINS)
    names = tuple(map(str, features.columns))
    unlimited = FeatureReference(names, edges, shares, np.full(len(names), math.inf))
    weekly = np.concatenate([np.zeros_like(daily[:1]), daily.cumsum(axis=0)])
    days = WINDOW_H // _STEP_H
    strangest = unlimited._indices_of(weekly[days:-1] - weekly[: -days - 1]).max(axis=0)  # noqa: SLF001
    return FeatureReference(names, edges, shares, np.maximum(_MARGIN * strangest, _TEXTBOOK))


def _daily_counts(values: FloatArray, edges: FloatArray) -> IntArray:
    """Rows per bin of every 24 rows, shape (n_days, n_features, 12); the last day may be short."""
    n_rows, n_features = values.shape
    day = np.arange(n_rows) // _STEP_H
    n_days = int(day[-1]) + 1
    counts = np.empty((n_days, n_features, _N_BINS), np.int64)
    for place in range(n_features):
        bins = np.searchsorted(edges[place], values[:, place], side="left")
        flat = np.bincount(day * _N_BINS + bins, minlength=n_days * _N_BINS)
        counts[:, place] = flat.reshape(n_days, _N_BINS)
    return counts

"""Proofs by experiment that a feature function uses nothing after the bar it describes.

Two experiments: *truncation* (cut the bars at t: the last row must not change) and *poison* (replace every bar after t
by noise: no row up to t may change). Both compare bits, not within a tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from algo_pipeline.common.schemas import BAR_COLUMNS
from algo_pipeline.common.types import BoolArray, FloatArray

Build = Callable[[pd.DataFrame], pd.DataFrame]
_STRETCH = 1e-6


def cut_violations(
    build: Build,
    bars: pd.DataFrame,
    features: pd.DataFrame,
    positions: Sequence[int],
    history_bars: int,
    future_bars: int,
) -> tuple[str, ...]:
    """Build the features of short stretches of bars, with and without those after each position.

    Cheap where :func:`truncation_violations` is not, for each stretch has ``history_bars`` bars up to its position and
    at most ``future_bars`` after it; so that many rows can be asked, and one that peeks now and then is found. The
    stored ``features`` come from a longer history, and are compared within 1e-6 of their size.

    Returns
    -------
    tuple of str
        A sentence per violation, naming feature and bar.
    """
    found = []
    for position in positions:
        first = max(0, position + 1 - history_bars)
        known = build(bars.iloc[first : position + 1]).to_numpy()[-1]
        later = build(bars.iloc[first : position + 1 + future_bars]).to_numpy()[position - first]
        stored = features.to_numpy()[position]
        other = np.abs(stored - known) > _STRETCH * (1.0 + np.abs(known))  # a NaN, which gaps explain, is no value
        peeks = differs(known, later) | other
        found += [
            f"{name} at {bars.index[position]} is not what the bars up to it give" for name in features.columns[peeks]
        ]
    return tuple(found)


def spread_positions(n_rows: int, n_samples: int, seed: int = 0) -> tuple[int, ...]:
    """Row positions at random, one in each of ``n_samples`` equal parts of all rows but the last."""
    n_parts = min(n_samples, max(0, n_rows - 1))
    edges = np.linspace(0, n_rows - 1, n_parts + 1) if n_parts else np.zeros(1)
    shares = np.random.default_rng(seed).random(n_parts)
    return tuple(int(edge) for edge in edges[:-1] + shares * np.diff(edges))


def sample_positions(n_rows: int, n_samples: int, seed: int = 0) -> tuple[int, ...]:
    """Row positions spread at random over the later half of ``n_rows`` rows, always with the last but one."""
    if n_rows < 2:
        return ()
    first = min(n_rows // 2, n_rows - 2)
    drawn = np.random.default_rng(seed).integers(first, n_rows - 1, size=n_samples)
    return tuple(sorted({*(int(position) for position in drawn), n_rows - 2}))


def truncation_violations(
    build: Build, bars: pd.DataFrame, features: pd.DataFrame, positions: Sequence[int]
) -> tuple[str, ...]:
    """Recompute with the bars cut after each position and compare the last row.

    Parameters
    ----------
    build : callable
        Bars to features.
    bars, features : pd.DataFrame
        All bars, and what ``build`` (or the store) gives for them; same rows.
    positions : sequence of int
        Rows to test.

    Returns
    -------
    tuple of str
        A sentence per violation, naming feature and bar.
    """
    found = []
    for position in positions:
        recomputed = build(bars.iloc[: position + 1]).to_numpy()[-1]
        different = differs(recomputed, features.to_numpy()[position])
        found += [
            f"{name} at {bars.index[position]} changes when later bars are cut off"
            for name in features.columns[different]
        ]
    return tuple(found)


def poison_violations(
    build: Build, bars: pd.DataFrame, features: pd.DataFrame, position: int, seed: int = 0
) -> tuple[str, ...]:
    """Replace every bar after ``position`` by valid noise, recompute, and compare all rows up to it.

    Returns
    -------
    tuple of str
        A sentence per violated feature, naming the first bar that changed.
    """
    recomputed = build(poisoned_bars(bars, position, seed)).to_numpy()[: position + 1]
    different = differs(recomputed, features.to_numpy()[: position + 1])
    return tuple(
        f"{name} at {bars.index[int(np.flatnonzero(different[:, column])[0])]} changes with bars after "
        f"{bars.index[position]}"
        for column, name in enumerate(features.columns)
        if different[:, column].any()
    )


def poisoned_bars(bars: pd.DataFrame, position: int, seed: int = 0) -> pd.DataFrame:
    """A copy of the bars in which every one after ``position`` is valid noise."""
    poisoned = bars.copy()
    poisoned.iloc[position + 1 :] = _noise(len(bars) - position - 1, float(bars["close"].iloc[position]), seed)
    return poisoned


def _noise(n: int, price: float, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    prices = price * np.exp(rng.normal(0.0, 0.5, (n, 4)))
    bars = np.empty((n, len(BAR_COLUMNS)))
    bars[:, 0], bars[:, 3] = prices[:, 0], prices[:, 3]
    bars[:, 1], bars[:, 2] = prices.max(axis=1), prices.min(axis=1)
    bars[:, 4] = rng.lognormal(0.0, 3.0, n)
    return bars


def differs(left: FloatArray, right: FloatArray) -> BoolArray:
    """Where two arrays of one shape are not equal; NaN equals NaN."""
    return np.asarray((left != right) & ~(np.isnan(left) & np.isnan(right)))

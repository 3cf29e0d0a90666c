"""Combinatorial purged cross-validation: many paths through one history, each of them out of sample throughout.

The rows are cut into N groups of equal size. Every choice of k groups is tested once with a model of the others, so
that each group is predicted by several models, and C(N, k) splits make φ = C(N, k)·k/N paths that cover all rows once.
Training rows may follow test rows, which no trader can have: paths are no record of what could have been earned, but
show how much a recipe's skill hangs on the years it happened to be trained on.

References
----------
.. [1] M. López de Prado, "Advances in financial machine learning" (2018), chapters 7 and 12.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import ConfigValueError, InsufficientHistoryError
from algo_pipeline.common.time import BAR
from algo_pipeline.common.types import IntArray
from algo_pipeline.research.splits import MIN_BASE_ROWS, MIN_CALIBRATION_ROWS, PurgeViolation

if TYPE_CHECKING:
    from algo_pipeline.data.labels import LabelSpec

MIN_EMBARGO_BARS = 168
"""The longest window of a feature: the features of a row that trains sooner are made of bars that were tested on."""
_MOST_SPLITS = 1_000


@dataclass(frozen=True, slots=True)
class CombinatorialRule:
    """How rows are cut into groups, tested and left out.

    Parameters
    ----------
    n_groups : int
        N, at least 2.
    n_test_groups : int
        k, from 1 to N − 1; at most 1,000 splits.
    embargo_bars : int
        Rows left out of training after the last bar that a test block's labels read, at least 168.
    calibration_fraction : float
        Share of the train rows, the last in time, on which the calibrator is fitted; in (0, 1).

    Notes
    -----
    There is no purge here on purpose: on both sides of a test block it is ``1 + label.horizon_bars`` rows, always.
    """

    n_groups: int = 6
    n_test_groups: int = 2
    embargo_bars: int = MIN_EMBARGO_BARS
    calibration_fraction: float = 0.2

    def __post_init__(self) -> None:
        _require(self.n_groups >= 2, "n_groups", "at least 2", self.n_groups)
        _require(1 <= self.n_test_groups < self.n_groups, "n_test_groups", "from 1 to n_groups − 1", self.n_test_groups)
        _require(
            self.n_splits <= _MOST_SPLITS,
            "n_groups",
            f"so small that there are {_MOST_SPLITS} splits at most",
            f"{self.n_groups} with {self.n_test_groups} test groups, {self.n_splits} splits",
        )
        _require(
            self.embargo_bars >= MIN_EMBARGO_BARS, "embargo_bars", f"at least {MIN_EMBARGO_BARS}", self.embargo_bars
        )
        _require(0.0 < self.calibration_fraction < 1.0, "calibration_fraction", "in (0, 1)", self.calibration_fraction)

    @property
    def n_splits(self) -> int:
        """C(N, k): models to be fitted."""
        return math.comb(self.n_groups, self.n_test_groups)

    @property
    def n_paths(self) -> int:
        """φ = C(N, k)·k/N: models that predict each group."""
        return self.n_splits * self.n_test_groups // self.n_groups


@dataclass(frozen=True, slots=True)
class CombinatorialSplit:
    """Row positions of one split, each part a tuple of slices in order of time.

    Attributes
    ----------
    test_groups : tuple of int
        The groups that are tested.
    base, calibration : tuple of slice
        Rows that train the model and, all of them later, the calibrator. What is missing is purged or embargoed.
    """

    test_groups: tuple[int, ...]
    base: tuple[slice, ...]
    calibration: tuple[slice, ...]

    @property
    def train(self) -> tuple[slice, ...]:
        """Base and calibration rows."""
        return self.base + self.calibration


@dataclass(frozen=True, slots=True, eq=False)
class CombinatorialPlan:
    """All splits of one dataset, and the paths that they make.

    Attributes
    ----------
    groups : tuple of slice
        Contiguous, together all rows.
    splits : tuple of CombinatorialSplit
        In lexical order of their test groups.
    paths : ndarray of int64, shape (n_paths, n_groups)
        For each path and group the split whose model predicts it there.
    label : LabelSpec
        The label from which the purge followed.
    rule : CombinatorialRule
        The rule that made the splits.
    """

    groups: tuple[slice, ...]
    splits: tuple[CombinatorialSplit, ...]
    paths: IntArray
    label: LabelSpec
    rule: CombinatorialRule

    @property
    def n_rows(self) -> int:
        """Rows of the dataset."""
        return int(self.groups[-1].stop)


def combinatorial_splits(n_rows: int, label: LabelSpec, rule: CombinatorialRule) -> CombinatorialPlan:
    """Cut ``n_rows`` rows into groups, splits and paths.

    Row i may train for a test block of rows a to b − 1 only if its label is known before the block, ``i + 1 + h < a``,
    or if it lies an embargo behind the labels of the block, ``i ≥ b + 1 + h + embargo``. Positions may skip hours
    (gaps): then more time lies between two rows than positions say, and both rules are the stricter ones.

    Parameters
    ----------
    n_rows : int
        Rows of the dataset.
    label : LabelSpec
        The target; its horizon h is the purge.
    rule : CombinatorialRule
        Number of groups, embargo, the calibrator's share.

    Returns
    -------
    CombinatorialPlan
        Group g starts at row ``g * n_rows // n_groups``; path p takes for each group the p-th split that tests it.

    Raises
    ------
    InsufficientHistoryError
        If a split would train on fewer than 500 rows or calibrate on fewer than 100.
    """
    edges = [number * n_rows // rule.n_groups for number in range(rule.n_groups + 1)]
    groups = tuple(itertools.starmap(slice, itertools.pairwise(edges)))
    tested = list(itertools.combinations(range(rule.n_groups), rule.n_test_groups))
    splits = tuple(_split(chosen, groups, label, rule) for chosen in tested)
    for split in splits:
        _require_enough_rows(split, n_rows)
    paths = [[number for number, chosen in enumerate(tested) if group in chosen] for group in range(rule.n_groups)]
    return CombinatorialPlan(groups, splits, np.array(paths, dtype=np.int64).T.copy(), label, rule)


def rows_of(parts: tuple[slice, ...]) -> IntArray:
    """Positions in order of time, shape (n,)."""
    if not parts:
        return np.empty(0, dtype=np.int64)
    return np.concatenate([np.arange(part.start, part.stop, dtype=np.int64) for part in parts])


def combinatorial_violations(
    plan: CombinatorialPlan, timestamps: pd.DatetimeIndex | None = None
) -> tuple[PurgeViolation, ...]:
    """Every break of purge or embargo in a plan, found from its slices alone.

    Parameters
    ----------
    plan : CombinatorialPlan
        The plan to judge, however it was made.
    timestamps : pd.DatetimeIndex, optional
        Open times of the rows. With them the rules are checked in time too.

    Returns
    -------
    tuple of PurgeViolation
        Empty if nothing leaks; ``fold`` is the number of the split.
    """
    return tuple(
        PurgeViolation(number, earlier, later, detail)
        for number, split in enumerate(plan.splits)
        for earlier, later, detail in _problems(split, plan, timestamps)
    )


def _split(
    chosen: tuple[int, ...], groups: tuple[slice, ...], label: LabelSpec, rule: CombinatorialRule
) -> CombinatorialSplit:
    purge = label.horizon_bars + 1
    train = rows_of(tuple(_train_segments(chosen, groups, purge, rule.embargo_bars)))
    n_calibration = round(rule.calibration_fraction * len(train))
    calibration = train[len(train) - n_calibration :]
    base = train[: len(train) - n_calibration]
    if n_calibration:
        base = base[base + purge < calibration[0]]
    return CombinatorialSplit(chosen, _slices(base), _slices(calibration))


def _train_segments(chosen: tuple[int, ...], groups: tuple[slice, ...], purge: int, embargo: int) -> Iterator[slice]:
    """What is left of each group that is not tested, cut where a neighbour is."""
    for number, group in enumerate(groups):
        if number in chosen:
            continue
        start = max([group.start, *(groups[test].stop + purge + embargo for test in chosen if test < number)])
        stop = min([group.stop, *(groups[test].start - purge for test in chosen if test > number)])
        if start < stop:
            yield slice(start, stop)


def _slices(rows: IntArray) -> tuple[slice, ...]:
    """Ascending positions as maximal slices."""
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    return tuple(slice(int(run[0]), int(run[-1]) + 1) for run in runs if len(run))


def _require_enough_rows(split: CombinatorialSplit, n_rows: int) -> None:
    n_base, n_calibration = (sum(part.stop - part.start for part in parts) for parts in (split.base, split.calibration))
    if n_base < MIN_BASE_ROWS or n_calibration < MIN_CALIBRATION_ROWS:
        raise InsufficientHistoryError(
            f"Every split needs {MIN_BASE_ROWS} rows for the model and {MIN_CALIBRATION_ROWS} for the calibrator; of"
            f" {n_rows} rows, the split that tests groups {split.test_groups} leaves {n_base} and {n_calibration}.",
            "Provide a longer history, or test fewer groups at a time.",
        )


def _problems(
    split: CombinatorialSplit, plan: CombinatorialPlan, timestamps: pd.DatetimeIndex | None
) -> Iterator[tuple[str, str, str]]:
    """Names of the earlier and the later part, and what is wrong between them."""
    parts = [("base", part) for part in split.base] + [("calibration", part) for part in split.calibration]
    for name, train in parts:
        for test in (plan.groups[number] for number in split.test_groups):
            if train.start < test.start:
                yield from ((name, "test", why) for why in _known_too_late(train, test, plan, timestamps))
            else:
                yield from (("test", name, why) for why in _too_soon(test, train, plan, timestamps))
    for base in split.base:
        for calibration in split.calibration:
            yield from (("base", "calibration", why) for why in _known_too_late(base, calibration, plan, timestamps))


def _known_too_late(
    earlier: slice, later: slice, plan: CombinatorialPlan, timestamps: pd.DatetimeIndex | None
) -> Iterator[str]:
    last, first, horizon = earlier.stop - 1, later.start, plan.label.horizon_bars
    if not last + 1 + horizon < first:
        yield f"row {last} trains for row {first} with a label of {horizon} bars"
    elif timestamps is not None and not timestamps[last] + (1 + horizon) * BAR < timestamps[first]:
        yield f"the label of {timestamps[last]} is not known before {timestamps[first]}"


def _too_soon(test: slice, train: slice, plan: CombinatorialPlan, timestamps: pd.DatetimeIndex | None) -> Iterator[str]:
    last, first = test.stop - 1, train.start
    needed = 1 + plan.label.horizon_bars + MIN_EMBARGO_BARS
    if not last + needed < first:
        yield f"row {first} trains {first - last} rows after the tested row {last}, where {needed} must lie between"
    elif timestamps is not None and not timestamps[last] + needed * BAR < timestamps[first]:
        yield f"{timestamps[first]} trains within {needed} hours of {timestamps[last]}, which is tested"


def _require(ok: bool, name: str, expected: str, found: object) -> None:
    if not ok:
        raise ConfigValueError(f"{name} must be {expected}; it was {found!r}.", f"Correct {name}.")

"""Do features, labels and dataset say only what could be known? Judged from the stored frames."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from algo_pipeline.common.time import bar_numbers
from algo_pipeline.common.types import BoolArray
from algo_pipeline.data.causality import (
    Build,
    cut_violations,
    differs,
    poison_violations,
    sample_positions,
    spread_positions,
    truncation_violations,
)
from algo_pipeline.data.feature_registry import FEATURES, MAX_WARMUP_BARS
from algo_pipeline.data.own_label import OwnLabel
from algo_pipeline.interfaces.features import FeatureSpec, known_rows
from algo_pipeline.research import claims
from algo_pipeline.research.claims import Finding
from algo_pipeline.research.label_twin import label_bounds
from algo_pipeline.research.own_label_leakage import n_experiments, own_label_violations

_TRUNCATIONS = 5
_TRUNCATED_GAPS = 3
_POISONED_BARS = 6_000
_POISONINGS = 3
_CUTS = 120
_FUTURE_BARS = 25
_ANEW = 3


def judge_causality(
    build: Build,
    bars: pd.DataFrame,
    features: pd.DataFrame,
    warmup_bars: int = MAX_WARMUP_BARS,
    anew: Callable[[], Build] | None = None,
) -> Finding:
    """Whether any feature changes with bars that come later.

    Parameters
    ----------
    build : callable
        Bars to features: the code that made the stored frame.
    bars, features : pd.DataFrame
        All bars, and the stored features of them.
    warmup_bars : int
        Bars until they are all known.
    anew : callable, optional
        Gives ``build`` as in a process that has just begun, for code that is not ours: what it remembers of bars that
        it was once given would hide that it looks ahead.

    Notes
    -----
    Short stretches from all of the history are cut after one row in each of 120 equal parts of it, so that a feature
    that looks ahead at some times only is found too. The whole is cut after rows at random, after the last but one,
    and after the first row behind each of the last gaps, where a value that was filled in backwards would show. The
    future is poisoned at three hours of the day, so that what is stamped at a day's open does not hide at its end.
    """
    positions = tuple(sorted({*sample_positions(len(bars), _TRUNCATIONS), *_behind_gaps(bars)[-_TRUNCATED_GAPS:]}))
    tail = bars.iloc[-_POISONED_BARS:]
    whole, first = build(tail), len(tail) // 2
    found = truncation_violations(build, bars, features, positions)
    for n in range(_POISONINGS):
        found += poison_violations(build, tail, whole, first + 7 * n, seed=n)
    cuts = spread_positions(len(bars), _CUTS)
    found += cut_violations(build, bars, features, cuts, warmup_bars + 1, _FUTURE_BARS)
    if anew is not None:
        for position in positions[-_ANEW:]:
            found += truncation_violations(anew(), bars, features, (position,))
    evidence = (
        f"{len(positions)} truncations of all bars, {len(cuts)} of short stretches and {_POISONINGS} poisonings of the "
        "future left no trace."
    )
    return Finding(claims.FEATURES_SEE_NO_FUTURE, found, evidence)


def judge_recomputation(build: Build, bars: pd.DataFrame, features: pd.DataFrame) -> Finding:
    """Whether the stored features are those that ``build`` gives for the bars."""
    found = _differences(features, build(bars), "is not what the bars give")
    evidence = f"{features.size:,} values of {len(features):,} bars are equal to the bit."
    return Finding(claims.FEATURES_ARE_THE_CODES, found, evidence)


def judge_gaps(features: pd.DataFrame, bars: pd.DataFrame, specs: tuple[FeatureSpec, ...] = FEATURES) -> Finding:
    """Whether features are missing exactly where windows and warm-ups of their definitions say."""
    if not features.index.equals(bars.index):
        problem = f"{len(features):,} rows of features do not match {len(bars):,} bars"
        return Finding(claims.FEATURES_KEEP_GAPS, (problem,), "")
    known = np.isfinite(features.to_numpy(dtype=np.float64))
    expected = np.column_stack([known_rows(spec, pd.DatetimeIndex(bars.index)) for spec in specs])
    found = tuple(
        f"{spec.name} is {'known' if known[row, column] else 'missing'} at {features.index[row]}, which its window of "
        f"{spec.window_bars} bars and warm-up of {spec.warmup_bars} do not explain"
        for column, spec in enumerate(specs)
        for row in np.flatnonzero(known[:, column] != expected[:, column])[:1]
    )
    n_gaps, n_missing = len(_behind_gaps(bars)), int((~expected).sum())
    evidence = f"{n_missing:,} values are missing for {n_gaps} gaps and the warm-up, and no other."
    return Finding(claims.FEATURES_KEEP_GAPS, found, evidence)


def judge_labels(labels: pd.DataFrame, bars: pd.DataFrame, own: OwnLabel | None = None) -> Finding:
    """Whether all labels are those of a second implementation (see :mod:`~algo_pipeline.research.label_twin`).

    A user's own, the last column, has none: it is computed again on other bars (see
    :mod:`~algo_pipeline.research.own_label_leakage`).
    """
    lower, upper = label_bounds(bars)
    expected = [*lower.columns, *([] if own is None else [own.spec.name])]
    if not (labels.index.equals(lower.index) and list(labels.columns) == expected):
        problem = f"{labels.shape} labels do not match {len(bars):,} bars and {len(expected)} labels"
        return Finding(claims.LABELS_LOOK_AHEAD_EXACTLY, (problem,), "")
    built_in = labels[list(lower.columns)]
    stored = built_in.to_numpy(dtype=np.float64)
    wrong = differs(stored, lower.to_numpy()) & differs(stored, upper.to_numpy())
    found = _sentences(built_in, wrong, "is not what the bars after it say")
    evidence = f"{int(np.isfinite(stored).sum()):,} values of {stored.shape[1]} labels are equal to the bit."
    if own is not None:
        found += own_label_violations(own, labels[own.spec.name].to_numpy(dtype=np.float64), bars)
        evidence += f" {own.spec.name} keeps to its horizon in {n_experiments(len(bars))} experiments."
    return Finding(claims.LABELS_LOOK_AHEAD_EXACTLY, found, evidence)


def judge_join(dataset: pd.DataFrame, features: pd.DataFrame, labels: pd.DataFrame) -> Finding:
    """Whether the dataset's rows are the complete rows of features and the one label it names.

    Parameters
    ----------
    dataset : pd.DataFrame
        Features and, as the last column, a label.
    features, labels : pd.DataFrame
        As stored.
    """
    joined = features.join(labels[[str(dataset.columns[-1])]], how="inner")
    expected = joined[np.isfinite(joined.to_numpy(dtype=np.float64)).all(axis=1)]
    found = _differences(dataset, expected, "is not that of features and labels")
    evidence = f"{len(dataset):,} rows of {dataset.shape[1] - 1} features and a label are equal to the bit."
    return Finding(claims.ROWS_ARE_THE_JOIN, found, evidence)


def _behind_gaps(bars: pd.DataFrame) -> tuple[int, ...]:
    """Positions of the bars whose hour before is missing."""
    steps = np.diff(bar_numbers(pd.DatetimeIndex(bars.index)))
    return tuple(int(position) for position in np.flatnonzero(steps != 1) + 1)


def _differences(found: pd.DataFrame, expected: pd.DataFrame, problem: str) -> tuple[str, ...]:
    """A sentence per column that differs, or one about rows or columns."""
    if not found.columns.equals(expected.columns):
        return (f"the columns are {list(found.columns)[:3]} … instead of {list(expected.columns)[:3]} …",)
    if not found.index.equals(expected.index):
        return (_about_rows(found.index, expected.index),)
    return _sentences(found, differs(found.to_numpy(), expected.to_numpy()), problem)


def _about_rows(found: pd.Index, expected: pd.Index) -> str:
    if len(found) != len(expected):
        return f"{len(found):,} rows instead of {len(expected):,}"
    first = int(np.flatnonzero(found != expected)[0])
    return f"row {first} is {found[first]} instead of {expected[first]}"


def _sentences(frame: pd.DataFrame, wrong: BoolArray, problem: str) -> tuple[str, ...]:
    return tuple(
        f"{name} at {frame.index[int(np.flatnonzero(wrong[:, column])[0])]} {problem} ({int(wrong[:, column].sum()):,} "
        "such rows)"
        for column, name in enumerate(frame.columns)
        if wrong[:, column].any()
    )

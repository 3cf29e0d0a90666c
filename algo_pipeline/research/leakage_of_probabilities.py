"""Do out-of-sample probabilities come from the right models at the right time? Judged from the stitched frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from algo_pipeline.common.time import BAR
from algo_pipeline.models.calibration import CalibratedClassifier
from algo_pipeline.research import claims
from algo_pipeline.research.claims import Finding
from algo_pipeline.research.dataset import Dataset
from algo_pipeline.research.splits import Fold, SplitPlan
from algo_pipeline.research.train import predict


def judge_coverage(oos: pd.DataFrame, plan: SplitPlan, timestamps: pd.DatetimeIndex) -> Finding:
    """Whether each row of each test block has one probability in (0, 1) and the number of its fold."""
    rows = _test_rows(plan, timestamps)
    probability, evidence = oos["probability"], f"{len(oos):,} probabilities from {len(plan.folds)} folds."
    found: tuple[str, ...] = ()
    if not oos.index.equals(rows.index):
        found += (f"{len(oos):,} rows are not the {len(rows):,} of the test blocks",)
    elif not np.array_equal(oos["fold"], rows):
        found += (f"{int((oos['fold'] != rows).sum()):,} rows name another fold than that of their test block",)
    n_outside = int((~((probability > 0.0) & (probability < 1.0))).sum())
    if n_outside:
        found += (f"{n_outside:,} probabilities are not between 0 and 1",)
    return Finding(claims.TEST_BLOCKS_ARE_COVERED, found, evidence)


def judge_own_fold(
    oos: pd.DataFrame, dataset: Dataset, plan: SplitPlan, calibrated: Sequence[CalibratedClassifier]
) -> Finding:
    """Whether each probability is what the calibrated model of the fold whose test block holds the row says."""
    parts = [
        _compare(oos, dataset.features.iloc[fold.test], estimator, number)
        for number, (fold, estimator) in enumerate(zip(plan.folds, calibrated, strict=False))
    ]
    evidence = f"{len(oos):,} probabilities of {len(plan.folds)} folds are equal to the bit."
    return Finding(claims.PROBABILITIES_ARE_THE_FOLDS, tuple(part for part in parts if part), evidence)


def judge_fitted_before(oos: pd.DataFrame, plan: SplitPlan, timestamps: pd.DatetimeIndex) -> Finding:
    """Whether all labels behind the fold that a row names were known before the row's bar opened."""
    known = [_known_at(fold, plan, timestamps) for fold in plan.all_folds]
    folds = oos["fold"].to_numpy()
    first_judged = {int(number): pd.Timestamp(oos.index[folds == number].min()) for number in np.unique(folds)}
    found = tuple(
        f"fold {number} learnt from labels that were known at {known[number]}, and judges {first} already"
        for number, first in first_judged.items()
        if not known[number] < first
    )
    least = min(first - known[number] for number, first in first_judged.items())
    evidence = f"Of {len(first_judged)} folds the last label was known at least {least / BAR:g} h before the first bar."
    return Finding(claims.MODELS_CAME_BEFORE, found, evidence)


def judge_outcomes(oos: pd.DataFrame, dataset: Dataset, plan: SplitPlan) -> Finding:
    """Whether outcomes are the dataset's and base rates those of the folds' train parts."""
    target, rows = dataset.target.to_numpy(), oos.index.intersection(dataset.features.index)
    found = tuple(_wrong_outcomes(oos.loc[rows], dataset)) + tuple(
        f"the base rate of fold {number} is not the {rate:.6f} of its train part"
        for number, rate in enumerate(float(target[fold.train].mean()) for fold in plan.folds)
        if (oos.loc[oos["fold"] == number, "base_rate"] != rate).any()
    )
    evidence = f"{len(rows):,} outcomes and {len(plan.folds)} base rates are equal to the bit."
    return Finding(claims.OUTCOMES_ARE_THE_DATASETS, found, evidence)


def _test_rows(plan: SplitPlan, timestamps: pd.DatetimeIndex) -> pd.Series[int]:
    """The fold of each test row, by open time."""
    folds = [np.full(fold.test.stop - fold.test.start, number) for number, fold in enumerate(plan.folds)]
    index = pd.DatetimeIndex(np.concatenate([timestamps[fold.test] for fold in plan.folds]))
    return pd.Series(np.concatenate(folds), index=index)


def _compare(oos: pd.DataFrame, features: pd.DataFrame, estimator: CalibratedClassifier, number: int) -> str | None:
    """What is wrong with the probabilities of one test block, on the rows that are there."""
    there = features.index.isin(oos.index)
    rows, expected = features.index[there], predict(estimator, features)[there]
    stored = oos["probability"][~oos.index.duplicated()].reindex(rows).to_numpy()
    wrong = np.flatnonzero(stored != expected)
    if not len(wrong):
        return None
    what = f"{len(wrong):,} of {len(rows):,} probabilities are not its model's"
    return f"fold {number}: {what}, the first at {rows[wrong[0]]}"


def _known_at(fold: Fold, plan: SplitPlan, timestamps: pd.DatetimeIndex) -> pd.Timestamp:
    """When the last label was known that the fold's model or calibrator learnt from."""
    last = max(fold.base.stop, fold.calibration.stop) - 1
    return pd.Timestamp(timestamps[last]) + (1 + plan.label.horizon_bars) * BAR


def _wrong_outcomes(oos: pd.DataFrame, dataset: Dataset) -> Iterator[str]:
    expected = dataset.target[~dataset.target.index.duplicated()].reindex(oos.index).to_numpy()
    wrong = np.flatnonzero(oos["outcome"].to_numpy() != expected)
    if len(wrong):
        yield f"{len(wrong):,} outcomes are not the dataset's, the first at {oos.index[wrong[0]]}"

"""Proof that nothing leaks, from the artifacts of a research run: one predicate for each claim.

The claims by name are in :mod:`~algo_pipeline.research.claims`; predicates compare to the bit, and what they fit or
compute again they do with the functions they are given, so that code that looks ahead is caught as well as data that
was tampered with. The claims about trades are judged by :mod:`algo_pipeline.backtest.leakage`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from algo_pipeline.data.causality import Build
from algo_pipeline.data.features import build_features
from algo_pipeline.models.calibration import CalibratedClassifier
from algo_pipeline.research import claims
from algo_pipeline.research.claims import CLAIMS, Claim, Finding
from algo_pipeline.research.dataset import Dataset
from algo_pipeline.research.leakage_of_data import (
    judge_causality,
    judge_gaps,
    judge_join,
    judge_labels,
    judge_recomputation,
)
from algo_pipeline.research.leakage_of_fits import (
    FitCalibrators,
    FitModels,
    judge_calibrators,
    judge_kept_models,
    judge_models,
    judge_scalers,
)
from algo_pipeline.research.leakage_of_probabilities import (
    judge_coverage,
    judge_fitted_before,
    judge_outcomes,
    judge_own_fold,
)
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.splits import SplitPlan, purge_violations
from algo_pipeline.research.train import fit_calibrators, fit_models

__all__ = [
    "CLAIMS",
    "Claim",
    "Code",
    "Finding",
    "ResearchRun",
    "judge_calibrators",
    "judge_causality",
    "judge_coverage",
    "judge_fitted_before",
    "judge_gaps",
    "judge_join",
    "judge_kept_models",
    "judge_labels",
    "judge_models",
    "judge_outcomes",
    "judge_own_fold",
    "judge_purge",
    "judge_recomputation",
    "judge_research",
    "judge_scalers",
]


@dataclass(frozen=True, slots=True)
class Code:
    """The functions of a run that a predicate calls again."""

    build_features: Build = build_features
    fit_models: FitModels = fit_models
    fit_calibrators: FitCalibrators = fit_calibrators


@dataclass(frozen=True, slots=True, eq=False)
class ResearchRun:
    """All artifacts of a research run up to its probabilities; per-fold tuples have the production fold last."""

    bars: pd.DataFrame
    features: pd.DataFrame
    labels: pd.DataFrame
    dataset: Dataset
    recipe: Recipe
    plan: SplitPlan
    models: tuple[Any, ...]
    calibrated: tuple[CalibratedClassifier, ...]
    oos: pd.DataFrame


def judge_research(run: ResearchRun, code: Code | None = None) -> tuple[Finding, ...]:
    """Judge every claim about a run's research, in the order of ``CLAIMS``.

    Parameters
    ----------
    run : ResearchRun
        What was made.
    code : Code, optional
        What made it, if not the pipeline's own functions.
    """
    return tuple(_findings(run, code or Code()))


def judge_purge(plan: SplitPlan, timestamps: pd.DatetimeIndex) -> Finding:
    """Whether every fold of a plan keeps the purge, by row and by time, and counts the rows that there are."""
    found = tuple(map(str, purge_violations(plan, timestamps)))
    if plan.n_rows != len(timestamps):
        found += (f"the folds are of {plan.n_rows:,} rows, the dataset has {len(timestamps):,}",)
    evidence = f"{len(plan.all_folds)} folds keep the purge of {plan.label.horizon_bars + 1} rows."
    return Finding(claims.TRAINING_ENDS_BEFORE, found, evidence)


def _findings(run: ResearchRun, code: Code) -> Iterator[Finding]:
    yield judge_causality(code.build_features, run.bars, run.features)
    yield judge_recomputation(code.build_features, run.bars, run.features)
    yield judge_gaps(run.features, run.bars)
    yield judge_labels(run.labels, run.bars)
    yield judge_join(run.dataset.to_frame(), run.features, run.labels)
    yield judge_purge(run.plan, run.dataset.timestamps)
    yield judge_scalers(run.dataset, run.plan, run.models)
    yield judge_models(code.fit_models, run.dataset, run.plan, run.recipe, run.models)
    yield judge_calibrators(code.fit_calibrators, run.dataset, run.plan, run.recipe, run.models, run.calibrated)
    yield judge_kept_models(run.dataset, run.plan, run.models, run.calibrated)
    yield judge_coverage(run.oos, run.plan, run.dataset.timestamps)
    yield judge_own_fold(run.oos, run.dataset, run.plan, run.calibrated)
    yield judge_fitted_before(run.oos, run.plan, run.dataset.timestamps)
    yield judge_outcomes(run.oos, run.dataset, run.plan)

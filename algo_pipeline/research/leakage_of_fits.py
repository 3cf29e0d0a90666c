"""Did models, scalers and calibrators learn from their own rows only? Judged by fitting them again among noise.

All rows but the permitted ones are replaced by noise and their outcomes turned round; then the fit is repeated. If it
reads anything else, for whatever purpose, it comes out different. This holds for any kind of model whose fit is
deterministic, and needs to know nothing about it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from algo_pipeline.common.types import FloatArray
from algo_pipeline.models.calibration import CalibratedClassifier
from algo_pipeline.models.threads import single_threaded
from algo_pipeline.research import claims
from algo_pipeline.research.claims import Finding
from algo_pipeline.research.dataset import Dataset
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.splits import SplitPlan

FitModels = Callable[[Dataset, SplitPlan, Recipe], tuple[Any, ...]]
FitCalibrators = Callable[[Dataset, SplitPlan, Recipe, tuple[Any, ...]], tuple[CalibratedClassifier, ...]]

_PROBES = 1_000
_SEED = 0


@dataclass(frozen=True, slots=True)
class _Poison:
    """Noise in the shape of a dataset, to be put in place of the rows that a fit must not read."""

    noise: FloatArray

    @classmethod
    def like(cls, dataset: Dataset) -> _Poison:
        return cls(np.random.default_rng(_SEED).standard_normal(dataset.features.shape))

    def outside(self, kept: slice, known: slice, dataset: Dataset) -> Dataset:
        """The dataset with noise for features on all but the kept rows, the other outcome on all but the known."""
        values, target = self.noise.copy(), 1.0 - dataset.target.to_numpy()
        values[kept], target[known] = dataset.matrix()[kept], dataset.target.to_numpy()[known]
        features = pd.DataFrame(values, index=dataset.features.index, columns=dataset.features.columns, copy=False)
        return replace(dataset, features=features, target=pd.Series(target, features.index, name=dataset.label.name))


def judge_scalers(dataset: Dataset, plan: SplitPlan, models: Sequence[Any]) -> Finding:
    """Whether what stands before the classifier of each pipeline was fitted on its fold's base rows."""
    X, y, probes = dataset.matrix(), dataset.outcomes(), _probes(dataset)
    heads = [model[:-1] if len(getattr(model, "steps", ())) > 1 else None for model in models]
    with single_threaded():
        found = tuple(
            f"what stands before the model of {_name(number, plan)} is not fitted on its {_size(fold.base)} base rows"
            for number, (head, fold) in enumerate(zip(heads, plan.all_folds, strict=True))
            if head is not None
            and not np.array_equal(
                _refitted(head, X[fold.base], y[fold.base]).transform(probes), head.transform(probes)
            )
        )
    n_heads = sum(head is not None for head in heads)
    evidence = f"{n_heads} scalers of {len(models)} models, fitted anew on their own base rows, are equal to the bit."
    return Finding(claims.SCALERS_KEEP_TO_THEIR_ROWS, found, evidence)


def judge_models(fit: FitModels, dataset: Dataset, plan: SplitPlan, recipe: Recipe, models: Sequence[Any]) -> Finding:
    """Whether fitting among noise gives the stored models again.

    Parameters
    ----------
    fit : callable
        The code that made them: ``fit_models``.
    dataset, plan, recipe
        What they were made from.
    models : sequence of fitted estimators
        In the order of ``plan.all_folds``.
    """
    poison, probes = _Poison.like(dataset), _probes(dataset)
    with single_threaded():
        found = tuple(
            f"the model of {_name(number, plan)} is not what its {_size(fold.base)} base rows give"
            for number, (fold, stored) in enumerate(zip(plan.all_folds, models, strict=True))
            if not _same_scores(_fitted(fit, poison, dataset, plan.only(fold), recipe), stored, probes)
        )
    evidence = (
        f"{len(models)} models, fitted again on {_sizes_of_base(plan)} base rows with noise for all other rows, are "
        "equal to the bit."
    )
    return Finding(claims.MODELS_KEEP_TO_THEIR_ROWS, found, evidence)


def judge_calibrators(
    calibrate: FitCalibrators,
    dataset: Dataset,
    plan: SplitPlan,
    recipe: Recipe,
    models: Sequence[Any],
    calibrated: Sequence[CalibratedClassifier],
) -> Finding:
    """Whether calibrating among noise gives the stored maps and bounds again.

    Parameters
    ----------
    calibrate : callable
        The code that made them: ``fit_calibrators``.
    dataset, plan, recipe, models
        What they were made from.
    calibrated : sequence of CalibratedClassifier
        In the order of ``plan.all_folds``.

    Notes
    -----
    Outcomes of the whole train part stay: a calibrator may start from its base rate, which is known.
    """
    poison = _Poison.like(dataset)
    with single_threaded():
        found = tuple(
            f"the calibrator of {_name(number, plan)} is not what its {_size(fold.calibration)} rows give"
            for number, (fold, stored) in enumerate(zip(plan.all_folds, calibrated, strict=True))
            for again in calibrate(
                poison.outside(fold.calibration, fold.train, dataset), plan.only(fold), recipe, (models[number],)
            )
            if _map_of(again) != _map_of(stored)
        )
    evidence = f"{len(calibrated)} calibrators, fitted again with noise for the features of all other rows, are equal."
    return Finding(claims.CALIBRATORS_KEEP_TO_THEIR_ROWS, found, evidence)


def judge_kept_models(
    dataset: Dataset, plan: SplitPlan, models: Sequence[Any], calibrated: Sequence[CalibratedClassifier]
) -> Finding:
    """Whether the models inside the calibrated ones are those that were fitted."""
    probes = _probes(dataset)
    with single_threaded():
        found = tuple(
            f"the calibrated model of {_name(number, plan)} is not the one that was fitted"
            for number, (model, holder) in enumerate(zip(models, calibrated, strict=True))
            if not _same_scores(model, holder.model, probes)
        )
    evidence = f"{len(models)} models say the same of {len(probes):,} rows before and after calibration, to the bit."
    return Finding(claims.MODELS_ARE_KEPT, found, evidence)


def _fitted(fit: FitModels, poison: _Poison, dataset: Dataset, plan: SplitPlan, recipe: Recipe) -> Any:
    """The one model of a plan of one fold, with noise for all but the fold's base rows."""
    kept = plan.production.base
    (model,) = fit(poison.outside(kept, kept, dataset), plan, recipe)
    return model


def _refitted(head: Any, X: FloatArray, y: Any) -> Any:
    return clone(head).fit(X, y)


def _same_scores(left: Any, right: Any, probes: FloatArray) -> bool:
    """Whether two models have the same log-odds, to the bit, of rows that are and rows that never were."""
    return np.array_equal(left.decision_function(probes), right.decision_function(probes))


def _probes(dataset: Dataset) -> FloatArray:
    """Rows of the dataset, evenly spread, and as many rows of noise around them."""
    X = dataset.matrix()
    rows = X[:: max(1, len(X) // _PROBES)]
    noise = np.random.default_rng(_SEED).standard_normal(rows.shape)
    return np.concatenate([rows, rows + noise * np.abs(rows).mean(axis=0)])


def _map_of(estimator: CalibratedClassifier) -> tuple[Any, ...]:
    bounds = (estimator.n_calibration_rows_, estimator.lowest_, estimator.highest_)
    return estimator.calibrator_.mapping(), *bounds


def _name(number: int, plan: SplitPlan) -> str:
    return f"fold {number}" if number < len(plan.folds) else "production"


def _size(part: slice) -> str:
    return f"{part.stop - part.start:,}"


def _sizes_of_base(plan: SplitPlan) -> str:
    sizes = [fold.base.stop - fold.base.start for fold in plan.all_folds]
    return f"{min(sizes):,}" if min(sizes) == max(sizes) else f"{min(sizes):,} to {max(sizes):,}"

"""Fold by fold: models on base rows, calibrators on later rows, probabilities on rows later still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import ConfigValueError, DataValidationError
from algo_pipeline.common.progress import tracked
from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.models.catalog import make_calibrator
from algo_pipeline.models.linear_scorer import LinearScorer, is_linear
from algo_pipeline.models.threads import single_threaded
from algo_pipeline.research.dataset import Dataset
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.splits import Fold, SplitPlan
from algo_pipeline.research.weights import sample_weights

if TYPE_CHECKING:
    from algo_pipeline.models.calibration import CalibratedClassifier
    from algo_pipeline.models.shrinkage import TrainFacts

__all__ = [
    "OOS_COLUMNS",
    "Recipe",
    "fit_calibrators",
    "fit_models",
    "predict",
    "score_fold",
    "score_rows",
    "stitch_probabilities",
]

OOS_COLUMNS = ("probability", "outcome", "base_rate", "fold")


def fit_models(dataset: Dataset, plan: SplitPlan, recipe: Recipe) -> tuple[Any, ...]:
    """Fit one model per fold, on that fold's base rows only.

    Returns
    -------
    tuple of fitted estimators
        In the order of ``plan.all_folds``: the production model is the last.

    Raises
    ------
    DataValidationError
        If base rows of a fold hold only one outcome.
    ConfigValueError
        If dataset, plan and recipe do not belong together.
    """
    _require_matching(dataset, plan, recipe)
    model, X, y = recipe.make_model(), dataset.matrix(), dataset.outcomes()
    for number, fold in enumerate(plan.all_folds):
        _require_both_outcomes(y[fold.base], f"base rows of fold {number}")
    with single_threaded():
        return tuple(
            model.fit(X[fold.base], y[fold.base], _weights(dataset, fold.base, recipe))
            for fold in tracked(plan.all_folds, "fits")
        )


def fit_calibrators(
    dataset: Dataset, plan: SplitPlan, recipe: Recipe, models: tuple[Any, ...]
) -> tuple[CalibratedClassifier, ...]:
    """Calibrate each fold's model on that fold's calibration rows, which it did not see.

    Returns
    -------
    tuple of CalibratedClassifier
        In the order of ``models``; each holds its model, unchanged.

    Raises
    ------
    DataValidationError
        If calibration rows of a fold hold only one outcome.
    ConfigValueError
        If dataset, plan, recipe and models do not belong together.
    """
    from algo_pipeline.models.calibration import CalibratedClassifier

    _require_matching(dataset, plan, recipe)
    _require_one_per_fold(models, plan)
    y = dataset.outcomes()
    for number, fold in enumerate(plan.all_folds):
        _require_both_outcomes(y[fold.calibration], f"calibration rows of fold {number}")
    with single_threaded():
        return tuple(
            CalibratedClassifier(model, make_calibrator(recipe.calibrator)).fit(
                dataset.features.iloc[fold.calibration],
                y[fold.calibration],
                _weights(dataset, fold.calibration, recipe),
                _facts(y, fold, recipe),
            )
            for model, fold in zip(models, plan.all_folds, strict=True)
        )


def stitch_probabilities(
    dataset: Dataset, plan: SplitPlan, calibrated: tuple[CalibratedClassifier, ...]
) -> pd.DataFrame:
    """Out-of-sample probabilities of all test blocks, end to end.

    Returns
    -------
    pd.DataFrame
        One row per test row, indexed by ``timestamp``: ``probability`` of outcome 1 by the fold's own calibrated
        model, ``outcome`` (0.0 or 1.0), ``base_rate`` (share of ones in the fold's train part: what is known without
        a model), ``fold`` (int64).
    """
    _require_one_per_fold(calibrated, plan)
    parts = [
        score_fold(dataset, fold, number, estimator)
        for number, (fold, estimator) in enumerate(zip(plan.folds, calibrated, strict=False))
    ]
    return pd.concat(parts)


def score_fold(dataset: Dataset, fold: Fold, number: int, estimator: CalibratedClassifier) -> pd.DataFrame:
    """The rows of one fold's test block, in the form of :func:`stitch_probabilities`."""
    base_rate = float(dataset.target.to_numpy()[fold.train].mean())
    return score_rows(dataset, fold.test, number, estimator, base_rate)


def score_rows(
    dataset: Dataset, rows: slice, number: int, estimator: CalibratedClassifier, base_rate: float
) -> pd.DataFrame:
    """Rows that the model of one fold or split did not see, in the form of :func:`stitch_probabilities`."""
    features = dataset.features.iloc[rows]
    values = {
        "probability": predict(estimator, features),
        "outcome": dataset.target.to_numpy()[rows],
        "base_rate": base_rate,
        "fold": np.int64(number),
    }
    return pd.DataFrame(values, index=features.index, columns=list(OOS_COLUMNS))


def predict(estimator: CalibratedClassifier, features: pd.DataFrame) -> FloatArray:
    """P(outcome 1), shape (n,): through the linear scorer where the model is linear, as live trading does it.

    Parameters
    ----------
    estimator : CalibratedClassifier
        Fitted.
    features : pd.DataFrame
        Shape (n, 37), the columns in their order, without NaN.
    """
    if is_linear(estimator):
        return LinearScorer.from_estimator(estimator).predict_proba(features.to_numpy())
    with single_threaded():
        return np.asarray(estimator.predict_proba(features)[:, 1])


def _weights(dataset: Dataset, rows: slice, recipe: Recipe) -> FloatArray | None:
    weights = sample_weights(recipe.sample_weight, dataset.timestamps[rows], recipe.label_spec)
    # Labels of one bar are all unique: nobody need be told, and boosted trees bin at a third of the price without.
    return None if weights is None or np.all(weights == 1.0) else weights


def _facts(y: IntArray, fold: Fold, recipe: Recipe) -> TrainFacts:
    from algo_pipeline.models.shrinkage import TrainFacts

    return TrainFacts(float(y[fold.base].mean()), float(y[fold.train].mean()), recipe.label_spec.horizon_bars)


def _require_matching(dataset: Dataset, plan: SplitPlan, recipe: Recipe) -> None:
    facts = {
        "label of the dataset": (dataset.label, recipe.label_spec),
        "label of the plan": (plan.label, recipe.label_spec),
        "rule of the plan": (plan.rule, recipe.split),
        "rows of the plan": (plan.n_rows, len(dataset)),
    }
    for what, (found, expected) in facts.items():
        if found != expected:
            raise ConfigValueError(f"The {what} must be {expected}; it was {found}.", "Make dataset and plan anew.")


def _require_one_per_fold(items: tuple[Any, ...], plan: SplitPlan) -> None:
    expected = len(plan.all_folds)
    if len(items) != expected:
        raise ConfigValueError(f"{expected} models are expected, one per fold and production; found {len(items)}.")


def _require_both_outcomes(y: IntArray, where: str) -> None:
    if y.min() == y.max():
        raise DataValidationError(
            f"The {len(y)} {where} all have outcome {y[0]}; both outcomes are needed.",
            "Provide a longer history or another label.",
        )

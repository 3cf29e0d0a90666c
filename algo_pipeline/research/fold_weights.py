"""How much each feature counts in each fold's model: what is learnt anew every time, and what only once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from algo_pipeline.common.types import FloatArray
from algo_pipeline.models.price_action import INPUTS, TERM_NAMES
from algo_pipeline.research.dataset import Dataset
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.splits import SplitPlan

_MAX_ROWS = 300


def fold_weights(dataset: Dataset, plan: SplitPlan, recipe: Recipe, models: Sequence[Any]) -> pd.DataFrame:
    """Weights of all features in all models.

    Parameters
    ----------
    dataset, plan, recipe
        What the models were fitted with.
    models : sequence of fitted estimators
        One per fold, the production one last.

    Returns
    -------
    DataFrame of shape (n_terms, n_folds)
        Coefficients on standardized terms where every model has some; else the importance of the features, as
        :meth:`~algo_pipeline.interfaces.model.ModelInterface.feature_weights`, asked on the newest of the rows that a
        fold calibrates on, which its model did not see. Columns ``0``, ``1``, … and ``production``.
    """
    folds = [*(str(number) for number in range(len(plan.folds))), "production"]
    linear = [_coefficients(model) for model in models]
    known = [each for each in linear if each is not None]
    if len(known) == len(models):
        return pd.DataFrame(np.column_stack(known), _names(dataset, len(known[0])), folds)
    kind, X, y = recipe.make_model(), dataset.matrix(), np.asarray(dataset.outcomes(), dtype=np.float64)
    weights = []
    for fold, model in zip(plan.all_folds, models, strict=True):
        rows = slice(max(fold.calibration.start, fold.calibration.stop - _MAX_ROWS), fold.calibration.stop)
        weights.append(kind.feature_weights(model, X[rows], y[rows]))
    return pd.DataFrame(np.column_stack(weights), dataset.features.columns, folds)


def _coefficients(model: Any) -> FloatArray | None:
    """Those of a pipeline's last step, if it has one per term."""
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    coefficients = getattr(last, "coef_", None)
    return None if coefficients is None else np.ravel(coefficients)


def _names(dataset: Dataset, n_terms: int) -> list[str]:
    """The features' names; or the terms', where there are more of them than features."""
    features = list(dataset.features.columns)
    return features if n_terms == len(features) else [*TERM_NAMES, *features[len(INPUTS) :]]

"""What each feature is worth to a model that is not linear."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.inspection import permutation_importance

from algo_pipeline.common.types import FloatArray
from algo_pipeline.models.threads import single_threaded

_SEED = 0
_PERMUTATIONS = 2


def permutation_weights(estimator: BaseEstimator, X: FloatArray, y: FloatArray) -> FloatArray:
    """Rise of the log loss when a feature's column is shuffled on (X, y), shape (n_features,); always the same."""
    with single_threaded():
        result = permutation_importance(
            estimator, X, y, scoring="neg_log_loss", n_repeats=_PERMUTATIONS, random_state=_SEED
        )
    return np.asarray(result.importances_mean, dtype=np.float64)

"""A model of one's own: the odds of a rise, learnt from momentum at four horizons and nothing else.

Named in settings as ``ALGO_TRADER_MODEL=momentum_model:Momentum``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted

from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.data.feature_registry import FEATURE_NAMES
from algo_pipeline.interfaces.model import ModelInterface
from algo_pipeline.models.importance import permutation_weights

LOOKED_AT = ("log_return_6", "log_return_24", "log_return_72", "sma_ratio_168")
_COLUMNS = [FEATURE_NAMES.index(name) for name in LOOKED_AT]


class MomentumClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A logistic regression on squashed momentum: a move of ten deviations says no more than one of two.

    Parameters
    ----------
    squash : float
        Deviations beyond which momentum hardly counts for more.
    C : float
        Inverse penalty of the regression.
    """

    def __init__(self, squash: float = 2.0, C: float = 0.01) -> None:
        self.squash = squash
        self.C = C

    def fit(self, X: FloatArray, y: IntArray, sample_weight: FloatArray | None = None) -> MomentumClassifier:
        """Fit on rows of shape (n, 37) and outcomes 0 or 1."""
        self.spread_ = np.asarray(X)[:, _COLUMNS].std(axis=0)
        self.regression_ = LogisticRegression(C=self.C).fit(self._terms(X), y, sample_weight)
        self.classes_ = np.array([0, 1])
        return self

    def decision_function(self, X: FloatArray) -> FloatArray:
        """Log-odds, shape (n,)."""
        check_is_fitted(self)
        return np.asarray(self.regression_.decision_function(self._terms(X)), dtype=np.float64)

    def _terms(self, X: FloatArray) -> FloatArray:
        terms: FloatArray = np.tanh(np.asarray(X)[:, _COLUMNS] / (self.squash * self.spread_))
        return terms


@dataclass(frozen=True)
class Momentum(ModelInterface):
    """What settings name; ``ALGO_TRADER_MODEL_PARAMETERS`` replaces its fields."""

    squash: float = 2.0
    C: float = 0.01

    @property
    def parameters(self) -> Mapping[str, float | int | str | bool]:
        """What defines the fit: part of the recipe's identity."""
        return asdict(self)

    @property
    def leading_features(self) -> tuple[str, ...]:
        """The columns that it reads by their place."""
        return FEATURE_NAMES

    @property
    def trusted_types(self) -> tuple[str, ...]:
        """What a stored model holds beside scikit-learn's own classes."""
        return (f"{MomentumClassifier.__module__}.{MomentumClassifier.__qualname__}",)

    def make_estimator(self) -> MomentumClassifier:
        """A fresh one."""
        return MomentumClassifier(self.squash, self.C)

    def feature_weights(self, estimator: BaseEstimator, X: FloatArray, y: FloatArray) -> FloatArray:
        """What each of the 37 features is worth."""
        return permutation_weights(estimator, X, y)

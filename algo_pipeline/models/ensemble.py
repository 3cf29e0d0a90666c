"""A small ensemble: the mean log-odds of a linear model and of trees, whose errors differ."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.interfaces.model import ModelInterface
from algo_pipeline.models.importance import permutation_weights
from algo_pipeline.models.lightgbm_trees import LightGbmTrees
from algo_pipeline.models.log_odds import class_probabilities
from algo_pipeline.models.parameters import ParameterValue, with_overrides
from algo_pipeline.models.price_action import INPUTS
from algo_pipeline.models.scaled_logistic import ScaledLogistic

_DEFAULTS: Mapping[str, ParameterValue] = {
    "C": 0.001,
    "learning_rate": 0.03,
    "n_trees": 100,
    "max_depth": 3,
    "min_rows_per_leaf": 200,
    "l2_regularization": 100.0,
    "random_state": 0,
}


class Ensemble(ModelInterface):
    """``scaled_logistic`` and ``lightgbm``, each as it is alone, averaged.

    Parameters
    ----------
    **overrides : float or int
        Replace parameters of :class:`LogOddsEnsemble`.
    """

    def __init__(self, **overrides: ParameterValue) -> None:
        self._parameters = with_overrides(self.kind, _DEFAULTS, overrides)

    @property
    def kind(self) -> str:
        """``ensemble``."""
        return "ensemble"

    @property
    def parameters(self) -> Mapping[str, ParameterValue]:
        """The members' parameters."""
        return dict(self._parameters)

    @property
    def leading_features(self) -> tuple[str, ...]:
        """The 37 of the basis; others may follow."""
        return INPUTS

    def make_estimator(self) -> LogOddsEnsemble:
        """An unfitted ensemble."""
        estimator: LogOddsEnsemble = LogOddsEnsemble().set_params(**self._parameters)
        return estimator

    def feature_weights(self, estimator: LogOddsEnsemble, X: FloatArray, y: FloatArray) -> FloatArray:
        """Rise of the log loss when a feature's column is shuffled on (X, y), shape (n_features,)."""
        return permutation_weights(estimator, X, y)


class LogOddsEnsemble(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The mean of two models' log-odds.

    Parameters
    ----------
    C : float
        Of the logistic regression.
    learning_rate, n_trees, max_depth, min_rows_per_leaf, l2_regularization, random_state
        Of the trees.

    Attributes
    ----------
    members_ : list of estimators
        Fitted.
    classes_ : ndarray
        ``[0, 1]``.

    Notes
    -----
    A mean of log-odds is the geometric opinion pool: two members that agree stay as sure as they are, and a member
    that knows nothing (log-odds of the base rate) halves what the other says.

    References
    ----------
    C. Genest, J. Zidek, "Combining probability distributions", 1986.
    """

    def __init__(
        self,
        C: float = 0.001,
        learning_rate: float = 0.03,
        n_trees: int = 100,
        max_depth: int = 3,
        min_rows_per_leaf: int = 200,
        l2_regularization: float = 100.0,
        random_state: int = 0,
    ) -> None:
        self.C = C
        self.learning_rate = learning_rate
        self.n_trees = n_trees
        self.max_depth = max_depth
        self.min_rows_per_leaf = min_rows_per_leaf
        self.l2_regularization = l2_regularization
        self.random_state = random_state

    def fit(self, X: FloatArray, y: IntArray, sample_weight: FloatArray | None = None) -> LogOddsEnsemble:
        """Fit each member on the same rows."""
        self.members_ = [model.fit(X, y, sample_weight) for model in self._models()]
        self.classes_ = np.array([0, 1])
        return self

    def decision_function(self, X: FloatArray) -> FloatArray:
        """Log-odds, shape (n,)."""
        check_is_fitted(self)
        return np.asarray(np.mean([member.decision_function(X) for member in self.members_], axis=0))

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """Uncalibrated probabilities of 0 and 1, shape (n, 2)."""
        return class_probabilities(self.decision_function(X))

    def _models(self) -> tuple[ModelInterface, ...]:
        trees = {name: value for name, value in self.get_params().items() if name != "C"}
        return ScaledLogistic(C=self.C), LightGbmTrees(**trees)

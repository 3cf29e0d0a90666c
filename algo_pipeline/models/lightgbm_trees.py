"""LightGBM held back hard, kept as its own text so that no pickle is ever needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.interfaces.model import ModelInterface
from algo_pipeline.models.importance import permutation_weights
from algo_pipeline.models.log_odds import class_probabilities
from algo_pipeline.models.parameters import ParameterValue, with_overrides

if TYPE_CHECKING:
    from lightgbm import Booster

_DEFAULTS: Mapping[str, ParameterValue] = {
    "learning_rate": 0.03,
    "n_trees": 100,
    "max_depth": 3,
    "num_leaves": 8,
    "min_rows_per_leaf": 200,
    "l2_regularization": 100.0,
    "feature_fraction": 0.5,
    "max_bins": 63,
    "random_state": 0,
}


class LightGbmTrees(ModelInterface):
    """Few shallow LightGBM trees over large leaves: the reasons are those of the histogram gradient boosting.

    Parameters
    ----------
    **overrides : float or int
        Replace parameters of :class:`LightGbmClassifier`.
    """

    def __init__(self, **overrides: ParameterValue) -> None:
        self._parameters = with_overrides(self.kind, _DEFAULTS, overrides)

    @property
    def kind(self) -> str:
        """``lightgbm``."""
        return "lightgbm"

    @property
    def parameters(self) -> Mapping[str, ParameterValue]:
        """Everything that defines the trees, the seed included."""
        return dict(self._parameters)

    def make_estimator(self) -> LightGbmClassifier:
        """Unfitted trees; they need no scaler."""
        estimator: LightGbmClassifier = LightGbmClassifier().set_params(**self._parameters)
        return estimator

    def feature_weights(self, estimator: LightGbmClassifier, X: FloatArray, y: FloatArray) -> FloatArray:
        """Rise of the log loss when a feature's column is shuffled on (X, y), shape (n_features,)."""
        return permutation_weights(estimator, X, y)


class LightGbmClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """LightGBM as a scikit-learn classifier whose fitted state is text.

    Parameters
    ----------
    learning_rate, n_trees, max_depth, num_leaves, min_rows_per_leaf, l2_regularization, feature_fraction, max_bins
        As LightGBM's ``learning_rate``, ``num_iterations``, ``max_depth``, ``num_leaves``, ``min_data_in_leaf``,
        ``lambda_l2``, ``feature_fraction`` and ``max_bin``.
    random_state : int
        Seed of all that is drawn.

    Attributes
    ----------
    model_text_ : str
        The trees in LightGBM's own format.
    classes_ : ndarray
        ``[0, 1]``.
    n_features_in_ : int
        Columns that ``fit`` saw.

    Notes
    -----
    One thread, row-wise histograms and ``deterministic``: equal rows give equal trees. A ``Booster`` is a handle into
    a library, which skops rightly does not save; it is made of the text where it is needed and never stored.
    """

    def __init__(
        self,
        learning_rate: float = 0.03,
        n_trees: int = 100,
        max_depth: int = 3,
        num_leaves: int = 8,
        min_rows_per_leaf: int = 200,
        l2_regularization: float = 100.0,
        feature_fraction: float = 0.5,
        max_bins: int = 63,
        random_state: int = 0,
    ) -> None:
        self.learning_rate = learning_rate
        self.n_trees = n_trees
        self.max_depth = max_depth
        self.num_leaves = num_leaves
        self.min_rows_per_leaf = min_rows_per_leaf
        self.l2_regularization = l2_regularization
        self.feature_fraction = feature_fraction
        self.max_bins = max_bins
        self.random_state = random_state

    def fit(self, X: FloatArray, y: IntArray, sample_weight: FloatArray | None = None) -> LightGbmClassifier:
        """Grow the trees on rows of shape (n, n_features) and outcomes (0 or 1) of shape (n,)."""
        import lightgbm

        rows = np.asarray(X, dtype=np.float64)
        data = lightgbm.Dataset(rows, np.asarray(y), weight=sample_weight, params=self._options())
        booster = lightgbm.train(self._options(), data, num_boost_round=self.n_trees)
        self.model_text_ = booster.model_to_string()
        self.classes_ = np.array([0, 1])
        self.n_features_in_ = rows.shape[1]
        self._booster: Booster | None = None
        return self

    def decision_function(self, X: FloatArray) -> FloatArray:
        """Log-odds, shape (n,)."""
        check_is_fitted(self)
        rows = np.ascontiguousarray(X, dtype=np.float64)
        if len(rows) == 0:
            return np.empty(0)
        return np.asarray(self._trees().predict(rows, raw_score=True, num_threads=1), dtype=np.float64)

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """Uncalibrated probabilities of 0 and 1, shape (n, 2)."""
        return class_probabilities(self.decision_function(X))

    def __getstate__(self) -> dict[str, Any]:
        """What is saved: everything but the library's handle."""
        return {**super().__getstate__(), "_booster": None}

    def _trees(self) -> Booster:
        import lightgbm

        if self._booster is None:
            self._booster = lightgbm.Booster(model_str=self.model_text_)
        return self._booster

    def _options(self) -> dict[str, Any]:
        return {
            "objective": "binary",
            "learning_rate": self.learning_rate,
            "max_depth": self.max_depth,
            "num_leaves": self.num_leaves,
            "min_data_in_leaf": self.min_rows_per_leaf,
            "lambda_l2": self.l2_regularization,
            "feature_fraction": self.feature_fraction,
            "max_bin": self.max_bins,
            "seed": self.random_state,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }

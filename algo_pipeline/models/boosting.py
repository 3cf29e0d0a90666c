"""The challenger: histogram gradient boosting, held back hard."""

from __future__ import annotations

from collections.abc import Mapping

from sklearn.ensemble import HistGradientBoostingClassifier

from algo_pipeline.common.types import FloatArray
from algo_pipeline.interfaces.model import ModelInterface
from algo_pipeline.models.importance import permutation_weights
from algo_pipeline.models.parameters import ParameterValue, with_overrides

_DEFAULTS: Mapping[str, ParameterValue] = {
    "learning_rate": 0.03,
    "max_iter": 100,
    "max_depth": 3,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 200,
    "l2_regularization": 10.0,
    "max_features": 0.5,
    "max_bins": 63,
    "early_stopping": False,
    "random_state": 0,
}


class GradientBoosting(ModelInterface):
    """Few shallow trees over large leaves.

    Parameters
    ----------
    **overrides : float, int or bool
        Replace parameters of scikit-learn's ``HistGradientBoostingClassifier``.

    Notes
    -----
    Hourly returns carry little signal per row, so each leaf must average many rows (200 at least) and each tree may
    say little (learning rate 0.03, depth 3). ``early_stopping`` is off: it would hold out random rows, neighbours in
    time of those it trains on, and stop by a leaking score.
    """

    def __init__(self, **overrides: ParameterValue) -> None:
        self._parameters = with_overrides(self.kind, _DEFAULTS, overrides)

    @property
    def kind(self) -> str:
        """``boosting``."""
        return "boosting"

    @property
    def parameters(self) -> Mapping[str, ParameterValue]:
        """Everything that defines the trees, the seed included."""
        return dict(self._parameters)

    def make_estimator(self) -> HistGradientBoostingClassifier:
        """Unfitted boosted trees; they need no scaler."""
        return HistGradientBoostingClassifier(**self._parameters)

    def feature_weights(self, estimator: HistGradientBoostingClassifier, X: FloatArray, y: FloatArray) -> FloatArray:
        """Rise of the log loss when a feature's column is shuffled on (X, y), shape (n_features,)."""
        return permutation_weights(estimator, X, y)

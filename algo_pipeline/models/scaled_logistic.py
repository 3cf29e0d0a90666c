"""A logistic regression that is linear in a basis of the features: bounded, in units of volatility, times the state."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.interfaces.model import ModelInterface
from algo_pipeline.models.importance import permutation_weights
from algo_pipeline.models.newton import fit_pipeline
from algo_pipeline.models.parameters import ParameterValue, with_overrides
from algo_pipeline.models.price_action import INPUTS, PriceActionBasis

# The prior of the plain logistic regression: what is known before seeing data does not change with the basis.
# Two Newton steps reach this tolerance; a third would change no coefficient by 1e-6.
_DEFAULTS: Mapping[str, ParameterValue] = {"C": 0.001, "solver": "newton-cholesky", "tol": 1e-5}


class ScaledLogistic(ModelInterface):
    """Price-action basis, scaler and L2-penalized logistic regression.

    Parameters
    ----------
    **overrides : float or str
        ``C`` (the prior variance of a weight on a standardized term), ``solver``, ``tol``.
    """

    def __init__(self, **overrides: ParameterValue) -> None:
        self._parameters = with_overrides(self.kind, _DEFAULTS, overrides)

    @property
    def kind(self) -> str:
        """``scaled_logistic``."""
        return "scaled_logistic"

    @property
    def parameters(self) -> Mapping[str, ParameterValue]:
        """C, solver and tolerance."""
        return dict(self._parameters)

    @property
    def leading_features(self) -> tuple[str, ...]:
        """The 37 of the basis; others may follow."""
        return INPUTS

    def make_estimator(self) -> Pipeline:
        """An unfitted basis + scaler + logistic regression."""
        steps = [
            ("basis", PriceActionTerms()),
            ("scaler", StandardScaler()),
            ("classifier", LogisticRegression(**self._parameters)),
        ]
        return Pipeline(steps)

    def fit(self, X: FloatArray, y: IntArray, sample_weight: FloatArray | None = None) -> Pipeline:
        """A fresh pipeline, fitted."""
        return fit_pipeline(self.make_estimator(), X, y, sample_weight)

    def feature_weights(self, estimator: Pipeline, X: FloatArray, y: FloatArray) -> FloatArray:
        """Rise of the log loss when a feature's column is shuffled on (X, y), shape (n_features,)."""
        return permutation_weights(estimator, X, y)


class PriceActionTerms(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """:class:`~algo_pipeline.models.price_action.PriceActionBasis` as a scikit-learn transformer.

    Rows have the 37 features of the basis, and behind them any others.

    Attributes
    ----------
    level_, centre_, spread_ : ndarray
        Its ``level``, ``mean`` and ``scale``.
    """

    def fit(self, X: FloatArray, y: object = None) -> PriceActionTerms:
        """Take levels, means and deviations of rows of shape (n, 37 or more); y is not used."""
        return self._set(PriceActionBasis.fit(np.asarray(X, dtype=np.float64)))

    def fit_transform(self, X: FloatArray, y: object = None) -> FloatArray:
        """Fit on rows of shape (n, 37 or more), and their terms of shape (n, 57 or more)."""
        basis, terms = PriceActionBasis.fit_terms(np.asarray(X, dtype=np.float64))
        self._set(basis)
        return terms

    def transform(self, X: FloatArray) -> FloatArray:
        """The terms, shape (n, 57), with another one for each further feature."""
        return self.basis().terms(np.asarray(X, dtype=np.float64))

    def basis(self) -> PriceActionBasis:
        """The fitted basis, free of scikit-learn."""
        check_is_fitted(self)
        level, mean, scale = (tuple(part.tolist()) for part in (self.level_, self.centre_, self.spread_))
        return PriceActionBasis(level, mean, scale)

    def _set(self, basis: PriceActionBasis) -> PriceActionTerms:
        self.level_, self.centre_, self.spread_ = (np.array(part) for part in (basis.level, basis.mean, basis.scale))
        return self

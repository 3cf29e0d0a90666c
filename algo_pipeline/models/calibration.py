"""Calibration of a fitted model's log-odds on later rows that the model did not see."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted, validate_data

from algo_pipeline.common.errors import DataValidationError
from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.models.linear_scorer import IsotonicMap, PlattMap
from algo_pipeline.models.shrinkage import TrainFacts

TRUSTED_TYPES = (
    "algo_pipeline.models.calibration.CalibratedClassifier",
    "algo_pipeline.models.calibration.IsotonicCalibrator",
    "algo_pipeline.models.calibration.PlattCalibrator",
    "algo_pipeline.models.ensemble.LogOddsEnsemble",
    "algo_pipeline.models.lightgbm_trees.LightGbmClassifier",
    "algo_pipeline.models.scaled_logistic.PriceActionTerms",
    "algo_pipeline.models.shrinkage.ShrunkPlattCalibrator",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
"""What a saved model of ours may hold beyond skops' own trusted types; reviewed by hand, never read from a file."""


class Calibrator(Protocol):
    """Maps scores to probabilities once fitted."""

    def fit(
        self,
        scores: FloatArray,
        y: IntArray,
        sample_weight: FloatArray | None = None,
        facts: TrainFacts | None = None,
    ) -> Calibrator:
        """Fit on finite scores, outcomes (0 or 1) and weights of shape (n,); without weights all rows count alike."""

    def mapping(self) -> PlattMap | IsotonicMap:
        """The fitted map, free of scikit-learn."""


class PlattCalibrator(BaseEstimator):  # type: ignore[misc]
    """Logistic calibration with smoothed targets.

    Attributes
    ----------
    slope_, intercept_ : float
        ``P = expit(slope_·score + intercept_)``. Constant scores give slope 0.

    Notes
    -----
    Targets are ``(n₊ + 1)/(n₊ + 2)`` and ``1/(n₋ + 2)``, so the fit is finite for separable scores too. It is the
    unpenalized logistic regression on each row taken twice, as a 1 and as a 0, weighted by its target.

    References
    ----------
    J. Platt, "Probabilistic outputs for support vector machines", 1999.
    H.-T. Lin, C.-J. Lin, R. Weng, "A note on Platt's probabilistic outputs for support vector machines", 2007.
    """

    def fit(
        self,
        scores: FloatArray,
        y: IntArray,
        sample_weight: FloatArray | None = None,
        facts: TrainFacts | None = None,
    ) -> PlattCalibrator:
        """Fit on scores, outcomes (0 or 1) and weights of shape (n,); the facts are not used.

        Raises
        ------
        DataValidationError
            If only one outcome occurs.
        """
        _require_both_outcomes(y)
        targets = _smoothed_targets(y)
        weights = np.ones(len(y)) if sample_weight is None else sample_weight
        centre, spread = float(np.mean(scores)), float(np.std(scores))
        if spread <= abs(centre) * 1e-12:
            rate = float(np.average(targets, weights=weights))
            self.slope_, self.intercept_ = 0.0, float(np.log(rate / (1.0 - rate)))
            return self
        standard = ((scores - centre) / spread).reshape(-1, 1)
        regression = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10)
        regression.fit(
            np.concatenate([standard, standard]),
            np.repeat([1, 0], len(standard)),
            sample_weight=np.concatenate([weights * targets, weights * (1.0 - targets)]),
        )
        self.slope_ = float(regression.coef_[0, 0]) / spread
        self.intercept_ = float(regression.intercept_[0]) - self.slope_ * centre
        return self

    def mapping(self) -> PlattMap:
        """The fitted map."""
        check_is_fitted(self)
        return PlattMap(self.slope_, self.intercept_)


class IsotonicCalibrator(BaseEstimator):  # type: ignore[misc]
    """Monotone calibration: the least-squares ascending step function, linear between its knots.

    Attributes
    ----------
    scores_, probabilities_ : ndarray of shape (n_knots,)
        The knots; scores outside them get the nearest knot's probability.

    References
    ----------
    B. Zadrozny, C. Elkan, "Transforming classifier scores into accurate multiclass probability estimates", 2002.
    """

    def fit(
        self,
        scores: FloatArray,
        y: IntArray,
        sample_weight: FloatArray | None = None,
        facts: TrainFacts | None = None,
    ) -> IsotonicCalibrator:
        """Fit on scores, outcomes (0 or 1) and weights of shape (n,); the facts are not used.

        Raises
        ------
        DataValidationError
            If only one outcome occurs.
        """
        _require_both_outcomes(y)
        regression = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
        regression.fit(scores, y.astype(np.float64), sample_weight)
        self.scores_ = np.asarray(regression.X_thresholds_, dtype=np.float64)
        self.probabilities_ = np.asarray(regression.y_thresholds_, dtype=np.float64)
        return self

    def mapping(self) -> IsotonicMap:
        """The fitted map."""
        check_is_fitted(self)
        return IsotonicMap(tuple(self.scores_.tolist()), tuple(self.probabilities_.tolist()))


class CalibratedClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted model and a calibrator as one scikit-learn classifier.

    Parameters
    ----------
    model : estimator
        Fitted already, with ``decision_function``; never refitted or changed here.
    calibrator : PlattCalibrator, IsotonicCalibrator or ShrunkPlattCalibrator
        Cloned before it is fitted.

    Attributes
    ----------
    calibrator_ : estimator
        The fitted calibrator.
    classes_ : ndarray
        ``[0, 1]``.
    n_calibration_rows_ : int
        Rows that ``fit`` saw.
    lowest_, highest_ : float
        ``1/(n + 2)`` and ``1 − 1/(n + 2)``, n the calibrator's rows: no probability is more certain than its data.
    feature_names_in_ : ndarray of str
        Present if ``fit`` saw a frame.
    """

    def __init__(self, model: Any = None, calibrator: Any = None) -> None:
        self.model = model
        self.calibrator = calibrator

    def fit(
        self,
        X: FloatArray | pd.DataFrame,
        y: IntArray,
        sample_weight: FloatArray | None = None,
        facts: TrainFacts | None = None,
    ) -> CalibratedClassifier:
        """Fit the calibrator only.

        Parameters
        ----------
        X : ndarray or DataFrame of shape (n, n_features)
            Rows later than all that the model was fitted on.
        y : ndarray of shape (n,)
            Outcomes, 0 or 1.
        sample_weight : ndarray of shape (n,), optional
            How much each row counts.
        facts : TrainFacts, optional
            What was known before these rows, for calibrators that start from it.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        DataValidationError
            If only one outcome occurs.
        """
        check_is_fitted(self.model)
        rows = validate_data(self, X, dtype=np.float64)
        outcomes = np.asarray(y, dtype=np.int64)
        scores = self.model.decision_function(rows)
        self.calibrator_ = clone(self.calibrator).fit(scores, outcomes, sample_weight, facts)
        self.classes_ = np.array([0, 1])
        self.n_calibration_rows_ = len(outcomes)
        self.lowest_ = 1.0 / (len(outcomes) + 2)
        self.highest_ = 1.0 - self.lowest_
        return self

    def decision_function(self, X: FloatArray | pd.DataFrame) -> FloatArray:
        """The model's uncalibrated log-odds, shape (n,)."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(self.model.decision_function(rows), dtype=np.float64)

    def predict_proba(self, X: FloatArray | pd.DataFrame) -> FloatArray:
        """Calibrated, clipped probabilities of 0 and 1, shape (n, 2); ValueError on NaN or other columns."""
        scores = self.decision_function(X)
        probability = self.calibrator_.mapping().probability(scores)
        upper = np.clip(probability, self.lowest_, self.highest_)
        return np.column_stack([1.0 - upper, upper])

    def predict(self, X: FloatArray | pd.DataFrame) -> IntArray:
        """The more probable outcome, shape (n,); 1 on a tie."""
        return (self.predict_proba(X)[:, 1] >= 0.5).astype(np.int64)


def _smoothed_targets(y: IntArray) -> FloatArray:
    n_ones = int(np.count_nonzero(y == 1))
    n_zeros = len(y) - n_ones
    return np.where(y == 1, (n_ones + 1.0) / (n_ones + 2.0), 1.0 / (n_zeros + 2.0))


def _require_both_outcomes(y: IntArray) -> None:
    found = np.unique(y)
    if not np.array_equal(found, [0, 1]):
        raise DataValidationError(
            f"A calibrator needs rows with outcome 0 and rows with outcome 1; found only {found.tolist()}.",
            "Provide a longer history or another label.",
        )

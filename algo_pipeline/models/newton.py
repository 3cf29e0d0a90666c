"""Fits of penalized logistic regressions: scikit-learn's Newton method, step for step, in less than half its time.

What is fitted is scikit-learn's own estimator, with every attribute that its own ``fit`` leaves behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.models.log_odds import chance, log_losses

_SUFFICIENT_DECREASE = 2.0**-11  # of Armijo's rule, as in scikit-learn


def fit_pipeline(pipeline: Pipeline, X: FloatArray, y: IntArray, sample_weight: FloatArray | None = None) -> Pipeline:
    """Fit a pipeline that ends in a logistic regression, in place.

    Parameters
    ----------
    pipeline : Pipeline
        Unfitted.
    X : ndarray of shape (n, n_features)
        Finite.
    y : ndarray of shape (n,)
        0 or 1, both of them.
    sample_weight : ndarray of shape (n,), optional
        Of the last step.

    Returns
    -------
    Pipeline
        The same one, fitted.
    """
    *before, (_, classifier) = pipeline.steps
    for _, step in before:
        X = step.fit_transform(X)
    if not _fit_by_newton(classifier, X, y, sample_weight):
        classifier.fit(X, y, sample_weight)
    return pipeline


def _fit_by_newton(
    classifier: LogisticRegression, X: FloatArray, y: IntArray, sample_weight: FloatArray | None
) -> bool:
    """Set what a fit sets; False, and nothing set, where full steps were not asked for or do not reach the optimum."""
    if classifier.solver != "newton-cholesky" or not np.isfinite(classifier.C):
        return False
    weights = np.ones(len(y)) if sample_weight is None else sample_weight
    objective = _Objective.of(np.ascontiguousarray(X.T), y, weights, classifier.C)
    found = _optimum(objective, classifier.tol, classifier.max_iter)
    if found is None:
        return False
    optimum, n_iter = found
    _set_fitted(classifier, optimum, n_iter)
    return True


def _set_fitted(classifier: LogisticRegression, optimum: FloatArray, n_iter: int) -> None:
    attributes: dict[str, Any] = {
        "n_features_in_": len(optimum) - 1,
        "classes_": np.array([0, 1]),
        "n_iter_": np.array([n_iter], dtype=np.int32),
        "coef_": optimum[np.newaxis, :-1].copy(),
        "intercept_": optimum[-1:].copy(),
    }
    for name, value in attributes.items():
        setattr(classifier, name, value)


def _optimum(objective: _Objective, tolerance: float, max_iter: int) -> tuple[FloatArray, int] | None:
    """Where both gradient and Newton decrement are within the tolerance, and after how many steps."""
    place, log_odds = np.zeros(len(objective.columns) + 1), np.zeros(len(objective.y))
    loss, slopes = objective.loss(place, log_odds), objective.gradient(place, log_odds)
    for n_iter in range(1, max_iter + 1):
        curvature = objective.hessian(log_odds)
        step = np.linalg.solve(curvature, slopes)
        promised = float(slopes @ step)
        place = place - step
        log_odds = log_odds - (step[:-1] @ objective.columns + step[-1])
        before, loss = loss, objective.loss(place, log_odds)
        if not loss <= before - _SUFFICIENT_DECREASE * promised:
            return None
        slopes = objective.gradient(place, log_odds)
        if np.abs(slopes).max() <= tolerance and 0.5 * float(step @ curvature @ step) <= tolerance:
            return place, n_iter
    return None


@dataclass(frozen=True)
class _Objective:
    """Mean log loss plus penalty, as a function of coefficients and, last, intercept.

    Attributes
    ----------
    columns : ndarray of shape (k, n)
        The inputs, C-contiguous: BLAS multiplies a matrix with its own transpose at half the price of two matrices.
    y, weights : ndarray of shape (n,)
        Outcomes; weights that sum to 1.
    penalty : float
        On half the squared coefficients; the intercept is free.
    scratch : ndarray of shape (k, n)
        Overwritten.
    """

    columns: FloatArray
    y: IntArray
    weights: FloatArray
    penalty: float
    scratch: FloatArray

    @classmethod
    def of(cls, columns: FloatArray, y: IntArray, weights: FloatArray, C: float) -> _Objective:
        total = float(weights.sum())
        return cls(columns, y, weights / total, 1.0 / (C * total), np.empty_like(columns))

    def loss(self, place: FloatArray, log_odds: FloatArray) -> float:
        return float(self.weights @ log_losses(log_odds, self.y) + 0.5 * self.penalty * (place[:-1] @ place[:-1]))

    def gradient(self, place: FloatArray, log_odds: FloatArray) -> FloatArray:
        errors = self.weights * (chance(log_odds) - self.y)
        return np.append(self.columns @ errors + self.penalty * place[:-1], errors.sum())

    def hessian(self, log_odds: FloatArray) -> FloatArray:
        upper, k = chance(log_odds), len(self.columns)
        spread = self.weights * upper * (1.0 - upper)
        rooted = np.multiply(self.columns, np.sqrt(spread), out=self.scratch)
        hessian = np.empty((k + 1, k + 1))
        hessian[:k, :k] = rooted @ rooted.T
        hessian[:k, :k].flat[:: k + 1] += self.penalty
        hessian[k, :k] = hessian[:k, k] = self.columns @ spread
        hessian[k, k] = spread.sum()
        return hessian

"""Calibration that needs evidence: with little of it, the base rate stays the base rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.models.linear_scorer import PlattMap, expit

_PRIOR = np.array([0.0, 1.0])
# An hourly or daily base rate drifts by a few percent (0.1 of log-odds is 2.5 % around one half); a penalized model's
# log-odds should be about right as they are, give or take a half.
_PRIOR_DEVIATION = np.array([0.1, 0.5])
_ITERATIONS = 100
_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class KnownRates:
    """Shares of outcome 1 that are known before a calibrator is fitted.

    Attributes
    ----------
    base : float
        Among the rows on which the model was fitted: its log-odds are centred there.
    train : float
        Among all rows of the train part: what is said without a model.
    """

    base: float
    train: float


class ShrunkPlattCalibrator(BaseEstimator):  # type: ignore[misc]
    """Logistic calibration with a prior: no shift from the base rate, and the model's own slope.

    Attributes
    ----------
    slope_, intercept_ : float
        ``P = expit(slope_·score + intercept_)``, ``slope_ >= 0``.

    Notes
    -----
    With c and c₀ the log-odds of the rates of train part and base rows, ``logit P = c + a + b·(score − c₀)``. a and b
    maximize the likelihood times Gaussian priors: a about 0, deviation 0.1; b about 1, deviation 0.5. Platt's free
    intercept costs ``1/(2n)`` nats per row, n the *independent* rows. For hourly labels of 24 hours these are a
    twenty-fourth of the rows, so that it costs more than there is to gain; weights of uniqueness tell the prior so.
    A negative slope, a model worse than none, becomes 0.

    References
    ----------
    J. Platt, "Probabilistic outputs for support vector machines", 1999.
    """

    def fit(
        self,
        scores: FloatArray,
        y: IntArray,
        sample_weight: FloatArray | None = None,
        rates: KnownRates | None = None,
    ) -> ShrunkPlattCalibrator:
        """Fit on scores, outcomes (0 or 1) and weights of shape (n,); without rates those of these rows are taken."""
        weights = np.ones(len(y)) if sample_weight is None else sample_weight
        if rates is None:
            rates = KnownRates(float(np.mean(expit(scores))), (float(np.sum(y)) + 1.0) / (len(y) + 2.0))
        offset, centre = _log_odds(rates.train), _log_odds(rates.base)
        design = np.column_stack([np.ones(len(y)), scores - centre])
        shift, slope = _posterior_mode(design, y, weights, offset)
        if slope < 0.0:
            design[:, 1] = 0.0
            shift, slope = float(_posterior_mode(design, y, weights, offset)[0]), 0.0
        self.slope_, self.intercept_ = float(slope), float(offset + shift - slope * centre)
        return self

    def mapping(self) -> PlattMap:
        """The fitted map."""
        check_is_fitted(self)
        return PlattMap(self.slope_, self.intercept_)


def _posterior_mode(design: FloatArray, y: IntArray, weights: FloatArray, offset: float) -> FloatArray:
    """Shift and slope by Newton's method, each step halved until it does not make the posterior worse."""
    precision = _PRIOR_DEVIATION**-2
    mode, loss = _PRIOR.copy(), _loss(_PRIOR, design, y, weights, offset)
    for _ in range(_ITERATIONS):
        chance = expit(offset + design @ mode)
        gradient = design.T @ (weights * (chance - y)) + precision * (mode - _PRIOR)
        curvature = (design.T * (weights * chance * (1.0 - chance))) @ design + np.diag(precision)
        step = np.linalg.solve(curvature, gradient)
        while (found := _loss(mode - step, design, y, weights, offset)) > loss and np.abs(step).max() > _TOLERANCE:
            step = 0.5 * step
        mode, loss = mode - step, found
        if np.abs(step).max() <= _TOLERANCE:
            break
    return mode


def _loss(mode: FloatArray, design: FloatArray, y: IntArray, weights: FloatArray, offset: float) -> float:
    """Negative log posterior, up to a constant."""
    scores = offset + design @ mode
    penalty = 0.5 * float(np.sum(((mode - _PRIOR) / _PRIOR_DEVIATION) ** 2))
    return float(weights @ (np.logaddexp(0.0, scores) - y * scores)) + penalty


def _log_odds(rate: float) -> float:
    return float(np.log(rate) - np.log1p(-rate))

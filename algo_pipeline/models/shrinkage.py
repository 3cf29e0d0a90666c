"""Calibration that needs evidence: with little of it, the base rate stays the base rate."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.models.linear_scorer import PlattMap
from algo_pipeline.models.log_odds import chance, log_losses

# A penalized model that knows something should be about right (slope 1), one that knows nothing is best ignored (0);
# before the evidence, half way.
_PRIOR = np.array([0.0, 0.5])
_SLOPE_DEVIATION = 0.5
# The drift of a market changes: 0.03 of log-odds is 0.75 % of hours. Over h hours drift grows as h and noise as √h, so
# that the log-odds of a direction drift as √h: 3.7 % for a day.
_SHIFT_DEVIATION = 0.03
_ITERATIONS = 100
_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class TrainFacts:
    """What is known of a train part before a calibrator is fitted.

    Attributes
    ----------
    base_rate : float
        Share of outcome 1 among the rows on which the model was fitted: its log-odds are centred there.
    train_rate : float
        Share among all rows of the train part: what is said without a model.
    horizon_bars : int
        Of the label.
    """

    base_rate: float
    train_rate: float
    horizon_bars: int = 1


class ShrunkPlattCalibrator(BaseEstimator):  # type: ignore[misc]
    """Logistic calibration with a prior: no shift from the base rate, and half the model's own slope.

    Attributes
    ----------
    slope_, intercept_ : float
        ``P = expit(slope_·score + intercept_)``, ``slope_ >= 0``.

    Notes
    -----
    With c and c₀ the log-odds of the rates of train part and base rows, ``logit P = c + a + b·(score − c₀)``. a and b
    maximize the likelihood times Gaussian priors: a about 0, deviation 0.03·√h; b about ½, deviation ½. Platt's free
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
        facts: TrainFacts | None = None,
    ) -> ShrunkPlattCalibrator:
        """Fit on scores, outcomes (0 or 1) and weights of shape (n,); without facts those of these rows are taken."""
        weights = np.ones(len(y)) if sample_weight is None else sample_weight
        if facts is None:
            facts = TrainFacts(float(np.mean(chance(scores))), (float(np.sum(y)) + 1.0) / (len(y) + 2.0))
        offset, centre = _log_odds(facts.train_rate), _log_odds(facts.base_rate)
        posterior = _Posterior(scores - centre, y, weights, offset, _deviations(facts.horizon_bars))
        shift, slope = posterior.mode()
        if slope < 0.0:
            shift, slope = replace(posterior, scores=np.zeros(len(y))).mode()[0], 0.0
        self.slope_, self.intercept_ = float(slope), float(offset + shift - slope * centre)
        return self

    def mapping(self) -> PlattMap:
        """The fitted map."""
        check_is_fitted(self)
        return PlattMap(self.slope_, self.intercept_)


@dataclass(frozen=True)
class _Posterior:
    """Of shift and slope, given centred scores, outcomes and weights of shape (n,)."""

    scores: FloatArray
    y: IntArray
    weights: FloatArray
    offset: float
    deviations: FloatArray

    def mode(self) -> FloatArray:
        """Shift and slope by Newton's method, each step halved until it does not make the posterior worse."""
        mode, loss = _PRIOR.copy(), self._loss(_PRIOR)
        for _ in range(_ITERATIONS):
            step = self._newton_step(mode)
            while (found := self._loss(mode - step)) > loss and np.abs(step).max() > _TOLERANCE:
                step = 0.5 * step
            mode, loss = mode - step, found
            if np.abs(step).max() <= _TOLERANCE:
                break
        return mode

    def _newton_step(self, mode: FloatArray) -> FloatArray:
        design = np.stack([np.ones_like(self.scores), self.scores])
        upper = chance(self._log_odds(mode))
        gradient = design @ (self.weights * (upper - self.y)) + (mode - _PRIOR) / self.deviations**2
        curvature = (design * (self.weights * upper * (1.0 - upper))) @ design.T + np.diag(self.deviations**-2)
        return np.linalg.solve(curvature, gradient)

    def _loss(self, mode: FloatArray) -> float:
        """Negative log posterior, up to a constant."""
        log_odds = self._log_odds(mode)
        penalty = 0.5 * float(np.sum(((mode - _PRIOR) / self.deviations) ** 2))
        return float(self.weights @ log_losses(log_odds, self.y)) + penalty

    def _log_odds(self, mode: FloatArray) -> FloatArray:
        return np.asarray(self.offset + mode[0] + mode[1] * self.scores)


def _deviations(horizon_bars: int) -> FloatArray:
    return np.array([_SHIFT_DEVIATION * math.sqrt(horizon_bars), _SLOPE_DEVIATION])


def _log_odds(rate: float) -> float:
    return float(np.log(rate) - np.log1p(-rate))

"""What log-odds mean: the probability that they stand for, and the log loss of an outcome.

For fits and measures. Probabilities that are served come from :func:`~algo_pipeline.models.linear_scorer.expit`, whose
bits do not depend on how many rows are scored together.
"""

from __future__ import annotations

import numpy as np

from algo_pipeline.common.types import FloatArray, IntArray


def chance(log_odds: FloatArray) -> FloatArray:
    """P(outcome = 1) of log-odds of any shape, in [0, 1]; NaN stays NaN."""
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-log_odds)))


def log_losses(log_odds: FloatArray, y: FloatArray | IntArray) -> FloatArray:
    """Row by row the log loss, in nats, of outcomes y (0 or 1) of the same shape (n,); finite for finite log-odds."""
    return np.asarray(np.logaddexp(0.0, log_odds) - y * log_odds)


def class_probabilities(log_odds: FloatArray) -> FloatArray:
    """Probabilities of 0 and 1, shape (n, 2), as scikit-learn's ``predict_proba`` lays them out."""
    upper = chance(log_odds)
    return np.column_stack([1.0 - upper, upper])

"""What each term of a linear model adds to the log-odds of one row."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from algo_pipeline.common.types import FloatArray
from algo_pipeline.models.linear_scorer import LinearScorer, PlattMap
from algo_pipeline.models.price_action import INPUTS, TERM_NAMES


@dataclass(frozen=True, slots=True)
class Contributions:
    """The calibrated log-odds of one row, taken apart.

    Attributes
    ----------
    by_term : dict of str to float
        What each feature, or term made of features, adds.
    constant : float
        What is there without any: with it, the terms sum to ``log_odds``.
    log_odds : float
        After Platt's calibration; before an isotonic one, which is no sum.
    is_calibrated : bool
        Which of the two.
    """

    by_term: dict[str, float]
    constant: float
    log_odds: float
    is_calibrated: bool


def contributions(scorer: LinearScorer, row: FloatArray) -> Contributions:
    """Take one row's log-odds apart.

    Parameters
    ----------
    scorer : LinearScorer
        The model.
    row : ndarray of shape (n_features,)
        Without NaN.
    """
    rows = row[np.newaxis, :]
    values = rows if scorer.basis is None else scorer.basis.terms(rows)
    added = (values[0] - np.array(scorer.mean)) / np.array(scorer.scale) * np.array(scorer.weights)
    names = scorer.feature_names if scorer.basis is None else (*TERM_NAMES, *scorer.feature_names[len(INPUTS) :])
    constant, slope = scorer.intercept, 1.0
    is_calibrated = isinstance(scorer.calibration, PlattMap)
    if isinstance(scorer.calibration, PlattMap):
        slope = scorer.calibration.slope
        constant = slope * constant + scorer.calibration.intercept
    by_term = {name: slope * float(value) for name, value in zip(names, added, strict=True)}
    return Contributions(by_term, constant, math.fsum([*by_term.values(), constant]), is_calibrated)

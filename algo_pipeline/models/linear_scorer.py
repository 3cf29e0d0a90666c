"""The one scorer of linear models, in research and live: numpy only, bit for bit the same for one row or many.

A live run imports neither scikit-learn nor skops for a linear champion; it reads these coefficients from JSON.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.types import FloatArray
from algo_pipeline.models.price_action import PriceActionBasis

if TYPE_CHECKING:
    from algo_pipeline.models.calibration import CalibratedClassifier

FORMAT_VERSION = 2
_BASIS_MODULE = "algo_pipeline.models.scaled_logistic"
_READABLE_FORMATS = (1, 2)  # before 2 there was no basis


@dataclass(frozen=True, slots=True)
class PlattMap:
    """``P = 1 / (1 + exp(−(slope·score + intercept)))``."""

    slope: float
    intercept: float

    def probability(self, scores: FloatArray) -> FloatArray:
        """Map scores, shape (n,), to probabilities; NaN stays NaN."""
        return expit(scores * self.slope + self.intercept)


@dataclass(frozen=True, slots=True)
class IsotonicMap:
    """Piecewise linear between ascending ``scores``, constant outside them."""

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def probability(self, scores: FloatArray) -> FloatArray:
        """Map scores, shape (n,), to probabilities; NaN stays NaN.

        Notes
        -----
        Elementwise multiply and add instead of ``np.interp``, which picks another loop (and on some machines
        another rounding) for short inputs.
        """
        knots, values = np.array(self.scores), np.array(self.probabilities)
        if len(knots) == 1:
            return np.where(np.isnan(scores), np.nan, values[0])
        inside = np.clip(scores, knots[0], knots[-1])
        left = np.clip(np.searchsorted(knots, inside, side="right") - 1, 0, len(knots) - 2)
        slopes = np.diff(values) / np.diff(knots)
        return np.asarray((inside - knots[left]) * slopes[left] + values[left])


@dataclass(frozen=True, slots=True)
class LinearScorer:
    """Calibrated probabilities of a basis (or none), a scaler, a linear model and a calibrator.

    Attributes
    ----------
    feature_names : tuple of str
        Order of the columns that :meth:`predict_proba` expects.
    mean, scale, weights : tuple of float
        Per feature, or per term of the basis: the scaler's mean and deviation, and the model's coefficient on what is
        scaled.
    intercept : float
        The model's intercept.
    calibration : PlattMap or IsotonicMap
        From log-odds to probability.
    lowest, highest : float
        Bounds to which probabilities are clipped.
    basis : PriceActionBasis or None
        From features to terms; None where the features are the terms.
    """

    feature_names: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float
    calibration: PlattMap | IsotonicMap
    lowest: float
    highest: float
    basis: PriceActionBasis | None = None

    def __post_init__(self) -> None:
        n_terms = len(self.feature_names) if self.basis is None else self.basis.n_terms
        lengths = {n_terms, len(self.mean), len(self.scale), len(self.weights)}
        if len(lengths) != 1:
            raise ConfigValueError(f"Terms, means, scales and weights must be equally many; found {sorted(lengths)}.")

    def log_odds(self, X: FloatArray) -> FloatArray:
        """The model's uncalibrated log-odds, shape (n,).

        Parameters
        ----------
        X : ndarray of shape (n, n_features)
            Any memory layout. A row with a NaN gives NaN.
        """
        rows = np.asarray(X, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self.feature_names):
            raise ConfigValueError(f"X must have shape (n, {len(self.feature_names)}); it was {rows.shape}.")
        if self.basis is not None:
            rows = self.basis.terms(rows)
        terms = (rows - np.array(self.mean)) / np.array(self.scale) * np.array(self.weights)
        # A sum along the last axis of a C-contiguous array adds every row alone and in the same order, whatever n is;
        # a matrix product does not: BLAS picks its kernel by shape.
        return np.asarray(np.ascontiguousarray(terms).sum(axis=1) + self.intercept)

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """P(label = 1), calibrated and clipped, shape (n,); NaN where a feature is NaN.

        Parameters
        ----------
        X : ndarray of shape (n, n_features)
            Columns in the order of ``feature_names``, any memory layout. Scoring rows one by one gives the very bits
            of scoring them together.
        """
        return np.clip(self.calibration.probability(self.log_odds(X)), self.lowest, self.highest)

    def to_document(self) -> dict[str, Any]:
        """Plain JSON; floats survive a round trip exactly."""
        kind = "platt" if isinstance(self.calibration, PlattMap) else "isotonic"
        return {"format": FORMAT_VERSION, "calibrator": kind, **asdict(self)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> LinearScorer:
        """Read what :meth:`to_document` wrote; ConfigValueError for another format."""
        if document.get("format") not in _READABLE_FORMATS or document.get("calibrator") not in ("platt", "isotonic"):
            raise ConfigValueError(
                f"A linear scorer of format 1 to {FORMAT_VERSION} is expected; found format"
                f" {document.get('format')!r} with calibrator {document.get('calibrator')!r}.",
                "Deploy the champion again with this version.",
            )
        basis = document.get("basis")
        return cls(
            feature_names=tuple(document["feature_names"]),
            mean=_floats(document["mean"]),
            scale=_floats(document["scale"]),
            weights=_floats(document["weights"]),
            intercept=float(document["intercept"]),
            calibration=_calibration_from(document["calibrator"], document["calibration"]),
            lowest=float(document["lowest"]),
            highest=float(document["highest"]),
            basis=None if basis is None else PriceActionBasis.from_document(basis),
        )

    @classmethod
    def from_estimator(cls, estimator: CalibratedClassifier) -> LinearScorer:
        """Take the coefficients of a fitted (basis +) scaler + linear model + calibrator.

        Raises
        ------
        ConfigValueError
            If the model is not linear, or was not calibrated on a frame with named columns.
        """
        if not is_linear(estimator):
            raise ConfigValueError(
                "Only a scaler followed by a linear model, after a basis or not, has a linear scorer; found"
                f" {estimator.model!r}.",
                "Use the estimator's own predict_proba.",
            )
        if not hasattr(estimator, "feature_names_in_"):
            raise ConfigValueError("The feature names are unknown.", "Fit the calibrator on a frame, not an array.")
        *before, scaler, classifier = (step for _, step in estimator.model.steps)
        return cls(
            feature_names=tuple(str(name) for name in estimator.feature_names_in_),
            mean=_floats(scaler.mean_),
            scale=_floats(scaler.scale_),
            weights=_floats(classifier.coef_[0]),
            intercept=float(classifier.intercept_[0]),
            calibration=estimator.calibrator_.mapping(),
            lowest=estimator.lowest_,
            highest=estimator.highest_,
            basis=before[0].basis() if before else None,
        )


def is_linear(estimator: CalibratedClassifier) -> bool:
    """Whether a calibrated classifier is a standard scaler followed by a linear model, after a basis or not.

    Only scikit-learn's own classes and our basis count: a class derived from one of them may compute something else.
    """
    if not _is_sklearns(estimator.model, "pipeline"):
        return False
    steps = [step for _, step in estimator.model.steps]
    if len(steps) == 3 and type(steps[0]).__module__ == _BASIS_MODULE:
        steps = steps[1:]
    if len(steps) != 2:
        return False
    scaler, classifier = steps
    if type(scaler).__name__ != "StandardScaler" or not _is_sklearns(scaler, "preprocessing"):
        return False
    coefficients = getattr(classifier, "coef_", None) if _is_sklearns(classifier, "linear_model") else None
    return bool(scaler.with_mean and scaler.with_std) and coefficients is not None and len(coefficients) == 1


def _is_sklearns(estimator: object, package: str) -> bool:
    """Told by its name: nothing of scikit-learn is imported here."""
    module = type(estimator).__module__
    return module == f"sklearn.{package}" or module.startswith(f"sklearn.{package}.")


def expit(log_odds: FloatArray) -> FloatArray:
    """The logistic function, shape (n,), without overflow; NaN stays NaN.

    Notes
    -----
    The exponential is the C library's scalar one: numpy's vectorized one may take another code path, and round
    otherwise, for the tail of an array or a strided one.
    """
    decay = np.array([math.exp(-abs(value)) for value in log_odds.tolist()], dtype=np.float64)
    return np.where(log_odds >= 0, 1.0, decay) / (1.0 + decay)


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _calibration_from(kind: str, document: Mapping[str, Any]) -> PlattMap | IsotonicMap:
    if kind == "platt":
        return PlattMap(float(document["slope"]), float(document["intercept"]))
    return IsotonicMap(_floats(document["scores"]), _floats(document["probabilities"]))

"""Models and calibrators by name; a new one is one class and one line here."""

from __future__ import annotations

from difflib import get_close_matches

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.interfaces.model import ModelInterface
from algo_pipeline.models.boosting import GradientBoosting
from algo_pipeline.models.calibration import IsotonicCalibrator, PlattCalibrator
from algo_pipeline.models.sklearn_baseline import LogisticBaseline

_MODELS: dict[str, type[ModelInterface]] = {"logistic": LogisticBaseline, "boosting": GradientBoosting}
_CALIBRATORS: dict[str, type[PlattCalibrator | IsotonicCalibrator]] = {
    "platt": PlattCalibrator,
    "isotonic": IsotonicCalibrator,
}

MODEL_KINDS = tuple(_MODELS)
CALIBRATOR_KINDS = tuple(_CALIBRATORS)


def make_model(kind: str) -> ModelInterface:
    """The model of that kind; ConfigValueError with the nearest name if there is none."""
    _require_known(kind, "model", MODEL_KINDS)
    return _MODELS[kind]()


def make_calibrator(kind: str) -> PlattCalibrator | IsotonicCalibrator:
    """An unfitted calibrator of that kind; ConfigValueError with the nearest name if there is none."""
    _require_known(kind, "calibrator", CALIBRATOR_KINDS)
    return _CALIBRATORS[kind]()


def _require_known(kind: str, what: str, known: tuple[str, ...]) -> None:
    if kind not in known:
        nearest = get_close_matches(kind, known, n=1, cutoff=0.0)
        raise ConfigValueError(
            f"There is no {what} named {kind!r}; known are {', '.join(known)}.", f"Did you mean {nearest[0]!r}?"
        )

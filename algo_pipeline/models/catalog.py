"""Models and calibrators by name; a new one is one class and one line here.

Knowing the names costs nothing: scikit-learn is imported when something is made.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING

from algo_pipeline.common.errors import ConfigValueError

if TYPE_CHECKING:
    from algo_pipeline.interfaces.model import ModelInterface
    from algo_pipeline.models.calibration import Calibrator
    from algo_pipeline.models.parameters import Parameters

MODEL_KINDS = ("logistic", "scaled_logistic", "boosting", "lightgbm", "ensemble")
CALIBRATOR_KINDS = ("platt", "isotonic", "shrunk")


def make_model(kind: str, overrides: Parameters | None = None) -> ModelInterface:
    """The model of that kind; ConfigValueError with the nearest name if there is no such kind or parameter.

    Parameters
    ----------
    kind : str
        A name of :data:`MODEL_KINDS`.
    overrides : mapping, optional
        Parameters that replace the model's own.
    """
    require_model_kind(kind)
    from algo_pipeline.models.boosting import GradientBoosting
    from algo_pipeline.models.ensemble import Ensemble
    from algo_pipeline.models.lightgbm_trees import LightGbmTrees
    from algo_pipeline.models.scaled_logistic import ScaledLogistic
    from algo_pipeline.models.sklearn_baseline import LogisticBaseline

    models: dict[str, Callable[..., ModelInterface]] = {
        "logistic": LogisticBaseline,
        "scaled_logistic": ScaledLogistic,
        "boosting": GradientBoosting,
        "lightgbm": LightGbmTrees,
        "ensemble": Ensemble,
    }
    return models[kind](**(overrides or {}))


def make_calibrator(kind: str) -> Calibrator:
    """An unfitted calibrator of that kind; ConfigValueError with the nearest name if there is none."""
    require_calibrator_kind(kind)
    from algo_pipeline.models.calibration import IsotonicCalibrator, PlattCalibrator
    from algo_pipeline.models.shrinkage import ShrunkPlattCalibrator

    calibrators: dict[str, Callable[[], Calibrator]] = {
        "platt": PlattCalibrator,
        "isotonic": IsotonicCalibrator,
        "shrunk": ShrunkPlattCalibrator,
    }
    return calibrators[kind]()


def require_model_kind(kind: str) -> None:
    """Raise ConfigValueError, naming the nearest kind, unless there is such a model."""
    _require_known(kind, "model", MODEL_KINDS)


def require_calibrator_kind(kind: str) -> None:
    """Raise ConfigValueError, naming the nearest kind, unless there is such a calibrator."""
    _require_known(kind, "calibrator", CALIBRATOR_KINDS)


def _require_known(kind: str, what: str, known: tuple[str, ...]) -> None:
    if kind not in known:
        nearest = get_close_matches(kind, known, n=1, cutoff=0.0)
        raise ConfigValueError(
            f"There is no {what} named {kind!r}; known are {', '.join(known)}.", f"Did you mean {nearest[0]!r}?"
        )

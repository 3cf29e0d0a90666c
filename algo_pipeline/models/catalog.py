"""Models and calibrators by name; a new one is one class and one line here, or a class of the user's own.

Knowing the names costs nothing: scikit-learn is imported when something is made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.user_classes import (
    SOURCE_KEY,
    is_reference,
    load_recorded_class,
    load_user_class,
    made_with,
    user_class_digest,
)

if TYPE_CHECKING:
    from algo_pipeline.interfaces.model import ModelInterface
    from algo_pipeline.models.calibration import Calibrator
    from algo_pipeline.models.parameters import Parameters

MODEL_KINDS = ("logistic", "scaled_logistic", "boosting", "lightgbm", "ensemble")
CALIBRATOR_KINDS = ("platt", "isotonic", "shrunk")
_SETTING = "ALGO_TRADER_MODEL"


def make_model(kind: str, overrides: Parameters | None = None) -> ModelInterface:
    """The model of that kind; ConfigValueError with the nearest name if there is no such kind or parameter.

    Parameters
    ----------
    kind : str
        A name of :data:`MODEL_KINDS`, or ``module:Class`` of a class of the user's own: it is imported, so that this is
        for what a person has named. What a file names goes through :func:`require_recorded_model` first.
    overrides : mapping, optional
        Parameters that replace the model's own.
    """
    require_model_kind(kind)
    if is_reference(kind):
        from algo_pipeline.interfaces.model import ModelInterface as Interface

        return made_with(load_user_class(kind, Interface, _SETTING), overrides or {})  # type: ignore[type-abstract]
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


def require_named_in_settings(kinds: Iterable[str], configured: str) -> None:
    """Raise ConfigValueError for a class of the user's own other than the one that is the configured kind.

    A comparison can be asked for in the web UI: what it names is not followed to code, settings are.
    """
    for kind in kinds:
        if is_reference(kind) and kind != configured:
            raise ConfigValueError(
                f"A class of your own takes part where the settings name it; {kind!r} was asked for, and {_SETTING} is "
                f"{configured}.",
                f"Set {_SETTING}={kind}.",
            )


def model_document(model: ModelInterface, kind: str) -> dict[str, Any]:
    """Kind and parameters of a model, and for a class of the user's own the digest of its source."""
    source = {SOURCE_KEY: user_class_digest(type(model))} if is_reference(kind) else {}
    return {"kind": kind, "parameters": dict(model.parameters), **source}


def require_recorded_model(document: Mapping[str, Any], own: Collection[str]) -> None:
    """Raise OtherCodeError where a :func:`model_document` names a class that is not at hand as it was.

    Parameters
    ----------
    document : mapping
        From a file, so not to be followed to code by itself.
    own : collection of str
        The user's own classes that the settings of this machine name.
    """
    kind = document.get("kind")
    if is_reference(kind):
        from algo_pipeline.interfaces.model import ModelInterface as Interface

        load_recorded_class(kind, document.get(SOURCE_KEY), Interface, _SETTING, own)  # type: ignore[type-abstract]


def recorded_trusted_types(document: Mapping[str, Any], own: Collection[str]) -> tuple[str, ...]:
    """What an estimator may hold beyond our own types: what the user's class declares that a document names.

    Raises
    ------
    OtherCodeError
        As :func:`require_recorded_model`.
    """
    require_recorded_model(document, own)
    kind = document.get("kind")
    return make_model(kind, document["parameters"]).trusted_types if is_reference(kind) else ()


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
    """Raise ConfigValueError, naming the nearest kind, unless there is such a model or it is a class's reference."""
    if not is_reference(kind):
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

"""One hash for all that a fitted model has learnt: two files of one model differ in bytes, their parameters do not."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from algo_pipeline.common.storage import json_hash
from algo_pipeline.models.linear_scorer import LinearScorer, is_linear

if TYPE_CHECKING:
    from algo_pipeline.models.calibration import CalibratedClassifier

_NOT_LEARNT = ("_sklearn_version", "_booster", "_feature_subsample_rng")


def parameter_hash(estimator: CalibratedClassifier) -> str:
    """SHA-256 of a calibrated classifier's parameters: coefficients or trees, and the calibrator.

    Parameters
    ----------
    estimator : CalibratedClassifier
        Fitted; read back from a file it has the same hash.
    """
    if is_linear(estimator):
        return json_hash(LinearScorer.from_estimator(estimator).to_document())
    digest = hashlib.sha256()
    for piece in _pieces(estimator):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(value: Any) -> Iterator[bytes]:
    """A value as bytes, each piece told apart from the next; what a library keeps out of reach is named only."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        yield from _array(value)
    elif isinstance(value, Mapping):
        yield from _named(value)
    elif isinstance(value, list | tuple | np.ndarray):
        yield f"[{len(value)}".encode()
        for item in value:
            yield from _pieces(item)
    elif value is None or isinstance(value, str | bool | int | float | np.generic):
        yield f"{_plain(value)!r};".encode()
    else:
        yield f"<{type(value).__qualname__}".encode()
        yield from _named(_state(value))


def _array(value: np.ndarray[Any, Any]) -> Iterator[bytes]:
    if value.dtype.names:  # by field: the bytes between them are whatever was in memory
        yield from _named({name: value[name] for name in value.dtype.names})
    else:
        yield f"({value.dtype.str}{value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()


def _named(values: Mapping[Any, Any]) -> Iterator[bytes]:
    names = sorted(str(name) for name in values if name not in _NOT_LEARNT)
    for name in names:
        yield f"{name}=".encode()
        yield from _pieces(values[name])


def _state(value: Any) -> Mapping[str, Any]:
    state = value.__getstate__() if hasattr(value, "get_params") else getattr(value, "__dict__", {})
    return state if isinstance(state, Mapping) else {}


def _plain(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    return "nan" if isinstance(plain, float) and math.isnan(plain) else plain

"""A user's own label: loaded from settings, held to what a label has to be."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import ConfigValueError, DataValidationError
from algo_pipeline.common.types import FloatArray
from algo_pipeline.common.user_classes import (
    is_reference,
    load_recorded_class,
    load_user_class,
    made_with,
    user_class_digest,
)
from algo_pipeline.data import labels
from algo_pipeline.data.labels import LABEL_NAMES, LabelKind, LabelSpec, label_spec
from algo_pipeline.data.own_code import computed
from algo_pipeline.interfaces.label import LabelInterface

LABEL_SETTING = "ALGO_TRADER_LABEL"
_NAME = re.compile(r"[A-Za-z]\w{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class OwnLabel:
    """A user's label and its definition."""

    spec: LabelSpec
    code: LabelInterface

    @classmethod
    def of(cls, code: LabelInterface, reference: str, source_sha256: str) -> OwnLabel:
        """The label of a user's object; ConfigValueError if what it says of itself can't be."""
        spec = LabelSpec(code.name, code.horizon_bars, LabelKind.OWN, reference, source_sha256)
        _require_definition(spec)
        return cls(spec, code)

    def build(self, bars: pd.DataFrame) -> FloatArray:
        """0, 1 or NaN for every bar, shape (n_bars,).

        Raises
        ------
        DataValidationError
            If it breaks, or returns something else than it has to.
        """
        found = computed(self.code.build, bars, f"The labels of {self.spec.reference}")
        problem = _problem(found, bars)
        if problem:
            raise DataValidationError(
                f"The labels of {self.spec.reference} are not what they have to be: {problem}.",
                "Return a Series of 0.0, 1.0 and NaN on the index of the bars.",
            )
        return np.asarray(found, dtype=np.float64)

    def of_bar(self, bars: pd.DataFrame, bar: pd.Timestamp) -> float:
        """That of one of the bars."""
        return float(self.build(bars)[bars.index.get_loc(bar)]) if bar in bars.index else math.nan


def configured_label_spec(name: str) -> LabelSpec:
    """The definition of the label that the settings name: one of this program's, or a user's.

    Raises
    ------
    SettingsError
        If a class can't be loaded.
    ConfigValueError
        If there is no such label, or what a class says of itself can't be.
    """
    own = configured_own_label(name)
    return label_spec(name) if own is None else own.spec


def configured_own_label(name: str) -> OwnLabel | None:
    """The user's label that the settings name; None for one of this program's. Raises what a definition raises."""
    if not is_reference(name):
        return None
    cls = load_user_class(name, LabelInterface, LABEL_SETTING)  # type: ignore[type-abstract]
    return _own_label(cls, name)


def recorded_label(spec: LabelSpec, own: Collection[str]) -> OwnLabel | None:
    """The user's label that a record names; None if it names one of this program's.

    Parameters
    ----------
    spec : LabelSpec
        What the record says.
    own : collection of str
        The references that the settings of this machine name: ``Settings.own_classes()``.

    Raises
    ------
    OtherCodeError
        If settings do not name it too, or its source is another one now.
    """
    if not spec.is_own:
        return None
    base: type[LabelInterface] = LabelInterface  # type: ignore[type-abstract]
    found = load_recorded_class(spec.reference, spec.source_sha256, base, LABEL_SETTING, own)
    return _own_label(found, spec.reference)


def all_labels(bars: pd.DataFrame, own: OwnLabel | None = None) -> pd.DataFrame:
    """The 7 labels and, as the last column, the user's own; see :func:`~algo_pipeline.data.labels.build_labels`."""
    frame = labels.build_labels(bars)
    return frame if own is None else frame.assign(**{own.spec.name: own.build(bars)})


def _own_label(cls: type[LabelInterface], reference: str) -> OwnLabel:
    return OwnLabel.of(made_with(cls, {}), reference, user_class_digest(cls))


def _require_definition(spec: LabelSpec) -> None:
    if _NAME.fullmatch(str(spec.name)) is None:
        raise ConfigValueError(
            f"The label of {spec.reference} must be named by at most 64 letters, digits and _; it was {spec.name!r}.",
            "Correct its `name`.",
        )
    if spec.name in LABEL_NAMES:
        raise ConfigValueError(
            f"{spec.reference} has the name of the label {spec.name!r} of this program.", "Rename it."
        )
    horizon: Any = spec.horizon_bars  # the user's word
    if not isinstance(horizon, int) or horizon < 1:
        raise ConfigValueError(
            f"The label of {spec.reference} needs a horizon of at least one bar; it was {spec.horizon_bars!r}.",
            "Correct its `horizon_bars`: the purge between training and test rows follows from it.",
        )


def _problem(found: object, bars: pd.DataFrame) -> str | None:
    if not isinstance(found, pd.Series):
        return f"a Series is expected, not {type(found).__name__}"
    if not found.index.equals(bars.index):
        return f"a value for each of the {len(bars):,} bars is expected; {len(found):,} were found"
    if not pd.api.types.is_numeric_dtype(found.dtype):
        return f"numbers are expected, not {found.dtype}"
    values = found.to_numpy(dtype=np.float64)
    other = values[~(np.isin(values, (0.0, 1.0)) | np.isnan(values))]
    return f"0, 1 and NaN are expected, not {other[0]:g}" if other.size else None

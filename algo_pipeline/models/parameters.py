"""Overrides of a model's default parameters, as a search or a user gives them."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from algo_pipeline.common.errors import ConfigValueError

ParameterValue = float | int | str | bool
Parameters = Mapping[str, ParameterValue]


def with_overrides(kind: str, defaults: Parameters, overrides: Parameters) -> dict[str, ParameterValue]:
    """The defaults, some of them replaced.

    Parameters
    ----------
    kind : str
        The model's kind, for messages.
    defaults : mapping
        Every parameter of the model.
    overrides : mapping
        Parameters to replace, each by a value of its default's type; an integer may stand for a float.

    Raises
    ------
    ConfigValueError
        If an override names no parameter, or has another type.
    """
    for name, value in overrides.items():
        if name not in defaults:
            nearest = get_close_matches(name, defaults, n=1, cutoff=0.0)[0]
            raise ConfigValueError(
                f"A {kind} model has no parameter {name!r}; it has {', '.join(defaults)}.", f"Did you mean {nearest!r}?"
            )
        if not _is_like(value, defaults[name]):
            expected = type(defaults[name]).__name__
            raise ConfigValueError(f"{name} of a {kind} model must be of type {expected}; it was {value!r}.")
    return {name: _as_type_of(default, overrides.get(name, default)) for name, default in defaults.items()}


def _is_like(value: ParameterValue, default: ParameterValue) -> bool:
    if isinstance(default, float):
        return isinstance(value, float | int) and not isinstance(value, bool)
    return type(value) is type(default)


def _as_type_of(default: ParameterValue, value: ParameterValue) -> ParameterValue:
    return float(value) if isinstance(default, float) else value

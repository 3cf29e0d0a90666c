"""What a search may choose of a recipe: calibrator, weights of rows, and each kind's parameters within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

from algo_pipeline.models.catalog import CALIBRATOR_KINDS, make_model, require_model_kind
from algo_pipeline.models.parameters import Parameters, ParameterValue
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.weights import WEIGHT_KINDS


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers from ``low`` to ``high``, both included; spread by their logarithm if ``log``, integers if ``whole``."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def holds(self, value: ParameterValue) -> bool:
        """Whether a value is one of them."""
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Choices:
    """One of several names."""

    names: tuple[str, ...]

    def holds(self, value: ParameterValue) -> bool:
        """Whether a value is one of them."""
        return value in self.names


Dimension = Numbers | Choices
Space = Mapping[str, Dimension]

CALIBRATOR, SAMPLE_WEIGHT = "calibrator", "sample_weight"
_OF_RECIPE: Space = MappingProxyType({CALIBRATOR: Choices(CALIBRATOR_KINDS), SAMPLE_WEIGHT: Choices(WEIGHT_KINDS)})
_PENALTY = Numbers(1e-5, 0.1, log=True)
_LEARNING_RATE = Numbers(0.005, 0.1, log=True)
_N_TREES = Numbers(20, 300, whole=True)
_DEPTH = Numbers(1, 4, whole=True)
_LEAF_ROWS = Numbers(100, 2_000, log=True, whole=True)
_SHRINKAGE = Numbers(1.0, 1_000.0, log=True)
_SHARE = Numbers(0.2, 1.0)

_OF_KIND: Mapping[str, Space] = MappingProxyType(
    {
        "logistic": {"C": _PENALTY},
        "scaled_logistic": {"C": _PENALTY},
        "boosting": {
            "learning_rate": _LEARNING_RATE,
            "max_iter": _N_TREES,
            "max_depth": _DEPTH,
            "min_samples_leaf": _LEAF_ROWS,
            "l2_regularization": _SHRINKAGE,
            "max_features": _SHARE,
        },
        "lightgbm": {
            "learning_rate": _LEARNING_RATE,
            "n_trees": _N_TREES,
            "max_depth": _DEPTH,
            "min_rows_per_leaf": _LEAF_ROWS,
            "l2_regularization": _SHRINKAGE,
            "feature_fraction": _SHARE,
        },
        "ensemble": {
            "C": _PENALTY,
            "learning_rate": _LEARNING_RATE,
            "n_trees": _N_TREES,
            "max_depth": _DEPTH,
            "min_rows_per_leaf": _LEAF_ROWS,
            "l2_regularization": _SHRINKAGE,
        },
    }
)


def search_space(kind: str) -> Space:
    """Every dimension of the search for a kind of model; ConfigValueError if there is none."""
    require_model_kind(kind)
    return {**_OF_RECIPE, **_OF_KIND.get(kind, {})}


def space_document(space: Space) -> dict[str, Any]:
    """The space as plain JSON: a search is resumed only in the very same one."""
    return {name: asdict(dimension) for name, dimension in space.items()}


def recipe_at(base: Recipe, point: Parameters) -> Recipe:
    """The recipe at a point of its kind's space; label, kind and folds are those of ``base``.

    Numbers that a sampler drew are rounded to four digits: more would mean nothing, and have to be copied.
    """
    own = make_model(base.model_kind, base.parameters).parameters
    parameters = {
        name: value if value == own[name] else _rounded(value)
        for name, value in point.items()
        if name not in _OF_RECIPE
    }
    return replace(
        base,
        calibrator=str(point[CALIBRATOR]),
        sample_weight=str(point[SAMPLE_WEIGHT]),
        parameters={**base.parameters, **parameters},
    )


def point_of(recipe: Recipe) -> dict[str, ParameterValue] | None:
    """Where a recipe lies in its kind's space; None if it lies outside."""
    space = search_space(recipe.model_kind)
    parameters = {**make_model(recipe.model_kind, recipe.parameters).parameters}
    values = {**parameters, CALIBRATOR: recipe.calibrator, SAMPLE_WEIGHT: recipe.sample_weight}
    point = {name: values[name] for name in space}
    return point if all(space[name].holds(value) for name, value in point.items()) else None


def settings_lines(recipe: Recipe) -> tuple[str, ...]:
    """The settings that make a recipe the traded one, to copy into ``.env``."""
    import json

    prefix = "ALGO_TRADER_"
    return (
        f"{prefix}MODEL={recipe.model_kind}",
        f"{prefix}CALIBRATOR={recipe.calibrator}",
        f"{prefix}SAMPLE_WEIGHT={recipe.sample_weight}",
        f"{prefix}MODEL_PARAMETERS='{json.dumps(dict(recipe.parameters))}'",
    )


def _rounded(value: ParameterValue) -> ParameterValue:
    return float(f"{value:.4g}") if isinstance(value, float) else value

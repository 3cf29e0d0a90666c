"""The features that settings name: the standard set, a user's own ones, or several side by side."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from itertools import combinations

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import DataValidationError, OtherCodeError
from algo_pipeline.common.types import STANDARD_FEATURES
from algo_pipeline.common.user_classes import (
    load_recorded_class,
    load_user_class,
    loaded_anew,
    made_with,
    user_class_digest,
)
from algo_pipeline.data.feature_checks import require_definitions, require_distinct, what_is_wrong
from algo_pipeline.data.feature_choice import STANDARD_CHOICE, FeatureChoice, SetIdentity
from algo_pipeline.data.feature_registry import FEATURES
from algo_pipeline.data.own_code import computed
from algo_pipeline.interfaces.features import FeatureSetInterface, FeatureSpec

FEATURES_SETTING = "ALGO_TRADER_FEATURES"


class StandardFeatures(FeatureSetInterface):
    """The 37 features of :mod:`~algo_pipeline.data.features`."""

    name = STANDARD_FEATURES
    specs = FEATURES

    def build(self, bars: pd.DataFrame) -> pd.DataFrame:
        """See :func:`~algo_pipeline.data.features.build_features`."""
        from algo_pipeline.data import features

        return features.build_features(bars)


class FeatureSets(FeatureSetInterface):
    """Several sets side by side, the standard one first: a model that reads it finds its columns in their places.

    Parameters
    ----------
    sets : mapping of SetIdentity to FeatureSetInterface
        At least one.

    Raises
    ------
    ConfigValueError
        If two features have one name, or a definition can't be.
    """

    def __init__(self, sets: Mapping[SetIdentity, FeatureSetInterface]) -> None:
        self._sets = dict(sorted(sets.items(), key=lambda each: each[0].is_own))
        for identity, each in self._sets.items():
            require_definitions(identity, each)
        for (left, first), (right, second) in combinations(self._sets.items(), 2):
            require_distinct(left, first, right, second)

    @property
    def name(self) -> str:
        """The names, joined by a comma."""
        return ", ".join(each.name for each in self._sets.values())

    @cached_property
    def specs(self) -> tuple[FeatureSpec, ...]:  # read far more often than made
        """All features, set by set."""
        return tuple(spec for each in self._sets.values() for spec in each.specs)

    @property
    def choice(self) -> FeatureChoice:
        """What a recipe says of them."""
        return FeatureChoice(self.columns, tuple(self._sets))

    @property
    def has_standard(self) -> bool:
        """Whether the 37 are among them."""
        return SetIdentity() in self._sets

    @property
    def own(self) -> Mapping[SetIdentity, FeatureSetInterface]:
        """Those of the user."""
        return {identity: each for identity, each in self._sets.items() if identity.is_own}

    def build(self, bars: pd.DataFrame) -> pd.DataFrame:
        """All features of every bar, shape (n_bars, n_features).

        Raises
        ------
        DataValidationError
            If a user's set breaks, or returns something else than it has to.
        """
        if not self.own:
            return StandardFeatures().build(bars)
        parts = [build_own(identity, each, bars) if identity.is_own else each.build(bars) for identity, each in self]
        values = np.column_stack([part.to_numpy() for part in parts])
        return pd.DataFrame(values, index=bars.index, columns=list(self.columns), copy=False)

    def anew(self) -> FeatureSets:
        """The same sets, each of the user's from a module that has just begun."""
        return FeatureSets({name: made_with(loaded_anew(type(own)), {}) if name.is_own else own for name, own in self})

    def __iter__(self) -> Iterator[tuple[SetIdentity, FeatureSetInterface]]:
        return iter(self._sets.items())


STANDARD_SETS = FeatureSets({SetIdentity(): StandardFeatures()})


def configured_features(names: tuple[str, ...]) -> FeatureSets:
    """The sets that the settings name.

    Parameters
    ----------
    names : tuple of str
        ``standard`` or references ``module:Class``, each once.

    Raises
    ------
    SettingsError
        If a class can't be loaded.
    ConfigValueError
        If two features have one name, or a definition can't be.
    """
    if names == (STANDARD_FEATURES,):
        return STANDARD_SETS
    return FeatureSets(dict(_loaded(name) for name in names))


def recorded_features(choice: FeatureChoice, own: Collection[str]) -> FeatureSets:
    """The sets that a record names.

    Parameters
    ----------
    choice : FeatureChoice
        What the record says.
    own : collection of str
        The references that the settings of this machine name: ``Settings.own_classes()``.

    Raises
    ------
    OtherCodeError
        If settings do not name one of them too, or its source is another one now; or if it was made of other features
        than this version of the program has.
    """
    if choice == STANDARD_CHOICE:
        return STANDARD_SETS
    found = FeatureSets({each: _recorded(each, own) for each in choice.sets})
    if found.columns != choice.columns:
        raise OtherCodeError(
            "It was made of other features than this version of the program computes.", "Run the research again."
        )
    return found


def build_own(identity: SetIdentity, own: FeatureSetInterface, bars: pd.DataFrame) -> pd.DataFrame:
    """A user's features of every bar, whatever becomes of it told with the place.

    Raises
    ------
    DataValidationError
        If it breaks, or returns something else than it has to.
    """
    found = computed(own.build, bars, f"The features of {identity.reference}")
    problem = what_is_wrong(found, own, bars)
    if problem:
        raise DataValidationError(
            f"The features of {identity.reference} are not what they have to be: {problem}.",
            "Let `build` end with `return self.masked(values)`, which gives the columns of `specs` as float64.",
        )
    return found


def _loaded(name: str) -> tuple[SetIdentity, FeatureSetInterface]:
    if name == STANDARD_FEATURES:
        return SetIdentity(), StandardFeatures()
    found = load_user_class(name, FeatureSetInterface, FEATURES_SETTING)  # type: ignore[type-abstract]
    return SetIdentity(name, user_class_digest(found)), made_with(found, {})


def _recorded(identity: SetIdentity, own: Collection[str]) -> FeatureSetInterface:
    if not identity.is_own:
        return StandardFeatures()
    base: type[FeatureSetInterface] = FeatureSetInterface  # type: ignore[type-abstract]
    found = load_recorded_class(identity.reference, identity.source_sha256, base, FEATURES_SETTING, own)
    return made_with(found, {})

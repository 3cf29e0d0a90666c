"""The deployed bundle of a symbol as the live core wants it: verified, and ready to score one row."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import AlgoPipelineError, CorruptFileError, OtherCodeError
from algo_pipeline.common.time import to_utc
from algo_pipeline.common.types import FloatArray, Symbol
from algo_pipeline.common.user_modules import line_of
from algo_pipeline.data.feature_check import FeatureCheck
from algo_pipeline.data.feature_choice import volatility_of
from algo_pipeline.registry.bundle import ChampionBundle
from algo_pipeline.registry.deployment import (
    BundleScorer,
    bundle_estimator,
    bundle_features,
    bundle_own_label,
    bundle_strategy,
    bundle_trusted_types,
    unreadable,
)
from algo_pipeline.research.drift import FeatureReference

if TYPE_CHECKING:
    from algo_pipeline.data.labels import LabelSpec

T = TypeVar("T")


class DeployedChampion:
    """A :class:`~algo_pipeline.live.champion.Champion` over a bundle.

    Parameters
    ----------
    bundle : ChampionBundle
        As deployed.
    own : collection of str
        The user's own classes that the settings of this machine name: the bundle leads to no others.

    Raises
    ------
    CorruptFileError
        If the bundle wants other features than this program computes, or says of them what can't be read.
    OtherCodeError
        If it was made by a class of the user's own that is not at hand as it was, or that breaks.
    """

    def __init__(self, bundle: ChampionBundle, own: Collection[str] = ()) -> None:
        with _refusing_what_breaks(bundle):
            self.features = bundle_features(bundle, own)
            self.own_label = bundle_own_label(bundle, own)
            self.strategy = bundle_strategy(bundle, own)
            bundle_trusted_types(bundle, own)
        self.feature_check = _read(bundle, "feature_check", FeatureCheck.from_document)
        self._bundle, self._own = bundle, own
        self.symbol = Symbol.parse(bundle.symbol)
        self.source, self.venue_symbol = bundle.source, bundle.venue_symbol
        self.sha256 = bundle.sha256
        self.model_version = bundle.model_version
        self.base_rate = 0.5 if bundle.base_rate is None else bundle.base_rate
        self.trading = bundle.trading.value
        self.label = bundle.label
        self.history_start: pd.Timestamp = to_utc(bundle.history_start)
        self.training_end: pd.Timestamp = to_utc(bundle.training_end)
        self.simulated = bundle.source == "simulated"

    def learnt_from(self, source: str, venue_symbol: str) -> bool:
        """Whether these are the bars that it was trained on: two simulated markets share no more than their name."""
        return (self.source, self.venue_symbol) == (source, venue_symbol)

    def probability(self, features: FloatArray) -> float:
        """P(label = 1) of one row, as ``data.live_features.live_row`` has it; NaN if a feature is NaN."""
        inputs = self.inputs(features)
        if np.isnan(inputs).any():
            return math.nan
        row = pd.DataFrame(inputs[None, :], columns=list(self.features.columns), copy=False)
        return float(self._scorer.probability(row)[0])

    def inputs(self, features: FloatArray) -> FloatArray:
        """What of a row the model reads, shape (n_features,)."""
        return features[: len(self.features.columns)]

    def volatility(self, features: FloatArray) -> float:
        """``realized_vol_24`` of one row."""
        return volatility_of(self.features.columns, features)

    @property
    def label_spec(self) -> LabelSpec:
        """What its probabilities are of."""
        from algo_pipeline.data.labels import label_spec

        return label_spec(self.label) if self.own_label is None else self.own_label.spec

    @cached_property
    def feature_reference(self) -> FeatureReference | None:
        """What the features of the training rows looked like; None in a bundle that does not say.

        Raises
        ------
        CorruptFileError
            If what it says is no such thing.
        """
        return _read(self._bundle, "feature_reference", FeatureReference.from_document)

    @cached_property
    def _scorer(self) -> BundleScorer:
        return bundle_estimator(self._bundle, self._own)


@contextmanager
def _refusing_what_breaks(bundle: ChampionBundle) -> Iterator[None]:
    """Whatever a user's class breaks with when it is made is a bundle that can't be used: one symbol's, and no more."""
    try:
        yield
    except (CorruptFileError, OtherCodeError):
        raise
    except Exception as error:
        what = error.message if isinstance(error, AlgoPipelineError) else f"{type(error).__name__}: {error}."
        raise OtherCodeError(
            f"The champion bundle of {bundle.symbol} can't be used. {line_of(error)}{what}", "Correct it there."
        ) from error


def _read(bundle: ChampionBundle, name: str, read: Callable[[Mapping[str, Any]], T]) -> T | None:
    """A document within the bundle; None where it is not recorded, CorruptFileError where it can't be read."""
    document = getattr(bundle, name)
    try:
        return None if document is None else read(document)
    except (AlgoPipelineError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise unreadable(bundle, name.replace("_", " "), error) from error

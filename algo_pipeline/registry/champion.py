"""The deployed bundle of a symbol as the live core wants it: verified, and ready to score one row."""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import cached_property

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import CorruptFileError
from algo_pipeline.common.time import to_utc
from algo_pipeline.common.types import FloatArray, Symbol
from algo_pipeline.data.feature_registry import FEATURE_NAMES
from algo_pipeline.registry.bundle import ChampionBundle
from algo_pipeline.registry.deployment import BundleScorer, bundle_estimator, bundle_strategy, bundle_trusted_types
from algo_pipeline.research.drift import FeatureReference

_VOLATILITY = FEATURE_NAMES.index("realized_vol_24")


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
        If the bundle wants other features than this program computes.
    OtherCodeError
        If it was made by a class of the user's own that is not at hand as it was.
    """

    def __init__(self, bundle: ChampionBundle, own: Collection[str] = ()) -> None:
        if bundle.feature_names != FEATURE_NAMES:
            raise CorruptFileError(
                f"The champion of {bundle.symbol} was trained on other features than this version computes.",
                "Run the research again to deploy a new bundle.",
            )
        bundle_trusted_types(bundle, own)
        self._bundle, self._own = bundle, own
        self.symbol = Symbol.parse(bundle.symbol)
        self.source, self.venue_symbol = bundle.source, bundle.venue_symbol
        self.sha256 = bundle.sha256
        self.model_version = bundle.model_version
        self.strategy = bundle_strategy(bundle, own)
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
        """P(label = 1) of one row of features, shape (37,); NaN if one is NaN."""
        if np.isnan(features).any():
            return math.nan
        row = pd.DataFrame(features[None, :], columns=list(FEATURE_NAMES), copy=False)
        return float(self._scorer.probability(row)[0])

    def volatility(self, features: FloatArray) -> float:
        """``realized_vol_24`` of one row of features, shape (37,)."""
        return float(features[_VOLATILITY])

    @cached_property
    def feature_reference(self) -> FeatureReference | None:
        """What the features of the training rows looked like; None in a bundle that does not say.

        Raises
        ------
        CorruptFileError
            If what it says is no such thing.
        """
        document = self._bundle.feature_reference
        try:
            return None if document is None else FeatureReference.from_document(document)
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptFileError(
                f"The feature reference in the bundle of {self.symbol} can't be read: {error!r}.",
                "Run the research again to deploy a new bundle.",
            ) from error

    @cached_property
    def _scorer(self) -> BundleScorer:
        return bundle_estimator(self._bundle, self._own)

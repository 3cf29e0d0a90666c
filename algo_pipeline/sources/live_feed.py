"""The bars and features of an hourly decision, for every symbol of the account."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import DataValidationError
from algo_pipeline.common.time import BAR, BAR_NS
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.feature_check import FeatureCheck
from algo_pipeline.data.feature_sets import STANDARD_SETS, FeatureSets
from algo_pipeline.data.live_features import LiveFeatures
from algo_pipeline.live.champion import BarFeed, BarView, Features
from algo_pipeline.sources.live_bars import LiveBars

if TYPE_CHECKING:
    from algo_pipeline.data.labels import LabelSpec
    from algo_pipeline.data.own_label import OwnLabel

_BARS_OF_VOLATILITY = 25  # that a triple barrier's width needs up to its bar, and the bar itself


@dataclass(frozen=True, slots=True)
class LiveInputs:
    """What a symbol's model reads, and what it says.

    Parameters
    ----------
    features : FeatureSets
        Its features.
    check : FeatureCheck or None
        What those of the user's own were in training.
    own_label : OwnLabel or None
        A label of the user's own.
    """

    features: FeatureSets = STANDARD_SETS
    check: FeatureCheck | None = None
    own_label: OwnLabel | None = None


class LiveFeed(BarFeed):
    """A :class:`~algo_pipeline.live.champion.BarFeed` over one history per symbol.

    Parameters
    ----------
    histories : mapping of Symbol to LiveBars
        Each from its bundle's ``history_start`` on.
    exact : mapping of Symbol to bool
        Whether the bars come from the source that the bundle was trained on.
    inputs : mapping of Symbol to LiveInputs
        What the bundle's model reads; the standard features where a symbol has none.
    """

    def __init__(
        self,
        histories: Mapping[Symbol, LiveBars],
        exact: Mapping[Symbol, bool],
        inputs: Mapping[Symbol, LiveInputs] | None = None,
    ) -> None:
        self._histories, self._exact = histories, exact
        self._inputs = {symbol: (inputs or {}).get(symbol, LiveInputs()) for symbol in histories}
        self._features = {symbol: self._live_features(symbol) for symbol in histories}

    def bars(self, symbol: Symbol, bar: pd.Timestamp) -> BarView | None:
        """Bring the symbol's history up to ``bar`` as far as the venue has it; None if there is no bar at all."""
        history = self._histories[symbol]
        history.update(bar)
        return BarView(history.times(), history.closes()) if history.n_bars else None

    def features(self, symbol: Symbol, bar: pd.Timestamp) -> Features:
        """The newest bar's features, as ``data.live_features.live_row`` has them; no row where one is unknown."""
        history, sets = self._histories[symbol], self._inputs[symbol].features
        try:
            row = self._features[symbol].row(history.n_bars, history.frame)
        except DataValidationError as error:
            return Features(None, exact=False, reason=error.message)
        columns, needed = sets.columns, sets.warmup_bars
        unknown = [columns[place] for place in np.flatnonzero(np.isnan(row[: len(columns)]))]
        if history.n_bars < needed:
            return Features(None, exact=False, reason=f"too little warm-up: {history.n_bars} of {needed} bars")
        if unknown:
            return Features(None, exact=False, reason=f"unknown after a gap: {', '.join(unknown[:3])}")
        starts_there = history.starts_at_training
        why_not = None if self._exact[symbol] else "bars of another source than the training's"
        if why_not is None and not starts_there:
            why_not = "a later start than the training's: equal to 1e-9"
        return Features(row, exact=why_not is None, reason=why_not)

    def outcome(self, symbol: Symbol, label: LabelSpec, bar: pd.Timestamp) -> float:
        """The label of an earlier bar, from bars that are here already; NaN where it is not known, or never will be."""
        from algo_pipeline.data.labels import newest_label

        last, own = bar + label.last_bar_read * BAR, self._inputs[symbol].own_label
        if own is not None and own.spec == label:
            bars = self._histories[symbol].frame()
            return own.of_bar(bars.loc[:last], bar) if last in bars.index else math.nan
        prices, numbers = self._histories[symbol].until(last, label.last_bar_read + _BARS_OF_VOLATILITY)
        is_here = len(numbers) > 0 and numbers[-1] == last.value // BAR_NS
        return newest_label(label, prices, numbers) if is_here else math.nan

    def _live_features(self, symbol: Symbol) -> LiveFeatures:
        inputs = self._inputs[symbol]
        return LiveFeatures(inputs.features, inputs.check if self._exact.get(symbol, False) else None)

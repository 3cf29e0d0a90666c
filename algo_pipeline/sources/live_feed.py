"""The bars and features of an hourly decision, for every symbol of the account."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from algo_pipeline.common.time import BAR, BAR_NS
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.feature_registry import FEATURE_NAMES, MAX_WARMUP_BARS
from algo_pipeline.data.feature_stream import FeatureStream
from algo_pipeline.live.champion import BarFeed, BarView, Features
from algo_pipeline.sources.live_bars import LiveBars

if TYPE_CHECKING:
    from algo_pipeline.data.labels import LabelSpec

_BARS_OF_VOLATILITY = 25  # that a triple barrier's width needs up to its bar, and the bar itself


class LiveFeed(BarFeed):
    """A :class:`~algo_pipeline.live.champion.BarFeed` over one history per symbol.

    Parameters
    ----------
    histories : mapping of Symbol to LiveBars
        Each from its bundle's ``history_start`` on.
    exact : mapping of Symbol to bool
        Whether the bars come from the source that the bundle was trained on.
    """

    def __init__(self, histories: Mapping[Symbol, LiveBars], exact: Mapping[Symbol, bool]) -> None:
        self._histories, self._exact = histories, exact
        self._streams: dict[Symbol, FeatureStream] = {}

    def bars(self, symbol: Symbol, bar: pd.Timestamp) -> BarView | None:
        """Bring the symbol's history up to ``bar`` as far as the venue has it; None if there is no bar at all."""
        history = self._histories[symbol]
        history.update(bar)
        return BarView(history.times(), history.closes()) if history.n_bars else None

    def features(self, symbol: Symbol, bar: pd.Timestamp) -> Features:
        """The newest bar's features, shape (37,); no row where one of them is unknown."""
        history = self._histories[symbol]
        row = self._stream(symbol).latest().to_numpy()[0]
        unknown = [FEATURE_NAMES[place] for place in np.flatnonzero(np.isnan(row))]
        if history.n_bars < MAX_WARMUP_BARS:
            return Features(None, exact=False, reason=f"too little warm-up: {history.n_bars} of {MAX_WARMUP_BARS} bars")
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

        last = bar + label.last_bar_read * BAR
        prices, numbers = self._histories[symbol].until(last, label.last_bar_read + _BARS_OF_VOLATILITY)
        is_here = len(numbers) > 0 and numbers[-1] == last.value // BAR_NS
        return newest_label(label, prices, numbers) if is_here else math.nan

    def _stream(self, symbol: Symbol) -> FeatureStream:
        """The symbol's features, brought up to its newest bar."""
        history, stream = self._histories[symbol], self._streams.get(symbol)
        if stream is None:
            stream = self._streams[symbol] = FeatureStream(history.frame())
        elif stream.n_bars < history.n_bars:
            stream.append(history.frame(first=stream.n_bars))
        return stream

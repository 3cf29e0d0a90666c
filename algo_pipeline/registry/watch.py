"""The watch over deployed champions: their bundles' labels and training rows, and the outcomes of the bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from algo_pipeline.common.types import FloatArray, Symbol
from algo_pipeline.registry.champion import DeployedChampion

if TYPE_CHECKING:
    from algo_pipeline.data.labels import LabelSpec
    from algo_pipeline.research.drift import Drift


class DeployedWatch:
    """A :class:`~algo_pipeline.live.champion.Watch` over bundles.

    Parameters
    ----------
    champions : mapping of Symbol to DeployedChampion
        The usable ones.
    outcome : callable
        The label of an earlier bar, from the bars at hand; NaN where it is not known.
    """

    def __init__(
        self,
        champions: Mapping[Symbol, DeployedChampion],
        outcome: Callable[[Symbol, LabelSpec, pd.Timestamp], float],
    ) -> None:
        self._champions, self._outcome = champions, outcome

    def label(self, symbol: Symbol) -> LabelSpec:
        """What the symbol's probabilities are of."""
        return self._champions[symbol].label_spec

    def outcome(self, symbol: Symbol, bar: pd.Timestamp) -> float:
        """The label of an earlier bar."""
        return self._outcome(symbol, self.label(symbol), bar)

    def bins(self, symbol: Symbol, features: FloatArray) -> str:
        """Where a row of features lies among the training rows; empty for a bundle that does not say."""
        champion = self._champions[symbol]
        reference = champion.feature_reference
        return "" if reference is None else reference.bins(champion.inputs(features))

    def strangest(self, symbol: Symbol, bins: Sequence[str]) -> Drift | None:
        """The feature furthest towards its limit; None for a bundle without a reference, or too few rows."""
        reference = self._champions[symbol].feature_reference
        return None if reference is None else reference.strangest(bins)

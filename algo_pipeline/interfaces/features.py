"""What a set of features must offer to be computed, checked, trained on and decided on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import pandas as pd

from algo_pipeline.common.time import bar_numbers
from algo_pipeline.common.types import BoolArray


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Definition of one feature.

    Parameters
    ----------
    name : str
        Column name.
    formula : str
        How it follows from the bars; index 0 is the bar itself, index −n the bar n before it.
    source : str
        TA-Lib function, or the reference and the reason why TA-Lib's own is not used.
    window_bars : int
        Bars in the formula; n for an n-bar EMA or Wilder average. NaN while these bars cross a gap.
    warmup_bars : int
        Bars of history after which more history changes the value by at most ``1e-9 * (1 + |value|)``. NaN on less.
        Equal to the window unless the formula is recursive; then the remaining weight of what came before is at most
        1e-11 (of prices) or 1e-14 (of averages of moves, which may differ more between regimes).
    """

    name: str
    formula: str
    source: str
    window_bars: int
    warmup_bars: int


class FeatureSetInterface(ABC):
    """Columns that follow from closed bars: each value from its own bar and those before it, and from nothing else.

    A set is made without arguments, remembers nothing between calls, and gives equal values for equal bars. Checks of
    every research run hold it to that; ``algo_pipeline.testing.features`` has the tests to run before.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """What people read, for example ``volume``."""

    @property
    @abstractmethod
    def specs(self) -> tuple[FeatureSpec, ...]:
        """Its features, in the order of the columns."""

    @abstractmethod
    def build(self, bars: pd.DataFrame) -> pd.DataFrame:
        """Compute every feature of every bar.

        Parameters
        ----------
        bars : DataFrame of shape (n_bars, 5)
            Valid hourly bars ``open, high, low, close, volume``, oldest first, indexed by open time; hours may be
            missing. Not to be written to.

        Returns
        -------
        DataFrame of shape (n_bars, n_features)
            Columns as :attr:`specs` names them, float64, same index. NaN on fewer than ``warmup_bars`` bars of history
            and where the ``window_bars`` bars cross a gap (:meth:`masked` does both); finite everywhere else.
        """

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its features."""
        return tuple(spec.name for spec in self.specs)

    @property
    def warmup_bars(self) -> int:
        """Bars of history until every feature is known."""
        return max(spec.warmup_bars for spec in self.specs)

    @property
    def window_bars(self) -> int:
        """Bars in the longest formula."""
        return max(spec.window_bars for spec in self.specs)

    def masked(self, values: pd.DataFrame) -> pd.DataFrame:
        """``values`` as float64, NaN where warm-up or a gap hide a feature: the last line of a ``build``.

        Parameters
        ----------
        values : DataFrame of shape (n_bars, n_features)
            Computed as if no hour were missing; indexed by open time.
        """
        index = pd.DatetimeIndex(values.index)
        known = np.column_stack([known_rows(spec, index) for spec in self.specs])
        found = values[list(self.columns)].to_numpy(dtype=np.float64)
        return pd.DataFrame(np.where(known, found, np.nan), index=values.index, columns=list(self.columns))


def known_rows(spec: FeatureSpec, index: pd.DatetimeIndex) -> BoolArray:
    """Rows with enough history and a window of consecutive hours, from the times of the bars alone; shape (n_bars,)."""
    numbers, reach = bar_numbers(index), spec.window_bars - 1
    known = np.zeros(len(index), dtype=np.bool_)
    known[reach:] = numbers[reach:] - numbers[: max(0, len(numbers) - reach)] == reach
    known[: spec.warmup_bars - 1] = False
    return known

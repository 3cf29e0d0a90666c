"""What a label must offer to be trained, evaluated and traded: 0 or 1, from bars after the one that it is of."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pandas as pd


class LabelInterface(ABC):
    """What happened after a bar, as 0 or 1.

    A label is made without arguments, remembers nothing between calls, and gives equal values for equal bars. Its
    horizon decides which rows may train for which (the purge), so that it must not be shorter than what is read.
    Checks of every research run hold it to that; ``algo_pipeline.testing.label`` has the tests to run before.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """Column name, for example ``higher_tomorrow``: letters, digits and ``_``."""

    @property
    @abstractmethod
    def horizon_bars(self) -> int:
        """h, at least 1: the label at bar t reads no bar after t + 1 + h, and needs bar t + h at least.

        An order decided at the close of bar t fills at the open of bar t + 1; the open of bar t + 1 + h is h hours
        after that.
        """

    @abstractmethod
    def build(self, bars: pd.DataFrame) -> pd.Series[float]:
        """Label every bar.

        Parameters
        ----------
        bars : DataFrame of shape (n_bars, 5)
            Valid hourly bars ``open, high, low, close, volume``, oldest first, indexed by open time; hours may be
            missing. Not to be written to.

        Returns
        -------
        Series of shape (n_bars,)
            0.0, 1.0 or NaN, same index. NaN where a bar from t to t + h is missing: because the horizon has not
            closed, or because of a gap. :func:`closed_horizons` tells.
        """


def closed_horizons(bars: pd.DataFrame, span_bars: int) -> pd.Series[bool]:
    """Where the bar itself and the next ``span_bars`` hours all exist, shape (n_bars,).

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, 5)
        Indexed by open time.
    span_bars : int
        How far the label looks: h, or h + 1 if it reads the open after its horizon.
    """
    times = pd.Series(bars.index, index=bars.index)
    return times.shift(-span_bars) - times == pd.Timedelta(hours=span_bars)

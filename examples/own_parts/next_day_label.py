"""A label of one's own: whether the mean close of the next day is above the price that an order would pay.

Named in settings as ``ALGO_TRADER_LABEL=next_day_label:HigherNextDay``.
"""

from __future__ import annotations

import pandas as pd

from algo_pipeline.interfaces.label import LabelInterface, closed_horizons


class HigherNextDay(LabelInterface):
    """1 where the mean of ``close[t+1] … close[t+24]`` is above ``open[t+1]``, else 0."""

    name = "higher_next_day"
    horizon_bars = 24

    def build(self, bars: pd.DataFrame) -> pd.Series[float]:
        """The label of every bar whose next day is there."""
        entry = bars["open"].shift(-1)
        mean_close = bars["close"].rolling(self.horizon_bars).mean().shift(-self.horizon_bars)
        return (mean_close > entry).astype(float).where(closed_horizons(bars, self.horizon_bars))

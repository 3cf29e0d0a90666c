"""A set of features of one's own: how unusual the volume is, and which way it went.

Named in settings as ``ALGO_TRADER_FEATURES=standard,volume_features:VolumeFeatures``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from algo_pipeline.interfaces.features import FeatureSetInterface, FeatureSpec

_DAY, _WEEK = 24, 168


class VolumeFeatures(FeatureSetInterface):
    """Three features of volume, each from the last day or week."""

    name = "volume"
    specs = (
        FeatureSpec("volume_share_24", "volume[0] / sum of volume over 24 bars", "definition", _DAY, _DAY),
        FeatureSpec("volume_trend_168", "ln of mean volume over 24 bars / over 168 bars", "definition", _WEEK, _WEEK),
        FeatureSpec(
            "signed_volume_24",
            "sum over 24 bars of volume · (close − open) / (high − low) / sum of volume",
            "Chaikin's money flow, by bodies",
            _DAY,
            _DAY,
        ),
    )

    def build(self, bars: pd.DataFrame) -> pd.DataFrame:
        """Each of every bar; 0 in a market without volume."""
        volume, span = bars["volume"], bars["high"] - bars["low"]
        body = _ratio(bars["close"] - bars["open"], span)
        day = volume.rolling(_DAY).sum()
        trend = _ratio(day / _DAY, volume.rolling(_WEEK).mean())
        values = {
            "volume_share_24": _ratio(volume, day),
            "volume_trend_168": np.log(trend.where(trend > 0.0, 1.0)),
            "signed_volume_24": _ratio((volume * body).rolling(_DAY).sum(), day),
        }
        return self.masked(pd.DataFrame(values))


def _ratio(part: pd.Series[float], whole: pd.Series[float]) -> pd.Series[float]:
    """``part / whole``, 0 where the whole is 0."""
    return (part / whole.where(whole > 0.0)).fillna(0.0)

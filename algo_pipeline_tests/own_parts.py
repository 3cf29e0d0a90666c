"""Features and labels as users might write them, right and wrong, named as ``algo_pipeline_tests.own_parts:…``."""

from __future__ import annotations

import numpy as np
import pandas as pd

from algo_pipeline.interfaces.features import FeatureSetInterface, FeatureSpec
from algo_pipeline.interfaces.label import LabelInterface, closed_horizons

MODULE = __name__


def reference(cls: type) -> str:
    """What settings call a class of this module."""
    return f"{MODULE}:{cls.__name__}"


class Small(FeatureSetInterface):
    """Two features, one of them recursive."""

    name = "small"
    specs = (
        FeatureSpec("range_6", "mean of (high − low) / close over 6 bars", "definition", 6, 6),
        FeatureSpec("ema_gap_4", "close / EMA(4) − 1", "definition", 4, 60),
    )

    def build(self, bars: pd.DataFrame) -> pd.DataFrame:
        """Both."""
        close = bars["close"]
        span = ((bars["high"] - bars["low"]) / close).rolling(6).mean()
        return self.masked(pd.DataFrame({"range_6": span, "ema_gap_4": close / close.ewm(span=4).mean() - 1.0}))


class Other(Small):
    """The same names in another set."""

    name = "other"


class Peeking(Small):
    """The range of the next bar."""

    name = "peeking"

    def build(self, bars: pd.DataFrame) -> pd.DataFrame:
        """Looks one bar ahead, and fills what it can't see."""
        found = super().build(bars)
        return self.masked(found.assign(range_6=found["range_6"].shift(-1).ffill().fillna(0.0)))


class Remembering(Small):
    """Looks ahead, and says of a bar whatever it said first: later calls with fewer bars find no trace."""

    name = "remembering"

    def build(self, bars: pd.DataFrame) -> pd.DataFrame:
        """The range of the next bar, as it was once seen."""
        found = super().build(bars)
        ahead = found["range_6"].shift(-1).ffill().fillna(0.0)
        for bar, value in ahead.items():
            _SAID.setdefault(bar, value)
        return self.masked(found.assign(range_6=[_SAID[bar] for bar in bars.index]))


_SAID: dict[object, float] = {}


class ShortWarmup(Small):
    """Claims to know an average after fewer bars than it needs."""

    name = "short_warmup"
    specs = (Small.specs[0], FeatureSpec("ema_gap_4", "close / EMA(4) − 1", "definition", 4, 5))


class Blind(Small):
    """Does not mind gaps."""

    name = "blind"

    def build(self, bars: pd.DataFrame) -> pd.DataFrame:
        """Without the mask."""
        return super().build(bars).ffill().fillna(0.0)


class Moody(Small):
    """Remembers how often it was called."""

    name = "moody"
    calls = 0

    def build(self, bars: pd.DataFrame) -> pd.DataFrame:
        """A little more each time."""
        self.calls += 1
        return super().build(bars) + 1e-12 * self.calls


class Scribbler(Small):
    """Writes into its bars."""

    name = "scribbler"

    def build(self, bars: pd.DataFrame) -> pd.DataFrame:
        """After it has made them all alike."""
        bars["close"] = 1.0
        return super().build(bars)


class Broken(Small):
    """Breaks."""

    name = "broken"

    def build(self, bars: pd.DataFrame) -> pd.DataFrame:
        """A misspelt column."""
        return self.masked(pd.DataFrame({"range_6": bars["clsoe"], "ema_gap_4": bars["close"]}))


class HalfPrecision(Small):
    """Returns float32."""

    name = "half_precision"

    def build(self, bars: pd.DataFrame) -> pd.DataFrame:
        """As float32."""
        return super().build(bars).astype(np.float32)


class Misnamed(Small):
    """Returns other columns than it defines."""

    name = "misnamed"

    def build(self, bars: pd.DataFrame) -> pd.DataFrame:
        """With another name."""
        return super().build(bars).rename(columns={"range_6": "range_7"})


class LikeTheLabel(FeatureSetInterface):
    """A feature with the name of the label."""

    name = "like_the_label"
    specs = (FeatureSpec("direction_1h", "1", "definition", 1, 1),)

    def build(self, bars: pd.DataFrame) -> pd.DataFrame:
        """Ones."""
        return self.masked(pd.DataFrame({"direction_1h": np.ones(len(bars))}, index=bars.index))


class UpInThree(LabelInterface):
    """Whether the open four bars on is above the next one."""

    name = "up_in_three"
    horizon_bars = 3
    reach = 4

    def build(self, bars: pd.DataFrame) -> pd.Series[float]:
        """From ``open[t+1]`` to ``open[t+1+3]``."""
        open_ = bars["open"]
        return (open_.shift(-self.reach) > open_.shift(-1)).astype(float).where(closed_horizons(bars, self.reach))


class Farsighted(UpInThree):
    """Looks two bars further than it says, so that purged rows are too few."""

    name = "farsighted"
    horizon_bars = 1


class Hasty(UpInThree):
    """Answers before its horizon has closed."""

    name = "hasty"

    def build(self, bars: pd.DataFrame) -> pd.Series[float]:
        """With what is there."""
        open_ = bars["open"]
        return (open_.shift(-self.reach).ffill() > open_).astype(float)


class LastHour(UpInThree):
    """Knows of the past alone."""

    name = "last_hour"

    def build(self, bars: pd.DataFrame) -> pd.Series[float]:
        """Whether the bar itself rose."""
        rose = (bars["close"] > bars["open"]).astype(float)
        return rose.where(closed_horizons(bars, self.horizon_bars))


class Return(UpInThree):
    """Is no outcome but a number."""

    name = "some_return"

    def build(self, bars: pd.DataFrame) -> pd.Series[float]:
        """The change itself."""
        return bars["open"].shift(-4) / bars["open"].shift(-1) - 1.0


class NamedLikeOurs(UpInThree):
    """Has the name of a built-in label."""

    name = "direction_1h"


class Misnumbered(Small):
    """Has a warm-up that is shorter than its window."""

    name = "misnumbered"
    specs = (FeatureSpec("range_6", "as in the other set", "definition", 6, 3), Small.specs[1])


class PerVolume(FeatureSetInterface):
    """Divides by volume, which may be 0."""

    name = "per_volume"
    specs = (FeatureSpec("per_volume", "close / volume", "definition", 1, 1),)

    def build(self, bars: pd.DataFrame) -> pd.DataFrame:
        """NaN where nothing was traded."""
        traded = bars["volume"].where(bars["volume"] > 0.0)
        return self.masked(pd.DataFrame({"per_volume": bars["close"] / traded}))


class Fickle(UpInThree):
    """Turns round with every call."""

    name = "fickle"
    calls = 0

    def build(self, bars: pd.DataFrame) -> pd.Series[float]:
        """Yes, then no."""
        self.calls += 1
        found = super().build(bars)
        return 1.0 - found if self.calls % 2 else found


class Never(UpInThree):
    """Is always 0."""

    name = "never"

    def build(self, bars: pd.DataFrame) -> pd.Series[float]:
        """No."""
        return super().build(bars) * 0.0

"""The tests that come with the program, kept by the parts of this folder: run ``pytest`` here."""

# ruff: noqa: S101
from __future__ import annotations

from breakout_strategy import Breakout
from momentum_model import Momentum
from next_day_label import HigherNextDay
from volume_features import VolumeFeatures

from algo_pipeline.interfaces.features import FeatureSetInterface
from algo_pipeline.interfaces.label import LabelInterface
from algo_pipeline.interfaces.model import ModelInterface
from algo_pipeline.interfaces.strategy import Outlook, StrategyInterface
from algo_pipeline.testing.features import FeatureSetContract
from algo_pipeline.testing.label import LabelContract
from algo_pipeline.testing.model import ModelContract
from algo_pipeline.testing.strategy import StrategyContract


class TestVolumeFeatures(FeatureSetContract):
    """It sees no future, and live computes what research does."""

    def make(self) -> FeatureSetInterface:
        """The set."""
        return VolumeFeatures()


class TestHigherNextDay(LabelContract):
    """It looks no further than it says."""

    def make(self) -> LabelInterface:
        """The label."""
        return HigherNextDay()


class TestMomentum(ModelContract):
    """It can be fitted again, stored and trusted."""

    def make(self) -> ModelInterface:
        """The model."""
        return Momentum()


class TestBreakout(StrategyContract):
    """Live trading does what its backtest does."""

    def make(self) -> StrategyInterface:
        """The strategy."""
        return Breakout()


def test_a_sleeping_market_is_not_entered() -> None:
    """What the strategy is for is tested beside what every strategy has to keep."""
    strategy = Breakout(least_volatility=0.01)
    asleep = strategy.assess(Outlook(0.9, base_rate=0.5, volatility=0.001), round_trip_cost=0.006)
    assert asleep.score < strategy.band(0.006).enter

"""The tests that users inherit, kept by what is built in."""

from __future__ import annotations

import pytest

from algo_pipeline.interfaces.model import ModelInterface
from algo_pipeline.interfaces.strategy import StrategyInterface
from algo_pipeline.models.catalog import MODEL_KINDS, make_model
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline.strategy.signal_to_trade import ThresholdStrategy
from algo_pipeline.testing.model import ModelContract
from algo_pipeline.testing.strategy import StrategyContract


class TestBuiltInModels(ModelContract):
    @pytest.fixture(autouse=True, params=MODEL_KINDS)
    def _named(self, request: pytest.FixtureRequest) -> None:
        self._kind = request.param

    def make(self) -> ModelInterface:
        return make_model(self._kind)


STRATEGIES = (
    ThresholdStrategy(),
    ThresholdStrategy(0.5, 0.5),
    CostAwareStrategy(1),
    CostAwareStrategy(24, edge_multiple=0.1, kelly_fraction=0.01),
)


class TestBuiltInStrategies(StrategyContract):
    @pytest.fixture(autouse=True, params=STRATEGIES, ids=str)
    def _named(self, request: pytest.FixtureRequest) -> None:
        self._strategy = request.param

    def make(self) -> StrategyInterface:
        strategy: StrategyInterface = self._strategy
        return strategy

from __future__ import annotations

import json

import pytest

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.interfaces.strategy import StrategyInterface
from algo_pipeline.strategy.catalog import (
    STRATEGY_NAMES,
    configured_strategy,
    strategy_document,
    strategy_from_document,
)
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline.strategy.signal_to_trade import ThresholdStrategy

CONFIG = BacktestConfig(enter_threshold=0.6, exit_threshold=0.4)


@pytest.mark.parametrize(
    ("name", "strategy"),
    [("thresholds", ThresholdStrategy(0.6, 0.4)), ("cost_aware", CostAwareStrategy(24, 1.5, 0.25))],
)
def test_settings_name_a_strategy(name: str, strategy: StrategyInterface) -> None:
    assert configured_strategy(name, CONFIG, horizon_bars=24, edge_multiple=1.5, kelly_fraction=0.25) == strategy


@pytest.mark.parametrize("strategy", [ThresholdStrategy(0.1 + 0.2, 0.1), CostAwareStrategy(24, 1 / 3, 0.7)])
def test_a_strategy_survives_its_document_in_json(strategy: StrategyInterface) -> None:
    assert strategy_from_document(json.loads(json.dumps(strategy_document(strategy)))) == strategy


def test_every_name_has_a_document_of_its_own() -> None:
    made = [
        configured_strategy(name, CONFIG, horizon_bars=4, edge_multiple=1, kelly_fraction=1) for name in STRATEGY_NAMES
    ]
    assert [strategy_document(each)["name"] for each in made] == list(STRATEGY_NAMES)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"name": "martingale"}, "martingale"),
        ({}, "None"),
        ({"name": "cost_aware", "horizon_bars": 24, "mood": 1.0}, "mood"),
        ({"name": "cost_aware"}, "horizon_bars"),
        ({"name": "thresholds", "enter_threshold": 0.2, "exit_threshold": 0.4}, "0 <= exit <= enter"),
    ],
)
def test_a_document_that_names_no_strategy_is_refused(document: dict, told: str) -> None:
    with pytest.raises(ConfigValueError, match=told):
        strategy_from_document(document)

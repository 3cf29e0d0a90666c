from __future__ import annotations

import dataclasses

import pytest

from algo_pipeline.backtest.sweep_grid import CONDITIONS
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline.strategy.identity import strategy_hash
from algo_pipeline.strategy.signal_to_trade import ThresholdStrategy

CONFIG = BacktestConfig()
CHANGES = {
    "initial_cash": 1.0,
    "enter_threshold": 0.6,
    "exit_threshold": 0.3,
    "position_fraction": 0.1,
    "max_position_fraction": 0.1,
    "max_drawdown": 0.3,
    "cooldown_bars": 2,
    "fee_bps": 1.0,
    "slippage_bps": 1.0,
    "fee_in_base": True,
    "quantity_step": 1.0,
    "min_notional": 1.0,
    "cash_buffer_bps": 50.0,
}


@pytest.mark.parametrize("rule", [field.name for field in dataclasses.fields(BacktestConfig)])
def test_a_rule_tells_trials_apart_unless_it_is_a_condition(rule: str) -> None:
    changed = dataclasses.replace(CONFIG, **{rule: CHANGES[rule]})
    assert (strategy_hash(changed) == strategy_hash(CONFIG)) == (rule in CONDITIONS)


@pytest.mark.parametrize("rule", ["enter_threshold", "exit_threshold"])
def test_thresholds_do_not_count_for_a_strategy_that_has_none(rule: str) -> None:
    changed, strategy = dataclasses.replace(CONFIG, **{rule: CHANGES[rule]}), CostAwareStrategy(24)
    assert strategy_hash(changed, strategy) == strategy_hash(CONFIG, strategy)


def test_strategies_and_their_parameters_are_told_apart() -> None:
    strategies = [None, CostAwareStrategy(1), CostAwareStrategy(24), CostAwareStrategy(24, 1.5)]
    strategies.append(CostAwareStrategy(24, kelly_fraction=0.25))
    assert len({strategy_hash(CONFIG, strategy) for strategy in strategies}) == len(strategies)


@pytest.mark.parametrize(
    "same",
    [
        dataclasses.replace(CONFIG, position_fraction=3.0),
        dataclasses.replace(CONFIG, max_position_fraction=0.9),
        dataclasses.replace(CONFIG, cash_buffer_bps=None),
    ],
)
def test_the_same_trading_counts_once(same: BacktestConfig) -> None:
    assert strategy_hash(same) == strategy_hash(CONFIG)
    assert strategy_hash(CONFIG, ThresholdStrategy(0.55, 0.45)) == strategy_hash(CONFIG)


def test_kill_switches_that_are_off_are_one() -> None:
    off = [strategy_hash(dataclasses.replace(CONFIG, max_drawdown=value)) for value in (1, 1.0, 1e9)]
    assert len(set(off)) == 1
    assert off[0] != strategy_hash(CONFIG)

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.backtest.kernel_rules import KernelRules
from algo_pipeline.backtest.sweep_rules import RuleGrid
from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline_tests.backtest.account_markets import random_config

FIELDS = [field.name for field in dataclasses.fields(BacktestConfig)]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_rules_are_those_of_a_configuration_per_combination(seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = dataclasses.replace(random_config(rng), exit_threshold=0.3, enter_threshold=0.7)
    others = [random_config(rng) for _ in range(2)]
    names = [str(name) for name in rng.permutation(FIELDS)[: rng.integers(1, 6)]]
    values = {name: [getattr(config, name) for config in (base, *others)] for name in names}
    values |= {name: [v for v in values[name] if v >= 0.7] for name in ("enter_threshold",) if name in values}
    values |= {name: [v for v in values[name] if v <= 0.3] for name in ("exit_threshold",) if name in values}
    grid = RuleGrid.of(values, base)
    columns = grid.columns()
    combinations = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    expected = [KernelRules.from_config(dataclasses.replace(base, **combination)) for combination in combinations]
    np.testing.assert_array_equal(grid.rules(), np.array(expected, dtype=np.float64))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("fee_bps", -1.0, "fee_bps must be"),
        ("fee_bps", float("nan"), "fee_bps must be"),
        ("enter_threshold", 1.5, "exit_threshold must be"),
        ("enter_threshold", "0.6", "exit_threshold must be"),
        ("exit_threshold", 0.56, "exit_threshold must be"),
        ("cooldown_bars", 1.0, "cooldown_bars must be"),
        ("quantity_step", 0.03, "quantity_step must be"),
        ("max_drawdown", 0.0, "max_drawdown must be"),
        ("max_position_fraction", 1.01, "max_position_fraction must be"),
    ],
)
def test_a_value_that_no_configuration_takes_is_refused(field: str, value: object, message: str) -> None:
    grid = RuleGrid.of(
        {"min_notional": [10.0, 20.0], field: [getattr(BacktestConfig(), field), value]}, BacktestConfig()
    )
    with pytest.raises(ConfigValueError, match=message):
        grid.rules()


def test_the_first_pair_of_crossed_thresholds_is_named() -> None:
    grid = RuleGrid.of({"enter_threshold": [0.5, 0.4], "exit_threshold": [0.3, 0.45]}, BacktestConfig())
    with pytest.raises(ConfigValueError, match=r"enter_threshold \(0.4\).*it was 0.45"):
        grid.rules()

from __future__ import annotations

import dataclasses
import math

import pytest

from algo_pipeline.backtest.sweep_grid import CONDITIONS, MAX_COMBINATIONS, default_grid, plan_sweep
from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.trading_rules import BacktestConfig

OWN = BacktestConfig()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("enter_threshold=0.52,0.55", (0.52, 0.55)),
        (" enter_threshold = 0.52 , 0.55 ", (0.52, 0.55)),
        ("enter_threshold=0.5:0.6:5", (0.5, 0.525, 0.55, 0.575, 0.6)),
        ("enter_threshold=0.5:0.62:13", tuple(k / 100 for k in range(50, 63))),
        ("cooldown_bars=0,6,24", (0, 6, 24)),
        ("cooldown_bars=0:12:4", (0, 4, 8, 12)),
        ("fee_in_base=true,False", (True, False)),
        ("cash_buffer_bps=none,50", (None, 50.0)),
        ("fee_bps=10,10,25", (10.0, 25.0)),
        ("fee_bps=1e1,25", (10.0, 25.0)),
    ],
)
def test_values_are_read(text: str, values: tuple[object, ...]) -> None:
    (read,) = plan_sweep([text], OWN).grid.values()
    assert read == values
    assert [type(value) for value in read] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["enter_treshold=0.5,0.6"], "Did you mean enter_threshold"),
        (["colour=1,2"], "The fields are initial_cash"),
        (["enter_threshold"], "FIELD=VALUES"),
        (["enter_threshold="], "FIELD=VALUES"),
        (["enter_threshold=a,b"], "enter_threshold expects numbers"),
        (["enter_threshold=0.5,"], "enter_threshold expects numbers"),
        (["enter_threshold=0.5:0.6"], "enter_threshold expects numbers"),
        (["enter_threshold=0.5:0.6:1"], "COUNT from 2"),
        (["enter_threshold=0.5:0.6:2.5"], "enter_threshold expects numbers"),
        (["cooldown_bars=0:1:3"], "cooldown_bars expects whole numbers"),
        (["cooldown_bars=inf,1"], "cooldown_bars expects whole numbers"),
        (["fee_in_base=yes,no"], "fee_in_base expects true or false"),
        (["fee_bps=10,20", "fee_bps=5"], "once"),
        (["fee_bps=-1,2"], "fee_bps must be"),
        (["fee_bps=nan,2"], "fee_bps must be"),
        (["fee_bps=1e308:-1e308:3"], "fee_bps expects numbers"),
        (["max_drawdown=0,0.1"], "max_drawdown must be"),
        (["quantity_step=0.5,0.1"], "quantity_step must be"),
        (["enter_threshold=0.4,0.6", "exit_threshold=0.3,0.5"], "exit_threshold must be"),
        (["enter_threshold=0.4"], "exit_threshold must be"),
        ([f"fee_bps=0:1:{MAX_COMBINATIONS}", "cooldown_bars=0,1"], "At most 50,000"),
    ],
)
def test_what_makes_no_sweep_is_refused_by_name(assignments: list[str], message: str) -> None:
    with pytest.raises(ConfigValueError, match=message):
        plan_sweep(assignments, OWN)


def test_the_default_is_a_grid_of_one_to_two_thousand_possible_combinations_with_the_configured_fee() -> None:
    own = dataclasses.replace(OWN, fee_bps=18.0)
    plan = plan_sweep([], own)
    assert plan.grid == default_grid(own)
    assert plan.grid["fee_bps"] == (0.0, 10.0, 18.0)
    assert 1_000 <= plan.n_combinations <= 2_000
    assert {plan.config(position).cooldown_bars for position in range(plan.n_combinations)} == {0, 6, 24}
    assert plan.own_conditions() == {"fee_bps": 18.0}


def test_a_single_value_holds_its_field_and_the_rest_of_the_default_is_swept() -> None:
    plan = plan_sweep(["fee_bps=5", "slippage_bps=2"], OWN)
    assert plan.varied == ("enter_threshold", "exit_threshold", "cooldown_bars")
    config = plan.config(0)
    assert (config.fee_bps, config.slippage_bps) == (5.0, 2.0)


def test_several_values_of_any_field_replace_the_default() -> None:
    plan = plan_sweep(["enter_threshold=0.6,0.7", "cooldown_bars=3"], OWN)
    assert plan.grid == {"enter_threshold": (0.6, 0.7), "cooldown_bars": (3,)}
    assert plan.config(1) == dataclasses.replace(OWN, enter_threshold=0.7, cooldown_bars=3, max_drawdown=1.0)


def test_the_kill_switch_is_off_unless_it_is_set() -> None:
    assert plan_sweep(["fee_bps=1,2"], OWN).config(0).max_drawdown == 1.0
    assert plan_sweep(["max_drawdown=0.2"], OWN).config(0).max_drawdown == 0.2
    assert plan_sweep(["max_drawdown=0.1,0.2"], OWN).config(1).max_drawdown == 0.2


def test_combinations_stand_in_the_order_of_the_table() -> None:
    plan = plan_sweep(["enter_threshold=0.6,0.7", "fee_bps=0,10,25"], OWN)
    assert [plan.combination(position) for position in (0, 1, 5)] == [
        {"enter_threshold": 0.6, "fee_bps": 0.0},
        {"enter_threshold": 0.6, "fee_bps": 10.0},
        {"enter_threshold": 0.7, "fee_bps": 25.0},
    ]
    assert plan.n_combinations == math.prod(plan.shape) == 6


@pytest.mark.parametrize(("values", "judged"), [("0,10,25", 25.0), ("0,10", 10.0), ("30,5,40", 40.0)])
def test_judged_are_the_configured_costs_or_else_the_highest(values: str, judged: float) -> None:
    assert plan_sweep([f"fee_bps={values}"], OWN).own_conditions() == {"fee_bps": judged}


def test_conditions_are_fields_of_the_rules() -> None:
    assert set(CONDITIONS) < {field.name for field in dataclasses.fields(BacktestConfig)}

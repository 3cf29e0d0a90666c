from __future__ import annotations

import numpy as np
import pytest

from algo_pipeline.backtest.accounting import verify_accounting
from algo_pipeline.backtest.inputs import account_market
from algo_pipeline.backtest.kernel import KernelRules, Simulation, simulate
from algo_pipeline.common.errors import AccountingError
from algo_pipeline.common.types import FloatArray
from algo_pipeline_tests.backtest.account_markets import random_account_market


@pytest.fixture(params=[1, 3])
def run(request: pytest.FixtureRequest) -> tuple[Simulation, FloatArray, KernelRules]:
    market = next(m for m in (random_account_market(seed, request.param) for seed in range(100)) if _trades(m))
    inputs = account_market(market.bars, market.probability)
    rules = KernelRules.from_config(market.config)
    return simulate(inputs.opens, inputs.closes, inputs.probabilities, rules), inputs.closes, rules


def _trades(market) -> bool:
    inputs = account_market(market.bars, market.probability)
    simulation = simulate(inputs.opens, inputs.closes, inputs.probabilities, KernelRules.from_config(market.config))
    return len(simulation.fill_places) > 4 and market.config.fee_in_base


def test_a_sound_run_passes(run) -> None:
    verify_accounting(*run)


@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_sale_with_another_quantity_price_or_fee_is_noticed(run, column: int) -> None:
    simulation, closes, rules = run
    first_sale = int(np.argmax(simulation.fill_values[:, 0] < 0))
    simulation.fill_values[first_sale, column] = 1.01 * simulation.fill_values[first_sale, column] + (column == 2)
    with pytest.raises(AccountingError, match="more than equity"):
        verify_accounting(simulation, closes, rules)


@pytest.mark.parametrize("bar", [0, -1])
def test_equity_that_is_off_by_more_than_a_billionth_is_noticed_at_any_bar(run, bar: int) -> None:
    simulation, closes, rules = run
    simulation.curve[0, bar] += 3e-9 * max(rules.initial_cash, simulation.curve[0, bar])
    with pytest.raises(AccountingError, match="add up to"):
        verify_accounting(simulation, closes, rules)


def test_equity_that_is_not_a_number_is_noticed(run) -> None:
    simulation, closes, rules = run
    simulation.curve[0, 1] = float("nan")
    with pytest.raises(AccountingError):
        verify_accounting(simulation, closes, rules)

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.backtest.engine import AccountResult, run_account_backtest, run_backtest
from algo_pipeline.backtest.reference import ReferenceResult, reference_backtest
from algo_pipeline_tests.backtest.account_markets import (
    OPTION_VALUES,
    SYMBOLS,
    random_account_market,
    random_options,
)

SEEDS = st.integers(0, 2**32 - 1)

# Rules and options that make rare meetings common.
ALL_IN = {"position_fraction": 1.0, "max_position_fraction": 1.0}
SQUEEZES = {
    "resting_buys_compete_for_cash": (
        {**ALL_IN, "cash_buffer_bps": None},
        {"limit_timeout_bars": 5, "latency_bars": 0},
    ),
    "partly_filled_buys_set_cash_aside": (
        {**ALL_IN, "cash_buffer_bps": 0.0, "min_notional": 0.0, "max_drawdown": 1.0},
        {"limit_timeout_bars": 5, "latency_bars": 0, "max_volume_share": 0.1, "stop_loss_bps": 50.0},
    ),
    "the_kill_switch_meets_resting_exits": (
        {**ALL_IN, "max_drawdown": 0.02},
        {"limit_timeout_bars": 5, "stop_loss_bps": None, "take_profit_bps": None, "trailing_stop_bps": None},
    ),
}


def assert_near(found: Iterable[float], exact: Iterable[object], what: str, *, rtol: float, atol: float = 0.0) -> None:
    found, expected = np.asarray(found, float), np.array([float(value) for value in exact])
    assert found.shape == expected.shape, what
    off = np.abs(found - expected) > atol + rtol * np.abs(expected)
    assert not off.any(), f"{what}: {found[off]} instead of {expected[off]}"


def assert_agree(result: AccountResult, reference: ReferenceResult, start_cash: float) -> None:
    assert_same_fills(result, reference)
    assert list(result.curve.index) == reference.times
    # Beside the start cash: slippage of 99.9 % can leave a billionth of it, and sums keep no more digits of that.
    assert_near(result.equity, reference.equity, "equity", rtol=1e-9, atol=1e-14 * start_cash)
    assert_near(result.curve["cash"], reference.cash, "cash", rtol=1e-9, atol=1e-9 * start_cash)
    assert_near(result.curve["drawdown"], reference.drawdown, "drawdown", rtol=1e-9, atol=1e-12)
    for symbol, quantities in result.quantities.items():
        exact = [next(q for s, q in row.items() if str(s) == symbol) for row in reference.quantities]
        assert_near(quantities, exact, "held", rtol=1e-12)
    assert result.kill_switch_at == reference.kill_switch_at
    assert_near([result.metrics["costs_paid"]], [reference.costs_paid], "costs", rtol=1e-9, atol=1e-9 * start_cash)


def assert_same_fills(result: AccountResult, reference: ReferenceResult) -> None:
    fills, exact = result.fills, reference.fills
    assert list(fills["timestamp"]) == [fill.at for fill in exact]
    assert list(fills["side"]) == [fill.side.value for fill in exact]
    assert list(fills["symbol"]) == [str(fill.symbol) for fill in exact]
    assert_near(fills["quantity"], (fill.quantity for fill in exact), "quantity", rtol=1e-12)
    for column in ("price", "fee", "notional"):
        # A price of which slippage leaves a thousandth has three digits less than the price before it.
        assert_near(fills[column], (getattr(fill, column) for fill in exact), column, rtol=1e-10)


def assert_same_trips(result: AccountResult, reference: ReferenceResult) -> None:
    trades, exact = result.trades, reference.trips
    assert list(trades["symbol"]) == [str(trip.symbol) for trip in exact]
    assert list(trades["entry_time"]) == [trip.entry_at for trip in exact]
    assert list(trades["exit_time"]) == [trip.exit_at for trip in exact]
    for column in ("quantity", "entry_price", "exit_price", "fees"):
        assert_near(trades[column], (getattr(trip, column) for trip in exact), column, rtol=1e-10)
    notional = max((float(trip.quantity * trip.entry_price) for trip in exact), default=0.0)
    assert_near(trades["pnl"], (trip.pnl for trip in exact), "pnl", rtol=1e-9, atol=1e-12 * notional)


# Derandomized: where a size falls on a step's edge to the last bit, doubles and decimals may honestly differ.
@pytest.mark.parametrize(("n_symbols", "examples"), [(1, 1400), (2, 500), (3, 300)])
def test_kernel_equals_the_decimal_reference_on_random_markets(n_symbols: int, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, derandomize=True, database=None)
    @given(SEEDS)
    def agree(seed: int) -> None:
        market = random_account_market(seed, n_symbols)
        result = run_account_backtest(market.bars, market.probability, market.config)
        reference = reference_backtest(market.bars, market.probability, market.config)
        assert_agree(result, reference, market.config.initial_cash)
        assert_same_trips(result, reference)

    agree()


@pytest.mark.parametrize(("n_symbols", "examples"), [(1, 1500), (2, 500), (3, 300)])
def test_realistic_kernel_equals_the_decimal_reference_on_random_markets(n_symbols: int, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, derandomize=True, database=None)
    @given(SEEDS)
    def agree(seed: int) -> None:
        market = random_account_market(seed, n_symbols)
        result = run_account_backtest(market.bars, market.probability, market.config, market.execution)
        reference = reference_backtest(market.bars, market.probability, market.config, market.execution)
        assert_agree(result, reference, market.config.initial_cash)
        assert_same_trips(result, reference)

    agree()


@pytest.mark.parametrize("option", OPTION_VALUES)
def test_realistic_kernel_equals_the_decimal_reference_with_one_option_alone(option: str) -> None:
    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(SEEDS, st.integers(1, 2))
    def agree(seed: int, n_symbols: int) -> None:
        market = random_account_market(seed, n_symbols)
        execution = random_options(np.random.default_rng(seed), only=option)
        result = run_account_backtest(market.bars, market.probability, market.config, execution)
        reference = reference_backtest(market.bars, market.probability, market.config, execution)
        assert_agree(result, reference, market.config.initial_cash)
        assert_same_trips(result, reference)

    agree()


@pytest.mark.parametrize(("rules", "options"), SQUEEZES.values(), ids=SQUEEZES)
def test_realistic_kernel_equals_the_decimal_reference_where(rules: dict, options: dict) -> None:
    @settings(max_examples=100, deadline=None, derandomize=True, database=None)
    @given(SEEDS)
    def agree(seed: int) -> None:
        market = random_account_market(seed, 3)
        config, execution = replace(market.config, **rules), replace(market.execution, **options)
        result = run_account_backtest(market.bars, market.probability, config, execution)
        reference = reference_backtest(market.bars, market.probability, config, execution)
        assert_agree(result, reference, config.initial_cash)
        assert_same_trips(result, reference)

    agree()


@settings(max_examples=150, deadline=None)
@given(SEEDS)
def test_an_account_of_one_symbol_is_run_backtest_bit_for_bit(seed: int) -> None:
    market = random_account_market(seed, 1)
    bars, probability = market.bars[SYMBOLS[0]], market.probability[SYMBOLS[0]]
    single = run_backtest(bars, probability, market.config)
    account = run_account_backtest(market.bars, market.probability, market.config)
    assert single.equity.equals(account.equity)
    assert single.curve["quantity"].equals(account.quantities["BTC/USD"].rename("quantity"))
    assert single.trades.equals(account.trades.drop(columns="symbol"))
    assert single.fills.equals(account.fills.drop(columns="symbol"))
    np.testing.assert_equal(single.metrics, account.metrics)

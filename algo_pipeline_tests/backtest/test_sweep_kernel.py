from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.backtest import sweep, sweep_kernel
from algo_pipeline.backtest.inputs import one_symbol_market
from algo_pipeline.backtest.kernel_rules import KernelRules
from algo_pipeline.backtest.sweep_bars import SweepFigures, SweepMarket, run_by_bars
from algo_pipeline.backtest.sweep_plan import empty_plan, make_plan
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline_tests.backtest.account_markets import random_config
from algo_pipeline_tests.market import random_bars

DAY_NS = 86_400 * 10**9
SEEDS = st.integers(0, 2**32 - 1)


def sweep_market(bars: pd.DataFrame, probability: np.ndarray) -> SweepMarket:
    market = one_symbol_market(bars, pd.Series(probability, index=bars.index))
    day_ends = np.flatnonzero(np.append(np.diff(market.open_ns // DAY_NS) != 0, True))
    return SweepMarket(market.opens[0], market.closes[0], market.probabilities[0], market.open_ns, day_ends)


def random_sweep_market(rng: np.random.Generator) -> SweepMarket:
    volatility = float(rng.choice([0.0, 0.002, 0.02, 0.1]))
    bars = random_bars(int(rng.integers(2, 700)), seed=int(rng.integers(2**31)), volatility=volatility)
    with_gaps = bars[rng.random(len(bars)) >= rng.choice([0.0, 0.3])]
    bars = with_gaps if len(with_gaps) else bars
    probability = rng.random(len(bars))
    probability[rng.random(len(bars)) < 0.1] = np.nan
    return sweep_market(bars, np.where(rng.random(len(bars)) < 0.1, 0.5, probability))


def likely_config(rng: np.random.Generator) -> BacktestConfig:
    """A random configuration, most often one that nothing but its kill switch keeps from following the plan."""
    config = random_config(rng)
    limits = {"max_drawdown": float(rng.choice([1e-6, 0.001, 0.005, 0.02, 0.1, 1.0]))}
    if rng.random() < 0.8:
        limits |= {"min_notional": 0.0, "quantity_step": 1e-6, "position_fraction": float(rng.choice([0.2, 1.0]))}
    return dataclasses.replace(config, **limits)


def figures_of(market: SweepMarket, configs: list[BacktestConfig]) -> list[SweepFigures]:
    rules = np.array([KernelRules.from_config(config) for config in configs], dtype=np.float64)
    return [SweepFigures(*column) for column in sweep._figures(market, rules).T]


def follows_its_plan(market: SweepMarket, config: BacktestConfig) -> bool:
    rules = KernelRules.from_config(config)
    n_bars = len(market.closes)
    plan = empty_plan(n_bars, len(market.day_ends))
    n_trips = make_plan(plan, market.closes, market.probabilities, market.day_ends, rules)
    balances = sweep_kernel._Balances(np.empty(n_bars + 3), np.empty(n_bars + 3))
    return bool(sweep_kernel._follow_plan(market, plan, n_trips, balances, rules).is_followed)


def assert_same(actual: SweepFigures, expected: SweepFigures, config: BacktestConfig) -> None:
    for name in SweepFigures._fields:
        values = getattr(actual, name), getattr(expected, name)
        if name == "mean_equity":
            assert values[0] == pytest.approx(values[1], rel=1e-12), config
        elif name == "imbalance":
            assert max(map(abs, values)) < 1e-9, config
        else:
            np.testing.assert_equal(*values, err_msg=f"{name} {config}")


@settings(max_examples=500, deadline=None)
@given(SEEDS)
def test_trip_by_trip_equals_bar_by_bar_bit_for_bit_but_for_the_mean(seed: int) -> None:
    rng = np.random.default_rng(seed)
    market = random_sweep_market(rng)
    configs = [likely_config(rng) for _ in range(4)]
    for config, figures in zip(configs, figures_of(market, configs), strict=True):
        assert_same(figures, run_by_bars(market, KernelRules.from_config(config)), config)


def test_most_random_configurations_follow_their_plan_and_some_leave_it() -> None:
    followed = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        followed.append(follows_its_plan(random_sweep_market(rng), likely_config(rng)))
    assert 60 < sum(followed) < 115


def test_a_real_length_with_long_drawdowns_equals_bar_by_bar() -> None:
    rng = np.random.default_rng(5)
    bars = random_bars(20_000, seed=5, volatility=0.01)
    noise = np.convolve(rng.normal(size=len(bars) + 7), np.ones(8) / 8, "valid")
    market = sweep_market(bars, 1.0 / (1.0 + np.exp(-0.8 * noise)))
    base = BacktestConfig(position_fraction=1.0, max_position_fraction=1.0)
    changes = [
        {"fee_bps": fee, "max_drawdown": limit, "cooldown_bars": pause, "fee_in_base": in_base}
        for fee in (0.0, 2.0, 25.0)
        for limit in (0.05, 0.3, 1.0)
        for pause in (0, 5, 10**9)
        for in_base in (False, True)
    ]
    configs = [dataclasses.replace(base, **change) for change in changes]
    assert all(follows_its_plan(market, config) for config in configs)
    for config, figures in zip(configs, figures_of(market, configs), strict=True):
        assert_same(figures, run_by_bars(market, KernelRules.from_config(config)), config)


def test_the_order_of_configurations_does_not_matter() -> None:
    rng = np.random.default_rng(11)
    market = random_sweep_market(rng)
    configs = [likely_config(rng) for _ in range(60)]
    together = figures_of(market, configs)
    for config, figures in zip(configs, together, strict=True):
        np.testing.assert_equal(figures_of(market, [config])[0], figures)


def test_a_plan_names_the_bars_of_the_signals_and_the_closes_between() -> None:
    closes = [10.0, 11.0, 9.0, 12.0, 13.0, 14.0, 15.0, 16.0]
    probability = np.array([0.7, np.nan, 0.2, 0.9, 0.9, 0.9, 0.5, 0.9])
    bars = random_bars(8).assign(open=closes, high=closes, low=closes, close=closes)
    market = sweep_market(bars, probability)
    rules = KernelRules.from_config(BacktestConfig(cooldown_bars=2))
    plan = empty_plan(8, 1)
    # Decided at 0, held from 1 to the exit's decision at 2, sold at 3; from 5 on entries are allowed again.
    assert make_plan(plan, market.closes, market.probabilities, market.day_ends, rules) == 2
    assert plan.entries[:2].tolist() == [0, 5]
    assert plan.exits[:2].tolist() == [2, 7]
    assert plan.lows[:2].tolist() == [9.0, 15.0]
    assert plan.highs[:2].tolist() == [11.0, 16.0]
    assert plan.sums[:2].tolist() == [20.0, 31.0]
    assert plan.at_day_ends.tolist() == [3]

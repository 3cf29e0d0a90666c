from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.backtest.inputs import account_market
from algo_pipeline.backtest.kernel import KernelRules, Simulation, run_symbols, simulate
from algo_pipeline_tests.backtest.account_markets import random_account_market


def simulate_by_the_account_kernel(opens, closes, scores, rules: KernelRules, size_limits) -> Simulation:
    n_bars = opens.shape[1]
    curve, places, values = np.empty((4, n_bars)), np.empty((n_bars, 2), np.int64), np.empty((n_bars, 3))
    kill_bar, n_fills, bars_held = run_symbols(opens, closes, scores, size_limits, rules, curve, places, values)
    return Simulation(curve, places[:n_fills], values[:n_fills], kill_bar, bars_held)


@settings(max_examples=1500, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_loop_for_one_symbol_equals_the_loop_for_several_bit_for_bit(seed: int, limited: bool) -> None:
    inputs = random_account_market(seed, 1, longest=150)
    market = account_market(inputs.bars, inputs.probability)
    rules = KernelRules.from_config(inputs.config)
    limits = np.random.default_rng(seed).uniform(0.0, 0.6, market.closes.shape) if limited else np.full((1, 1), np.inf)
    result = simulate(market.opens, market.closes, market.probabilities, rules, limits)
    expected = simulate_by_the_account_kernel(market.opens, market.closes, market.probabilities, rules, limits)
    for actual, wanted in zip(result, expected, strict=True):
        np.testing.assert_array_equal(actual, wanted)

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.backtest.engine import run_backtest
from algo_pipeline.backtest.metrics import METRIC_NAMES
from algo_pipeline.backtest.sweep import run_sweep
from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline_tests.backtest.account_markets import SYMBOLS, random_account_market, random_config
from algo_pipeline_tests.market import random_bars


def random_probability(bars: pd.DataFrame, seed: int = 0) -> pd.Series:
    return pd.Series(np.random.default_rng(seed).random(len(bars)), index=bars.index)


def assert_row_equals_backtest(row: pd.Series, bars: pd.DataFrame, p: pd.Series, config: BacktestConfig) -> None:
    for name, expected in run_backtest(bars, p, config).metrics.items():
        tolerance = 1e-11 if name == "turnover" else 0.0  # equity is summed in another order
        np.testing.assert_allclose(row[name], expected, rtol=tolerance, err_msg=f"{name} {config}")


@settings(max_examples=600, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_each_row_has_the_metrics_of_its_backtest_on_any_market(seed: int) -> None:
    market = random_account_market(seed, 1, longest=120)
    bars, probability, config = market.bars[SYMBOLS[0]], market.probability[SYMBOLS[0]], market.config
    rows = run_sweep(bars, probability, {"cooldown_bars": [0, 3]}, base=config)
    for _, row in rows.iterrows():
        with_cooldown = dataclasses.replace(config, cooldown_bars=int(row["cooldown_bars"]))
        assert_row_equals_backtest(row, bars, probability, with_cooldown)


def test_every_field_can_be_swept() -> None:
    bars = random_bars(400, seed=3, volatility=0.03)
    probability = random_probability(bars)
    configs = [random_config(np.random.default_rng(seed)) for seed in range(6)]
    for field in dataclasses.fields(BacktestConfig):
        base = BacktestConfig(exit_threshold=0.0, enter_threshold=0.7)
        values = list({getattr(config, field.name) for config in configs})
        rows = run_sweep(bars, probability, {field.name: values}, base=base)
        for value, (_, row) in zip(values, rows.iterrows(), strict=True):
            assert_row_equals_backtest(row, bars, probability, dataclasses.replace(base, **{field.name: value}))


def test_rows_are_all_combinations_with_the_last_field_fastest() -> None:
    bars = random_bars(50)
    grid = {"enter_threshold": [0.6, 0.7], "fee_bps": (0.0, 25.0)}
    rows = run_sweep(bars, random_probability(bars), grid)
    assert list(rows.columns) == ["enter_threshold", "fee_bps", *METRIC_NAMES]
    assert rows[["enter_threshold", "fee_bps"]].to_numpy().tolist() == [[0.6, 0], [0.6, 25], [0.7, 0], [0.7, 25]]


def test_progress_counts_up_to_all_configurations() -> None:
    bars = random_bars(30)
    seen: list[tuple[int, int]] = []
    grid = {"fee_bps": np.linspace(0, 50, 2500).tolist()}
    run_sweep(bars, random_probability(bars), grid, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1000, 2500), (2000, 2500), (2500, 2500)]


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"fee": [1.0]}, r"unknown \['fee'\]"),
        ({"fee_bps": []}, r"without values \['fee_bps'\]"),
        ({}, "maps fields"),
        ({"enter_threshold": [0.4]}, "exit_threshold must be"),
    ],
)
def test_a_grid_that_makes_no_configuration_is_refused(grid: dict[str, list[float]], message: str) -> None:
    bars = random_bars(5)
    with pytest.raises(ConfigValueError, match=message):
        run_sweep(bars, random_probability(bars), grid)


def test_an_account_that_grows_a_billionfold_and_loses_it_again_adds_up() -> None:
    prices = np.array([1.0, 1.0, 1e15, 1e15, 1e15, 1e15, 1e3, 1e3, 1.0, 1.0, 1.0])
    bars = random_bars(len(prices)).assign(open=prices, high=prices, low=prices, close=prices)
    probability = pd.Series([0.7, 0.5, 0.3, 0.5, 0.7, 0.5, 0.3, 0.5, 0.7, 0.5, 0.3], index=bars.index)
    base = BacktestConfig(max_drawdown=1.0, position_fraction=1.0, max_position_fraction=1.0)
    rows = run_sweep(bars, probability, {"fee_bps": [3.0, 7.0, 25.0]}, base=base)
    for fee, (_, row) in zip((3.0, 7.0, 25.0), rows.iterrows(), strict=True):
        assert_row_equals_backtest(row, bars, probability, dataclasses.replace(base, fee_bps=fee))


def test_values_may_be_those_of_an_array() -> None:
    bars = random_bars(60)
    probability = random_probability(bars)
    grid = {"cooldown_bars": np.arange(3), "fee_bps": np.array([0.0, 25.0], np.float32)}
    plain = {"cooldown_bars": [0, 1, 2], "fee_bps": [0.0, 25.0]}
    pd.testing.assert_frame_equal(run_sweep(bars, probability, grid), run_sweep(bars, probability, plain))

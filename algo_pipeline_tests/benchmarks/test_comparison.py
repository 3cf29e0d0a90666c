"""What the benchmarks compare: valid markets, the same strategy, the same sets, the same figures."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.backtest.sweep import run_sweep
from algo_pipeline.common.schemas import validate_bars
from algo_pipeline.data.features import build_features
from benchmarks import ours
from benchmarks.features import plain_pandas
from benchmarks.markets import BarSource, bootstrapped_bars, planted_probability, simulated_bars, simulated_market
from benchmarks.metrics import Curve, by_ours, by_pandas
from benchmarks.sweep import GRID, N_SETS, RISK_GRID, SLICE, slice_rows, slice_sets


class TestMarkets:
    @pytest.mark.parametrize("make", [simulated_bars, lambda n: bootstrapped_bars(simulated_bars(500), n, 3)])
    def test_bars_are_valid(self, make):
        bars = make(2_000)
        validate_bars(bars)
        assert len(bars) == 2_000

    def test_bootstrapped_steps_are_those_of_the_source_without_its_drift(self):
        source = simulated_bars(500)
        source[["open", "high", "low", "close"]] *= np.exp(0.001 * np.arange(500))[:, None]
        made = bootstrapped_bars(source, 20_000, seed=1)
        steps, drawn = np.log(source["close"]).diff(), np.log(made["close"]).diff()
        assert drawn.std() == pytest.approx(steps.std(), rel=0.05)
        assert made["close"].iloc[-1] == pytest.approx(source["close"].iloc[0], rel=1e-9)

    def test_rounds_see_different_markets_and_a_round_sees_the_same_again(self):
        source = BarSource(simulated_bars(500), "simulated")
        first, again, other = (source.market(800, seed) for seed in (1, 1, 2))
        pd.testing.assert_frame_equal(first.bars, again.bars)
        pd.testing.assert_series_equal(first.probability, again.probability)
        assert (first.bars["close"] != other.bars["close"]).mean() > 0.99

    def test_at_its_own_length_a_source_gives_its_own_bars_with_a_new_probability(self):
        source = BarSource(simulated_bars(500), "simulated")
        first, other = source.market(500, 1), source.market(500, 2)
        assert first.bars is other.bars is source.bars
        assert (first.probability != other.probability).mean() > 0.99

    def test_the_probability_trades_once_in_ten_to_twenty_bars_and_holds_at_first(self):
        market = simulated_market(20_000)
        assert 10 < len(market.bars) / ours.run(market).metrics["n_trades"] < 20
        assert market.probability.iloc[0] == 0.5

    def test_the_probability_knows_something_of_the_hours_ahead(self):
        bars = simulated_bars(20_000)
        ahead = np.log(bars["open"].shift(-9) / bars["open"].shift(-1))
        assert 0.03 < planted_probability(bars, 1).corr(ahead) < 0.3


class TestSweep:
    def test_both_grids_have_as_many_sets_as_is_printed(self):
        for grid in (GRID, RISK_GRID):
            assert np.prod([len(values) for values in grid.values()]) == N_SETS

    def test_the_slice_s_sets_are_those_rows_of_the_sweep(self):
        market = simulated_market(50)
        table = run_sweep(market.bars, market.probability, GRID, ours.CONFIG).iloc[slice_rows()]
        enter, exit_, fee, slippage = slice_sets()
        expected = (table[name].to_numpy() for name in GRID)
        for found, wanted in zip((enter, exit_, fee * 1e4, slippage * 1e4), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-12)
        assert len(set(slice_rows().tolist())) == SLICE

    def test_no_set_of_the_grid_has_crossed_thresholds(self):
        pairs = itertools.product(GRID["enter_threshold"], GRID["exit_threshold"])
        assert all(enter > exit_ for enter, exit_ in pairs)


def test_plain_pandas_metrics_equal_ours():
    equity = ours.run(simulated_market(3_000)).equity
    curve = Curve(pd.DatetimeIndex(equity.index), equity.to_numpy().copy())
    found, expected = by_pandas(curve), by_ours(curve)
    for name in ("total_return", "sharpe", "sortino", "max_drawdown"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-9)


def test_plain_pandas_features_are_the_same_columns_with_the_same_values():
    bars = simulated_bars(3_000)
    found, expected = plain_pandas(bars), build_features(bars)
    assert sorted(found.columns) == sorted(expected.columns)
    known = expected.dropna().index[500:]
    for name in expected.columns:
        np.testing.assert_allclose(
            found.loc[known, name], expected.loc[known, name], rtol=1e-6, atol=1e-9, err_msg=name
        )

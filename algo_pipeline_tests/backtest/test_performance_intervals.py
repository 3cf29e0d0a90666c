from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from algo_pipeline.backtest.engine import BacktestConfig, BacktestResult, run_backtest
from algo_pipeline.backtest.metrics import METRIC_NAMES
from algo_pipeline.backtest.performance_intervals import mean_block_days, performance_intervals
from algo_pipeline.backtest.resampled_days import DayFigures, ResampledFigures, day_figures, resampled_figures
from algo_pipeline.backtest.trades import TRADE_COLUMNS
from algo_pipeline.common.time import epoch_ns
from algo_pipeline.research.resampling import draw_blocks
from algo_pipeline_tests.market import random_bars, without_rows

CASH = 1_000.0
ANNUAL = math.sqrt(365)


def traded(n_bars: int, seed: int, *gaps: int) -> BacktestResult:
    """A strategy that trades on noise, without a kill switch and without costs."""
    bars = without_rows(random_bars(n_bars, seed), *gaps)
    noise = np.random.default_rng(seed).normal(0.5, 0.06, len(bars)).clip(0.0, 1.0)
    config = BacktestConfig(max_drawdown=1.0, fee_bps=0.0, slippage_bps=0.0)
    return run_backtest(bars, pd.Series(noise, bars.index), config)


def result_of(equity: list[float], pnl: dict[int, float] | None = None) -> BacktestResult:
    """A result with this equity, from 1,000 in cash, and round trips closed at these bars."""
    index = pd.date_range("2024-01-01", periods=len(equity), freq="h", tz="UTC")
    curve = pd.DataFrame({"equity": equity, "cash": equity, "quantity": 0.0, "drawdown": 0.0}, index=index)
    trades = pd.DataFrame(0.0, index=range(len(pnl or {})), columns=list(TRADE_COLUMNS))
    trades["exit_time"] = index[list(pnl or {})]
    trades["pnl"] = list((pnl or {}).values())
    metrics = dict.fromkeys(METRIC_NAMES, math.nan)
    return BacktestResult(BacktestConfig(initial_cash=CASH), curve, trades, trades, metrics, None)


def days_of(result: BacktestResult) -> DayFigures:
    index = pd.DatetimeIndex(result.equity.index)
    names = index.floor("D").unique()
    exits = names.get_indexer(pd.DatetimeIndex(result.trades["exit_time"]).floor("D")).astype(np.int64)
    equity, pnl = (np.ascontiguousarray(values, np.float64) for values in (result.equity, result.trades["pnl"]))
    return day_figures(epoch_ns(index), equity, result.config.initial_cash, exits, pnl)


def slow_figures(result: BacktestResult, seed: int, mean_block: int, n_resamples: int) -> ResampledFigures:
    """Hours of the drawn days end to end, and the figures of that curve as anyone would write them."""
    equity = result.equity
    day = pd.DatetimeIndex(equity.index).floor("D")
    names = day.unique()
    before = equity.groupby(day).last().shift(fill_value=result.config.initial_cash)
    ways = [equity[day == name].to_numpy() / before[name] for name in names]
    exit_day = pd.DatetimeIndex(result.trades["exit_time"]).floor("D")
    pnls = [result.trades["pnl"].to_numpy()[exit_day == name] for name in names]
    rng, n = np.random.default_rng(seed), len(names)
    rows = []
    for _ in range(n_resamples):
        starts, lengths = np.empty(n, np.int64), np.empty(n, np.int64)
        count = draw_blocks(rng, mean_block, starts, lengths)
        order = [(starts[k] + j) % n for k in range(count) for j in range(lengths[k])]
        closes = np.cumprod([ways[d][-1] for d in order])
        curve = np.concatenate(
            [way * base for way, base in zip((ways[d] for d in order), [1.0, *closes], strict=False)]
        )
        returns = np.array([ways[d][-1] - 1.0 for d in order])
        pnl = np.concatenate([pnls[d] for d in order])
        losses = -pnl[pnl < 0].sum()
        rows.append(
            (
                ANNUAL * returns.mean() / returns.std(ddof=1),
                (1.0 - curve / np.maximum(1.0, np.maximum.accumulate(curve))).max(),
                pnl[pnl > 0].sum() / losses if losses > 0 else math.nan,
            )
        )
    return ResampledFigures(*np.array(rows).T)


@settings(max_examples=15, deadline=None)
@given(n_bars=st.integers(500, 900), seed=st.integers(0, 1_000), mean_block=st.integers(1, 10))
def test_the_compiled_figures_are_those_of_the_hours_end_to_end(n_bars: int, seed: int, mean_block: int) -> None:
    result = traded(n_bars, seed, *range(40, 95), 300)  # two whole days without a bar
    fast = resampled_figures(np.random.default_rng(seed), days_of(result), mean_block, 5)
    for found, expected in zip(fast, slow_figures(result, seed, mean_block, 5), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_day_is_cut_from_the_close_before_it() -> None:
    # Day 1 from 1000: up to 1100, down to 990 (10 % below its high), out at 1050. Day 2: 1029 to 1155.
    equity = [1_000.0] * 10 + [1_100.0] * 4 + [990.0] * 5 + [1_050.0] * 5 + [1_029.0] * 23 + [1_155.0]
    days = days_of(result_of(equity, {3: 50.0, 20: -20.0, 47: 10.0}))
    np.testing.assert_allclose(days.returns, [0.05, 0.1])
    np.testing.assert_allclose(days.highs, [1.1, 1.1])
    np.testing.assert_allclose(days.lows, [0.99, 0.98])
    np.testing.assert_allclose(days.depths, [0.1, 0.0])
    np.testing.assert_allclose(days.gains, [50.0, 10.0])
    np.testing.assert_allclose(days.losses, [20.0, 0.0])


def test_days_in_their_own_order_have_the_metrics_of_the_backtest() -> None:
    result = traded(1_000, 5)
    days = days_of(result)
    # One block as long as the sample is the sample, but for where the circle is cut: try until it is cut at the start.
    n = len(days.returns)
    starts, lengths = np.empty(n, np.int64), np.empty(n, np.int64)
    seed = next(
        seed
        for seed in range(10_000)
        if draw_blocks(np.random.default_rng(seed), 10_000, starts, lengths) == 1 and starts[0] == 0
    )
    figures = resampled_figures(np.random.default_rng(seed), days, 10_000, 1)
    assert [float(values[0]) for values in figures] == pytest.approx([result.metrics[name] for name in figures._fields])


def test_intervals_are_named_as_metrics_and_lie_around_them() -> None:
    result = traded(8_000, 1)
    intervals = performance_intervals(result)
    assert list(intervals) == ["sharpe", "max_drawdown", "profit_factor"]
    for name, interval in intervals.items():
        assert interval.level == 0.95
        assert interval.lower < result.metrics[name] < interval.upper


def test_the_sharpe_interval_is_about_as_wide_as_that_of_independent_normal_days() -> None:
    returns = np.random.default_rng(3).normal(0.001, 0.01, 2_000)
    interval = performance_intervals(result_of(hourly(CASH * np.cumprod(1.0 + returns))))["sharpe"]
    expected = 2 * 1.96 * ANNUAL / math.sqrt(2_000)
    assert interval.upper - interval.lower == pytest.approx(expected, rel=0.1)


def hourly(daily_equity: np.ndarray) -> list[float]:
    """Equity that moves once a day, at its first hour."""
    return list(np.repeat(daily_equity, 24))


def test_equal_seeds_give_equal_intervals_and_others_do_not() -> None:
    result = traded(1_500, 2)
    assert performance_intervals(result, 100, seed=1) == performance_intervals(result, 100, seed=1)
    assert performance_intervals(result, 100, seed=1) != performance_intervals(result, 100, seed=2)


def test_a_strategy_that_never_traded_has_no_drawdown_and_nothing_else() -> None:
    intervals = performance_intervals(result_of([CASH] * 24 * 40))
    assert (intervals["max_drawdown"].lower, intervals["max_drawdown"].upper) == (0.0, 0.0)
    assert math.isnan(intervals["sharpe"].lower)
    assert math.isnan(intervals["profit_factor"].upper)


def test_too_few_days_have_no_intervals() -> None:
    bounds = performance_intervals(traded(19 * 24, 0)).values()
    assert all(math.isnan(interval.lower) and math.isnan(interval.upper) for interval in bounds)


def test_gains_without_a_loss_have_no_upper_bound() -> None:
    wins = result_of([CASH] * 24 * 40, {24 * day: 5.0 for day in range(30)})
    assert performance_intervals(wins)["profit_factor"].lower == math.inf
    one_loss = result_of([CASH] * 24 * 40, {24 * day: 5.0 if day else -30.0 for day in range(30)})
    interval = performance_intervals(one_loss)["profit_factor"]
    assert 0.0 < interval.lower < 29 * 5.0 / 30.0 < interval.upper == math.inf


@pytest.mark.parametrize(("n_days", "mean_block"), [(20, 1), (149, 2), (499, 9), (500, 10), (5_000, 10)])
def test_blocks_are_ten_days_or_a_fiftieth_of_a_short_sample(n_days: int, mean_block: int) -> None:
    assert mean_block_days(n_days) == mean_block


@lru_cache(maxsize=1)
def clustered_days(n_series: int, n_days: int, seed: int) -> np.ndarray:
    """Days of a GARCH(1, 1) process with t(5) innovations and unit variance, shape (n_series, n_days)."""
    rng = np.random.default_rng(seed)
    shocks = rng.standard_t(5, (n_days + 200, n_series)) * math.sqrt(3 / 5)
    variance, days = np.ones(n_series), np.empty_like(shocks)
    for t, shock in enumerate(shocks):
        days[t] = np.sqrt(variance) * shock
        variance = 0.02 + 0.1 * days[t] ** 2 + 0.88 * variance
    return days[200:].T


def bounds(returns: np.ndarray, seed: int, gains: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Lower and upper bounds of sharpe, max_drawdown and profit_factor, shape (3, 2)."""
    ways = 1.0 + returns
    days = DayFigures(returns, ways, ways, np.zeros_like(returns), gains, losses)
    figures = resampled_figures(np.random.default_rng(seed), days, mean_block_days(len(returns)), 400)
    return np.array([np.quantile(values, [0.025, 0.975]) for values in figures])


def test_the_intervals_cover_the_truth_as_often_as_their_documentation_says() -> None:
    n_days, edge = 730, 0.05
    days = clustered_days(300, n_days, 11) + edge
    found = np.array([bounds(0.01 * d, k, np.maximum(d, 0), np.maximum(-d, 0)) for k, d in enumerate(days)])
    long_run = clustered_days(300, n_days, 12).ravel() + edge
    profit_factor = np.maximum(long_run, 0).sum() / np.maximum(-long_run, 0).sum()
    for place, truth in ((0, ANNUAL * edge), (2, profit_factor)):
        covered = ((found[:, place, 0] <= truth) & (truth <= found[:, place, 1])).mean()
        assert 0.90 <= covered <= 0.98


def test_serial_correlation_widens_the_interval() -> None:
    shocks = np.random.default_rng(9).normal(0.0, 1.0, 1_500)
    trending = lfilter([1.0], [1.0, -0.3], shocks)
    none = np.zeros(1_500)
    width_of = {name: np.diff(bounds(0.01 * d, 0, none, none)[0]) for name, d in (("iid", shocks), ("ar", trending))}
    # Variance of the mean grows by (1 + φ) / (1 − φ), that of a day by 1 / (1 − φ²): the ratio is 1 + φ.
    assert width_of["ar"] / width_of["iid"] == pytest.approx(1.3, abs=0.15)

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.backtest.metrics import curve_figures
from algo_pipeline.backtest.report_tables import (
    Drawdown,
    buy_and_hold_equity,
    daily_returns,
    drawdown_series,
    gaps,
    histogram,
    monthly_returns,
    top_drawdowns,
)
from algo_pipeline.common.time import epoch_ns
from algo_pipeline_tests.market import random_bars, without_rows


def _equity(values: list[float], start: str = "2024-01-01", step: str = "h") -> pd.Series:
    return pd.Series(values, pd.date_range(start, periods=len(values), freq=step, tz="UTC"))


def test_months_chain_from_the_start_cash_and_the_year_compounds_them() -> None:
    equity = _equity([110.0, 99.0, 198.0], start="2023-12-15", step="30D")
    table = monthly_returns(equity, 100.0)
    assert table.index.tolist() == [2023, 2024]
    assert table.loc[2023, 12] == pytest.approx(0.1)
    assert table.loc[2024, 1] == pytest.approx(-0.1)
    assert table.loc[2024, 2] == pytest.approx(1.0)
    assert table.loc[2024, "year"] == pytest.approx(0.8)
    assert math.isnan(table.loc[2023, 1])


@settings(max_examples=25, deadline=None)
@given(n_bars=st.integers(1, 3_000), seed=st.integers(0, 10_000))
def test_the_years_compound_to_the_total_return(n_bars: int, seed: int) -> None:
    equity = random_bars(n_bars, seed=seed)["close"]
    total = (1.0 + monthly_returns(equity, 100.0)["year"]).prod() - 1.0
    assert total == pytest.approx(equity.iloc[-1] / 100.0 - 1.0)


@settings(max_examples=25, deadline=None)
@given(n_bars=st.integers(2, 500), seed=st.integers(0, 10_000))
def test_daily_returns_and_drawdowns_are_those_of_the_metrics(n_bars: int, seed: int) -> None:
    bars = without_rows(random_bars(n_bars, seed=seed, start="2024-01-01T07:00"), *range(1, n_bars - 1, 3))
    equity = bars["close"]
    figures = curve_figures(epoch_ns(bars.index), equity.to_numpy(), 100.0)
    np.testing.assert_allclose(daily_returns(equity, 100.0), figures.daily_returns, rtol=1e-12, atol=1e-15)
    assert drawdown_series(equity, 100.0).max() == pytest.approx(figures.max_drawdown)
    deepest = top_drawdowns(equity, 100.0)
    assert (deepest[0].depth if deepest else 0.0) == pytest.approx(figures.max_drawdown)


def test_drawdowns_are_listed_deepest_first_with_peak_trough_and_recovery() -> None:
    equity = _equity([100.0, 110.0, 99.0, 104.5, 110.0, 120.0, 90.0, 96.0])
    hour = equity.index
    assert top_drawdowns(equity, 100.0) == (
        Drawdown(hour[5], hour[6], None, pytest.approx(0.25), 2),
        Drawdown(hour[1], hour[2], hour[4], pytest.approx(0.1), 3),
    )


def test_a_fall_from_the_start_cash_counts_from_the_first_bar() -> None:
    equity = _equity([95.0, 90.0, 100.0])
    assert top_drawdowns(equity, 100.0) == (
        Drawdown(equity.index[0], equity.index[1], equity.index[2], pytest.approx(0.1), 2),
    )


def test_only_the_deepest_drawdowns_are_listed() -> None:
    equity = random_bars(2_000, seed=3)["close"]
    episodes = top_drawdowns(equity, 100.0, top=3)
    everything = top_drawdowns(equity, 100.0, top=10_000)
    assert episodes == everything[:3]
    assert [e.depth for e in everything] == sorted((e.depth for e in everything), reverse=True)


def test_rising_equity_has_no_drawdown() -> None:
    assert top_drawdowns(_equity([100.0, 101.0, 102.0]), 100.0) == ()


def test_buy_and_hold_ends_at_its_return() -> None:
    close = _equity([50.0, 60.0, 45.0])
    np.testing.assert_allclose(buy_and_hold_equity(close, 1000.0, -0.1), [1000.0, 1200.0, 900.0])
    np.testing.assert_allclose(buy_and_hold_equity(close, 1000.0, math.nan), [1000.0, 1200.0, 900.0])


def test_gaps_name_the_first_and_last_missing_hour() -> None:
    bars = without_rows(random_bars(10), 3, 7, 8)
    assert gaps(bars.index) == (
        (pd.Timestamp("2024-01-01T03:00Z"), pd.Timestamp("2024-01-01T03:00Z")),
        (pd.Timestamp("2024-01-01T07:00Z"), pd.Timestamp("2024-01-01T08:00Z")),
    )
    assert gaps(bars.index[:3]) == ()


def test_a_histogram_counts_every_finite_value_and_keeps_the_tails_in_its_ends() -> None:
    values = np.concatenate([np.linspace(-1.0, 1.0, 999), [50.0, np.nan, np.inf]])
    counted = histogram(values, 20, clip_tails=True)
    assert counted.counts.sum() == 1_000
    assert counted.open_ends
    assert counted.edges[-1] < 1.1
    assert not histogram(np.array([1.0, 2.0]), 4).open_ends


@pytest.mark.parametrize("values", [[0.0], [0.3, 0.3, 0.3], [-2.0]])
def test_a_histogram_of_one_value_has_a_width(values: list[float]) -> None:
    counted = histogram(np.array(values), 5)
    assert counted.counts.sum() == len(values)
    assert (np.diff(counted.edges) > 0).all()


def test_a_histogram_of_nothing_is_empty() -> None:
    assert histogram(np.array([np.nan]), 5).counts.size == 0

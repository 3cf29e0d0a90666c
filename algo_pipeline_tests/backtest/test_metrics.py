from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.backtest.metrics import (
    METRIC_NAMES,
    TradingFigures,
    annual_growth,
    compute_metrics,
    curve_figures,
    sharpe_ratio,
    sortino_ratio,
)
from algo_pipeline.common.time import epoch_ns

NO_TRADES = TradingFigures(np.empty(0), np.empty(0, np.int64), 0, 0.0, 0.0, 0.0)
SEEDS = st.integers(0, 2**32 - 1)


def hours(n: int, start: str = "2024-03-01") -> pd.DatetimeIndex:
    return pd.date_range(start, periods=n, freq="h", tz="UTC", unit="ns")


def random_curve(seed: int) -> tuple[pd.Series, float]:
    """Positive equity at up to 400 hours, some of them missing, and its start cash."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 400))
    start_cash = float(rng.choice([1.0, 1000.0, 123_456.7]))
    equity = start_cash * np.exp(np.cumsum(rng.normal(0, rng.choice([0.0, 0.01, 0.1]), n)))
    index = hours(n, f"2024-02-27T{rng.integers(24):02d}")
    kept = rng.random(n) >= rng.choice([0.0, 0.5, 0.97])
    kept[0] = True
    return pd.Series(equity, index=index)[kept], start_cash


def slow_daily_returns(equity: pd.Series, start_cash: float) -> pd.Series:
    last = equity.groupby(equity.index.normalize()).last()
    return last / last.shift(fill_value=start_cash) - 1


def slow_drawdown_bars(equity: pd.Series, start_cash: float) -> int:
    """From each bar (the start included) that stands at its peak to the next that does, if it sank between."""
    curve = [start_cash, *equity]
    at_peak = [i for i in range(len(curve)) if curve[i] >= max(curve[: i + 1])]
    spans = [b - a for a, b in zip(at_peak, [*at_peak[1:], len(curve) - 1], strict=True)]
    recovered = [span for span in spans[:-1] if span > 1]
    return max([*recovered, spans[-1]], default=0)


@settings(max_examples=300, deadline=None)
@given(SEEDS)
def test_curve_metrics_equal_their_slow_twins(seed: int) -> None:
    equity, start_cash = random_curve(seed)
    metrics = compute_metrics(epoch_ns(equity.index), equity.to_numpy(), start_cash, NO_TRADES)
    daily = slow_daily_returns(equity, start_cash)
    with_start = np.concatenate([[start_cash], equity])
    drawdown = 1 - with_start / np.maximum.accumulate(with_start)
    assert metrics["total_return"] == pytest.approx(equity.iloc[-1] / start_cash - 1)
    assert metrics["max_drawdown"] == pytest.approx(drawdown.max(), abs=1e-12)
    assert metrics["max_drawdown_bars"] == slow_drawdown_bars(equity, start_cash)
    deviation = daily.std(ddof=1)
    if deviation > 1e-9:
        assert metrics["sharpe"] == pytest.approx(daily.mean() / deviation * math.sqrt(365))
    downside = math.sqrt((daily.clip(upper=0) ** 2).mean())
    if downside > 1e-9 and len(daily) > 1:
        assert metrics["sortino"] == pytest.approx(daily.mean() / downside * math.sqrt(365))
    years = (equity.index[-1] - equity.index[0] + pd.Timedelta(hours=1)) / pd.Timedelta(days=365.25)
    growth = math.log(equity.iloc[-1] / start_cash) / years
    if growth < 600:
        assert metrics["cagr"] == pytest.approx(math.expm1(growth), rel=1e-9, abs=1e-12)
    if metrics["max_drawdown"] > 0 and growth < 600:
        assert metrics["calmar"] == pytest.approx(metrics["cagr"] / metrics["max_drawdown"])


@settings(max_examples=200, deadline=None)
@given(SEEDS)
def test_daily_returns_compound_to_the_total_return(seed: int) -> None:
    equity, start_cash = random_curve(seed)
    figures = curve_figures(epoch_ns(equity.index), equity.to_numpy(), start_cash)
    assert len(figures.daily_returns) == equity.index.normalize().nunique()
    assert np.prod(1 + figures.daily_returns) == pytest.approx(equity.iloc[-1] / start_cash)
    assert figures.mean_equity == pytest.approx(equity.mean())
    assert 0 <= figures.max_drawdown <= 1
    assert 0 <= figures.max_drawdown_bars <= len(equity)


@settings(max_examples=100, deadline=None)
@given(SEEDS, st.sampled_from([2.0**-30, 0.25, 2.0**30]))
def test_figures_of_returns_do_not_depend_on_the_unit_of_money(seed: int, unit: float) -> None:
    equity, start_cash = random_curve(seed)
    stamps = epoch_ns(equity.index)
    plain = compute_metrics(stamps, equity.to_numpy(), start_cash, NO_TRADES)
    scaled = compute_metrics(stamps, equity.to_numpy() * unit, start_cash * unit, NO_TRADES)
    np.testing.assert_equal(scaled, plain)


def test_a_day_ends_with_its_last_bar_by_open_time_in_utc() -> None:
    index = hours(4, "2024-03-01T22")  # 22, 23 | 00, 01
    figures = curve_figures(epoch_ns(index), np.array([101.0, 110.0, 120.0, 99.0]), 100.0)
    assert figures.daily_returns.tolist() == pytest.approx([0.10, -0.10])


def test_a_day_without_bars_is_no_day() -> None:
    index = pd.DatetimeIndex(["2024-03-01T05", "2024-03-04T05"], tz="UTC").as_unit("ns")
    figures = curve_figures(epoch_ns(index), np.array([110.0, 99.0]), 100.0)
    assert figures.daily_returns.tolist() == pytest.approx([0.10, -0.10])


def test_days_before_the_epoch_end_at_midnight_too() -> None:
    figures = curve_figures(epoch_ns(hours(2, "1969-12-30T23")), np.array([110.0, 99.0]), 100.0)
    assert figures.daily_returns.tolist() == pytest.approx([0.10, -0.10])


def test_sharpe_and_sortino_of_a_hand_worked_week() -> None:
    daily = np.array([0.01, -0.02, 0.03])  # mean 0.02/3, sample variance 19/30000, downside 0.0004/3
    assert sharpe_ratio(daily) == pytest.approx(0.02 / 3 / math.sqrt(19 / 30_000) * math.sqrt(365))
    assert sortino_ratio(daily) == pytest.approx(0.02 / 3 / math.sqrt(0.0004 / 3) * math.sqrt(365))


@pytest.mark.parametrize("daily", [[], [0.01], [0.0, 0.0, 0.0]])
def test_ratios_without_two_days_or_any_deviation_are_undefined(daily: list[float]) -> None:
    assert math.isnan(sharpe_ratio(np.array(daily)))
    assert math.isnan(sortino_ratio(np.array(daily)))


def test_sortino_without_a_loss_is_undefined() -> None:
    assert math.isnan(sortino_ratio(np.array([0.01, 0.02])))


def test_growth_over_exactly_two_years_is_the_square_root() -> None:
    assert annual_growth(0.21, 2.0) == pytest.approx(0.10)
    assert annual_growth(-1.0, 2.0) == -1.0


def test_growth_beyond_what_a_double_holds_is_undefined() -> None:
    assert math.isnan(annual_growth(1.0, 1 / 8766))


@pytest.mark.parametrize(
    ("equity", "bars"),
    [
        ([100.0, 100.0, 100.0], 0),
        ([101.0, 102.0, 103.0], 0),
        ([90.0, 100.0, 110.0], 2),  # from the start, over one bar below it, to the bar that recovers
        ([110.0, 100.0, 105.0, 110.0, 109.0], 3),
        ([110.0, 100.0, 105.0, 107.0, 109.0], 4),  # never recovers: up to the last bar
    ],
)
def test_a_drawdown_lasts_from_its_peak_to_its_recovery_or_the_end(equity: list[float], bars: int) -> None:
    assert curve_figures(epoch_ns(hours(len(equity))), np.array(equity), 100.0).max_drawdown_bars == bars


def test_trade_metrics_of_hand_made_trades() -> None:
    trading = TradingFigures(np.array([30.0, -10.0, 0.0, -5.0]), np.array([1, 2, 3, 10]), 3, 5000.0, 12.5, 0.07)
    equity = np.array([100.0, 300.0, 200.0, 200.0])
    metrics = compute_metrics(epoch_ns(hours(4)), equity, 100.0, trading)
    assert metrics["win_rate"] == 0.25
    assert metrics["profit_factor"] == 2.0
    assert metrics["n_trades"] == 4
    assert metrics["avg_holding_bars"] == 4.0
    assert metrics["exposure"] == 0.75
    assert metrics["turnover"] == pytest.approx(5000 / 200 * 365.25 * 24 / 4)
    assert metrics["costs_paid"] == 12.5
    assert metrics["buy_and_hold_return"] == 0.07


def test_without_trades_rates_are_undefined_and_counts_are_zero() -> None:
    metrics = compute_metrics(epoch_ns(hours(50)), np.full(50, 100.0), 100.0, NO_TRADES)
    undefined = {name for name, value in metrics.items() if math.isnan(value)}
    assert tuple(metrics) == METRIC_NAMES
    assert undefined == {"sharpe", "sortino", "calmar", "win_rate", "profit_factor", "avg_holding_bars"}
    assert metrics["n_trades"] == metrics["total_return"] == metrics["max_drawdown_bars"] == 0


def test_only_gains_leave_the_profit_factor_undefined() -> None:
    trading = NO_TRADES._replace(trade_pnl=np.array([1.0, 2.0]), holding_bars=np.array([1, 1]))
    metrics = compute_metrics(epoch_ns(hours(2)), np.array([100.0, 103.0]), 100.0, trading)
    assert math.isnan(metrics["profit_factor"])
    assert metrics["win_rate"] == 1.0

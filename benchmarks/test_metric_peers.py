"""Our metrics beside those of empyrical-reloaded, quantstats and backtesting.py: equal or different, and how."""

from __future__ import annotations

import empyrical
import numpy as np
import pandas as pd
import pytest
from quantstats import stats

from benchmarks import ours, peer_backtesting
from benchmarks.markets import N_REAL_BARS, Market, bar_source, simulated_market
from benchmarks.metrics import Curve, Figures, by_empyrical, by_ours, by_pandas, by_quantstats
from benchmarks.rules import INITIAL_CASH

DAYS = 365
EQUAL = ("total_return", "sharpe", "sortino", "max_drawdown")
"""Defined alike, with 365 days a year."""


@pytest.fixture(scope="module", params=["long", "short"])
def market(request: pytest.FixtureRequest) -> Market:
    """Real bars where there are any, and a market that ends within a day and starts with a loss."""
    if request.param == "long":
        return bar_source().market(N_REAL_BARS, seed=6)
    return simulated_market(1_003, seed=3)


@pytest.fixture(scope="module")
def curve(market: Market) -> Curve:
    return curve_of(market)


def curve_of(market: Market) -> Curve:
    equity = ours.run(market).equity
    return Curve(pd.DatetimeIndex(equity.index), np.ascontiguousarray(equity.to_numpy(), dtype=np.float64))


def figures(found: Figures, names: tuple[str, ...]) -> list[float]:
    return [float(getattr(found, name)) for name in names]


class TestEqual:
    @pytest.mark.parametrize("way", [by_pandas, by_empyrical, by_quantstats])
    def test_return_sharpe_sortino_and_drawdown(self, way: object, curve: Curve) -> None:
        assert callable(way)
        assert figures(way(curve), EQUAL) == pytest.approx(figures(by_ours(curve), EQUAL), rel=1e-9)

    @pytest.mark.parametrize("way", [by_pandas, by_empyrical, by_quantstats])
    def test_start_cash_is_the_first_peak(self, way: object) -> None:
        assert callable(way)
        index = pd.date_range("2024-01-01", periods=72, freq="h", tz="UTC")
        falling = Curve(index, INITIAL_CASH * (0.99 + 0.001 * np.sin(np.arange(72.0))))
        assert way(falling).max_drawdown == pytest.approx(by_ours(falling).max_drawdown, rel=1e-9)
        assert by_ours(falling).max_drawdown > 0.01

    def test_the_metrics_of_the_run_are_those_of_its_curve(self, market: Market, curve: Curve) -> None:
        metrics = ours.run(market).metrics
        assert figures(by_ours(curve), Figures._fields) == [metrics[name] for name in Figures._fields]


class TestDifferent:
    def test_the_libraries_count_252_days_unless_told(self, curve: Curve) -> None:
        sharpe, daily = by_ours(curve).sharpe * (252 / DAYS) ** 0.5, curve.daily_returns()
        assert empyrical.sharpe_ratio(daily) == pytest.approx(sharpe, rel=1e-9)
        assert stats.sharpe(daily) == pytest.approx(sharpe, rel=1e-9)

    def test_their_year_is_365_daily_returns_ours_365_days_and_a_quarter(self, curve: Curve) -> None:
        growth, daily = 1.0 + by_ours(curve).total_return, curve.daily_returns()
        hours = (curve.index[-1] - curve.index[0]) / pd.Timedelta(hours=1) + 1
        assert by_ours(curve).cagr == pytest.approx(growth ** (365.25 * 24 / hours) - 1.0, rel=1e-9)
        theirs = growth ** (DAYS / len(daily)) - 1.0
        assert by_empyrical(curve).cagr == pytest.approx(theirs, rel=1e-9)
        assert by_quantstats(curve).cagr == pytest.approx(theirs, rel=1e-9)
        assert theirs != pytest.approx(by_ours(curve).cagr, rel=1e-6)

    def test_their_drawdown_of_daily_returns_misses_what_happens_within_a_day(self, curve: Curve) -> None:
        daily = curve.daily_returns()
        assert -empyrical.max_drawdown(daily) < by_ours(curve).max_drawdown
        assert -stats.max_drawdown(daily) < by_ours(curve).max_drawdown

    def test_their_calmar_ratio_is_of_daily_drawdown_and_their_growth_rate(self, curve: Curve) -> None:
        daily = curve.daily_returns()
        theirs = by_empyrical(curve).cagr / -empyrical.max_drawdown(daily)
        assert empyrical.calmar_ratio(daily, annualization=DAYS) == pytest.approx(theirs, rel=1e-9)
        assert stats.calmar(daily, periods=DAYS) == pytest.approx(theirs, rel=1e-9)

    def test_win_rate_and_profit_factor_of_quantstats_are_of_days_ours_of_trades(self, market: Market) -> None:
        metrics, daily = ours.run(market).metrics, curve_of(market).daily_returns()
        gains, losses = daily[daily > 0.0], daily[daily < 0.0]
        assert stats.win_rate(daily) == pytest.approx(len(gains) / (len(gains) + len(losses)))
        assert stats.profit_factor(daily) == pytest.approx(gains.sum() / -losses.sum())
        assert stats.win_rate(daily) != pytest.approx(metrics["win_rate"], rel=1e-3)


class TestStatisticsOfBacktestingPy:
    def test_win_rate_and_drawdown_are_ours(self, market: Market) -> None:
        found, metrics = statistics_of(market), ours.run(market).metrics
        assert found["Win Rate [%]"] == pytest.approx(100 * metrics["win_rate"], rel=1e-9)
        assert found["Max. Drawdown [%]"] == pytest.approx(-100 * metrics["max_drawdown"], rel=1e-9)

    def test_daily_returns_start_with_the_second_day(self, market: Market) -> None:
        daily = curve_of(market).daily_returns().iloc[1:]
        growth = geometric_mean(daily)
        found = statistics_of(market)
        assert found["Return (Ann.) [%]"] == pytest.approx(100 * ((1 + growth) ** DAYS - 1), rel=1e-9)

    def test_sharpe_is_compound_growth_over_the_deviation_of_compound_growth(self, market: Market) -> None:
        daily = curve_of(market).daily_returns().iloc[1:]
        growth = 1.0 + geometric_mean(daily)
        deviation = np.sqrt((daily.var() + growth**2) ** DAYS - growth ** (2 * DAYS))
        assert statistics_of(market)["Sharpe Ratio"] == pytest.approx((growth**DAYS - 1.0) / deviation, rel=1e-6)

    def test_sortino_has_compound_growth_above_our_downside_deviation(self, market: Market) -> None:
        daily = curve_of(market).daily_returns().iloc[1:]
        downside = DAYS**0.5 * np.sqrt((np.minimum(daily, 0.0) ** 2).mean())
        growth = (1.0 + geometric_mean(daily)) ** DAYS - 1.0
        assert statistics_of(market)["Sortino Ratio"] == pytest.approx(growth / downside, rel=1e-9)

    def test_profit_factor_is_of_percentages_ours_of_amounts(self, market: Market) -> None:
        trades = statistics_of(market)["_trades"]
        share = trades["ReturnPct"]
        by_share = share[share > 0].sum() / -share[share < 0].sum()
        by_amount = trades["PnL"][trades["PnL"] > 0].sum() / -trades["PnL"][trades["PnL"] < 0].sum()
        assert statistics_of(market)["Profit Factor"] == pytest.approx(by_share, rel=1e-9)
        assert ours.run(market).metrics["profit_factor"] == pytest.approx(by_amount, rel=1e-9)


def statistics_of(market: Market) -> pd.Series:
    found: pd.Series = peer_backtesting.run(peer_backtesting.prepare(market))
    return found


def geometric_mean(returns: pd.Series[float]) -> float:
    return float(np.exp(np.log1p(returns).mean()) - 1.0)

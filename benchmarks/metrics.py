"""Six figures of one equity curve: ours beside empyrical-reloaded, quantstats and plain pandas.

Return, growth rate, Sharpe, Sortino and Calmar ratio of daily returns, drawdown of the hourly curve. Growth rate and
hence Calmar ratio are defined differently (see ``docs/backtest.md``); the four others must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from algo_pipeline.backtest.metrics import DAYS_PER_YEAR, TradingFigures, compute_metrics
from algo_pipeline.common.time import epoch_ns
from algo_pipeline.common.types import FloatArray
from benchmarks import ours
from benchmarks.harness import Row, Tool, race, table, timed, unchanged
from benchmarks.rules import INITIAL_CASH
from benchmarks.session import Session, installed

_NO_TRADES = TradingFigures(np.empty(0), np.empty(0, np.int64), 0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Curve:
    """Equity at close by open time, UTC."""

    index: pd.DatetimeIndex
    equity: FloatArray

    def hourly_returns(self) -> pd.Series[float]:
        """The first is over start cash."""
        before = np.concatenate([[INITIAL_CASH], self.equity[:-1]])
        return pd.Series(self.equity / before - 1.0, self.index)

    def daily_returns(self) -> pd.Series[float]:
        """Of UTC days by open time; the first is over start cash."""
        last = pd.Series(self.equity, self.index).resample("1D").last().dropna()
        return last / last.shift(fill_value=INITIAL_CASH) - 1.0


class Figures(NamedTuple):
    """Drawdown as a positive number."""

    total_return: float
    cagr: float
    sharpe: float
    sortino: float
    calmar: float
    max_drawdown: float


Way = Callable[[Curve], Figures]


def report(session: Session) -> str:
    """The table."""
    return table("Metrics of one equity curve", rows(session))


def rows(session: Session) -> list[Row]:
    """A line per tool."""
    size = session.sizes[-1]
    tools = [Tool(name, timed(partial(_comparable, way), unchanged)) for name, way in ways()]
    return race(tools, size, partial(_curve, session, size), session.effort)


def ways() -> Iterator[tuple[str, Way]]:
    """Name and function of every way to the figures that is installed."""
    yield "algo_pipeline: all metrics of a curve", by_ours
    yield "pandas and numpy: 6 figures", by_pandas
    if installed("empyrical"):
        yield "empyrical-reloaded: 6 figures", by_empyrical
    if installed("quantstats"):
        yield "quantstats: 6 figures", by_quantstats


def by_ours(curve: Curve) -> Figures:
    """All of ``compute_metrics``, of which six are compared."""
    found = compute_metrics(epoch_ns(curve.index), curve.equity, INITIAL_CASH, _NO_TRADES)
    return Figures(*(found[name] for name in Figures._fields))


def by_pandas(curve: Curve) -> Figures:
    """As a careful user writes them."""
    daily = curve.daily_returns().to_numpy()
    total = float(curve.equity[-1] / INITIAL_CASH - 1.0)
    peak = np.maximum.accumulate(np.maximum(curve.equity, INITIAL_CASH))
    drawdown = float((1.0 - curve.equity / peak).max())
    cagr = (1.0 + total) ** (DAYS_PER_YEAR / len(daily)) - 1.0
    year = DAYS_PER_YEAR**0.5
    sharpe = float(year * daily.mean() / daily.std(ddof=1))
    sortino = float(year * daily.mean() / np.sqrt((np.minimum(daily, 0.0) ** 2).mean()))
    return Figures(total, cagr, sharpe, sortino, cagr / drawdown, drawdown)


def by_empyrical(curve: Curve) -> Figures:
    """With 365 days a year, and the drawdown of hourly returns."""
    import empyrical

    daily, hourly = curve.daily_returns(), curve.hourly_returns()
    cagr, drawdown = empyrical.annual_return(daily, annualization=DAYS_PER_YEAR), -empyrical.max_drawdown(hourly)
    return Figures(
        empyrical.cum_returns_final(daily),
        cagr,
        empyrical.sharpe_ratio(daily, annualization=DAYS_PER_YEAR),
        empyrical.sortino_ratio(daily, annualization=DAYS_PER_YEAR),
        cagr / drawdown,
        drawdown,
    )


def by_quantstats(curve: Curve) -> Figures:
    """With 365 days a year, and the drawdown of hourly returns."""
    from quantstats import stats

    daily, hourly = curve.daily_returns(), curve.hourly_returns()
    cagr, drawdown = stats.cagr(daily, periods=DAYS_PER_YEAR), -stats.max_drawdown(hourly)
    return Figures(
        stats.comp(daily),
        cagr,
        stats.sharpe(daily, periods=DAYS_PER_YEAR),
        stats.sortino(daily, periods=DAYS_PER_YEAR),
        cagr / drawdown,
        drawdown,
    )


def _comparable(way: Way, curve: Curve) -> float:
    figures = way(curve)
    return figures.total_return + figures.sharpe + figures.sortino + figures.max_drawdown


def _curve(session: Session, size: int, number: int) -> Curve:
    result = ours.run(session.source.market(size, number))
    equity = np.ascontiguousarray(result.equity.to_numpy(), dtype=np.float64)
    return Curve(pd.DatetimeIndex(result.equity.index), equity)

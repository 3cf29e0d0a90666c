"""Figures of one backtest, each with one exact definition; undefined is NaN, never a number that stands for it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.time import BAR_NS, DAY_NS
from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.strategy.risk import drawdown_from_peak

METRIC_NAMES = (
    "total_return",
    "cagr",
    "sharpe",
    "sortino",
    "calmar",
    "max_drawdown",
    "max_drawdown_bars",
    "win_rate",
    "profit_factor",
    "exposure",
    "turnover",
    "n_trades",
    "avg_holding_bars",
    "costs_paid",
    "buy_and_hold_return",
)
DAYS_PER_YEAR = 365
_YEAR_NS = 365.25 * DAY_NS


class CurveFigures(NamedTuple):
    """What one pass over the equity curve yields."""

    mean_equity: float
    max_drawdown: float
    max_drawdown_bars: int
    daily_returns: FloatArray


class TradingFigures(NamedTuple):
    """What the curve alone does not say.

    Parameters
    ----------
    trade_pnl : ndarray of shape (n_trades,)
        Net result of each closed round trip in quote currency.
    holding_bars : ndarray of shape (n_trades,)
        Bars from the entry's fill to the exit's.
    bars_held : int
        Bars at whose close something was held.
    traded_notional, costs : float
        Σ notional of all fills; Σ fees plus Σ slippage against the open.
    buy_and_hold_return : float
        Last close over first open, minus 1.
    """

    trade_pnl: FloatArray
    holding_bars: IntArray
    bars_held: int
    traded_notional: float
    costs: float
    buy_and_hold_return: float


def compute_metrics(
    open_times: IntArray, equity: FloatArray, initial_cash: float, trading: TradingFigures
) -> dict[str, float]:
    """All metrics of a run, in the order of :data:`METRIC_NAMES`.

    Parameters
    ----------
    open_times : ndarray of shape (n_bars,)
        Open times of the bars in epoch nanoseconds, ascending.
    equity : ndarray of shape (n_bars,)
        Equity at close in quote currency, positive.
    initial_cash : float
        Equity before the first bar.
    trading : TradingFigures
        Trades, costs and exposure.

    Returns
    -------
    dict
        ``total_return`` last equity / start cash − 1.
        ``cagr`` (1 + total return)^(1/years) − 1, years of 365.25 days from the first open to the last close.
        ``sharpe`` √365 · mean / sample deviation (ddof 1) of the daily returns; NaN below two days or without
        deviation. A day's return is the equity at its last bar (by open time, UTC) over that of the day before that
        has bars, the first day's over start cash; risk-free rate 0.
        ``sortino`` √365 · mean / √(mean of squared negative daily returns, over all days); NaN without a loss.
        ``calmar`` cagr / max_drawdown; NaN without a drawdown.
        ``max_drawdown`` largest 1 − equity/peak at a close; start cash is the first peak.
        ``max_drawdown_bars`` longest way in bars from a peak over a drawdown to its recovery or the last bar; the
        start counts as the bar before the first.
        ``win_rate`` share of round trips with pnl > 0; ``profit_factor`` Σ gains / Σ losses of round trips (NaN
        without a loss); ``n_trades`` closed round trips; ``avg_holding_bars`` their mean duration.
        ``exposure`` share of bars that close with a holding.
        ``turnover`` traded notional (buys and sells) per year over mean equity.
        ``costs_paid`` fees and slippage in quote currency.
        ``buy_and_hold_return`` last close / first open − 1, without costs.

    References
    ----------
    .. [1] W. F. Sharpe, "The Sharpe Ratio", J. Portfolio Management 21 (1994).
    .. [2] F. A. Sortino, R. van der Meer, "Downside Risk", J. Portfolio Management 17 (1991).
    """
    figures = curve_figures(open_times, equity, initial_cash)
    years = elapsed_years(open_times)
    total_return = equity[-1] / initial_cash - 1.0
    cagr = annual_growth(total_return, years)
    n_trades = len(trading.trade_pnl)
    n_wins, gains, losses = trade_outcomes(trading.trade_pnl)
    values: tuple[float, ...] = (
        total_return,
        cagr,
        sharpe_ratio(figures.daily_returns),
        sortino_ratio(figures.daily_returns),
        _ratio(cagr, figures.max_drawdown),
        figures.max_drawdown,
        int(figures.max_drawdown_bars),
        _ratio(n_wins, n_trades),
        _ratio(gains, losses),
        trading.bars_held / len(equity),
        trading.traded_notional / years / figures.mean_equity,
        n_trades,
        _ratio(float(trading.holding_bars.sum()), n_trades),
        trading.costs,
        trading.buy_and_hold_return,
    )
    return {
        name: value if isinstance(value, int) else float(value)
        for name, value in zip(METRIC_NAMES, values, strict=True)
    }


@compiled
def curve_figures(open_times: IntArray, equity: FloatArray, initial_cash: float) -> CurveFigures:
    """Mean, drawdown, its length and daily UTC returns in one pass; parameters as in :func:`compute_metrics`."""
    n_bars = len(equity)
    n_days = 1 + open_times[n_bars - 1] // DAY_NS - open_times[0] // DAY_NS
    daily = np.empty(min(n_days, n_bars))
    previous_close = last = peak = trough = initial_cash
    peak_bar = -1
    day = longest = t = 0
    deepest = total = 0.0
    while t < n_bars:
        day_end = (open_times[t] // DAY_NS + 1) * DAY_NS
        day_total = 0.0  # summed by days: rounding errors stay small, and no addition waits for all before it
        while t < n_bars and open_times[t] < day_end:
            last = equity[t]
            day_total += last
            if last >= peak:
                if t - peak_bar > 1:
                    longest = max(longest, t - peak_bar)
                    deepest = max(deepest, drawdown_from_peak(trough, peak))
                peak = trough = last
                peak_bar = t
            trough = min(trough, last)
            t += 1
        total += day_total
        daily[day] = last / previous_close - 1.0
        previous_close = last
        day += 1
    deepest = max(deepest, drawdown_from_peak(trough, peak))
    longest = max(longest, n_bars - 1 - peak_bar)
    return CurveFigures(total / n_bars, deepest, longest, daily[:day])


def elapsed_years(open_times: IntArray) -> float:
    """Years of 365.25 days from the first open to the last close."""
    return float((open_times[-1] - open_times[0] + BAR_NS) / _YEAR_NS)


def annual_growth(total_return: float, years: float) -> float:
    """Compound annual growth rate; NaN where it exceeds what a double can hold."""
    try:
        return math.pow(1.0 + total_return, 1.0 / years) - 1.0
    except OverflowError:
        return math.nan


@compiled
def sharpe_ratio(daily_returns: FloatArray) -> float:
    """Annualized Sharpe ratio of daily returns, shape (n_days,): √365 · mean / sample deviation (ddof 1)."""
    n_days = len(daily_returns)
    if n_days < 2:
        return math.nan
    mean = daily_returns.sum() / n_days
    squares = 0.0
    for value in daily_returns:
        squares += (value - mean) ** 2
    return _ratio(math.sqrt(DAYS_PER_YEAR) * mean, math.sqrt(squares / (n_days - 1)))


@compiled
def sortino_ratio(daily_returns: FloatArray) -> float:
    """Annualized Sortino ratio of daily returns, shape (n_days,), target 0: √365 · mean / downside deviation."""
    n_days = len(daily_returns)
    if n_days < 2:
        return math.nan
    squares = 0.0
    for value in daily_returns:
        squares += min(value, 0.0) ** 2
    return _ratio(math.sqrt(DAYS_PER_YEAR) * (daily_returns.sum() / n_days), math.sqrt(squares / n_days))


@compiled
def trade_outcomes(trade_pnl: FloatArray) -> tuple[int, float, float]:
    """Number of winners, Σ pnl of winners and Σ −pnl of losers."""
    n_wins, gains, losses = 0, 0.0, 0.0
    for pnl in trade_pnl:
        n_wins += pnl > 0.0
        gains += max(pnl, 0.0)
        losses += max(-pnl, 0.0)
    return n_wins, gains, losses


@compiled
def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0.0 else math.nan

"""Pictures of a backtest as PNG bytes, for Dagster's and MLflow's pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from algo_pipeline.backtest.report_tables import buy_and_hold_equity, gaps, monthly_returns
from algo_pipeline.common.downsampling import extreme_positions
from algo_pipeline.common.formatting import percent
from algo_pipeline.common.plotting import (
    DEPLOYED,
    GAIN,
    HOLD,
    INK,
    LOSS,
    MAX_POINTS,
    MUTED,
    PRICE,
    STRATEGY,
    legend,
    new_figure,
    percent_axis,
    plot_times,
    thousands_axis,
    time_axis,
    to_png,
)
from algo_pipeline.common.time import BAR
from algo_pipeline.common.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from algo_pipeline.backtest.engine import BacktestResult

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FULL_COLOUR = 0.10


def equity_and_drawdown(
    bars: pd.DataFrame, strategy: BacktestResult, deployed: BacktestResult | None = None, title: str = "Equity"
) -> bytes:
    """Equity of the strategy, as deployed and of buy-and-hold, with the strategy's drawdown below.

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, 5)
        The bars that were traded.
    strategy, deployed : BacktestResult
        Kill switch off, and on if given.
    title : str
        Shown above.
    """
    cash = strategy.config.initial_cash
    hold = buy_and_hold_equity(bars["close"], cash, strategy.metrics["buy_and_hold_return"])
    lines = [("buy and hold", hold, HOLD), ("strategy", strategy.equity, STRATEGY)]
    if deployed is not None:
        lines.insert(1, ("as deployed", deployed.equity, DEPLOYED))
    drawdown = -strategy.curve["drawdown"].to_numpy()
    columns: FloatArray = np.column_stack([drawdown, *(values.to_numpy() for _, values, _ in lines)])
    kept = extreme_positions(columns, MAX_POINTS)
    times = plot_times(bars.index[kept])
    figure, (upper, lower) = new_figure(title, rows=(2.6, 1.0), left=0.11)
    for number, (label, _, colour) in enumerate(lines, 1):
        upper.plot(times, columns[kept, number], color=colour, linewidth=1.1, label=label)
    lower.fill_between(times, drawdown[kept], 0.0, color=STRATEGY, alpha=0.18, linewidth=0)
    lower.plot(times, drawdown[kept], color=STRATEGY, linewidth=0.9)
    lower.set_ylabel("drawdown")
    thousands_axis(upper)
    percent_axis(lower, digits=0)
    time_axis(lower)
    legend(upper)
    return to_png(figure)


def price_with_trades(bars: pd.DataFrame, trades: pd.DataFrame | None = None, title: str = "Price") -> bytes:
    """Close with a line from each trade's entry to its exit; hours without bars are shaded.

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, 5)
        Hourly bars.
    trades : DataFrame or None
        Closed round trips as in ``BacktestResult.trades``; None draws the price alone.
    title : str
        Shown above.
    """
    index = pd.DatetimeIndex(bars.index)
    kept = extreme_positions(bars[["close"]].to_numpy(dtype=np.float64), MAX_POINTS)
    figure, (axis,) = new_figure(title, left=0.11)
    axis.plot(plot_times(index[kept]), bars["close"].to_numpy()[kept], color=PRICE, linewidth=0.9, label="close")
    _shade_gaps(axis, gaps(index))
    if trades is not None:
        won = trades["pnl"].to_numpy() > 0
        _draw_trades(axis, trades[~won], LOSS, "losing trades")
        _draw_trades(axis, trades[won], GAIN, "winning trades")
    thousands_axis(axis)
    time_axis(axis)
    legend(axis)
    return to_png(figure)


def monthly_heatmap(equity: pd.Series, initial_cash: float, title: str = "Monthly returns") -> bytes:
    """Returns by year and month as a table in colours, with the whole year's at the right."""
    from matplotlib.colors import LinearSegmentedColormap

    table = monthly_returns(equity, initial_cash)
    values = table.to_numpy(dtype=np.float64)
    figure, (axis,) = new_figure(title, left=0.075)
    colours = LinearSegmentedColormap.from_list("returns", ["#e0a093", "#ffffff", "#86c5bb"])
    axis.imshow(values, cmap=colours, vmin=-_FULL_COLOUR, vmax=_FULL_COLOUR, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        text = percent(value)
        axis.text(column, row, text, ha="center", va="center", fontsize=7.5, color=INK)
    axis.set_xticks(range(13), [*_MONTHS, "year"])
    axis.set_yticks(range(len(table)), [str(year) for year in table.index])
    axis.grid(visible=False)
    return to_png(figure)


def _draw_trades(axis: Axes, trades: pd.DataFrame, colour: str, label: str) -> None:
    """All trades as one line that is broken between them: thousands cost no more than one."""
    if trades.empty:
        return
    entry, exit_ = plot_times(pd.Index(trades["entry_time"])), plot_times(pd.Index(trades["exit_time"]))
    times = np.column_stack([entry, exit_, exit_]).ravel()
    prices = np.column_stack([trades["entry_price"], trades["exit_price"], np.full(len(trades), np.nan)]).ravel()
    axis.plot(times, prices, color=colour, linewidth=1.6, solid_capstyle="round", label=f"{len(trades):,} {label}")


def _shade_gaps(axis: Axes, holes: Iterable[tuple[pd.Timestamp, pd.Timestamp]]) -> None:
    label = "no bars"
    for first, last in holes:
        edges = plot_times(pd.DatetimeIndex([first, last + BAR]))
        axis.axvspan(edges[0], edges[1], color=MUTED, alpha=0.25, linewidth=1.0, label=label)
        label = "_"

"""Small pictures of bars and backtests, to be seen at once on Dagster's pages; the plots have the detail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from algo_pipeline.backtest.report_tables import buy_and_hold_equity, gaps
from algo_pipeline.common.formatting import day, percent, significant
from algo_pipeline.common.miniature import BLUE, GREY, ORANGE, RED, Blocks, Line, Miniature, Note
from algo_pipeline.common.time import BAR

if TYPE_CHECKING:
    from algo_pipeline.backtest.engine import BacktestResult

_MOST_GAPS = 12


def price(bars: pd.DataFrame) -> str:
    """Close over time, on a logarithmic scale; the longest gaps are marked."""
    if bars.empty:
        return Miniature("close", notes=(Note(0.0, 0.5, "no bars"),)).markdown()
    index, start = pd.DatetimeIndex(bars.index), bars.index[0]
    length = (bars.index[-1] + BAR - start) / BAR
    longest = sorted(gaps(index), key=lambda gap: gap[0] - gap[1])[:_MOST_GAPS]
    holes = [((first - start) / BAR / length, ((last - start) / BAR + 1) / length, 0.0, 1.0) for first, last in longest]
    hours = pd.date_range(start, bars.index[-1], freq=BAR)
    close = np.log(bars["close"].reindex(hours).to_numpy(dtype=np.float64))
    words = (
        Note(0.0, 0.96, day(bars.index[0])),
        Note(1.0, 0.96, day(bars.index[-1]), ends=True),
        Note(1.0, 0.13, significant(float(bars["close"].iloc[-1])), ends=True),
    )
    title = f"close, {len(bars):,} bars, {len(gaps(index))} gaps"
    return Miniature(title, (Line(close),), blocks=(Blocks(holes, RED),), notes=words).markdown()


def equity(bars: pd.DataFrame, strategy: BacktestResult) -> str:
    """Equity of the strategy (blue), of buy-and-hold (grey), and the strategy's drawdown below (orange)."""
    cash = strategy.config.initial_cash
    hold = buy_and_hold_equity(bars["close"], cash, strategy.metrics["buy_and_hold_return"]).to_numpy(np.float64) / cash
    own, drawdown = (strategy.curve[name].to_numpy(np.float64) for name in ("equity", "drawdown"))
    own = own / cash
    low, high = float(min(own.min(), hold.min())), float(max(own.max(), hold.max()))
    deepest = max(float(drawdown.max()), 1e-9)
    below = low - 0.3 * (high - low) * (0.15 + 0.85 * drawdown / deepest)
    words = (
        Note(0.0, 0.13, f"strategy {percent(strategy.metrics['total_return'], signed=True)}"),
        Note(0.0, 0.27, f"buy and hold {percent(strategy.metrics['buy_and_hold_return'], signed=True)}"),
        Note(1.0, 0.96, f"drawdown at most {percent(deepest)}", ends=True),
    )
    lines = (Line(hold, GREY), Line(below, ORANGE), Line(own, BLUE))
    return Miniature("equity of strategy and buy-and-hold, drawdown", lines, notes=words).markdown()

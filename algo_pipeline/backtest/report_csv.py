"""The backtest as CSV: ISO 8601 times in UTC, floats that read back as the very same numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from algo_pipeline.backtest.trades import TRADE_COLUMNS
from algo_pipeline.common.time import epoch_ns

if TYPE_CHECKING:
    from algo_pipeline.backtest.result import BacktestResult

CURVE_COLUMNS = ("timestamp", "equity", "cash", "quantity", "drawdown")
_SECOND_NS = 10**9


def equity_curve_csv(result: BacktestResult) -> str:
    """The account at every close, one line per bar: ``timestamp,equity,cash,quantity,drawdown``.

    ``timestamp`` is the bar's open time; money in quote currency, quantity in base currency, drawdown a fraction.
    """
    curve = result.curve
    columns = [_times(curve.index), *(_numbers(curve[name]) for name in CURVE_COLUMNS[1:])]
    return _csv(CURVE_COLUMNS, columns)


def trades_csv(result: BacktestResult) -> str:
    """The closed round trips: ``entry_time,exit_time,quantity,entry_price,exit_price,fees,pnl,return``.

    Times are the open times of the bars in which the orders were filled; ``return`` is a fraction.
    """
    trades = result.trades
    times = [_times(pd.Index(trades[name])) for name in TRADE_COLUMNS[:2]]
    return _csv(TRADE_COLUMNS, [*times, *(_numbers(trades[name]) for name in TRADE_COLUMNS[2:])])


def _csv(header: tuple[str, ...], columns: list[list[str]]) -> str:
    return "\n".join([",".join(header), *map(",".join, zip(*columns, strict=True))]) + "\n"


def _times(index: pd.Index) -> list[str]:
    seconds = epoch_ns(pd.DatetimeIndex(index)) // _SECOND_NS
    return [f"{text}Z" for text in np.datetime_as_string(seconds.astype("datetime64[s]"))]


def _numbers(values: pd.Series) -> list[str]:
    """The shortest text that reads back as the same double; empty where undefined."""
    return ["" if value != value else repr(value) for value in values.astype(np.float64).tolist()]

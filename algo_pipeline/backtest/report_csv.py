"""The backtest as CSV: ISO 8601 times in UTC, floats that read back as the very same numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from algo_pipeline.backtest.engine import BacktestResult

CURVE_COLUMNS = ("equity", "cash", "quantity", "drawdown")
TRADE_COLUMNS = ("entry_time", "exit_time", "quantity", "entry_price", "exit_price", "fees", "pnl", "return")
_ISO_UTC = "%Y-%m-%dT%H:%M:%SZ"


def equity_curve_csv(result: BacktestResult) -> str:
    """The account at every close, one line per bar: ``timestamp,equity,cash,quantity,drawdown``.

    ``timestamp`` is the bar's open time; money in quote currency, quantity in base currency.
    """
    curve = result.curve[list(CURVE_COLUMNS)]
    return str(curve.to_csv(index_label="timestamp", date_format=_ISO_UTC, lineterminator="\n"))


def trades_csv(result: BacktestResult) -> str:
    """The closed round trips: ``entry_time,exit_time,quantity,entry_price,exit_price,fees,pnl,return``.

    Times are the open times of the bars in which the orders were filled; ``return`` is a fraction.
    """
    trades: pd.DataFrame = result.trades[list(TRADE_COLUMNS)]
    return str(trades.to_csv(index=False, date_format=_ISO_UTC, lineterminator="\n"))

"""How a session's metrics are written, at the shell and on the page: as in the report, and only what it can say."""

from __future__ import annotations

from collections.abc import Mapping

from algo_pipeline.backtest.report_figures import metric_rows
from algo_pipeline.common.formatting import percent

YEARLY_FROM_HOURS = 30 * 24
"""A shorter session says nothing of a year: a good day would read as a fortune."""

_YEARLY = ("cagr", "sharpe", "sortino", "calmar", "turnover")
_CURRENCY = "USD"


def session_figures(metrics: Mapping[str, float], hours: int) -> list[tuple[str, str]]:
    """Title and text of each metric; without those per year while the session is shorter than 30 days.

    Parameters
    ----------
    metrics : mapping of str to float
        By the names of a backtest's metrics.
    hours : int
        Length of the session.
    """
    left_out = _YEARLY if hours < YEARLY_FROM_HOURS else ()
    rows = (*metric_rows(_CURRENCY), ("buy_and_hold_return", "Buy and hold", lambda x: percent(x, signed=True)))
    return [(title, show(metrics[name])) for name, title, show in rows if name in metrics and name not in left_out]


def left_out_words(hours: int) -> str:
    """Why figures of a year are not among them; empty where they are."""
    return "CAGR, Sharpe ratio and other yearly figures are told from 30 days on." if hours < YEARLY_FROM_HOURS else ""

"""How a session's metrics are written, at the shell and on the page."""

from __future__ import annotations

from collections.abc import Mapping

from algo_pipeline.common.formatting import number, percent

_RATIOS = ("sharpe", "sortino", "calmar", "profit_factor", "turnover")
_SHARES = ("total_return", "cagr", "max_drawdown", "win_rate", "exposure", "buy_and_hold_return")


def session_figures(metrics: Mapping[str, float]) -> list[tuple[str, str]]:
    """Name and value of each, in words."""
    return [(name.replace("_", " "), _figure(name, value)) for name, value in metrics.items()]


def _figure(name: str, value: float) -> str:
    if name in _SHARES:
        return percent(value, 2)
    digits = 2 if name in _RATIOS or name == "costs_paid" else 1 if name == "avg_holding_bars" else 0
    return number(value, digits)

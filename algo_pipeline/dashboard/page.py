"""The dashboard as one self-contained HTML page, made on the server."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment
from markupsafe import Markup

from algo_pipeline.backtest.page_templates import template_environment
from algo_pipeline.common.formatting import count
from algo_pipeline.common.time import BAR
from algo_pipeline.dashboard.charts import equity_chart, probability_chart, slippage_chart
from algo_pipeline.dashboard.expectation import N_STRETCHES
from algo_pipeline.dashboard.figures import session_figures
from algo_pipeline.dashboard.headlines import account_state, headlines
from algo_pipeline.dashboard.status import obstacles
from algo_pipeline.dashboard.view import ALERTS_SHOWN, FILLS_SHOWN, ChampionView, EquityView, View, newest

_BARS_LISTED, _BARS_FOLDED, _ACTED_LISTED = 6, 48, 8
_ROWS = 12


@dataclass(frozen=True, slots=True)
class _EquityRow:
    bar: pd.Timestamp
    hours: int
    session: float
    lower: float | None
    median: float | None
    upper: float | None


def render_page(view: View, max_orders_per_day: int, *, is_served: bool = True, refreshes: bool = False) -> str:
    """The page.

    Parameters
    ----------
    view : View
        What it shows; every text in it is escaped.
    max_orders_per_day : int
        Orders of a day after which no entry is sent.
    is_served : bool
        Whether a server is behind it: links to its other pages then make sense.
    refreshes : bool
        Whether it loads itself again every minute.
    """
    context = _context(view) | {"max_orders_per_day": max_orders_per_day}
    page = _environment().get_template("dashboard.html.j2")
    return page.render(context, is_served=is_served, refreshes=refreshes, style=_style(), script=_script())


@lru_cache(maxsize=1)
def content_security_policy() -> str:
    """What the page may do: show its own style, run its own script, and ask its own server."""
    style, script = _source(_style()), _source(_script())
    return (
        f"default-src 'none'; style-src {style}; script-src {script}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _context(view: View) -> dict[str, Any]:
    status, cash = view.status, float(view.status["cash"])
    decisions = list(status["decisions"])
    bars = sorted({row["bar"] for row in decisions})
    return {
        "view": view,
        "status": status,
        "state": account_state(view),
        "obstacles": obstacles(status),
        "headlines": headlines(view),
        "equity_chart": equity_chart(view.equity) if len(view.equity.times) else "",
        "equity_rows": _equity_rows(view.equity),
        "no_band": _no_band(view.champions),
        "n_stretches": N_STRETCHES,
        "figures": session_figures(status["session"]["metrics"], status["session"]["hours"]),
        "cash": cash,
        "cash_share": cash / status["equity"] if status["equity"] > 0 else None,
        "n_decided_bars": len(bars),
        "probability_charts": list(_probability_charts(decisions, view.champions)),
        "acted": newest([row for row in decisions if row["action"] != "none"], _ACTED_LISTED),
        "decisions": [row for row in reversed(decisions) if row["bar"] in bars[-_BARS_LISTED:]],
        "earlier": [row for row in reversed(decisions) if row["bar"] in bars[-_BARS_FOLDED:-_BARS_LISTED]],
        "drawdown_used": min(1.0, status["drawdown"] / status["kill_switch"]["max_drawdown"]),
        "slippage_chart": _slippage_chart(view),
        "fills": newest(view.costs.fills, FILLS_SHOWN),
        "alerts": newest(view.alerts, ALERTS_SHOWN),
        "alert_counts": _alert_counts(view),
        "age": _age,
    }


def _equity_rows(equity: EquityView) -> list[_EquityRow]:
    """About a dozen hours, evenly spread, the last one included."""
    if not len(equity.times):
        return []
    hours = np.unique(np.linspace(0, equity.n_hours, _ROWS + 1).round().astype(np.int64))
    places = np.minimum(np.searchsorted(equity.times, equity.times[0] + hours * BAR), len(equity.times) - 1)
    return [_equity_row(equity, int(place)) for place in np.unique(places)]


def _equity_row(equity: EquityView, place: int) -> _EquityRow:
    bar, band = equity.times[place], equity.band
    hours = int((bar - equity.times[0]) / BAR)
    session = float(equity.returns[place])
    if band is None:
        return _EquityRow(bar, hours, session, None, None, None)
    expected = (float(np.interp(hours, band.hours, each)) for each in (band.lower, band.median, band.upper))
    return _EquityRow(bar, hours, session, *expected)


def _no_band(champions: Sequence[ChampionView]) -> str:
    if not any(champion.trading == "on" for champion in champions):
        return "No deployed model may trade: a flat line is all that is expected."
    return "The expectation comes from the hourly returns of the models' backtests, a month of them at least."


def _probability_charts(
    decisions: Sequence[Mapping[str, Any]], champions: Sequence[ChampionView]
) -> list[tuple[str, Markup]]:
    by_symbol = [(each, [row for row in decisions if row["symbol"] == each.symbol]) for each in champions]
    return [
        (champion.symbol, probability_chart(rows, champion))
        for champion, rows in by_symbol
        if any(row["prob"] is not None for row in rows)
    ]


def _slippage_chart(view: View) -> Markup:
    costs = view.costs
    known = any(fill.slippage_bps is not None for fill in costs.fills)
    return slippage_chart(costs.fills, costs.assumed_slippage_bps) if known else Markup("")


def _alert_counts(view: View) -> str:
    told = [f"{count(n)} {severity.value}" for severity, n in view.alert_counts().items() if n]
    n = len(view.alerts)
    return f"{count(n)} alert{'s' if n != 1 else ''} since the start: {', '.join(told)}."


def _age(days: int) -> str:
    return f"{count(days)} day{'s' if days != 1 else ''} ago" if days else "today"


def _source(text: Markup) -> str:
    """How a content security policy names an inline text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@lru_cache(maxsize=1)
def _style() -> Markup:
    names = ("report.css", "dashboard.css")
    css = "".join(_environment().get_template(name).render() for name in names)
    return Markup(css)  # noqa: S704 - our own files


@lru_cache(maxsize=1)
def _script() -> Markup:
    return Markup(_environment().get_template("refresh.js").render())  # noqa: S704 - our own file


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return template_environment("algo_pipeline.dashboard", "algo_pipeline.backtest")

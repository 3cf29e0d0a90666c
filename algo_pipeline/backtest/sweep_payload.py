"""The data behind a sweep's page: every combination's figures in the order of the table, compact and JSON-able."""

from __future__ import annotations

from typing import Any

import numpy as np

from algo_pipeline.backtest.report_tables import histogram
from algo_pipeline.backtest.sweep_figures import field_texts, metric_kind, metric_title
from algo_pipeline.backtest.sweep_grid import CONDITIONS
from algo_pipeline.backtest.sweep_summary import RANKED_BY, Sweep, SweepSummary
from algo_pipeline.common.types import FloatArray

_SHOWN = ("sharpe", "total_return", "max_drawdown", "n_trades")
_BREAK_EVEN = {"sharpe": 0, "sortino": 0, "calmar": 0, "total_return": 0, "cagr": 0, "profit_factor": 1}
_DIGITS = {"percent": 4, "count": 0, "number": 3}
_BINS = 41


def map_payload(sweep: Sweep, summary: SweepSummary) -> dict[str, Any]:
    """Everything the page's map and distribution read.

    Returns
    -------
    dict
        ``fields``: those with several values, the last varying fastest; ``own`` is the place of the configured value,
        -1 if it was not swept, and ``judged`` that of a condition's judged value. ``metrics``: values in the order of
        the table, rounded, null where undefined; ``break_even`` is where gain and loss part, or null. ``best``: the
        row of the best Sharpe ratio or null. ``sharpes``: edges and counts of the judged trials' Sharpe ratios,
        ``bar`` what luck reaches and ``top`` the best.
    """
    judged = summary.judged
    metrics = dict.fromkeys((summary.metric, *_SHOWN))
    drawn = histogram(summary.trial_sharpes, _BINS)
    return {
        "fields": [_field(sweep, name, judged.conditions.get(name)) for name in sweep.plan.varied],
        "metrics": [_metric(name, sweep.rows[name].to_numpy(dtype=np.float64)) for name in metrics],
        "best": judged.best,
        "sharpes": {
            "edges": [round(edge, 4) for edge in drawn.edges.tolist()],
            "counts": drawn.counts.astype(int).tolist(),
            "bar": _finite(judged.bar, 4),
            "top": _finite(judged.sharpe, 4),
        },
    }


def _field(sweep: Sweep, name: str, judged: object) -> dict[str, Any]:
    values = sweep.plan.grid[name]
    own = getattr(sweep.plan.own, name)
    return {
        "name": name,
        "texts": field_texts(values),
        "own": values.index(own) if own in values else -1,
        "judged": values.index(judged) if name in CONDITIONS else None,
    }


def _metric(name: str, values: FloatArray) -> dict[str, Any]:
    kind = metric_kind(name)
    return {
        "title": metric_title(name),
        "kind": kind,
        "break_even": _BREAK_EVEN.get(name),
        "more_is_better": RANKED_BY.get(name, True),
        "values": [_finite(value, _DIGITS[kind]) for value in values.tolist()],
    }


def _finite(value: float, digits: int) -> float | int | None:
    if not np.isfinite(value):
        return None
    return round(value, digits) if digits else round(value)

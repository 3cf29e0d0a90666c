"""The view as plain JSON, for other programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from algo_pipeline.dashboard.expectation import Band
from algo_pipeline.dashboard.view import ALERTS_SHOWN, FILLS_SHOWN, CostsView, View, newest
from algo_pipeline.live.alerts import Alert


def view_document(view: View) -> dict[str, Any]:
    """The view as plain JSON: ``/data.json``."""
    band = view.equity.band
    return {
        "time": {"now": view.time.now, "source": view.time.source.value, "wall": view.time.wall},
        "has_started": view.has_started,
        "is_journal_whole": view.is_journal_whole,
        "status": dict(view.status),
        "equity": {
            "bars": list(view.equity.times),
            "returns": view.equity.returns.tolist(),
            "hours": view.equity.n_hours,
            "standing": view.equity.standing.value,
            "words": view.equity.words,
            "expected": None if band is None else _band_document(band),
        },
        "costs": _costs_document(view.costs),
        "alerts": [_alert_document(alert) for alert in newest(view.alerts, ALERTS_SHOWN)],
        "alert_counts": {severity.value: n for severity, n in view.alert_counts().items()},
        "champions": [asdict(champion) for champion in view.champions],
        "orders": {outcome.value: n for outcome, n in view.outcomes.items()},
        "n_decisions": view.n_decisions,
        "last_decision_at": view.last_decision_at,
        "problems": [asdict(problem) for problem in view.problems],
    }


def _band_document(band: Band) -> dict[str, Any]:
    return {
        "hours": band.hours.tolist(),
        "lower": band.lower.tolist(),
        "median": band.median.tolist(),
        "upper": band.upper.tolist(),
        "backtest_hours": band.n_backtest_hours,
    }


def _costs_document(costs: CostsView) -> dict[str, Any]:
    return {
        "assumed_slippage_bps": costs.assumed_slippage_bps,
        "assumed_fee_bps": costs.assumed_fee_bps,
        "slippage": asdict(costs.slippage),
        "fees": asdict(costs.fees),
        "fills": [asdict(fill) for fill in newest(costs.fills, FILLS_SHOWN)],
    }


def _alert_document(alert: Alert) -> dict[str, Any]:
    return {"at": alert.at, "severity": alert.severity.value, "title": alert.title, "text": alert.text}

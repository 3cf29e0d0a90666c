"""The report as one self-contained HTML page: no network, no framework, light and dark, phone to desktop."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import pandas as pd

from algo_pipeline.backtest.page_templates import page_template
from algo_pipeline.backtest.report_document import cost_figures, fold_rows
from algo_pipeline.backtest.report_evidence import evidence_rows, trial_rows
from algo_pipeline.backtest.report_figures import headlines, key_figures
from algo_pipeline.backtest.report_glossary import GLOSSARY
from algo_pipeline.backtest.report_inputs import ReportInputs
from algo_pipeline.backtest.report_payload import MAX_TRADES, chart_payload
from algo_pipeline.backtest.report_tables import buy_and_hold_equity, monthly_returns, top_drawdowns
from algo_pipeline.common import formatting
from algo_pipeline.research.report import interval_text
from algo_pipeline.strategy.catalog import shown_document, strategy_document

_SCORES = ("log_loss_skill", "brier_skill", "auc", "log_loss", "brier", "ece")
_FULL_HEAT = 0.10


def render_html(inputs: ReportInputs) -> str:
    """Render the page; every text from outside is escaped, every number comes from ``inputs``.

    Returns
    -------
    str
        A complete HTML document, below 2 MB for years of hourly bars.
    """
    page: str = page_template("report.html.j2").render(_context(inputs))
    return page


def _context(inputs: ReportInputs) -> dict[str, Any]:
    cash = inputs.config.initial_cash
    hold = buy_and_hold_equity(inputs.bars["close"], cash, inputs.strategy.metrics["buy_and_hold_return"])
    return {
        "inputs": inputs,
        "start": inputs.span[0],
        "end": inputs.span[1],
        "headlines": headlines(inputs),
        "evidence": evidence_rows(inputs.grounds),
        "luck": trial_rows(inputs.grounds),
        "figures": key_figures(inputs),
        "scores": _scores(inputs),
        "folds": list(fold_rows(inputs)),
        "months": {"Strategy": _rows(monthly_returns(inputs.strategy.equity, cash))}
        | {"Buy and hold": _rows(monthly_returns(hold, cash))},
        "drawdowns": top_drawdowns(inputs.strategy.equity, cash),
        "costs": cost_figures(inputs),
        "config": asdict(inputs.config) | _strategy(inputs),
        "glossary": GLOSSARY,
        "terms": {term.key: term for term in GLOSSARY},
        "max_trades": MAX_TRADES,
        "heat": _heat,
        "payload": chart_payload(inputs),
    }


def _strategy(inputs: ReportInputs) -> dict[str, object]:
    """Name and parameters; fixed thresholds are among the rules anyway."""
    document = shown_document(strategy_document(inputs.strategy.strategy))
    return {"strategy": document.pop("name"), **document}


def _scores(inputs: ReportInputs) -> list[tuple[str, str, str]]:
    shown = {
        "auc": formatting.number,
        "log_loss": formatting.number,
        "brier": formatting.number,
        "ece": formatting.number,
    }
    evaluation = inputs.evaluation
    rows = []
    for name in _SCORES:
        value = getattr(evaluation.oos, name)
        text = shown[name](value, 4) if name in shown else formatting.percent(value, 2)
        rows.append((name, text, interval_text(evaluation.intervals.get(name), name)))
    return rows


def _rows(table: pd.DataFrame) -> list[tuple[int, list[float]]]:
    return [(int(year), list(row)) for year, row in zip(table.index, table.to_numpy(), strict=True)]


def _heat(value: float) -> str:
    """Opacity of a month's cell: full at ±10 %."""
    return f"{min(abs(value) / _FULL_HEAT, 1.0):.2f}" if math.isfinite(value) else "0"

"""The backtest report: one set of inputs, rendered as JSON, Markdown, CSV and a self-contained HTML page."""

from __future__ import annotations

from algo_pipeline.backtest.report_csv import equity_curve_csv, trades_csv
from algo_pipeline.backtest.report_document import report_document
from algo_pipeline.backtest.report_inputs import ReportInputs
from algo_pipeline.backtest.report_markdown import render_markdown, render_summary
from algo_pipeline.backtest.report_page import render_html
from algo_pipeline.backtest.verdict import Grounds, verdict_sentence

__all__ = [
    "Grounds",
    "ReportInputs",
    "equity_curve_csv",
    "render_html",
    "render_markdown",
    "render_summary",
    "report_document",
    "trades_csv",
    "verdict_sentence",
]

"""A sweep as a CSV table, as JSON and as one self-contained HTML page: no network, light and dark, phone to desktop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from algo_pipeline.backtest.metrics import METRIC_NAMES
from algo_pipeline.backtest.page_templates import page_template
from algo_pipeline.backtest.sweep_figures import (
    COLUMNS,
    combination_text,
    field_text,
    field_texts,
    headlines,
    judgement_figures,
    metric_text,
    metric_title,
    overfitting_sentence,
)
from algo_pipeline.backtest.sweep_grid import CONDITIONS, SweepPlan
from algo_pipeline.backtest.sweep_judgement import Judgement
from algo_pipeline.backtest.sweep_payload import map_payload
from algo_pipeline.backtest.sweep_summary import Ranked, Sweep, SweepSummary
from algo_pipeline.backtest.sweep_verdict import sweep_verdict
from algo_pipeline.common.formatting import MISSING, certainty, count
from algo_pipeline.common.storage import to_json
from algo_pipeline.common.types import Symbol

MAX_CONDITIONS = 60


@dataclass(frozen=True, slots=True, eq=False)
class SweepReport:
    """What the reports of a sweep are made of.

    Parameters
    ----------
    symbol, label, source, recipe
        Of the research run whose out-of-sample probabilities were swept.
    sweep : Sweep
        What was run.
    summary : SweepSummary
        What it shows.
    """

    symbol: Symbol
    label: str
    source: str
    recipe: str
    sweep: Sweep
    summary: SweepSummary

    @property
    def is_simulated(self) -> bool:
        """Whether no market produced the bars."""
        return self.source == "simulated"

    @property
    def verdict(self) -> str:
        """The one sentence."""
        return sweep_verdict(self.summary.judged, simulated=self.is_simulated)

    @property
    def kill_switch_is_off(self) -> bool:
        """Whether drawdowns stop no combination."""
        return "max_drawdown" not in self.sweep.plan.grid


def sweep_csv(sweep: Sweep) -> str:
    """The table of ``sweep.run_sweep``; floats read back as the very same numbers, undefined is empty."""
    text: str = sweep.rows.to_csv(index=False, lineterminator="\n")
    return text


def sweep_document(report: SweepReport) -> dict[str, Any]:
    """Everything the sweep shows, as plain JSON values: undefined numbers are null.

    Returns
    -------
    dict
        ``symbol, label, source, simulated, recipe, span, grid, held, combinations, verdict, judged, by_conditions,
        metric, top``. Sharpe ratios are annualized, except in names that say ``daily``.
    """
    sweep, summary = report.sweep, report.summary
    index = sweep.bars.index
    document = {
        "symbol": str(report.symbol),
        "label": report.label,
        "source": report.source,
        "simulated": report.is_simulated,
        "recipe": report.recipe,
        "span": {"start": index[0], "end": index[-1] + pd.Timedelta(hours=1), "bars": len(index)},
        "grid": dict(sweep.plan.grid),
        "held": _held(sweep.plan),
        "combinations": sweep.plan.n_combinations,
        "verdict": report.verdict,
        "judged": _judgement_document(sweep, summary.judged),
        "by_conditions": [_judgement_document(sweep, judged) for judged in summary.by_conditions],
        "metric": summary.metric,
        "top": [{**_row_document(sweep, row.position), "n_same": row.n_same} for row in summary.top],
    }
    plain: dict[str, Any] = json.loads(to_json(document))
    return plain


def render_sweep_html(report: SweepReport) -> str:
    """Render the page; every text from outside is escaped.

    Returns
    -------
    str
        A complete HTML document, below 2 MB for 10,000 combinations.
    """
    page: str = page_template("sweep.html.j2").render(_context(report))
    return page


def condition_rows(report: SweepReport, most: int) -> list[list[str]]:
    """A row for each of the first sets of conditions.

    Returns
    -------
    list of list of str
        The conditions, then how many gained, the best Sharpe ratio, its return, the expected best, the deflated ratio.
    """
    return [_condition_row(report.sweep, judged) for judged in report.summary.by_conditions[:most]]


def _judgement_document(sweep: Sweep, judged: Judgement) -> dict[str, Any]:
    return {
        "conditions": dict(judged.conditions),
        "other_than_configured": dict(judged.other_than_configured),
        "combinations": judged.n_combinations,
        "traded": judged.n_traded,
        "gained": judged.n_gained,
        "trials": judged.n_trials,
        "best": None if judged.best is None else _row_document(sweep, judged.best),
        "sharpe": judged.sharpe,
        "expected_maximum_sharpe": judged.bar,
        "deflated_sharpe_ratio": judged.deflated,
        "deflated_sharpe_ratio_at_luck_spread": judged.deflated_at_luck_spread,
        "probabilistic_sharpe_ratio": judged.probabilistic,
        "mean_correlation": judged.mean_correlation,
        "effective_trials": judged.effective_trials,
        "deflated_sharpe_ratio_at_effective_trials": judged.deflated_at_effective_trials,
        "buy_and_hold_sharpe": judged.hold_sharpe,
        "daily_sharpe": judged.estimate.sharpe,
        "variance_of_daily_sharpes": judged.variance_of_trials,
        "days": judged.estimate.n_days,
        "skewness": judged.estimate.skewness,
        "kurtosis": judged.estimate.kurtosis,
        "days_needed": judged.days_needed,
        "probability_of_backtest_overfitting": judged.overfitting.probability,
        "overfitting": {
            "probability_of_loss": judged.overfitting.probability_of_loss,
            "degradation": judged.overfitting.degradation,
            "trials": judged.overfitting.n_configurations,
            "days": judged.overfitting.n_days,
            "blocks": judged.overfitting.n_blocks,
        },
    }


def _row_document(sweep: Sweep, position: int) -> dict[str, Any]:
    row = sweep.rows.iloc[position]
    return sweep.plan.combination(position) | {name: row[name] for name in METRIC_NAMES}


def _context(report: SweepReport) -> dict[str, Any]:
    sweep, summary = report.sweep, report.summary
    plan, judged = sweep.plan, summary.judged
    varied = [name for name in plan.varied if name not in CONDITIONS]
    columns = tuple(dict.fromkeys((summary.metric, *COLUMNS)))
    written = {name: dict(zip(values, field_texts(values), strict=True)) for name, values in plan.grid.items()}
    median = float(np.median(summary.trial_sharpes)) if len(summary.trial_sharpes) else float("nan")
    return {
        "report": report,
        "start": sweep.bars.index[0],
        "end": sweep.bars.index[-1],
        "grid": {name: list(texts.values()) for name, texts in written.items()},
        "headlines": headlines(judged, median),
        "best": ""
        if judged.best is None
        else combination_text({name: plan.combination(judged.best)[name] for name in varied}),
        "conditions": combination_text(judged.conditions),
        "overfitting": overfitting_sentence(judged),
        "by_conditions": condition_rows(report, MAX_CONDITIONS),
        "varied": varied,
        "columns": [metric_title(name) for name in columns],
        "metric": metric_title(summary.metric),
        "top": [_top_row(sweep, row, written, varied, columns) for row in summary.top],
        "some_same": any(row.n_same > 1 for row in summary.top),
        "figures": judgement_figures(judged),
        "held": {name: field_text(value) for name, value in _held(plan).items()},
        "payload": map_payload(sweep, summary),
    }


def _held(plan: SweepPlan) -> dict[str, Any]:
    return {name: value for name, value in asdict(plan.base).items() if name not in plan.grid}


def _condition_row(sweep: Sweep, judged: Judgement) -> list[str]:
    best = MISSING if judged.best is None else metric_text("total_return", sweep.rows["total_return"].iloc[judged.best])
    ratios = [metric_text("sharpe", judged.sharpe), best, metric_text("sharpe", judged.bar), certainty(judged.deflated)]
    values = [field_text(value) for value in judged.conditions.values()]
    return [*values, f"{count(judged.n_gained)} of {count(judged.n_combinations)}", *ratios]


def _top_row(
    sweep: Sweep,
    ranked: Ranked,
    written: Mapping[str, Mapping[object, str]],
    varied: list[str],
    columns: tuple[str, ...],
) -> dict[str, Any]:
    combination, row = sweep.plan.combination(ranked.position), sweep.rows.iloc[ranked.position]
    return {
        "fields": [written[name][combination[name]] for name in varied],
        "metrics": [metric_text(name, row[name]) for name in columns],
        "n_same": ranked.n_same,
    }

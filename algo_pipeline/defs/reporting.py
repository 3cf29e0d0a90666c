"""What the backtest asset writes and shows; imported when it runs, for the code location must load quickly."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from algo_pipeline.backtest.identity import identity_error
from algo_pipeline.backtest.plots import equity_and_drawdown, price_with_trades
from algo_pipeline.backtest.report import (
    ReportInputs,
    equity_curve_csv,
    render_html,
    render_markdown,
    report_document,
    trades_csv,
)
from algo_pipeline.backtest.report_assembly import assemble_report
from algo_pipeline.backtest.report_evidence import evidence_rows
from algo_pipeline.backtest.report_figures import key_figures
from algo_pipeline.backtest.verdict import trials_text
from algo_pipeline.common.storage import json_hash, to_json, write_text
from algo_pipeline.common.types import Symbol
from algo_pipeline.defs.backtesting import IDENTITY_CHECK, LEDGER_CHECK
from algo_pipeline.defs.evidence import run_grounds, run_variants_of
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.defs.stage import picture, table
from algo_pipeline.defs.trials import TRIALS_METRIC, VARIANCE_METRIC, record_trial
from algo_pipeline.registry.logged_run import REPORT_FILE
from algo_pipeline.registry.records import RegisteredVersion
from algo_pipeline.research.evaluate import Evaluation

_IDENTITY_TOLERANCE = 1e-9


def accounting_check(inputs: ReportInputs) -> dg.AssetCheckResult:
    """Whether the books balance at every bar of every backtest."""
    errors = {kind: identity_error(result, inputs.bars["close"]) for kind, result in inputs.backtests.items()}
    worst = max(errors.values())
    return dg.AssetCheckResult(
        check_name=IDENTITY_CHECK,
        passed=worst <= _IDENTITY_TOLERANCE,
        description=f"Largest error over {len(inputs.bars):,} bars, {len(errors)} runs: {worst:.1e} of start cash.",
        metadata={f"error_{kind}": error for kind, error in errors.items()},
    )


def ledger_check(inputs: ReportInputs, pipeline: Pipeline) -> dg.AssetCheckResult:
    """Whether every trial that is known of stands in the ledger, and no line of it was changed or lost."""
    trials, path = inputs.grounds.trials, pipeline.trials().path
    return dg.AssetCheckResult(
        check_name=LEDGER_CHECK,
        passed=trials.is_known,
        severity=dg.AssetCheckSeverity.WARN,
        description=trials.problem or f"{trials_text(trials)}, each recorded in {path.name}.",
        metadata={"trials": trials.n_trials, "ledger": dg.MetadataValue.path(str(path))},
    )


def report_inputs(
    context: dg.AssetExecutionContext,
    symbol: Symbol,
    pipeline: Pipeline,
    bars: pd.DataFrame,
    oos: pd.DataFrame,
    evaluation: Evaluation,
    version: RegisteredVersion,
) -> ReportInputs:
    """Run the backtests and gather what the report is made of."""
    settings, recipe, config = pipeline.settings(), pipeline.recipe(), pipeline.settings().backtest_config()
    runs = run_variants_of(pipeline, bars, oos)
    record_trial(context, pipeline, symbol, recipe, runs.strategy)
    grounds = run_grounds(pipeline, symbol, bars, oos, runs.strategy, evaluation)
    model = f"{version.model_name} version {version.version}"
    return assemble_report(symbol, settings.data_source, recipe, model, oos, evaluation, config, runs, grounds)


def report_hash(files: Mapping[str, bytes]) -> str:
    """SHA-256 of the report's content, to be kept apart from it."""
    return json_hash(json.loads(files[REPORT_FILE]))


def write_report(inputs: ReportInputs, folder: Path) -> dict[str, bytes]:
    """Write every form of the report; returns them by their path within the MLflow run."""
    texts = {
        "equity_curve.csv": equity_curve_csv(inputs.strategy),
        "trades.csv": trades_csv(inputs.strategy),
        "report.json": to_json(report_document(inputs)) + "\n",
        "report.md": render_markdown(inputs),
        "report.html": render_html(inputs),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    return {f"backtest/{name}": text.encode() for name, text in texts.items()}


def verdict_metrics(inputs: ReportInputs) -> dict[str, float]:
    """What the run in MLflow holds of the verdict's grounds: finite figures only."""
    grounds = inputs.grounds
    values: dict[str, float] = {
        "dsr": grounds.deflated,
        TRIALS_METRIC: float(grounds.trials.n_trials),
        VARIANCE_METRIC: grounds.trials.variance_of_sharpe,
        **grounds.evidence.to_document(),
    }
    for name, interval in inputs.intervals.items():
        values[f"strategy_{name}_lower"], values[f"strategy_{name}_upper"] = interval.lower, interval.upper
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}


def report_metadata(inputs: ReportInputs, folder: Path) -> dict[str, Any]:
    """Verdict, its grounds, key figures and pictures for the asset's page."""
    metrics, grounds = inputs.strategy.metrics, inputs.grounds
    latched = inputs.deployed.kill_switch_at
    evidence, figures = (
        pd.DataFrame([asdict(row) for row in rows]).drop(columns="term").set_index(key)
        for rows, key in ((evidence_rows(grounds), "question"), (key_figures(inputs), "title"))
    )
    return {
        "verdict": dg.MetadataValue.text(inputs.verdict),
        "evidence": table(evidence),
        "n_trials": grounds.trials.n_trials,
        "deflated_sharpe_ratio": grounds.deflated if math.isfinite(grounds.deflated) else "undefined",
        "total_return": metrics["total_return"],
        "buy_and_hold_return": metrics["buy_and_hold_return"],
        "n_trades": int(metrics["n_trades"]),
        "costs_paid": metrics["costs_paid"],
        "kill_switch": "never latched" if latched is None else f"latched at {latched:%Y-%m-%d %H:%M} UTC",
        "figures": table(figures),
        "report": dg.MetadataValue.path(str(folder / "report.html")),
        "equity": picture(equity_and_drawdown(inputs.bars, inputs.strategy, inputs.deployed), "equity and drawdown"),
        "trades": picture(price_with_trades(inputs.bars, inputs.strategy.trades), "price and trades"),
    }

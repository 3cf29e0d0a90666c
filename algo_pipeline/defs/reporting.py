"""What the backtest asset writes and shows; imported when it runs, for the code location must load quickly."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import dagster as dg
import pandas as pd

from algo_pipeline.backtest import miniatures
from algo_pipeline.backtest.identity import identity_error
from algo_pipeline.backtest.plots import equity_and_drawdown, price_with_trades
from algo_pipeline.backtest.report import (
    ReportInputs,
    equity_curve_csv,
    render_html,
    render_markdown,
    render_summary,
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
from algo_pipeline.defs.shown import columns, facts, glance, picture, table
from algo_pipeline.defs.trials import TRIALS_METRIC, VARIANCE_METRIC, record_trial
from algo_pipeline.registry.logged_run import REPORT_FILE
from algo_pipeline.registry.model_card import VERDICT
from algo_pipeline.registry.records import RegisteredVersion
from algo_pipeline.research.evaluate import Evaluation

_IDENTITY_TOLERANCE = 1e-9
_KEY_FIGURES = 9
_CHARTED = (
    *("total_return", "buy_and_hold_return", "sharpe", "max_drawdown", "profit_factor", "win_rate"),
    *("n_trades", "exposure", "turnover", "costs_paid"),
)
_MEANING = MappingProxyType(
    {
        "equity": "Cash and coin at the bar's close, USD.",
        "cash": "Cash at the bar's close, USD.",
        "quantity": "Coin held at the bar's close.",
        "drawdown": "Distance from the highest equity so far, as a fraction.",
    }
)


def accounting_check(inputs: ReportInputs) -> dg.AssetCheckResult:
    """Whether the books balance at every bar of every backtest."""
    errors = {kind: identity_error(result, inputs.bars["close"]) for kind, result in inputs.backtests.items()}
    worst = max(errors.values())
    return dg.AssetCheckResult(
        check_name=IDENTITY_CHECK,
        passed=worst <= _IDENTITY_TOLERANCE,
        description=f"The books of {len(errors)} backtests balance at each of {len(inputs.bars):,} bars to {worst:.1e} "
        f"of the start cash; {_IDENTITY_TOLERANCE:.0e} is tolerated.",
        metadata=facts({f"error_{kind}": error for kind, error in errors.items()}),
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


def report_sections(inputs: ReportInputs) -> dict[str, str]:
    """What the model's card gets of the report."""
    return {VERDICT: render_summary(inputs)}


def verdict_metrics(inputs: ReportInputs) -> dict[str, float]:
    """What the run in MLflow holds of the verdict's grounds: finite figures only."""
    grounds = inputs.grounds
    # The training has logged its skill already, as oos_log_loss_skill.
    tested = {name: each for name, each in grounds.evidence.to_document().items() if "log_loss_skill" not in name}
    values: dict[str, float] = {
        "dsr": grounds.deflated,
        TRIALS_METRIC: float(grounds.trials.n_trials),
        VARIANCE_METRIC: grounds.trials.variance_of_sharpe,
        **tested,
    }
    for name, interval in inputs.intervals.items():
        values[f"strategy_{name}_lower"], values[f"strategy_{name}_upper"] = interval.lower, interval.upper
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}


def report_metadata(inputs: ReportInputs, folder: Path) -> dict[str, Any]:
    """Verdict, its grounds, key figures and pictures for the asset's page."""
    grounds, latched = inputs.grounds, inputs.deployed.kill_switch_at
    evidence, figures = (
        pd.DataFrame([asdict(row) for row in rows]).drop(columns="term").set_index(key)
        for rows, key in ((evidence_rows(grounds), "question"), (key_figures(inputs), "title"))
    )
    return {
        "verdict": dg.MetadataValue.text(inputs.verdict),
        **glance(miniatures.equity(inputs.bars, inputs.strategy)),
        "equity": picture(equity_and_drawdown(inputs.bars, inputs.strategy, inputs.deployed), "equity and drawdown"),
        "trades": picture(price_with_trades(inputs.bars, inputs.strategy.trades), "price and trades"),
        "key_figures": table(figures.loc[:, ["strategy", "interval"]].head(_KEY_FIGURES)),
        "evidence": table(evidence.loc[:, ["answer", "p_value", "figure", "interval"]]),
        "figures": table(figures),
        "report": dg.MetadataValue.path(str(folder / "report.html")),
        "kill_switch": "never latched" if latched is None else f"latched at {latched:%Y-%m-%d %H:%M} UTC",
        **facts({name: _whole(name, inputs.strategy.metrics[name]) for name in _CHARTED}),
        **facts({"deflated_sharpe_ratio": grounds.deflated, "n_trials": grounds.trials.n_trials}),
        **columns(inputs.strategy.curve, _MEANING),
    }


def _whole(name: str, value: float) -> float | int:
    """Counts as such."""
    return int(value) if name == "n_trades" else value

"""What the backtest asset writes and shows; imported when it runs, for the code location must load quickly."""

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
from algo_pipeline.backtest.variants import run_variants
from algo_pipeline.backtest.verdict import verdict_sentence
from algo_pipeline.common.storage import to_json, write_text
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.ingest import find_gaps
from algo_pipeline.defs.backtesting import IDENTITY_CHECK
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.defs.stage import picture, table
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


def report_inputs(
    symbol: Symbol,
    pipeline: Pipeline,
    bars: pd.DataFrame,
    oos: pd.DataFrame,
    evaluation: Evaluation,
    version: RegisteredVersion,
) -> ReportInputs:
    """Run the backtests and gather what the report is made of."""
    settings, recipe, config = pipeline.settings(), pipeline.recipe(), pipeline.settings().backtest_config()
    runs = run_variants(bars, oos["probability"], config, strategy=pipeline.strategy(), base_rate=oos["base_rate"])
    gaps = find_gaps(runs.bars)
    missing = sum(gap.n_bars for gap in gaps)
    return ReportInputs(
        symbol=symbol,
        label=recipe.label,
        source=settings.data_source,
        recipe=recipe.describe(),
        recipe_hash=recipe.hash,
        model_version=f"{version.model_name} version {version.version}",
        bars=runs.bars,
        oos=oos,
        evaluation=evaluation,
        config=config,
        strategy=runs.strategy,
        deployed=runs.deployed,
        at_zero_cost=runs.at_zero_cost,
        verdict=verdict_sentence(
            evaluation, runs.strategy, runs.at_zero_cost, simulated=settings.data_source == "simulated"
        ),
        notes=(f"{missing} hours are missing from the bars, in {len(gaps)} gaps.",) if gaps else (),
    )


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


def report_metadata(inputs: ReportInputs, folder: Path) -> dict[str, Any]:
    """Verdict, key figures and pictures for the asset's page."""
    metrics = inputs.strategy.metrics
    latched = inputs.deployed.kill_switch_at
    rows = pd.DataFrame({kind: result.metrics for kind, result in inputs.backtests.items()}).rename_axis("metric")
    return {
        "verdict": dg.MetadataValue.text(inputs.verdict),
        "total_return": metrics["total_return"],
        "buy_and_hold_return": metrics["buy_and_hold_return"],
        "n_trades": int(metrics["n_trades"]),
        "costs_paid": metrics["costs_paid"],
        "kill_switch": "never latched" if latched is None else f"latched at {latched:%Y-%m-%d %H:%M} UTC",
        "metrics": table(rows),
        "report": dg.MetadataValue.path(str(folder / "report.html")),
        "equity": picture(equity_and_drawdown(inputs.bars, inputs.strategy, inputs.deployed), "equity and drawdown"),
        "trades": picture(price_with_trades(inputs.bars, inputs.strategy.trades), "price and trades"),
    }

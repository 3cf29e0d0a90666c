"""The backtest of the out-of-sample probabilities."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd

from algo_pipeline.defs.partitions import SYMBOLS, partition_symbol
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.defs.stage import stage
from algo_pipeline.registry.logged_run import REPORT_TAG
from algo_pipeline.registry.records import RegisteredVersion
from algo_pipeline.research.evaluate import Evaluation

IDENTITY_CHECK = "cash_holdings_and_fees_add_up_to_equity"
LEDGER_CHECK = "every_trial_stands_in_the_ledger"


@dg.asset(
    partitions_def=SYMBOLS,
    io_manager_key="frame_io_manager",
    group_name="backtesting",
    kinds={"numba", "mlflow"},
    code_version="1",
    description="Exact event-driven backtest of the out-of-sample probabilities after costs: the strategy (kill switch "
    "off), as deployed (on) and at zero cost, with its report as md, json, csv and a self-contained HTML page.",
    check_specs=[
        dg.AssetCheckSpec(
            IDENTITY_CHECK,
            asset="backtest_report",
            blocking=True,
            description="At every bar, start cash + Σ sells − Σ buys − Σ fees + quantity × close equals equity.",
        ),
        dg.AssetCheckSpec(
            LEDGER_CHECK,
            asset="backtest_report",
            description="The ledger of trials is whole, and holds as many as MLflow's runs have counted: else no edge "
            "is claimed.",
        ),
    ],
)
def backtest_report(
    context: dg.AssetExecutionContext,
    pipeline: Pipeline,
    raw_ohlcv: pd.DataFrame,
    oos_probabilities: pd.DataFrame,
    evaluation: Evaluation,
    registered_model: RegisteredVersion,
) -> Iterator[dg.Output[pd.DataFrame] | dg.AssetCheckResult]:
    """Backtest, write the report, log its figures to the training's run; its value is the strategy's curve."""
    with stage(context):
        from algo_pipeline.defs.reporting import (
            accounting_check,
            ledger_check,
            report_hash,
            report_inputs,
            report_metadata,
            report_sections,
            verdict_metrics,
            write_report,
        )

        symbol = partition_symbol(context.partition_key)
        inputs = report_inputs(context, symbol, pipeline, raw_ohlcv, oos_probabilities, evaluation, registered_model)
        folder = pipeline.settings().artifacts_dir / "backtest" / symbol.slug
        files = write_report(inputs, folder)
        tags = {"verdict": inputs.verdict, REPORT_TAG: report_hash(files)}
        sections = report_sections(inputs)
        pipeline.registry().log_results(registered_model, verdict_metrics(inputs), tags, files, sections)
        yield dg.Output(inputs.strategy.curve, metadata=report_metadata(inputs, folder))
        yield accounting_check(inputs)
        yield ledger_check(inputs, pipeline)

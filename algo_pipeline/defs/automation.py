"""When things run: the daily ingest, the weekly retraining, and the partitions that follow the settings."""

import dagster as dg

from algo_pipeline.common.config import load_settings
from algo_pipeline.common.errors import AlgoPipelineError
from algo_pipeline.defs.partitions import SYMBOLS

RESEARCH_TAG = {"algo-pipeline/research": "true"}
RESEARCH_GROUPS = ("market_data", "features", "dataset", "training", "backtesting", "promotion")

research_job = dg.define_asset_job(
    "research",
    selection=dg.AssetSelection.groups(*RESEARCH_GROUPS),
    executor_def=dg.in_process_executor,
    tags=RESEARCH_TAG,
    description="From bars to a calibrated, registered model, its backtest report and the promotion gate.",
)

ingest_job = dg.define_asset_job(
    "ingest",
    selection=dg.AssetSelection.groups("market_data"),
    executor_def=dg.in_process_executor,
    tags=RESEARCH_TAG,
    description="Fetch the bars that are new, validate them and compare them with a second source.",
)


def _requests(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
    """One run per symbol, never twice for the same tick."""
    keys = context.instance.get_dynamic_partitions(str(SYMBOLS.name))
    if not keys:
        return dg.SkipReason("No symbol is known yet: run `make run`, or set ALGO_TRADER_SYMBOLS.")
    return [
        dg.RunRequest(run_key=f"{key} {context.scheduled_execution_time:%Y-%m-%dT%H:%M}", partition_key=key)
        for key in keys
    ]


@dg.schedule(
    job=ingest_job,
    cron_schedule="20 0 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 00:20 UTC: fetch each symbol's new bars.",
)
def daily_ingest(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
    """Fetch new bars of every symbol."""
    return _requests(context)


@dg.schedule(
    job=research_job,
    cron_schedule="40 0 * * 0",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every Sunday at 00:40 UTC: retrain, evaluate, backtest and let the gate decide, for each symbol.",
)
def weekly_retrain(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
    """Retrain every symbol."""
    return _requests(context)


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Keeps a partition for each symbol in ALGO_TRADER_SYMBOLS.",
)
def configured_symbols(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Add partitions for symbols that the settings name and the instance does not know."""
    try:
        wanted = [symbol.slug for symbol in load_settings().parsed_symbols()]
    except AlgoPipelineError as error:
        return dg.SkipReason(f"The settings can't be read: {error}")
    known = set(context.instance.get_dynamic_partitions(str(SYMBOLS.name)))
    missing = [slug for slug in wanted if slug not in known]
    if not missing:
        return dg.SkipReason("Every configured symbol has its partition.")
    return dg.SensorResult(dynamic_partitions_requests=[SYMBOLS.build_add_request(missing)])

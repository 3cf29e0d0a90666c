"""Live trading as assets: the hour's decision and its order, one run for all symbols, and what a run page shows."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd

from algo_pipeline.common.config import Settings, load_settings
from algo_pipeline.common.logger import configure_logging
from algo_pipeline.common.time import to_utc
from algo_pipeline.defs.partitions import HOURS
from algo_pipeline.defs.stage import SHELL_TAG, stage

LIVE_TAG = {"algo-pipeline/live": "true"}
_RETRY_TAGS = {"dagster/max_retries": "2", "dagster/retry_on_asset_or_op_failure": "true"}
_POOL = "live_account"


@dg.multi_asset(
    name="hourly_trading",
    specs=[
        dg.AssetSpec(
            "live_decision",
            partitions_def=HOURS,
            group_name="live",
            kinds={"python"},
            code_version="1",
            description="What the champions of all symbols say about the bar that opened at the partition's hour: "
            "probability, signal, what risk made of it, and the account's equity at its close. Journalled in "
            "live/decisions.jsonl before anything is sent. A past hour is recorded as stale and trades nothing.",
        ),
        dg.AssetSpec(
            "paper_order",
            deps=["live_decision"],
            partitions_def=HOURS,
            group_name="live",
            kinds={"alpaca"},
            code_version="1",
            description="The hour's orders at Alpaca's paper account (or the sandbox) and how each ended: at most one "
            "per bar and symbol, whatever dies.",
        ),
    ],
    pool=_POOL,
)
def hourly_trading(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Decide and trade one hour; run again, it resumes what the journal holds and repeats nothing."""
    # Imported here: Numba, TA-Lib and the clients would make every load of the code location half as long again.
    from algo_pipeline.defs.live_metadata import decision_metadata, order_metadata, surroundings_if_any
    from algo_pipeline.defs.live_run_page import show_in_lists
    from algo_pipeline.defs.live_session import open_session

    settings = _settings_and_logging(context)
    with stage(context), open_session(settings) as session:
        report = session.run_hour(partition_bar(context.partition_key))
    with stage(context):
        beside = surroundings_if_any(settings, report.bar)
    yield dg.MaterializeResult(asset_key="live_decision", metadata=decision_metadata(report, beside))
    yield dg.MaterializeResult(asset_key="paper_order", metadata=order_metadata(report, beside))
    show_in_lists(context, report)


def _settings_and_logging(context: dg.AssetExecutionContext) -> Settings:
    """The settings; and a log whose every secret is masked, in whatever process the run has."""
    with stage(context):
        settings = load_settings()
    at_shell = SHELL_TAG in context.run.tags  # a shell shows the run's result instead
    configure_logging(settings.log_level, settings.artifacts_dir / "logs", settings.secret_values(), not at_shell)
    return settings


hourly_job = dg.define_asset_job(
    "hourly_decision",
    selection=dg.AssetSelection.assets("live_decision", "paper_order"),
    executor_def=dg.in_process_executor,
    # Every retry looks at the clock and the journal again, so that repeating a run is safe; an order has no retry.
    tags={**LIVE_TAG, **_RETRY_TAGS},
    description="Decide on the last closed bar of every symbol and place the paper orders that follow.",
)


def partition_bar(key: str) -> pd.Timestamp:
    """Open time of the bar that a partition key (``2026-01-31-13:00``) names."""
    day, hour = key[:10], key[11:]
    return to_utc(f"{day}T{hour}")


def partition_key(bar: pd.Timestamp) -> str:
    """Key of the bar's partition."""
    return f"{bar:%Y-%m-%d-%H:%M}"

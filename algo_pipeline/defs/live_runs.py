"""Hours decided outside of the daemon, made known to Dagster, so that no hour looks missed."""

from collections.abc import Callable, Sequence

import dagster as dg
import pandas as pd

from algo_pipeline.common.config import Settings
from algo_pipeline.common.errors import AlgoPipelineError, causes
from algo_pipeline.common.progress import tracked
from algo_pipeline.defs.instance import open_instance
from algo_pipeline.defs.live_metadata import decision_metadata, order_metadata, surroundings_if_any
from algo_pipeline.defs.partitions import HOURS
from algo_pipeline.defs.stage import SHELL_TAG
from algo_pipeline.defs.trading import LIVE_TAG, hourly_job, partition_key
from algo_pipeline.live.report import HourReport

_QUIET = {"loggers": {"progress": {"config": {"title": "live", "quiet": True}}}}


def report_hour(settings: Settings, report: HourReport) -> bool:
    """Record the hour's two assets as materialized; False where the hour is no partition."""
    key = partition_key(report.bar)
    if not HOURS.has_partition_key(key):
        return False
    beside = surroundings_if_any(settings, report.bar)
    with open_instance(settings) as instance:
        for asset, metadata in (
            ("live_decision", decision_metadata(report, beside)),
            ("paper_order", order_metadata(report, beside)),
        ):
            event = dg.AssetMaterialization(asset_key=asset, partition=key, metadata=metadata)
            instance.report_runless_asset_event(event)
    return True


def run_hours(
    definitions: dg.Definitions,
    settings: Settings,
    bars: Sequence[pd.Timestamp],
    before_each: Callable[[pd.Timestamp], object],
) -> None:
    """Materialize the live assets of each bar in a run of its own, in this process.

    Raises
    ------
    AlgoPipelineError
        As an hour of live trading raises them.
    """
    with open_instance(settings) as instance:
        job = definitions.resolve_job_def(str(hourly_job.name))
        for bar in tracked(bars, "hours"):
            before_each(bar)
            try:
                job.execute_in_process(
                    run_config=_QUIET,
                    instance=instance,
                    partition_key=partition_key(bar),
                    tags={**LIVE_TAG, SHELL_TAG: "true"},
                )
            except Exception as error:
                known = next((cause for cause in causes(error) if isinstance(cause, AlgoPipelineError)), None)
                if known is None:
                    raise
                raise known from error

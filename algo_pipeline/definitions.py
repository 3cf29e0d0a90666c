"""The Dagster code location: loads ``defs``, binds resources, and applies policy once, by mapping over specs."""

from datetime import timedelta

import dagster as dg

from algo_pipeline.defs import (
    automation,
    backtesting,
    comparison,
    dataset,
    feature_engineering,
    ingestion,
    leakage,
    live_automation,
    promotion,
    trading,
    training,
)
from algo_pipeline.defs.homes import with_home
from algo_pipeline.defs.io_managers import BarsIOManager, DocumentIOManager, EstimatorsIOManager, FrameIOManager
from algo_pipeline.defs.progress import progress_logger
from algo_pipeline.defs.resources import Pipeline

_RESEARCH_OWNER, _TRADING_OWNER = "team:research", "team:trading"
_FRESH_DAILY = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=49), warn_window=timedelta(hours=26))
_FRESH_HOURLY = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=3), warn_window=timedelta(hours=2))
_FRESH_QUARTERLY = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=180), warn_window=timedelta(days=92))
_FRESH_WEEKLY = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=15), warn_window=timedelta(days=8))


def _with_policy(spec: dg.AssetSpec) -> dg.AssetSpec:
    """Owner, freshness, tags and home of an asset, by its group and name."""
    by_group = {"market_data": _FRESH_DAILY, "live": _FRESH_HOURLY, "comparison": _FRESH_QUARTERLY}
    policy = by_group.get(str(spec.group_name), _FRESH_WEEKLY)
    owner = _TRADING_OWNER if spec.group_name == "live" else _RESEARCH_OWNER
    return with_home(spec).replace_attributes(owners=[owner], freshness_policy=policy)


def _resources() -> dict[str, object]:
    # At launch, so that a run's configuration of it reaches the IO managers that depend on it.
    pipeline = Pipeline.configure_at_launch()
    return {
        "pipeline": pipeline,
        "bars_io_manager": BarsIOManager(pipeline=pipeline),
        "frame_io_manager": FrameIOManager(pipeline=pipeline),
        "document_io_manager": DocumentIOManager(pipeline=pipeline),
        "estimators_io_manager": EstimatorsIOManager(pipeline=pipeline),
    }


def build_definitions() -> dg.Definitions:
    """Everything that the web UI, the daemon and the commands run."""
    loaded = dg.load_definitions_from_modules(
        [
            *(ingestion, feature_engineering, dataset, training, backtesting, leakage, promotion, automation),
            *(comparison, trading, live_automation),
        ],
        resources=_resources(),
        loggers={"progress": progress_logger},
        executor=dg.in_process_executor,
    )
    return loaded.permissive_map_resolved_asset_specs(func=_with_policy, selection=None)


@dg.definitions
def defs() -> dg.Definitions:
    """The entry point that Dagster looks for."""
    return build_definitions()

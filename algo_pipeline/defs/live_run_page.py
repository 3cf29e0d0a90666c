"""What is added to the page of a live run once its orders are out: nothing here may end the run."""

from collections.abc import Callable
from typing import TypeVar

import dagster as dg

from algo_pipeline.common.config import Settings
from algo_pipeline.defs.live_metadata import Surroundings, in_short, run_tags, surroundings
from algo_pipeline.live.report import HourReport

T = TypeVar("T")


def what_surrounds(context: dg.AssetExecutionContext, settings: Settings, report: HourReport) -> Surroundings | None:
    """The hours that the hour is shown beside; None, with a warning, where they can't be read."""
    return _or_warn(context, lambda: surroundings(settings, report.bar))


def show_in_lists(context: dg.AssetExecutionContext, report: HourReport) -> None:
    """Say in the run's log and in its tags what was decided and ordered."""
    _or_warn(context, lambda: _show_in_lists(context, report))


def _show_in_lists(context: dg.AssetExecutionContext, report: HourReport) -> None:
    tags = run_tags(report)
    context.log.info(in_short(report))
    if "order" in tags:
        context.log.info(tags["order"])
    context.instance.add_run_tags(context.run.run_id, tags)


def _or_warn(context: dg.AssetExecutionContext, work: Callable[[], T]) -> T | None:
    try:
        return work()
    except Exception as error:
        context.log.warning(f"The hour is done, but not all of it is shown: {error}")
        return None

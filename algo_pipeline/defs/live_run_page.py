"""What is added to the page of a live run once its orders are out: nothing here may end the run."""

import dagster as dg

from algo_pipeline.defs.live_metadata import in_short, run_tags
from algo_pipeline.live.report import HourReport


def show_in_lists(context: dg.AssetExecutionContext, report: HourReport) -> None:
    """Say in the run's log and in its tags what was decided and ordered; a warning is all that can come of it."""
    try:
        tags = run_tags(report)
        context.log.info(in_short(report))
        if "order" in tags:
            context.log.info(tags["order"])
        context.instance.add_run_tags(context.run.run_id, tags)
    except Exception as error:
        context.log.warning(f"The hour is done, but lists of runs do not tell of it: {error}")

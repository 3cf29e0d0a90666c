"""``algo-pipeline decide``: one hour of live trading, now."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click
from loguru import logger

from algo_pipeline.cli.live_summary import hour_document, print_hour
from algo_pipeline.cli.parameters import utc_time
from algo_pipeline.common.config import Settings, load_settings
from algo_pipeline.common.errors import AlgoPipelineError
from algo_pipeline.common.logger import configure_logging
from algo_pipeline.common.storage import to_json
from algo_pipeline.common.time import to_utc

if TYPE_CHECKING:
    from algo_pipeline.live.report import HourReport


@click.command()
@click.option("--at", callback=utc_time, metavar="TIME", help="Open time of the bar to decide on; default: the newest.")
@click.option("--dry-run", is_flag=True, help="Do everything up to the order: write nothing, send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable result.")
def decide(at: datetime | None, dry_run: bool, as_json: bool) -> None:
    """Decide on the last closed bar of every symbol, and place the paper orders that follow.

    \b
    Examples:
      algo-pipeline decide --dry-run
      algo-pipeline decide
      algo-pipeline decide --at 2026-01-31T13:00Z

    The same as the hourly schedule does, with the same journal (live/decisions.jsonl under the artifacts folder) and
    the same lock. Run again, it goes on with what is journalled of the hour and repeats nothing. A bar that closed
    longer ago than ALGO_TRADER_MAX_DECISION_DELAY seconds is recorded as stale and trades nothing.
    """  # noqa: D301 - click reads the escape
    settings = load_settings()
    configure_logging(settings.log_level, settings.artifacts_dir / "logs", settings.secret_values(), console=False)
    from algo_pipeline.defs.live_session import open_session

    with open_session(settings, read_only=dry_run) as session:
        report = session.run_hour(session.due_bar() if at is None else to_utc(at), dry_run=dry_run)
    if as_json:
        click.echo(to_json(hour_document(report)))
    else:
        print_hour(report)
    if not dry_run:
        _make_known(settings, report)


def _make_known(settings: Settings, report: HourReport) -> None:
    """Tell Dagster of the hour; a warning is all that can come of it, for the orders are out."""
    from algo_pipeline.defs.live_runs import report_hour

    try:
        report_hour(settings, report)
    except Exception as error:
        logger.opt(exception=error).warning("Dagster could not be told of the hour")
        words = error.message if isinstance(error, AlgoPipelineError) else (str(error).splitlines() or [repr(error)])[0]
        click.echo(f"The hour is done and journalled, but Dagster could not be told of it: {words}", err=True)

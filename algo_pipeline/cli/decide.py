"""``algo-pipeline decide``: one hour of live trading, now."""

from __future__ import annotations

from datetime import datetime

import click

from algo_pipeline.cli.live_summary import hour_document, print_hour
from algo_pipeline.cli.parameters import utc_time
from algo_pipeline.common.config import load_settings
from algo_pipeline.common.logger import configure_logging
from algo_pipeline.common.storage import to_json
from algo_pipeline.common.time import to_utc


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
    if not dry_run:
        from algo_pipeline.defs.live_runs import report_hour

        report_hour(settings, report)
    if as_json:
        click.echo(to_json(hour_document(report)))
    else:
        print_hour(report)

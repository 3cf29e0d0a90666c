"""``algo-pipeline rehearse``: a day of live trading in a sandbox, without keys."""

from __future__ import annotations

import time

import click

from algo_pipeline.cli.rehearsal_summary import print_rehearsal, rehearsal_document
from algo_pipeline.common.config import load_settings
from algo_pipeline.common.logger import configure_logging
from algo_pipeline.common.storage import to_json


@click.command()
@click.option("--hours", type=click.IntRange(1, 1000), default=24, show_default=True, help="Hours to decide on.")
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable result.")
def rehearse(hours: int, as_json: bool) -> None:
    """Trade the hours after the champions' training in a sandbox of this process: no keys, no network.

    \b
    Example: keep the last day back, then rehearse it
      algo-pipeline research --until 2024-04-17
      algo-pipeline rehearse

    Every hour is a Dagster run, as the schedule would start it, with the real Alpaca client over HTTP; its journal is
    live/decisions.jsonl under the artifacts folder, where no journal of another account may lie.
    """  # noqa: D301 - click reads the escape
    started = time.perf_counter()
    settings = load_settings()
    configure_logging(settings.log_level, settings.artifacts_dir / "logs", settings.secret_values(), console=False)
    if not as_json:
        click.echo(f"Trading {hours} hours in a sandbox …", err=True)
    from algo_pipeline.cli.live_bar import shown_progress
    from algo_pipeline.definitions import build_definitions
    from algo_pipeline.defs.rehearsal import rehearse as run

    with shown_progress(quiet=as_json):
        rehearsal = run(build_definitions(), settings, hours)
    seconds = time.perf_counter() - started
    if as_json:
        click.echo(to_json(rehearsal_document(rehearsal, seconds)))
    else:
        print_rehearsal(settings, rehearsal, seconds)

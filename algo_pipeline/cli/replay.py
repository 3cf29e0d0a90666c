"""``algo-pipeline replay``: past hours through the live path, against a sandbox."""

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
@click.option("--from", "first", required=True, callback=utc_time, metavar="TIME", help="Open time of the first bar.")
@click.option("--to", "last", required=True, callback=utc_time, metavar="TIME", help="Open time of the last bar.")
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable result.")
def replay(first: datetime, last: datetime, as_json: bool) -> None:
    """Drive the live path hour by hour against the sandbox, as fast as it can.

    \b
    Example, with a sandbox running and its environment lines exported:
      algo-pipeline replay --from 2023-01-01 --to 2023-12-31T23:00

    The virtual clock is moved to a minute after each bar's close; decisions, journal and orders are those of live
    trading. The replay must not start before what the journal holds already.
    """  # noqa: D301 - click reads the escape
    settings = load_settings()
    configure_logging(settings.log_level, settings.artifacts_dir / "logs", settings.secret_values(), console=False)
    from algo_pipeline.cli.live_bar import shown_progress
    from algo_pipeline.defs.replay import replay as drive

    start, end = to_utc(first), to_utc(last)
    with shown_progress(quiet=as_json):
        result = drive(settings, start, end)
    figures = {
        "hours": result.hours,
        "decided": result.decided,
        "orders": result.orders,
        "seconds": result.seconds,
        "ms_per_hour": result.seconds / result.hours * 1e3,
    }
    if as_json:
        click.echo(to_json({**figures, "last": hour_document(result.last)}))
        return
    print_hour(result.last)
    click.echo(
        f"{result.hours:,} hours, {result.decided:,} with a decision, {result.orders:,} orders in "
        f"{result.seconds:.1f} s ({figures['ms_per_hour']:.1f} ms an hour)."
    )

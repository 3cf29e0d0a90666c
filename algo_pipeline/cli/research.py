"""``algo-pipeline research``: the whole graph for one or more symbols."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path

import click

from algo_pipeline.cli.errors import FAILED
from algo_pipeline.cli.parameters import pairs, utc_time
from algo_pipeline.common.config import load_settings
from algo_pipeline.common.logger import configure_logging


@click.command()
@click.option("--source", type=click.Choice(["binance", "alpaca", "file", "simulated"]), help="Where bars come from.")
@click.option("--path", type=click.Path(path_type=Path), help="Your own bars (CSV or Parquet); implies --source file.")
@click.option("--symbol", "symbols", multiple=True, callback=pairs, metavar="BASE/QUOTE", help="Repeat for several.")
@click.option(
    "--until", callback=utc_time, metavar="TIME", help="Use only bars closed at or before this time (ISO 8601, UTC)."
)
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable result.")
def research(source: str | None, path: Path | None, symbols: str | None, until: datetime | None, as_json: bool) -> None:
    """Bars to features, model, calibration, registry, backtest report and promotion, for each symbol.

    \b
    Examples:
      algo-pipeline research --source simulated --symbol BTC/USD
      algo-pipeline research --source file --path BTCUSDT_1h.csv --symbol BTC/USD
      algo-pipeline research --symbol BTC/USD --symbol ETH/USD --until 2024-01-01

    Running it again fetches only what is new. Look at the results with `make ui`.
    """  # noqa: D301 - click reads the escape
    start = time.perf_counter()
    if path is not None and source is None:
        source = "file"
    if source is not None and path is not None and source != "file":
        raise click.UsageError(f"--path belongs to --source file, not to {source}.")
    if source == "file" and path is None and load_settings(data_source="simulated").data_path is None:
        raise click.UsageError("--source file needs a file: pass --path, or set ALGO_TRADER_DATA_PATH.")
    settings = load_settings(data_source=source, data_path=path, symbols=symbols)
    if settings.own_classes():
        from algo_pipeline.research.own_classes import load_own_classes

        load_own_classes(settings)
    configure_logging(settings.log_level, settings.artifacts_dir / "logs", settings.secret_values(), console=False)
    if not as_json:
        click.echo("Loading the pipeline …", err=True)

    from algo_pipeline.cli.live_bar import shown_progress
    from algo_pipeline.cli.summary import print_json, print_summary
    from algo_pipeline.definitions import build_definitions
    from algo_pipeline.defs.runs import Scope, run_research

    scope = Scope(source, path.absolute() if path else None, until.isoformat() if until else None)
    with shown_progress(quiet=as_json):
        outcomes = run_research(build_definitions(), settings, settings.parsed_symbols(), scope, quiet=as_json)
    seconds = time.perf_counter() - start
    if as_json:
        print_json(settings, outcomes, seconds)
    else:
        print_summary(settings, outcomes, seconds)
    if any(outcome.error for outcome in outcomes):
        sys.exit(FAILED)

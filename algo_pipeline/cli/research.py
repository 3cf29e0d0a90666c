"""``algo-pipeline research``: the whole graph for one or more symbols."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from algo_pipeline.cli.errors import FAILED
from algo_pipeline.common.config import load_settings
from algo_pipeline.common.errors import AlgoPipelineError
from algo_pipeline.common.logger import configure_logging
from algo_pipeline.common.time import to_utc
from algo_pipeline.common.types import Symbol


def _pairs(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> str | None:
    """The given pairs as the setting spells them, or None; refused here, for a bad argument is misuse."""
    with _as_bad_parameter(ctx, param):
        symbols = [str(Symbol.parse(text)) for part in value for text in part.split(",")]
    if len(set(symbols)) != len(symbols):
        raise click.BadParameter(f"Every symbol is expected once; found {', '.join(symbols)}.", ctx, param)
    return ",".join(symbols) or None


def _time(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    with _as_bad_parameter(ctx, param):
        return None if value is None else to_utc(value).isoformat()


@contextmanager
def _as_bad_parameter(ctx: click.Context, param: click.Parameter) -> Iterator[None]:
    try:
        yield
    except AlgoPipelineError as error:
        raise click.BadParameter(str(error), ctx, param) from error


@click.command()
@click.option("--source", type=click.Choice(["binance", "alpaca", "file", "simulated"]), help="Where bars come from.")
@click.option("--path", type=click.Path(path_type=Path), help="Your own bars (CSV or Parquet); implies --source file.")
@click.option("--symbol", "symbols", multiple=True, callback=_pairs, metavar="BASE/QUOTE", help="Repeat for several.")
@click.option(
    "--until", callback=_time, metavar="TIME", help="Use only bars closed at or before this time (ISO 8601, UTC)."
)
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable result.")
def research(source: str | None, path: Path | None, symbols: str | None, until: str | None, as_json: bool) -> None:
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
    configure_logging(settings.log_level, settings.artifacts_dir / "logs", settings.secret_values(), console=False)
    if not as_json:
        click.echo("Loading the pipeline …", err=True)

    from algo_pipeline.cli.summary import print_json, print_summary
    from algo_pipeline.definitions import build_definitions
    from algo_pipeline.defs.runs import Scope, run_research

    scope = Scope(source, path.absolute() if path else None, until)
    outcomes = run_research(build_definitions(), settings, settings.parsed_symbols(), scope, quiet=as_json)
    seconds = time.perf_counter() - start
    if as_json:
        print_json(settings, outcomes, seconds)
    else:
        print_summary(settings, outcomes, seconds)
    if any(outcome.error for outcome in outcomes):
        sys.exit(FAILED)

"""``algo-pipeline sandbox``: the local venue server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from algo_pipeline.cli.parameters import pairs, utc_time
from algo_pipeline.common.config import PREFIX, Settings, load_settings
from algo_pipeline.common.logger import configure_logging
from algo_pipeline.common.time import utc_now

if TYPE_CHECKING:
    import pandas as pd

    from algo_pipeline.sandbox.server import SandboxConfig

_DUMMY_KEY = "no-key-is-needed"  # masked as every key: a word of everyday output must not be one
_FOLDER = "artifacts/sandbox"
_LONGEST_MARKET_YEARS = 20  # of a simulated market that must reach the present


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port on 127.0.0.1; 0 takes a free one.  [default: 8900]")
@click.option(
    "--source",
    type=click.Choice(["simulated", "file", "binance", "alpaca"]),
    default="simulated",
    show_default=True,
    help="The market: simulated, a file, or the bars that research has stored from a venue.",
)
@click.option("--path", type=click.Path(path_type=Path), help="Your own bars (CSV or Parquet) for --source file.")
@click.option("--symbol", "symbols", multiple=True, callback=pairs, metavar="BASE/QUOTE", help="Repeat for several.")
@click.option("--start", callback=utc_time, metavar="TIME", help="First reading of the clock (ISO 8601, UTC).")
@click.option("--speed", type=click.FloatRange(0), default=1.0, show_default=True, help="0 holds the clock.")
@click.option(
    "--mode",
    type=click.Choice(["realistic", "parity"]),
    default="realistic",
    show_default=True,
    help="How orders fill: as on Alpaca paper, or as in a backtest.",
)
@click.option("--state", type=click.Path(path_type=Path, dir_okay=False), help="Keep account and clock in this file.")
@click.option("--seed", type=click.IntRange(0), help="Of the simulated market and of partial fills.")
@click.option("--json", "as_json", is_flag=True, help="Print where it is as one line of JSON.")
def sandbox(
    port: int | None,
    source: str,
    path: Path | None,
    symbols: str | None,
    start: pd.Timestamp | None,
    speed: float,
    mode: str,
    state: Path | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Serve a market to rehearse on: Alpaca trading and bars, Binance and CoinGecko, on 127.0.0.1 without keys.

    On simulated bars its clock is the wall clock. On recorded ones it starts 30 days before the last bar, at the
    present minute of the hour; --start and --speed change that, and --speed 0 holds the clock until it is told to
    move (docs/sandbox.md shows how, and how to make requests fail).

    \b
    Examples:
      algo-pipeline sandbox
      algo-pipeline sandbox --source binance --state artifacts/sandbox/state.json
      algo-pipeline sandbox --source file --path BTCUSDT_1h.csv --symbol BTC/USD

    It prints the settings that point the other commands to it, and runs until Ctrl-C.
    """  # noqa: D301 - click reads the escape
    if source == "file" and path is None:
        raise click.UsageError("--source file needs a file: pass --path.")
    if path is not None and source != "file":
        raise click.UsageError(f"--path belongs to --source file, not to {source}.")
    settings = load_settings(
        data_source=source, data_path=path, symbols=symbols, sandbox_port=port or None, simulated_seed=seed
    )
    configure_logging(settings.log_level, settings.artifacts_dir / "logs", settings.secret_values(), console=False)
    from algo_pipeline.sandbox.server import serve

    running = serve(_config(settings, 0 if port == 0 else settings.sandbox_port, start, speed, mode, state))
    try:
        _tell(running.url, settings, as_json)
        running.wait()
    finally:
        running.close()


def _config(
    settings: Settings, port: int, start: pd.Timestamp | None, speed: float, mode: str, state: Path | None
) -> SandboxConfig:
    from algo_pipeline.sandbox.bars import default_start, sandbox_bars
    from algo_pipeline.sandbox.server import FillMode, SandboxConfig

    now = utc_now()
    bars = sandbox_bars(settings, settings.parsed_symbols(), now)
    return SandboxConfig(
        bars,
        start=default_start(settings, bars, now) if start is None else start,
        speed=speed,
        mode=FillMode(mode),
        rules=settings.live_config(),
        seed=settings.simulated_seed,
        state_path=state,
        port=port,
    )


def environment(url: str, settings: Settings) -> dict[str, str]:
    """The settings that point the pipeline to a sandbox, in a folder of its own: its bars are not the venues'."""
    urls = ("ALPACA_TRADING_URL", "ALPACA_DATA_URL", "BINANCE_URL", "COINGECKO_URL")
    values = {
        **dict.fromkeys(urls, url),
        "ALPACA_API_KEY": _DUMMY_KEY,
        "ALPACA_SECRET_KEY": _DUMMY_KEY,
        "SYMBOLS": ",".join(settings.symbols),
        **_data_source(settings),
        "ARTIFACTS_DIR": _FOLDER,
        "MLFLOW_TRACKING_URI": f"sqlite:///{_FOLDER}/mlruns/mlflow.db",
    }
    return {f"{PREFIX}{name}": value for name, value in values.items()}


def _data_source(settings: Settings) -> dict[str, str]:
    """Recorded bars are asked of this server; simulated ones are made on the spot, and always called so."""
    if settings.data_source != "simulated":
        return {"DATA_SOURCE": "binance"}
    return {
        "DATA_SOURCE": "simulated",
        "SIMULATED_SEED": str(settings.simulated_seed),
        "SIMULATED_SIGNAL_STRENGTH": f"{settings.simulated_signal_strength:g}",
        "SIMULATED_YEARS": str(_LONGEST_MARKET_YEARS),
    }


def _tell(url: str, settings: Settings, as_json: bool) -> None:
    values = environment(url, settings)
    if as_json:
        click.echo(json.dumps({"url": url, "environment": values}))
        return
    click.echo(f"The sandbox answers at {url}: {', '.join(settings.symbols)} on {settings.data_source} bars.\n")
    click.echo("In another terminal, point the pipeline to it:\n")
    for name, value in values.items():
        click.echo(f"  export {name}={value}")
    click.echo("\nThen `algo-pipeline research` trains on its bars, and whatever trades sends its orders here.")
    click.echo(f"  curl {url}/sandbox/ledger    shows orders and fills in exact decimals")
    click.echo("  docs/sandbox.md              moves the clock and makes requests fail")
    click.echo("\nCtrl-C stops it.")

"""``algo-pipeline leaderboard``: kinds of models, labels and calibrators side by side."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

import click

from algo_pipeline.cli.errors import FAILED
from algo_pipeline.cli.parameters import pairs
from algo_pipeline.common.config import Settings

if TYPE_CHECKING:
    from rich.table import Table

    from algo_pipeline.cli.comparison_run import Compared
    from algo_pipeline.research.leaderboard import Leaderboard, LeaderboardRow


@click.command()
@click.option("--symbol", "symbols", multiple=True, callback=pairs, metavar="BASE/QUOTE", help="Repeat for several.")
@click.option("--label", "labels", multiple=True, metavar="NAME", help="Default: every binary label.")
@click.option("--model", "models", multiple=True, metavar="KIND", help="Default: every kind.")
@click.option("--calibrator", "calibrators", multiple=True, metavar="KIND", help="Default: every kind.")
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable result.")
def leaderboard(
    symbols: str | None, labels: tuple[str, ...], models: tuple[str, ...], calibrators: tuple[str, ...], as_json: bool
) -> None:
    """Train every kind of model with every calibrator for every label, and compare each with the logistic baseline.

    It works on the bars of the last research run. Candidates of a label are judged on identical folds, hour by hour;
    one is called better only if its interval, corrected for all comparisons made, says so. Every candidate is a run in
    MLflow, to be compared there, and counts as a trial. Nothing is promoted.

    \b
    Examples:
      algo-pipeline leaderboard
      algo-pipeline leaderboard --symbol BTC/USD --label direction_1h
      algo-pipeline leaderboard --model lightgbm --calibrator platt

    All of it takes minutes for each symbol; the web UI has it as the job compare_models.
    """  # noqa: D301 - click reads the escape
    start = time.perf_counter()
    if not as_json:
        click.echo("Loading the pipeline …", err=True)

    from algo_pipeline.cli.comparison_run import comparison_json, comparison_settings, run_on_last_research
    from algo_pipeline.cli.live_bar import shown_progress
    from algo_pipeline.defs.runs import Work
    from algo_pipeline.research.leaderboard import Leaderboard
    from algo_pipeline.research.leaderboard_report import leaderboard_document

    settings = comparison_settings(symbols)
    config = {"labels": list(labels), "models": list(models), "calibrators": list(calibrators)}
    work = Work("compare_models", "leaderboard", config)
    with shown_progress(quiet=as_json):
        done = run_on_last_research(settings, work, Leaderboard, quiet=as_json)
    seconds = time.perf_counter() - start
    if as_json:
        boards = [each.document and leaderboard_document(each.document) for each in done]
        click.echo(comparison_json(done, boards, "leaderboard", seconds))
    else:
        _print(settings, done, seconds)
    if any(each.outcome.error for each in done):
        sys.exit(FAILED)


def _print(settings: Settings, done: tuple[Compared[Leaderboard], ...], seconds: float) -> None:
    """A table per symbol and label, then where to look next."""
    from rich.console import Console

    from algo_pipeline.cli.comparison_run import print_failure
    from algo_pipeline.cli.next_steps import ui_command
    from algo_pipeline.research.leaderboard_report import leaderboard_summary

    console = Console(highlight=False, markup=False)
    for each in done:
        print_failure(each.outcome)
        if each.document is None:
            continue
        bars = "SIMULATED bars" if each.source == "simulated" else f"{each.source} bars"
        for label, rows in groupby(each.document.rows, key=lambda row: row.label):
            console.print(f"\n{each.symbol} {label} on {bars}, out of sample", style="bold")
            console.print(_table(rows))
        console.print(leaderboard_summary(each.document), soft_wrap=True)
    counted = "Every candidate is a run in MLflow, counted as a trial"
    console.print(f"\n{seconds:.1f} s. {counted}: {ui_command(settings)}")


def _table(rows: Iterable[LeaderboardRow]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from algo_pipeline.research.leaderboard_report import SHORT_HEADER, short_cells

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for number, title in enumerate(SHORT_HEADER):
        table.add_column(title, justify="right" if number else "left", no_wrap=number > 0)
    for row in rows:
        table.add_row(*short_cells(row))
    return table

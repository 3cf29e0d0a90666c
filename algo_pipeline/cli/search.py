"""``algo-pipeline search``: better parameters for a kind of model, judged on hours that the search never saw."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from algo_pipeline.cli.errors import FAILED
from algo_pipeline.cli.parameters import pairs

if TYPE_CHECKING:
    from algo_pipeline.cli.comparison_run import Compared
    from algo_pipeline.research.search import SearchOutcome

_MOST_TRIALS = 10_000


@click.command()
@click.option("--symbol", "symbols", multiple=True, callback=pairs, metavar="BASE/QUOTE", help="Repeat for several.")
@click.option("--model", metavar="KIND", default="", help="Default: the traded kind.")
@click.option(
    "--trials", type=click.IntRange(1, _MOST_TRIALS), default=40, show_default=True, help="Of all runs together."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another one is another search.")
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable result.")
def search(symbols: str | None, model: str, trials: int, seed: int, as_json: bool) -> None:
    """Search the parameters, the calibrator and the weights of rows for a kind of model; offer the best to copy.

    The last half of the test blocks is set aside: no trial sees it. Trials are compared on inner folds of the rows
    before, and given up early where they fall behind. The best one is then judged once on the hours set aside, against
    the traded recipe. It is offered as settings; nothing is promoted. Every trial counts, given up or not.

    \b
    Examples:
      algo-pipeline search --symbol BTC/USD
      algo-pipeline search --model lightgbm --trials 100

    Interrupt it when you like: asked again, it goes on where it ended, and ends where it would have.
    """  # noqa: D301 - click reads the escape
    start = time.perf_counter()
    if not as_json:
        click.echo("Loading the pipeline …", err=True)

    from algo_pipeline.cli.comparison_run import comparison_json, comparison_settings, run_on_last_research
    from algo_pipeline.cli.live_bar import shown_progress
    from algo_pipeline.defs.runs import Work
    from algo_pipeline.research.search import SearchOutcome
    from algo_pipeline.research.search_report import search_document

    settings = comparison_settings(symbols)
    work = Work("search", "searched_recipe", {"model": model, "trials": trials, "seed": seed})
    with shown_progress(quiet=as_json):
        done = run_on_last_research(settings, work, SearchOutcome, quiet=as_json)
    if as_json:
        documents = [each.document and search_document(each.document) for each in done]
        click.echo(comparison_json(done, documents, "search", time.perf_counter() - start))
    else:
        _print(done)
    if any(each.outcome.error for each in done):
        sys.exit(FAILED)


def _print(done: tuple[Compared[SearchOutcome], ...]) -> None:
    from rich.console import Console

    from algo_pipeline.cli.comparison_run import print_failure

    console = Console(highlight=False, markup=False, soft_wrap=True)
    for each in done:
        print_failure(each.outcome)
        if each.document is None:
            continue
        bars = " (SIMULATED bars)" if each.source == "simulated" else ""
        console.print(f"\n{each.symbol}{bars}", style="bold")
        console.print(each.document.describe())
        console.print(each.document.advice())
        for line in each.document.settings:
            console.print(f"  {line}")

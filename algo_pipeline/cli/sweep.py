"""``algo-pipeline sweep``: many configurations on the last run's out-of-sample probabilities, honestly judged."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from algo_pipeline.cli.errors import FAILED
from algo_pipeline.cli.live_bar import shown_progress
from algo_pipeline.cli.parameters import one_pair
from algo_pipeline.common.config import Settings, load_settings
from algo_pipeline.common.errors import AlgoPipelineError
from algo_pipeline.common.logger import configure_logging
from algo_pipeline.common.progress import tell
from algo_pipeline.common.types import Symbol

if TYPE_CHECKING:
    from algo_pipeline.backtest.sweep_grid import SweepPlan
    from algo_pipeline.backtest.sweep_report import SweepReport
    from algo_pipeline.cli.sweep_trials import RecordedTrials

_RANKED_BY = ("sharpe", "sortino", "calmar", "total_return", "cagr", "max_drawdown", "profit_factor", "win_rate")
_MOST_ROWS = 1_000


@click.command()
@click.option("--symbol", callback=one_pair, metavar="BASE/QUOTE", help="Default: the first configured one.")
@click.option("--set", "assignments", multiple=True, metavar="FIELD=VALUES", help="Values to try; repeat for several.")
@click.option("--top", type=click.IntRange(1, _MOST_ROWS), default=20, show_default=True, help="Rows to list.")
@click.option(
    "--metric",
    type=click.Choice(_RANKED_BY),
    default="sharpe",
    show_default=True,
    metavar="FIGURE",
    help=f"Orders the list of the best: {', '.join(_RANKED_BY)}.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of sweep.csv and sweep.html.  [default: <artifacts>/backtest/<symbol>/sweep]",
)
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable result.")
def sweep(
    symbol: Symbol | None, assignments: tuple[str, ...], top: int, metric: str, output: Path | None, as_json: bool
) -> None:
    """Backtest many configurations on the last research run of a symbol, and say what the best of them is worth.

    \b
    Values are a list or evenly spaced, for any trading rule of docs/settings.md:
      --set enter_threshold=0.52,0.55,0.6
      --set exit_threshold=0.40:0.50:11        from 0.40 to 0.50 in 11 steps

    A field with one value is held there. If none has several, thresholds, cooldown and fee are swept over a grid of
    about 1,500 combinations; fields not named keep their setting.

    It is a sweep of fixed thresholds, whatever ALGO_TRADER_STRATEGY says.

    The kill switch is off (max_drawdown=1) unless you set max_drawdown: a result that depends on the hour at which
    trading stopped says little about a rule.

    The verdict is the deflated Sharpe ratio of the best combination: whether it is better than the best of as many
    tries without any edge. Costs are no choice: combinations compete under equal ones only, the configured ones first.
    Each combination that traded is recorded as a trial, and counts in the verdict of every later research report; the
    exit code is 1 if that could not be done.

    \b
    Examples:
      algo-pipeline sweep
      algo-pipeline sweep --symbol ETH/USD --set fee_bps=10
      algo-pipeline sweep --set enter_threshold=0.5:0.7:41 --metric calmar
    """  # noqa: D301 - click reads the escape
    start = time.perf_counter()
    settings = load_settings(data_source="simulated")  # the run says where its bars came from
    configure_logging(settings.log_level, settings.artifacts_dir / "logs", settings.secret_values(), console=False)
    if settings.strategy != "thresholds":
        click.echo(f"The strategy {settings.strategy} is configured; a sweep is one of fixed thresholds.", err=True)
    plan = _plan(assignments, settings)
    report, recorded = _swept(settings, symbol or settings.parsed_symbols()[0], plan, metric, top, quiet=as_json)
    folder = output or settings.artifacts_dir / "backtest" / report.symbol.slug / "sweep"
    files = _write(report, folder)

    from algo_pipeline.cli.sweep_summary import print_sweep, print_sweep_json

    seconds = time.perf_counter() - start
    if as_json:
        print_sweep_json(report, recorded, files, seconds)
    else:
        print_sweep(report, recorded, files, seconds)
    if recorded.problem is not None:  # a search whose tries are not counted flatters every later verdict
        sys.exit(FAILED)


def _plan(assignments: tuple[str, ...], settings: Settings) -> SweepPlan:
    from algo_pipeline.backtest.sweep_grid import plan_sweep

    try:
        return plan_sweep(assignments, settings.backtest_config())
    except AlgoPipelineError as error:
        raise click.BadParameter(str(error), param_hint="--set") from error


def _swept(
    settings: Settings, symbol: Symbol, plan: SweepPlan, metric: str, top: int, quiet: bool
) -> tuple[SweepReport, RecordedTrials]:
    from algo_pipeline.backtest.sweep_report import SweepReport
    from algo_pipeline.backtest.sweep_summary import Sweep, summarize_sweep
    from algo_pipeline.cli.stored_run import last_run
    from algo_pipeline.cli.sweep_trials import record_sweep

    run = last_run(settings, symbol)
    with shown_progress(quiet):
        done = Sweep.run(run.bars, run.probability, plan, lambda n, total: tell("combinations", n, total))
        summary = summarize_sweep(done, metric, top)
    report = SweepReport(symbol, run.label, run.source, run.recipe, done, summary)
    return report, record_sweep(settings, report, run.recipe_hash)


def _write(report: SweepReport, folder: Path) -> dict[str, Path]:
    from algo_pipeline.backtest.sweep_report import render_sweep_html, sweep_csv
    from algo_pipeline.common.storage import write_text

    files = {"csv": folder / "sweep.csv", "html": folder / "sweep.html"}
    write_text(files["csv"], sweep_csv(report.sweep))
    write_text(files["html"], render_sweep_html(report))
    return files

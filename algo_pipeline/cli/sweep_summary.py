"""What a sweep shows at its end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from algo_pipeline.backtest.sweep_figures import (
    combination_text,
    field_text,
    metric_text,
    metric_title,
    overfitting_sentence,
)
from algo_pipeline.backtest.sweep_grid import CONDITIONS
from algo_pipeline.backtest.sweep_report import SweepReport, condition_rows, sweep_document
from algo_pipeline.backtest.sweep_verdict import sweep_answer
from algo_pipeline.cli.sweep_trials import RecordedTrials
from algo_pipeline.common.formatting import certainty, count, number
from algo_pipeline.common.storage import to_json

_COLUMNS = ("sharpe", "total_return", "max_drawdown", "n_trades")
_MOST_CONDITIONS = 12


def print_sweep_json(report: SweepReport, recorded: RecordedTrials, files: Mapping[str, Path], seconds: float) -> None:
    """Everything a program may want to know of the sweep, on stdout."""
    trials = recorded.to_document()
    document = {**sweep_document(report), "trials": trials, "files": dict(files), "seconds": seconds}
    click.echo(to_json(document if recorded.problem is None else {**document, "error": recorded.error_document()}))


def print_sweep(report: SweepReport, recorded: RecordedTrials, files: Mapping[str, Path], seconds: float) -> None:
    """The best combinations as a table, the verdict, and where the page is."""
    console = Console(highlight=False, markup=False)
    bars = "SIMULATED bars" if report.is_simulated else f"{report.source} bars"
    under = combination_text(report.summary.judged.conditions)
    console.print()
    title = f"{report.symbol} {report.label}, {report.recipe} on {bars}, out of sample"
    console.print(f"{title}; under {under}" if under else title, style="bold")
    if report.summary.top:
        console.print(_table(report))
    if len(report.summary.by_conditions) > 1:
        console.print(_conditions(report))
    title = f"Verdict: {sweep_answer(report.summary.judged)}"
    console.print(Panel(report.verdict, title=title, title_align="left", border_style="dim"))
    if report.summary.judged.best is not None:
        console.print(_grounds(report))
    overfitting = overfitting_sentence(report.summary.judged)
    if overfitting:
        console.print(overfitting)
    if recorded.problem is None:
        console.print(recorded.describe(report))
    kill_switch = "kill switch off" if report.kill_switch_is_off else "kill switch as swept"
    console.print(f"{count(report.sweep.plan.n_combinations)} combinations in {seconds:.1f} s, {kill_switch}.")
    console.print(f"Table: {files['csv']}", soft_wrap=True)
    console.print(f"Page:  {files['html']}", soft_wrap=True)
    if recorded.problem is not None:
        click.secho("error: ", fg="red", bold=True, nl=False, err=True)
        click.echo(recorded.describe(report), err=True)
        click.echo(f"  try: {recorded.error_document()['remedy']}", err=True)


def _table(report: SweepReport) -> Table:
    sweep, summary = report.sweep, report.summary
    fields = [name for name in sweep.plan.varied if name not in CONDITIONS]
    metrics = tuple(dict.fromkeys((summary.metric, *_COLUMNS)))
    table = _new_table("", *map(_words, fields), *map(metric_title, metrics))
    for rank, ranked in enumerate(summary.top, start=1):
        combination, row = sweep.plan.combination(ranked.position), sweep.rows.iloc[ranked.position]
        values = (field_text(combination[name]) for name in fields)
        table.add_row(str(rank), *values, *(metric_text(name, row[name]) for name in metrics))
    return table


def _grounds(report: SweepReport) -> Table:
    """What the verdict rests on, below each other to be compared."""
    judged = report.summary.judged
    tries = "by the best of as many tries without an edge" if judged.n_trials > 1 else "with a single try"
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    table.add_row("Sharpe ratio of the best", number(judged.sharpe), "a year, after costs")
    table.add_row("  luck alone reaches", number(judged.bar), tries)
    table.add_row("  holding the coin has", number(judged.hold_sharpe), "on the same days")
    table.add_row("Deflated Sharpe ratio", certainty(judged.deflated), "evidence from 0.95 on")
    return table


def _conditions(report: SweepReport) -> Table:
    fields = map(_words, report.summary.judged.conditions)
    table = _new_table(*fields, "gained", "best Sharpe ratio", "its return", "expected best", "deflated")
    for row in condition_rows(report, _MOST_CONDITIONS):
        table.add_row(*row)
    return table


def _new_table(*titles: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for title in titles:
        table.add_column(title, justify="right")
    return table


def _words(field: str) -> str:
    """A field's name that may be broken over lines."""
    return field.replace("_", " ")

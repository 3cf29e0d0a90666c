"""What a research run shows at its end, read from the documents it wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from algo_pipeline.cli.next_steps import file_link, is_demo, ui_command
from algo_pipeline.common.config import Settings
from algo_pipeline.common.formatting import certainty, count, fine_percent, number, percent
from algo_pipeline.common.storage import read_json, to_json
from algo_pipeline.defs.runs import RunOutcome, peak_memory_mb
from algo_pipeline.registry.ledger import PromotionLedger

_TRADES: Mapping[str, str] = MappingProxyType({"on": "yes", "flat": "no, flat"})


def print_json(settings: Settings, outcomes: tuple[RunOutcome, ...], seconds: float) -> None:
    """Everything a program may want to know of the run, on stdout."""
    symbols = [_facts(settings, outcome) for outcome in outcomes]
    document: dict[str, Any] = {"symbols": symbols, "seconds": seconds, "peak_memory_mb": peak_memory_mb()}
    failed = next((item["error"] for item in symbols if "error" in item), None)
    click.echo(to_json(document if failed is None else {**document, "error": failed}))


def print_summary(settings: Settings, outcomes: tuple[RunOutcome, ...], seconds: float) -> None:
    """A table and a verdict per symbol, then where to look next."""
    console = Console(highlight=False, markup=False)
    done = [_facts(settings, outcome) for outcome in outcomes if outcome.error is None]
    console.print()
    if done:
        console.print(_title(settings), style="bold")
        console.print(_table(done))
    for facts in done:
        console.print(_verdict(facts))
    for outcome in outcomes:
        if outcome.error is not None:
            _print_failure(outcome)
    console.print(
        f"{count(len(done))} of {len(outcomes)} symbols in {seconds:.1f} s, {peak_memory_mb():,.0f} MB at peak."
    )
    if done:
        _print_next(console, settings, done)


def _facts(settings: Settings, outcome: RunOutcome) -> dict[str, Any]:
    facts: dict[str, Any] = {"symbol": str(outcome.symbol), "run_id": outcome.run_id, "seconds": outcome.seconds}
    if outcome.error is not None:
        error = outcome.error
        return {**facts, "error": {"code": error.code, "message": error.message, "remedy": error.remedy}}
    folder = settings.artifacts_dir
    gate = [line for line in PromotionLedger(folder).lines() if line["symbol"] == str(outcome.symbol)][-1]
    return {
        **facts,
        "evaluation": read_json(folder / "reports" / outcome.symbol.slug / "metrics.json"),
        "backtest": read_json(folder / "backtest" / outcome.symbol.slug / "report.json"),
        "gate": {name: gate[name] for name in ("passed", "policy", "trading", "to_version", "reason")},
        "report": str(folder / "backtest" / outcome.symbol.slug / "report.html"),
    }


def _title(settings: Settings) -> str:
    from algo_pipeline.data.label_name import label_name

    bars = "SIMULATED bars" if settings.data_source == "simulated" else f"{settings.data_source} bars"
    return f"{label_name(settings.label)}, {settings.model}+{settings.calibrator} on {bars}, out of sample"


def _table(done: list[dict[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for facts in done:
        table.add_column(facts["symbol"], justify="right")
    for name, cells in _rows(done):
        table.add_row(name, *cells)
    return table


def _rows(done: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    scores = [facts["evaluation"]["oos"] for facts in done]
    intervals = [facts["evaluation"]["intervals"]["log_loss_skill"] for facts in done]
    metrics = [facts["backtest"]["metrics"] for facts in done]
    strategy = [item["strategy"] for item in metrics]
    bounds = [facts["backtest"]["intervals"] for facts in done]
    evidence = [facts["backtest"]["evidence"] for facts in done]
    trials = [facts["backtest"]["trials"] for facts in done]
    return [
        ("hours evaluated", [count(score["n"]) for score in scores]),
        ("AUC", [number(score["auc"], 4) for score in scores]),
        ("log-loss skill", [fine_percent(score["log_loss_skill"]) for score in scores]),
        _interval_row(intervals, fine_percent),
        ("calibration error (ECE)", [number(score["ece"], 4) for score in scores]),
        ("strategy after costs", [percent(item["total_return"]) for item in strategy]),
        ("  at zero cost", [percent(item["at_zero_cost"]["total_return"]) for item in metrics]),
        ("  with the kill switch", [percent(item["deployed"]["total_return"]) for item in metrics]),
        ("buy and hold", [percent(item["buy_and_hold_return"]) for item in strategy]),
        ("Sharpe ratio after costs", [number(item["sharpe"]) for item in strategy]),
        _interval_row([each["sharpe"] for each in bounds], number),
        ("maximum drawdown", [percent(item["max_drawdown"]) for item in strategy]),
        _interval_row([each["max_drawdown"] for each in bounds], percent),
        ("profit factor", [number(item["profit_factor"]) for item in strategy]),
        _interval_row([each["profit_factor"] for each in bounds], number),
        ("p-value: predictive skill", [number(each["skill_p_value"], 3) for each in evidence]),
        ("  edge at zero cost", [number(each["zero_cost_edge_p_value"], 3) for each in evidence]),
        ("  edge after costs", [number(each["after_cost_edge_p_value"], 3) for each in evidence]),
        ("deflated Sharpe ratio", [certainty(each["deflated_sharpe_ratio"]) for each in trials]),
        ("  over trials", [count(each["n_trials"]) for each in trials]),
        ("round trips", [count(item["n_trades"]) for item in strategy]),
        ("costs paid, of start cash", [percent(facts["backtest"]["costs"]["share_of_initial_cash"]) for facts in done]),
        ("registered model", [f"version {facts['evaluation']['model'].rsplit(' ', 1)[-1]}" for facts in done]),
        ("may trade", [_TRADES.get(facts["gate"]["trading"], "as before") for facts in done]),
    ]


def _interval_row(
    intervals: list[dict[str, float | None]], show: Callable[[float | None], str]
) -> tuple[str, list[str]]:
    """Both bounds, ``–`` where one is undefined or, as an upper bound may be, infinite."""
    return "  95 % interval", [_span(show(each["lower"]), show(each["upper"])) for each in intervals]


def _span(lower: str, upper: str) -> str:
    return lower if lower == upper == "–" else f"{lower} to {upper}"


def _verdict(facts: dict[str, Any]) -> Panel:
    gate = facts["gate"]
    text = f"{facts['backtest']['verdict']}\n\nGate ({gate['policy']}): {gate['reason']}"
    return Panel(text, title=facts["symbol"], title_align="left", border_style="dim")


def _print_failure(outcome: RunOutcome) -> None:
    error = outcome.error
    if error is None:
        return
    click.secho(f"error: {outcome.symbol}: ", fg="red", bold=True, nl=False, err=True)
    click.echo(error.message, err=True)
    if error.remedy:
        click.echo(f"  try: {error.remedy}", err=True)


def _print_next(console: Console, settings: Settings, done: list[dict[str, Any]]) -> None:
    """Links that a terminal opens, and what to type."""
    for facts in done:
        console.print(f"Report of {facts['symbol']}: {file_link(Path(facts['report']))}", soft_wrap=True)
    if not is_demo(settings):  # the demo goes on with a day of trading, and then says what is next
        console.print(f"Look inside (asset graph, models): {ui_command(settings)}")

"""What a rehearsal shows at its end: the day's orders, and what became of the account."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from algo_pipeline.cli.next_steps import file_link, in_shell, ui_command
from algo_pipeline.common.config import Settings
from algo_pipeline.common.formatting import count, number, percent
from algo_pipeline.defs.rehearsal import Rehearsal
from algo_pipeline.live.events import Event
from algo_pipeline.live.lines import JournalLine


def rehearsal_document(rehearsal: Rehearsal, seconds: float) -> dict[str, Any]:
    """The rehearsal as plain JSON."""
    return {
        "first_bar": rehearsal.first,
        "last_bar": rehearsal.last,
        "decisions": len(_lines(rehearsal, Event.DECISION)),
        "orders": [{"order_id": line.order_id, **line.details} for line in _lines(rehearsal, Event.RESULT)],
        "equity": _marks(rehearsal)[-1].details["equity"],
        "seconds": seconds,
    }


def print_rehearsal(settings: Settings, rehearsal: Rehearsal, seconds: float) -> None:
    """A table of the orders, a line on the account, and where to look."""
    console = Console(highlight=False, markup=False)
    marks, results = _marks(rehearsal), _lines(rehearsal, Event.RESULT)
    console.print()
    console.print(f"Live in the sandbox, {rehearsal.first:%Y-%m-%d %H:%M} to {rehearsal.last:%H:%M} UTC", style="bold")
    if results:
        console.print(_orders(results))
    start, end = (float(marks[place].details["equity"]) for place in (0, -1))
    console.print(
        f"{count(len(marks))} hours decided, {count(len(results))} orders, each sent once; equity {number(start, 2)} "
        f"to {number(end, 2)} USD ({percent(end / start - 1, 2)}) in {seconds:.1f} s.",
        soft_wrap=True,
    )
    console.print(f"Journal: {settings.artifacts_dir / 'live' / 'decisions.jsonl'}", soft_wrap=True)
    _print_next(console, settings, rehearsal)


def _print_next(console: Console, settings: Settings, rehearsal: Rehearsal) -> None:
    """What to type or to open next, ready to be copied."""
    symbol, hour = rehearsal.lines[-1].symbol or settings.parsed_symbols()[0], rehearsal.first
    results = _lines(rehearsal, Event.RESULT)
    if results:
        symbol, hour = results[0].symbol or symbol, results[0].timestamp
    explain = in_shell(f"algo-pipeline explain {hour:%Y-%m-%dT%H:%M} --symbol {symbol}", settings)
    report = settings.artifacts_dir / "backtest" / settings.parsed_symbols()[0].slug / "report.html"
    console.print("\nNext", style="bold")
    console.print(f"  {ui_command(settings)}", style="cyan")
    console.print("      the asset graph, the models, and the live account as web pages")
    if report.exists():
        console.print(f"  {file_link(report)}", style="cyan", soft_wrap=True)
        console.print("      the backtest's report")
    console.print(f"  {explain}", style="cyan", soft_wrap=True)
    console.print("      why this hour was decided as it was, from its bars to its fill")


def _orders(results: list[JournalLine]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("bar", "symbol", "side", "quantity", "price", "outcome"):
        table.add_column(name, justify="right" if name in ("quantity", "price") else "left")
    for line in results:
        price = line.details["average_price"]
        table.add_row(
            f"{line.timestamp:%m-%d %H:%M}",
            str(line.symbol),
            str(line.details["side"]),
            str(line.details["filled_quantity"]),
            "–" if price is None else number(float(price), 2),
            str(line.details["outcome"]),
        )
    return table


def _lines(rehearsal: Rehearsal, event: Event) -> list[JournalLine]:
    return [line for line in rehearsal.lines if line.event is event]


def _marks(rehearsal: Rehearsal) -> list[JournalLine]:
    return _lines(rehearsal, Event.MARK)

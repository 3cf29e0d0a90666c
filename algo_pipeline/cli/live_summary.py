"""How an hour of live trading is shown at the shell, to people and to programs."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from algo_pipeline.common.formatting import number, percent
from algo_pipeline.live.orders import Settlement
from algo_pipeline.live.report import HourReport


def hour_document(report: HourReport) -> dict[str, Any]:
    """Everything about the hour as plain JSON; amounts of coin and cash as decimal strings."""
    return {
        "bar": report.bar.isoformat(),
        "dry_run": report.dry_run,
        "skipped": report.skipped,
        "decisions": [
            {
                "symbol": str(each.symbol),
                "signal": each.signal,
                "prob": each.prob,
                "action": each.action,
                **{name: each.details[name] for name in ("quantity", "close", "reason", "verdicts")},
            }
            for each in report.decisions
        ],
        "orders": [order_document(each) for each in report.orders],
        "equity": report.equity,
        "peak": report.peak,
        "drawdown": report.drawdown,
        "cash": str(report.cash),
        "holdings": {str(symbol): str(quantity) for symbol, quantity in report.holdings.items()},
        "delay_s": report.delay_s,
        "missed_hours": report.missed_hours,
        "resumed": report.was_resumed,
        "killed_at": report.killed_at,
        "halted": report.halted,
        "stopped": report.stopped,
        "alerts": [{"severity": each.severity.value, "title": each.title, "text": each.text} for each in report.alerts],
    }


def order_document(order: Settlement) -> dict[str, Any]:
    """One order and how it ended."""
    return {
        "order_id": order.intent.order_id,
        "symbol": str(order.intent.symbol),
        "side": order.intent.side.value,
        "quantity": str(order.intent.quantity),
        "outcome": order.outcome.value,
        "filled": str(order.filled),
        "average_price": None if order.average_price is None else str(order.average_price),
        "note": order.note,
    }


def print_hour(report: HourReport) -> None:
    """A line on the account, a row per symbol, a row per order, and what a person should know."""
    console = Console(highlight=False, markup=False)
    tried = " (dry run: nothing written, nothing sent)" if report.dry_run else ""
    console.print(f"Bar {report.bar:%Y-%m-%d %H:%M} UTC{tried}", style="bold")
    if report.skipped is not None:
        console.print(f"Nothing was decided: {report.skipped}.")
    if report.decisions:
        console.print(_decisions(report))
    if report.orders:
        console.print(order_table(report.orders))
    if report.peak > 0:
        drawdown = f"drawdown {percent(report.drawdown, 2)} from {number(report.peak, 2)}"
        console.print(f"Equity {number(report.equity, 2)} USD, {drawdown}.")
    for each in report.alerts:
        console.print(f"{each.severity.value}: {each.title}. {each.text}", soft_wrap=True)


def _decisions(report: HourReport) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("symbol", "probability", "signal", "action", "quantity", "why"):
        table.add_column(name, justify="right" if name in ("probability", "quantity") else "left")
    for each in report.decisions:
        probability = "–" if each.prob is None else f"{each.prob:.4f}"
        table.add_row(
            str(each.symbol),
            probability,
            each.signal,
            each.action,
            str(each.details["quantity"]),
            str(each.details["reason"]),
        )
    return table


def order_table(orders: tuple[Settlement, ...]) -> Table:
    """A row per order and how it ended."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("order", "side", "quantity", "filled", "price", "outcome"):
        table.add_column(name)
    for each in orders:
        price = "–" if each.average_price is None else number(float(each.average_price), 2)
        intent = each.intent
        table.add_row(
            intent.order_id, intent.side.value, str(intent.quantity), str(each.filled), price, each.outcome.value
        )
    return table

"""What the run page shows of an hour of live trading: the decision and the order at a glance."""

from collections.abc import Mapping

import dagster as dg
import pandas as pd

from algo_pipeline.defs.stage import table
from algo_pipeline.live.orders import Settlement
from algo_pipeline.live.report import HourReport
from algo_pipeline.live.state import DecisionRecord

Metadata = Mapping[str, dg.MetadataValue]


def decision_metadata(report: HourReport) -> Metadata:
    """The account at the bar's close and a row per symbol."""
    shown: dict[str, dg.MetadataValue] = {"in short": dg.MetadataValue.text(in_short(report))}
    if report.decisions:
        shown["decisions"] = table(pd.DataFrame([_decision_row(each) for each in report.decisions]).set_index("symbol"))
    return shown | {
        "equity_usd": dg.MetadataValue.float(report.equity),
        "drawdown": dg.MetadataValue.float(report.drawdown),
        "delay_s": dg.MetadataValue.float(report.delay_s),
        "missed_hours": dg.MetadataValue.int(report.missed_hours),
        "alerts": dg.MetadataValue.int(len(report.alerts)),
    }


def order_metadata(report: HourReport) -> Metadata:
    """A row per order that was taken to its outcome."""
    orders = report.orders
    shown: dict[str, dg.MetadataValue] = {"orders": dg.MetadataValue.int(len(orders))}
    if orders:
        shown["outcomes"] = table(pd.DataFrame([_order_row(each) for each in orders]).set_index("symbol"))
    return shown


def in_short(report: HourReport) -> str:
    """One line: what was decided and done, or why nothing was."""
    if report.skipped is not None:
        return f"nothing decided: {report.skipped}"
    words = [f"{each.symbol} {each.signal}, {each.details['reason']}" for each in report.decisions]
    done = [f"{each.intent.side.value} {each.intent.symbol} {each.outcome.value}" for each in report.orders]
    return "; ".join([*words, *done]) or "nothing to decide"


def _decision_row(decision: DecisionRecord) -> dict[str, object]:
    probability = "–" if decision.prob is None else f"{decision.prob:.4f}"
    details = decision.details
    return {
        "symbol": str(decision.symbol),
        "probability": probability,
        "signal": decision.signal,
        "action": decision.action,
        "quantity": details["quantity"],
        "close": details["close"],
        "reason": details["reason"],
    }


def _order_row(order: Settlement) -> dict[str, object]:
    return {
        "symbol": str(order.intent.symbol),
        "side": order.intent.side.value,
        "quantity": str(order.intent.quantity),
        "filled": str(order.filled),
        "price": "–" if order.average_price is None else str(order.average_price),
        "outcome": order.outcome.value,
        "id": order.intent.order_id,
        "note": order.note,
    }

"""What the run page shows of an hour of live trading: the decision and the order at a glance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
import pandas as pd
from loguru import logger

from algo_pipeline.common.config import Settings
from algo_pipeline.common.formatting import number, significant
from algo_pipeline.common.types import Side
from algo_pipeline.defs.shown import facts, glance, table
from algo_pipeline.live.costs import FillCost, fill_costs
from algo_pipeline.live.journal import Journal
from algo_pipeline.live.miniatures import decision_strip, slippage
from algo_pipeline.live.monitoring import session_figures
from algo_pipeline.live.orders import Settlement
from algo_pipeline.live.recent_lines import recent_lines
from algo_pipeline.live.report import HourReport
from algo_pipeline.live.state import DecisionRecord

Metadata = Mapping[str, dg.MetadataValue]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an hour is shown beside: pictures of the last hours, its own included.

    Parameters
    ----------
    decisions, slippage : str
        Small pictures in Markdown.
    costs : sequence of FillCost
        Of the last fills.
    """

    decisions: str
    slippage: str
    costs: Sequence[FillCost]


def surroundings(settings: Settings, bar: pd.Timestamp) -> Surroundings:
    """Read the end of the journal and draw it; errors as of ``recent_lines``."""
    lines = recent_lines(Journal(settings.artifacts_dir / "live"))
    costs = fill_costs(session_figures(lines).fills)
    return Surroundings(decision_strip(lines, bar), slippage(costs, settings.slippage_bps), costs)


def surroundings_if_any(settings: Settings, bar: pd.Timestamp) -> Surroundings | None:
    """The same; None, with a warning, whatever goes wrong: the orders are out, and no picture may end the run."""
    try:
        return surroundings(settings, bar)
    except Exception as error:
        logger.warning("The hour is done, but its pictures could not be drawn: {}", error)
        return None


def decision_metadata(report: HourReport, beside: Surroundings | None = None) -> Metadata:
    """The account at the bar's close and a row per symbol; the strip of the last hours if these are given."""
    shown: dict[str, dg.MetadataValue] = {"in short": dg.MetadataValue.text(in_short(report))}
    if beside is not None:
        shown |= glance(beside.decisions)
    if report.decisions:
        shown["decisions"] = table(pd.DataFrame([_decision_row(each) for each in report.decisions]).set_index("symbol"))
    shown |= facts({f"probability {each.symbol}": each.prob for each in report.decisions if each.prob is not None})
    return shown | {
        "equity_usd": dg.MetadataValue.float(round(report.equity, 2)),
        **facts({"drawdown": report.drawdown, "delay_s": round(report.delay_s, 2)}),
        **facts({"missed_hours": report.missed_hours, "alerts": len(report.alerts)}),
    }


def order_metadata(report: HourReport, beside: Surroundings | None = None) -> Metadata:
    """A row per order that was taken to its outcome; the slippage of the last fills if the journal's end is given."""
    orders = report.orders
    shown = glance(beside.slippage) if beside is not None else {}
    shown |= facts({"orders": len(orders), "traded_usd": round(sum(map(_notional, orders)), 2)})
    if orders:
        shown["outcomes"] = table(pd.DataFrame([_order_row(each) for each in orders]).set_index("symbol"))
    own = _own(beside.costs, orders) if beside is not None else []
    return shown | facts({f"slippage_bps {cost.symbol}": cost.slippage_bps for cost in own})


def run_tags(report: HourReport) -> dict[str, str]:
    """The hour in a few words for lists of runs: ``decision``, and ``order`` where there was one."""
    if report.skipped is not None:
        return {"decision": f"none: {report.skipped}"}
    tags = {"decision": ", ".join(f"{each.symbol} {each.signal or 'HOLD'}" for each in report.decisions) or "none"}
    orders = ", ".join(_order_words(each) for each in report.orders)
    return tags | ({"order": orders} if orders else {})


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


def _order_words(order: Settlement) -> str:
    """``bought 5.67299 BTC/USD at 3,527.09``; of one that did not fill its outcome."""
    if order.filled <= 0 or order.average_price is None:
        return f"{order.intent.side.value} {order.intent.symbol}: {order.outcome.value}"
    done = "bought" if order.intent.side is Side.BUY else "sold"
    return f"{done} {significant(float(order.filled))} {order.intent.symbol} at {number(float(order.average_price))}"


def _notional(order: Settlement) -> float:
    return 0.0 if order.average_price is None else float(order.filled * order.average_price)


def _own(costs: Sequence[FillCost], orders: Sequence[Settlement]) -> list[FillCost]:
    """The costs of this hour's fills; none of an earlier order of the same symbol."""
    filled = {(str(each.intent.symbol), each.filled_bar) for each in orders if each.filled > 0}
    return [cost for cost in costs if (cost.symbol, cost.bar) in filled and cost.slippage_bps is not None]

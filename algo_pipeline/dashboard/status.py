"""What ``status`` tells: the journal's account, the broker's, the hours, and how the session went; plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import pandas as pd

from algo_pipeline.common.config import Settings
from algo_pipeline.common.formatting import minute
from algo_pipeline.common.time import BAR, floor_to_bar
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.interfaces.broker import Account
from algo_pipeline.live.lines import JournalLine
from algo_pipeline.live.monitoring import SessionFigures, overdue_hours
from algo_pipeline.live.reconciliation import plain
from algo_pipeline.live.state import Intent, LiveState
from algo_pipeline.live.tally import JournalTally
from algo_pipeline.live.watch_records import SymbolWatch, drift_document
from algo_pipeline.live.watch_report import watch_words

_TICK = pd.Timedelta(minutes=1)
RESUME = 'algo-pipeline resume --reason "…"'
_ADOPT = 'algo-pipeline resume --adopt --reason "…"'


@dataclass(frozen=True, slots=True)
class BrokerAnswer:
    """What the broker said when it was asked.

    Parameters
    ----------
    answer : str
        ``ok``, ``unreachable`` or ``not configured``.
    message : str
        Why there is no account; empty where there is one.
    account : Account or None
        As the broker states it.
    now : pd.Timestamp or None
        The time that counts for the account; None where a sandbox that has it does not answer.
    """

    answer: str
    message: str
    account: Account | None
    now: pd.Timestamp | None


def status_document(
    settings: Settings, state: LiveState, tally: JournalTally, broker: BrokerAnswer, wall: pd.Timestamp, n: int
) -> dict[str, Any]:
    """Everything that is known of the live account.

    Parameters
    ----------
    tally : JournalTally
        Of the whole journal.
    wall : pd.Timestamp
        This machine's clock: the schedule goes by it.
    n : int
        Bars whose decisions are told.
    """
    cash, held = expected_account(state, settings.live_config())
    return {
        "account_id": state.account_id,
        "now": broker.now,
        "as_of_bar": state.marked_bar,
        "equity": state.equity,
        "peak": state.peak,
        "drawdown": state.drawdown,
        "cash": plain(cash),
        "positions": _positions(state, held),
        "decisions": [_decision(line) for line in tally.decisions(n)],
        "kill_switch": {"latched_at": state.killed_at, "max_drawdown": settings.max_drawdown},
        "halted": None if state.halted is None else {"reason": state.halted, "flatten": state.flatten},
        "stopped": state.stopped,
        "way_out": way_out(state, drift_abstention=settings.drift_abstention),
        "open_intents": [_intent(intent) for intent in state.open_intents.values()],
        "exiting": sorted(map(str, state.exiting)),
        "overdue": _overdue(state, broker, settings.max_decision_delay),
        "orders_today": _orders_today(state, broker.now),
        "next_tick": next_tick(wall),
        "broker": _broker(broker),
        "watch": [_watch(settings, symbol, watch) for symbol, watch in state.watches.items()],
        "challengers": [asdict(score) | {"symbol": str(score.symbol)} for score in tally.shadows.scores()],
        "session": _session(settings, tally),
    }


def obstacles(document: Mapping[str, Any]) -> list[str]:
    """Sentences on whatever of a status document keeps trading from going on, the way out last; empty if nothing."""
    halted, killed_at = document["halted"], document["kill_switch"]["latched_at"]
    told = []
    if killed_at is not None:
        told.append(f"The kill switch latched at {minute(killed_at)} UTC: nothing is bought.")
    if halted is not None:
        sold = ", and what is held is sold" if halted["flatten"] else ""
        told.append(f"Halted: {halted['reason']}; nothing is bought{sold}.")
    if document["stopped"] is not None:
        told.append(f"Stopped: {document['stopped']}; nothing is traded.")
    told += [_alarm_words(watch) for watch in document["watch"] if watch["alarm"] is not None]
    if document["overdue"] is not None:
        span = document["overdue"]
        told.append(f"{span['hours']:,} h without a decision: {minute(span['from'])} to {minute(span['to'])} UTC.")
    if document["way_out"] is not None:
        told.append(f"Way out: {document['way_out']}")
    return told


def _alarm_words(watch: Mapping[str, Any]) -> str:
    follows = "it buys nothing" if watch["abstains"] else "it trades on, as the settings want"
    return f"{watch['symbol']}, since {minute(watch['alarm']['bar'])} UTC: {watch['alarm']['text']}; {follows}."


def way_out(state: LiveState, *, drift_abstention: bool) -> str | None:
    """The command that lets trading go on; None where nothing keeps it."""
    if state.stopped is not None:
        return _ADOPT
    abstains = drift_abstention and bool(state.alarms)
    return RESUME if state.killed_at is not None or state.halted is not None or abstains else None


def next_tick(wall: pd.Timestamp) -> pd.Timestamp:
    """When the hourly schedule ticks next: a minute after the hour."""
    tick = floor_to_bar(wall) + _TICK
    return tick if tick > wall else tick + BAR


def expected_account(state: LiveState, rules: BacktestConfig) -> tuple[Decimal, dict[Symbol, Decimal]]:
    """Cash and coin that the account should hold: what was reconciled last, and what orders of ours traded since.

    The fee of those orders is the configured one; the next run takes the broker's own figures.
    """
    fee = Decimal(repr(rules.fee_rate))
    cash, held = state.cash, dict(state.holdings)
    for fill in state.fills:
        notional, before = fill.quantity * fill.price, held.get(fill.symbol, Decimal(0))
        if fill.side is Side.SELL:
            held[fill.symbol], cash = before - fill.quantity, cash + notional * (1 - fee)
        elif rules.fee_in_base:
            held[fill.symbol], cash = before + fill.quantity * (1 - fee), cash - notional
        else:
            held[fill.symbol], cash = before + fill.quantity, cash - notional * (1 + fee)
    return cash, {symbol: quantity for symbol, quantity in held.items() if quantity > 0}


def _watch(settings: Settings, symbol: Symbol, watch: SymbolWatch) -> dict[str, Any]:
    monitor, alarm = watch.calibration, watch.alarm
    return {
        "symbol": str(symbol),
        "label": watch.label,
        "outcomes": 0 if monitor is None else monitor.n_bets,
        "evidence": None if monitor is None else monitor.present_evidence,
        "highest_evidence": None if monitor is None else monitor.evidence,
        "alarm_at": None if monitor is None else monitor.threshold(),
        "drift": None if watch.drift is None else drift_document(watch.drift),
        "alarm": None if alarm is None else {"bar": alarm.bar, "kind": alarm.kind.value, "text": alarm.text},
        "abstains": alarm is not None and settings.drift_abstention,
        "words": watch_words(watch),
    }


def _positions(state: LiveState, held: Mapping[Symbol, Decimal]) -> list[dict[str, Any]]:
    rows = []
    for symbol, quantity in held.items():
        close = state.closes.get(symbol)
        value = None if close is None else float(quantity) * close
        share = None if value is None or state.equity <= 0 else value / state.equity
        rows.append(
            {
                "symbol": str(symbol),
                "quantity": plain(quantity),
                "close": close,
                "value_usd": value,
                "share_of_equity": share,
                "traded": symbol not in state.outside,
            }
        )
    return rows


def _decision(line: JournalLine) -> dict[str, Any]:
    return {
        "bar": line.timestamp,
        "symbol": str(line.symbol),
        "signal": line.signal,
        "prob": line.prob,
        "action": line.action,
        **{name: line.details[name] for name in ("quantity", "close", "reason", "verdicts", "features_exact")},
    }


def _intent(intent: Intent) -> dict[str, Any]:
    return {
        "order_id": intent.order_id,
        "symbol": str(intent.symbol),
        "side": intent.side.value,
        "quantity": str(intent.quantity),
        "bar": intent.bar,
        "created_at": intent.created_at,
    }


def _overdue(state: LiveState, broker: BrokerAnswer, delay_s: float) -> dict[str, Any] | None:
    """Hours that wait for a decision; none where no account is configured that could decide."""
    if broker.now is None or broker.answer == "not configured":
        return None
    span = overdue_hours(state, broker.now, delay_s)
    return None if span is None else {"from": span.first, "to": span.last, "hours": span.hours}


def _orders_today(state: LiveState, now: pd.Timestamp | None) -> int:
    date, n_orders = state.orders_today
    return n_orders if now is not None and date == now.date().isoformat() else 0


def _broker(broker: BrokerAnswer) -> dict[str, Any]:
    account = broker.account
    return {
        "answer": broker.answer,
        "message": broker.message,
        "account_id": None if account is None else account.account_id,
        "cash": None if account is None else str(account.cash),
        "equity": None if account is None else float(account.equity),
        "trading_blocked": None if account is None else account.trading_blocked,
    }


def _session(settings: Settings, tally: JournalTally) -> dict[str, Any]:
    figures = tally.session.figures()
    return {
        "from": None if figures.equity.empty else figures.equity.index[0],
        "to": None if figures.equity.empty else figures.equity.index[-1],
        "hours": len(figures.equity),
        "missed_hours": tally.n_missed_hours,
        "skipped_hours": tally.n_skipped,
        "orders": tally.n_orders,
        "deposits_usd": float(figures.adjustments.sum()),
        "metrics": _metrics(settings, figures),
    }


def _metrics(settings: Settings, figures: SessionFigures) -> Mapping[str, float]:
    from algo_pipeline.backtest.recorded import recorded_metrics

    if not (figures.equity > 0).all():  # an account without money has no returns
        return {}
    return recorded_metrics(figures.growth, figures.fills, figures.closes, settings.live_config())

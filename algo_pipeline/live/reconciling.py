"""The first step of every run: is this the account that the journal tells of, and what became of its open orders."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd

from algo_pipeline.live import entries
from algo_pipeline.live.alerts import Severity
from algo_pipeline.live.reconciliation import (
    WAY_OUT,
    Comparison,
    Difference,
    Snapshot,
    compare,
    flat_symbols,
    plain,
    require_held_symbols_configured,
    require_same_account,
    unknown_orders,
)
from algo_pipeline.live.session import Session
from algo_pipeline.live.settling import Settler

_LOOKS = 3
_BETWEEN_LOOKS_S = 2.0


def reconcile(session: Session, settler: Settler, bar: pd.Timestamp) -> Snapshot:
    """Compare the broker's account with the journal, settle what is open, and journal what was found.

    Returns
    -------
    Snapshot
        The account after that.

    Raises
    ------
    LiveStateError
        If it is another account, or a held symbol is configured no more.
    BrokerError
        If the broker can't be asked.
    """
    snapshot = _identified(session, bar)
    unknown = unknown_orders(snapshot, session.state)
    if unknown is not None:
        _stop(session, bar, unknown)
    if _has_unfinished(session) and not session.dry_run:
        settler.settle_open()
        settler.look_up_abandoned()
        require_held_symbols_configured(session.state, session.symbols, session.rules.trading)
        snapshot = session.snapshot()
    if unknown is None and not session.dry_run and settler.cancel_leftovers(snapshot):
        snapshot = session.snapshot()
    if session.state.stopped is None:
        snapshot = _compared(session, snapshot, bar)
    else:
        _remind(session)
    if snapshot.account.trading_blocked:
        session.alert(Severity.CRITICAL, "account_blocked", "The broker blocks trading", "The account's page says why.")
    return snapshot


def _identified(session: Session, bar: pd.Timestamp) -> Snapshot:
    snapshot = session.snapshot()
    require_same_account(snapshot.account, session.state)
    if session.state.account_id is None:
        session.ledger.write(entries.started(bar, snapshot, session.rules.strategy))
        if snapshot.positions:
            held = ", ".join(f"{plain(held)} {symbol}" for symbol, held in snapshot.holdings.items())
            session.alert(Severity.WARNING, "started_holding", "The account starts with holdings", held)
    require_held_symbols_configured(session.state, session.symbols, session.rules.trading)
    return snapshot


def _has_unfinished(session: Session) -> bool:
    return bool(session.state.open_intents or session.state.abandoned)


def _compared(session: Session, snapshot: Snapshot, bar: pd.Timestamp) -> Snapshot:
    """The account once it has been compared; what looks wrong is looked at again before it counts."""
    comparison = compare(snapshot, session.state, session.symbols, session.rules)
    for _ in range(_LOOKS - 1):
        if comparison.difference is None and comparison.delta_usd == 0:
            break
        session.clock.sleep(_BETWEEN_LOOKS_S)
        snapshot = session.snapshot()
        comparison = compare(snapshot, session.state, session.symbols, session.rules)
    if comparison.difference is not None:
        _stop(session, bar, comparison.difference)
    elif comparison.is_settled:
        _accept(session, snapshot, comparison, bar)
    return snapshot


def _accept(session: Session, snapshot: Snapshot, comparison: Comparison, bar: pd.Timestamp) -> None:
    """Make the account the new base; nothing is written where nothing has changed."""
    state = session.state
    if comparison.delta_usd != 0:
        session.ledger.write(entries.adjustment(bar, comparison.delta_usd, state))
        _tell_of_adjustment(session, comparison.delta_usd)
    flat = flat_symbols(snapshot, session.symbols, state.closes, session.rules.trading)
    held = {symbol: quantity for symbol, quantity in state.holdings.items() if quantity}
    same = (state.cash, held) == (snapshot.account.cash, snapshot.holdings)
    if not same or state.fills or state.exiting.intersection(flat):
        session.ledger.note(entries.reconciled(bar, snapshot, flat, comparison))


def _stop(session: Session, bar: pd.Timestamp, found: Difference) -> None:
    if session.state.stopped is None:
        session.ledger.write(entries.difference(bar, found))
        text = f"{found.reason}. {WAY_OUT}"
        session.alert(Severity.CRITICAL, "difference", "Trading is stopped: the account differs", text)


def _remind(session: Session) -> None:
    if not any(alert.code == "difference" for alert in session.alerts):
        text = f"{session.state.stopped}. {WAY_OUT}"
        session.alert(Severity.CRITICAL, "stopped", "Trading is still stopped", text)


def _tell_of_adjustment(session: Session, delta_usd: Decimal) -> None:
    what = "came in" if delta_usd > 0 else "went out"
    session.alert(
        Severity.INFO,
        "adjustment",
        "Cash moved without an order",
        f"{plain(abs(delta_usd))} {what}; the peak moves with it, to {session.state.peak:.2f}.",
    )

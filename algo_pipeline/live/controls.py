"""A person's own switches: ``halt`` stops entries and may sell everything, ``resume`` lets trading go on.

Both keep the rules of the hourly run: journal first, look before sending, one order at most.
"""

from __future__ import annotations

import pandas as pd

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.time import BAR, last_closed_open
from algo_pipeline.common.types import Side
from algo_pipeline.live import entries
from algo_pipeline.live.alerts import Severity
from algo_pipeline.live.decision import account_equity, is_flat
from algo_pipeline.live.events import Entry, Purpose
from algo_pipeline.live.orders import order_id
from algo_pipeline.live.reconciliation import Snapshot, is_ours_at_broker, plain, require_same_account
from algo_pipeline.live.report import ControlReport
from algo_pipeline.live.session import LiveAccount, Session, alerting
from algo_pipeline.live.settling import Settler
from algo_pipeline.live.state import LiveState

_MARK_IS_FRESH_FOR = 3 * BAR


def halt(account: LiveAccount, reason: str, *, flatten: bool) -> ControlReport:
    """Stop entries until :func:`resume`; with ``flatten`` sell everything now, and on every later bar what is left.

    Without ``flatten`` decisions go on and exits still sell: what protects a holding stays in force. A person's
    flattening sells even where a difference has stopped trading. The caller holds the runner's lock.

    Raises
    ------
    ConfigValueError
        Without a reason.
    LiveStateError
        If the journal belongs to another account.
    BrokerError
        If the broker can't be asked; the halt is journalled all the same, and the next hour flattens.
    """
    _require_reason(reason)
    session = Session.of(account)
    with alerting(session, account.alerter):
        bar = last_closed_open(session.now())
        number = session.state.n_halts + 1
        session.ledger.write(entries.halt(bar, number, reason, flatten=flatten))
        what = "everything is sold, nothing is bought" if flatten else "nothing is bought"
        session.alert(Severity.WARNING, "halt", "Halted by a person", f"{reason}: {what}.")
        settler = Settler(session)
        snapshot = _settled(session, settler)
        if flatten:
            sells = _sells(session, snapshot, bar, number)
            session.ledger.write(*sells)
            settler.send_new(str(entry.order_id) for entry in sells)
        settler.tell_of_open()
        session.ledger.save()
        return _report(session, settler, snapshot, number)


def resume(account: LiveAccount, reason: str, *, adopt: bool) -> ControlReport:
    """Clear kill switch, halt, stop and the alarms of the watch; the peak starts again at the equity of this moment.

    The peak stays where only alarms were in force.

    With ``adopt`` the account's holdings are journalled as the new start, whatever led to them: orders of ours that
    rest are cancelled, and intents whose outcome is still unknown are given up. The caller holds the runner's lock.

    Raises
    ------
    ConfigValueError
        Without a reason, or where nothing is to be resumed.
    LiveStateError
        If the journal belongs to another account.
    BrokerError
        If the broker can't be asked: nothing is changed.
    """
    _require_reason(reason)
    session = Session.of(account)
    with alerting(session, account.alerter):
        state = session.state
        held_up = state.killed_at is not None or state.halted is not None or state.stopped is not None
        if not (adopt or held_up or state.alarms):
            raise ConfigValueError("Trading is neither halted nor stopped.", "There is nothing to resume.")
        keeps_peak = not (adopt or held_up)  # that probabilities are trusted again says nothing of the drawdown
        settler = Settler(session)
        snapshot = _settled(session, settler)
        bar = last_closed_open(session.now())
        made = [] if session.state.account_id is not None else [_started(session, snapshot, bar)]
        peak = state.peak if keeps_peak else _equity(session, snapshot, bar)
        resumed = entries.resume(bar, reason, peak, snapshot, session.symbols, adopt=adopt, keeps_peak=keeps_peak)
        session.ledger.write(*made, resumed)
        text = _resume_text(reason, state, peak, adopt=adopt, keeps_peak=keeps_peak)
        session.alert(Severity.WARNING, "resume", "Resumed by a person", text)
        session.ledger.save()
        return _report(session, settler, snapshot, None)


def _resume_text(reason: str, before: LiveState, peak: float, *, adopt: bool, keeps_peak: bool) -> str:
    adopted = ", from the account's holdings" if adopt else ""
    started = [] if keeps_peak else [f"the peak starts again at {peak:.2f}{adopted}"]
    lifted = [f"{symbol} no longer abstains" for symbol in before.alarms]
    return f"{reason}: {', '.join([*started, *lifted])}."


def _settled(session: Session, settler: Settler) -> Snapshot:
    """The account once every open intent has been looked up and no order of ours rests any more."""
    snapshot = session.snapshot()
    require_same_account(snapshot.account, session.state)
    settler.settle_open()
    settler.look_up_abandoned()
    ours = any(is_ours_at_broker(order, session.rules.strategy) for order in snapshot.open_orders)
    if ours or settler.settlements:
        settler.cancel_leftovers(session.snapshot())
        snapshot = session.snapshot()
    return snapshot


def _sells(session: Session, snapshot: Snapshot, bar: pd.Timestamp, number: int) -> list[Entry]:
    """An intent for everything held that is worth an order; one of unknown outcome blocks its symbol until it ends."""
    state, purpose = session.state, f"{Purpose.HALT.value}{number}"
    blocked = {intent.symbol for intent in state.open_intents.values()}
    made = []
    for symbol in session.symbols:
        close, available = state.closes.get(symbol), snapshot.available(symbol)
        is_dust = close is not None and is_flat(snapshot.held(symbol), close, session.rules.trading)
        if symbol not in blocked and available > 0 and not is_dust:
            identity = order_id(session.rules.strategy, symbol, bar, Side.SELL, purpose)
            made.append(entries.intent(bar, symbol, Side.SELL, available, purpose, close, identity))
    return made


def _started(session: Session, snapshot: Snapshot, bar: pd.Timestamp) -> Entry:
    return entries.started(bar, snapshot, session.rules.strategy)


def _equity(session: Session, snapshot: Snapshot, bar: pd.Timestamp) -> float:
    """What the account is worth at the last mark's closes; the broker's own figure where those are old.

    Where the broker's figure counts what is none of the account's symbols, it would make a peak that no mark ever
    reaches, and the kill switch latch: what is known counts then, and the next mark lifts the peak.
    """
    state = session.state
    held = [symbol for symbol in session.symbols if snapshot.held(symbol) > 0]
    closes = {symbol: state.closes[symbol] for symbol in held if symbol in state.closes}
    is_fresh = state.marked_bar is not None and bar - state.marked_bar <= _MARK_IS_FRESH_FOR
    has_others = any(symbol not in session.symbols for symbol in snapshot.holdings)
    if has_others or (is_fresh and len(closes) == len(held)):
        return account_equity(snapshot.account.cash, snapshot.holdings, closes)
    return float(snapshot.account.equity)


def _report(session: Session, settler: Settler, snapshot: Snapshot, number: int | None) -> ControlReport:
    notes = tuple(
        f"{intent.order_id}: {intent.side.value} {plain(intent.quantity)}, outcome unknown"
        for intent in session.state.open_intents.values()
    )
    return ControlReport(
        number=number,
        orders=tuple(settler.settlements),
        peak=session.state.peak,
        cash=snapshot.account.cash,
        holdings=snapshot.holdings,
        notes=notes,
        alerts=tuple(session.alerts),
    )


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise ConfigValueError("A reason is expected; it is journalled.", 'Pass --reason "…".')

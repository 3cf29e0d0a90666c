"""What a person is told of an hour: severity grows with what is at stake."""

from __future__ import annotations

from types import MappingProxyType

import pandas as pd

from algo_pipeline.common.time import BAR
from algo_pipeline.live.alerts import Severity
from algo_pipeline.live.monitoring import severity_of_missed
from algo_pipeline.live.reconciliation import Snapshot, flat_symbols
from algo_pipeline.live.session import Session
from algo_pipeline.live.watch_records import AlarmKind

_MISMATCH_BPS = 200.0
_ALARM_TITLES = MappingProxyType(
    {AlarmKind.CALIBRATION: "its probabilities are not right", AlarmKind.FEATURES: "a feature has drifted"}
)


def tell_of_mark(session: Session, snapshot: Snapshot, bar: pd.Timestamp) -> None:
    """The kill switch, and an equity that the broker sees otherwise."""
    state = session.state
    if state.killed_at == bar:
        session.alert(
            Severity.CRITICAL,
            "kill_switch",
            "The kill switch has latched",
            f"Drawdown {state.drawdown:.2%} from the peak {state.peak:.2f}, equity {state.equity:.2f}: everything is "
            'sold, nothing is bought until: algo-pipeline resume --reason "…".',
        )
    theirs = float(snapshot.account.equity)
    if state.equity > 0 and not state.outside and abs(theirs / state.equity - 1.0) * 1e4 > _MISMATCH_BPS:
        session.alert(
            Severity.WARNING,
            "equity_differs",
            "The broker states another equity",
            f"{theirs:.2f}; cash and holdings at the closes are worth {state.equity:.2f}.",
        )


def tell_of_alarms(session: Session, bar: pd.Timestamp) -> None:
    """Alarms that the watch has raised on this bar; later hours do not repeat them."""
    abstains = session.rules.drift_abstention
    follows = 'it buys nothing until: algo-pipeline resume --reason "…".' if abstains else "it goes on trading."
    for symbol, alarm in session.state.alarms.items():
        if alarm.bar == bar:
            title = f"{symbol}: {_ALARM_TITLES[alarm.kind]}"
            session.alert(Severity.CRITICAL, f"{alarm.kind.value}_drift", title, f"{alarm.text}: {follows}")


def tell_of_skip(session: Session, snapshot: Snapshot, bar: pd.Timestamp, reason: str) -> None:
    """A bar without a decision; critical once the holdings have gone two hours without one."""
    marked = session.state.marked_bar
    hours = 1 if marked is None else int((bar - marked) / BAR)
    severity = _severity(session, snapshot, hours)
    session.alert(severity, "skipped", "Nothing was decided", f"{bar:%Y-%m-%d %H:%M}: {reason}.")


def tell_of_missed(session: Session, snapshot: Snapshot, first: pd.Timestamp, last: pd.Timestamp, hours: int) -> None:
    """Hours in which nothing ran; critical for two or more with holdings."""
    severity = _severity(session, snapshot, hours)
    text = f"{hours} from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}."
    session.alert(severity, "missed", "Hours were missed", text)


def tell_of_stale_holding(session: Session, symbol: str, hours: int) -> None:
    """A symbol that is held and has had no bar for some hours."""
    severity = severity_of_missed(hours, holding=True)
    session.alert(severity, "no_bar", f"{symbol}: no bar", f"It is held and has had no bar for {hours} h.")


def _severity(session: Session, snapshot: Snapshot, hours: int) -> Severity:
    flat = flat_symbols(snapshot, session.symbols, session.state.closes, session.rules.trading)
    return severity_of_missed(hours, holding=len(flat) < len(session.symbols))

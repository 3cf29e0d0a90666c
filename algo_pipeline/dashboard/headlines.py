"""What the page says first: in which state trading is, and the account in a few figures."""

from __future__ import annotations

from dataclasses import dataclass

from algo_pipeline.common.formatting import count, minute, number, percent
from algo_pipeline.dashboard.view import TimeSource, View


@dataclass(frozen=True, slots=True)
class AccountState:
    """The state in two words and in a sentence; ``kind`` is ``good``, ``bad`` or ``idle``."""

    kind: str
    title: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Headline:
    """A figure with what it means."""

    title: str
    value: str
    meaning: str


def account_state(view: View) -> AccountState:
    """The worst of what is known comes first."""
    status = view.status
    if not view.is_journal_whole:
        return AccountState("bad", "Damaged", "The journal is damaged: what can still be read is shown.")
    if not view.has_started:
        text = "Live trading has not started: the first hourly run, or the command algo-pipeline decide, starts it."
        return AccountState("idle", "Not started", text)
    if status["stopped"] is not None:
        return AccountState("bad", "Stopped", "Trading is stopped: the account differs from the journal.")
    if status["kill_switch"]["latched_at"] is not None:
        return AccountState("bad", "Kill switch", "The drawdown reached its limit: nothing is bought until you resume.")
    if status["halted"] is not None:
        return AccountState("bad", "Halted", "A person halted trading: nothing is bought until it is resumed.")
    if view.time.source is TimeSource.JOURNAL:
        text = "A rehearsal in a sandbox that does not answer here: everything is as of the journal's newest line."
        return AccountState("idle", "Rehearsal", text)
    if status["overdue"] is not None:
        hours = count(status["overdue"]["hours"])
        return AccountState("bad", "Overdue", f"{hours} h have passed without a decision: is the daemon running?")
    if any(watch["abstains"] for watch in status["watch"]):
        return AccountState("bad", "Abstaining", "The watch raised an alarm: what it concerns is not bought.")
    if not any(champion.trading == "on" for champion in view.champions):
        return AccountState("idle", "Flat", "Decisions are recorded; no deployed model may trade.")
    return AccountState("good", "Trading", "Nothing keeps trading from going on.")


def headlines(view: View) -> list[Headline]:
    """The account at a glance."""
    status, session = view.status, view.status["session"]
    share = sum(row["share_of_equity"] or 0.0 for row in status["positions"])
    limit = percent(status["kill_switch"]["max_drawdown"], 0)
    held = ", ".join(row["symbol"] for row in status["positions"]) or "all in cash"
    return [
        Headline("Equity, USD", number(status["equity"], 2), f"at the close of {minute(status['as_of_bar'])}"),
        Headline("Since the start", percent(view.equity.total_return, 2, signed=True), "by trading alone"),
        Headline("Drawdown", percent(status["drawdown"], 2), f"limit {limit}"),
        Headline("Invested", percent(share, 1), held),
        Headline("Hours marked", count(session["hours"]), f"{count(session['missed_hours'])} missed"),
        Headline("Orders", count(session["orders"]), f"{count(len(view.costs.fills))} traded"),
    ]

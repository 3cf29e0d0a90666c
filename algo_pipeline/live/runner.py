"""One hour of live trading, in the order that makes it safe: look, settle, mark, decide, journal, send, save, tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType

import pandas as pd

from algo_pipeline.common.errors import ConfigValueError, LiveStateError
from algo_pipeline.common.time import BAR, floor_to_bar
from algo_pipeline.common.types import Symbol
from algo_pipeline.live import entries
from algo_pipeline.live.champion import BarFeed, Champion, PriceCheck, Watch
from algo_pipeline.live.deciding import Deciding
from algo_pipeline.live.events import Entry, Event
from algo_pipeline.live.limits import LiveRules
from algo_pipeline.live.marking import Price, mark_entries, owed_kill_switch, poll_bars, prices
from algo_pipeline.live.monitoring import missed_span
from algo_pipeline.live.reconciliation import Snapshot
from algo_pipeline.live.reconciling import reconcile
from algo_pipeline.live.report import HourReport
from algo_pipeline.live.session import LiveAccount, Session, alerting
from algo_pipeline.live.settling import Settler
from algo_pipeline.live.shadows import shadow_entries
from algo_pipeline.live.telling import tell_of_alarms, tell_of_mark, tell_of_missed, tell_of_skip


def run_hour(
    bar: pd.Timestamp,
    account: LiveAccount,
    *,
    champions: Mapping[Symbol, Champion],
    feed: BarFeed,
    price_check: PriceCheck | None = None,
    watch: Watch | None = None,
    challengers: Mapping[Symbol, Champion] = MappingProxyType({}),
    dry_run: bool = False,
) -> HourReport:
    """Decide on one closed bar for the whole account and bring its orders to an outcome; safe to repeat at any time.

    The caller holds the runner's lock. A repetition resumes what the journal holds of the bar: its mark, decisions and
    intents are never made again.

    Parameters
    ----------
    bar : pd.Timestamp
        Open time of the bar, which must be closed.
    account : LiveAccount
        What trades, where, and by which rules.
    champions : mapping
        By symbol; one without a champion HOLDs.
    feed : BarFeed
        Bars and features.
    price_check : PriceCheck, optional
        A second source of prices.
    watch : Watch, optional
        What watches over the champions' probabilities and features; nothing does without.
    challengers : mapping
        By symbol: models whose probabilities are journalled beside the champion's, and nothing more.
    dry_run : bool
        Do everything up to the intents, write nothing and send nothing.

    Raises
    ------
    ConfigValueError
        If the time is no bar, or one that is not closed yet.
    LiveStateError
        If account, journal, champions and settings do not belong together.
    BrokerError
        If the broker can't be asked: nothing is known, so nothing is done.
    """
    bar = _closed_bar(bar, account.clock.now())
    _require_tradable(champions, account.rules)
    session = Session.of(account, dry_run=dry_run)
    with alerting(session, account.alerter):
        report = _Hour(session, bar, champions, feed, price_check, watch, challengers).run()
    return replace(report, alerts=tuple(session.alerts))


class _Hour:
    """One run of one hour."""

    def __init__(
        self,
        session: Session,
        bar: pd.Timestamp,
        champions: Mapping[Symbol, Champion],
        feed: BarFeed,
        price_check: PriceCheck | None,
        watch: Watch | None,
        challengers: Mapping[Symbol, Champion],
    ) -> None:
        self._session, self._bar = session, bar
        self._watch, self._challengers = watch, challengers
        self._champions, self._feed, self._check = champions, feed, price_check
        self._settler = Settler(session)
        self._missed_hours = 0
        self._delay_s = 0.0

    def run(self) -> HourReport:
        """Reconcile and settle in any case; then decide, unless something forbids it."""
        snapshot = reconcile(self._session, self._settler, self._bar)
        was_resumed = self._is_marked()
        skipped = self._why_not_now() or self._decided(snapshot)
        if self._is_marked() and not self._undecided():
            skipped = None
        if skipped is not None:
            self._skip(skipped, snapshot)
        self._settler.tell_of_open()
        self._session.ledger.save()
        return self._report(snapshot, skipped, was_resumed=was_resumed)

    def _why_not_now(self) -> str | None:
        state = self._session.state
        if state.stopped is not None:
            return f"trading is stopped: {state.stopped}"
        if state.last_bar is not None and self._bar < state.last_bar:
            return f"a newer bar, {state.last_bar:%Y-%m-%d %H:%M}, was worked on already"
        return self._why_late()

    def _why_late(self) -> str | None:
        """Whether the time for the bar's orders is over."""
        self._delay_s = (self._session.now() - (self._bar + BAR)).total_seconds()
        allowed = self._session.rules.max_decision_delay_s
        return f"{self._delay_s:.0f} s after the close, more than {allowed:.0f} s" if self._delay_s > allowed else None

    def _decided(self, snapshot: Snapshot) -> str | None:
        """Mark, decide and send; or why the bar is skipped."""
        why_not = self._mark(snapshot) if not self._is_marked() else None
        if why_not is not None:
            return why_not
        self._session.ledger.write(*owed_kill_switch(self._session, self._bar))
        tell_of_mark(self._session, snapshot, self._bar)
        undecided = self._undecided()
        prices_of_bar = self._prices if undecided else {}
        deciding = Deciding(self._session, self._bar, snapshot, self._champions, self._feed, self._check, self._watch)
        made = deciding.entries(prices_of_bar)
        late = self._why_late()
        if late is not None:
            return late
        self._session.ledger.write(*made)
        deciding.tell()
        tell_of_alarms(self._session, self._bar)
        if not self._session.dry_run:
            self._settler.send_new(str(entry.order_id) for entry in made if entry.event is Event.INTENT)
            cost = self._session.rules.trading.round_trip_cost
            shadows = shadow_entries(self._bar, undecided, self._challengers, self._feed, cost)
            self._session.ledger.note(*shadows)
        return None

    @cached_property
    def _prices(self) -> dict[Symbol, Price]:
        views = poll_bars(self._session, self._feed, self._bar)
        return prices(self._session, views, self._bar, self._check)

    def _mark(self, snapshot: Snapshot) -> str | None:
        """Journal the mark; or why there is none."""
        session, found = self._session, self._prices
        late = self._why_late()
        if late is not None:
            return late
        if not any(price.view is not None and price.view.last_at == self._bar for price in found.values()):
            why = next((price.why_not_traded for price in found.values() if price.why_not_traded), "")
            return f"no symbol has the bar {self._bar:%Y-%m-%d %H:%M} ({why})"
        unpriced = [str(s) for s, price in found.items() if math.isnan(price.close) and snapshot.held(s) > 0]
        if unpriced:
            return f"no price is known of {', '.join(unpriced)}, which is held"
        closes = {symbol: price.close for symbol, price in found.items()}
        session.ledger.note(*self._missed(snapshot), *mark_entries(session, snapshot, closes, self._bar))
        return None

    def _is_marked(self) -> bool:
        record = self._session.state.bar
        return record is not None and record.timestamp == self._bar and record.mark is not None

    def _undecided(self) -> list[Symbol]:
        record = self._session.state.bar
        done = record.decisions if record is not None and record.timestamp == self._bar else {}
        return [symbol for symbol in self._session.symbols if symbol not in done]

    def _skip(self, reason: str, snapshot: Snapshot) -> None:
        """Journal once that nothing is decided on the bar."""
        if not self._is_told():
            skipped = entries.skipped(self._bar, self._delay_s, reason)
            self._session.ledger.write(*self._missed(snapshot), skipped)
        if self._session.state.stopped is None:
            tell_of_skip(self._session, snapshot, self._bar, reason)

    def _is_told(self) -> bool:
        """Whether the journal accounts for the bar already. Only for an old bar, or a second run, it is read."""
        state = self._session.state
        if state.last_bar is None or self._bar > state.last_bar:
            return False
        telling = {Event.SKIPPED_STALE} if self._is_marked() else {Event.SKIPPED_STALE, Event.MARK}
        lines = self._session.ledger.journal.read()
        return any(line.timestamp == self._bar and line.event in telling for line in lines)

    def _missed(self, snapshot: Snapshot) -> list[Entry]:
        """The line of the hours since the last one accounted for, if there are any."""
        span = missed_span(self._session.state, self._bar)
        if span is None:
            return []
        first, last, self._missed_hours = span
        tell_of_missed(self._session, snapshot, first, last, self._missed_hours)
        return [entries.missed(first, last, self._missed_hours, None)]

    def _report(self, snapshot: Snapshot, skipped: str | None, *, was_resumed: bool) -> HourReport:
        session, state = self._session, self._session.state
        record = state.bar if state.bar is not None and state.bar.timestamp == self._bar else None
        decisions = {} if record is None else record.decisions
        return HourReport(
            bar=self._bar,
            decisions=tuple(decisions[symbol] for symbol in session.symbols if symbol in decisions),
            orders=tuple(self._settler.settlements),
            equity=state.equity,
            peak=state.peak,
            drawdown=state.drawdown,
            cash=snapshot.account.cash,
            holdings=snapshot.holdings,
            skipped=skipped,
            delay_s=self._delay_s,
            missed_hours=self._missed_hours,
            was_resumed=was_resumed,
            killed_at=state.killed_at,
            halted=state.halted,
            stopped=state.stopped,
            dry_run=session.dry_run,
        )


def _closed_bar(bar: pd.Timestamp, now: pd.Timestamp) -> pd.Timestamp:
    """The bar in UTC: in another zone it would have other order ids, and so a second order."""
    if bar.tzinfo is None or floor_to_bar(bar.tz_convert("UTC")) != bar:
        raise ConfigValueError(f"The open time of a bar is expected, a whole hour in UTC; found {bar}.", "Correct it.")
    if bar + BAR > now:
        raise ConfigValueError(f"The bar {bar} closes at {bar + BAR}; it is {now}.", "Decide on closed bars only.")
    return bar.tz_convert("UTC")


def _require_tradable(champions: Mapping[Symbol, Champion], rules: LiveRules) -> None:
    simulated = [str(symbol) for symbol, champion in champions.items() if champion.simulated]
    if simulated and not rules.is_loopback:
        raise LiveStateError(
            f"The champion of {', '.join(simulated)} learnt from simulated bars, which trade in a sandbox only.",
            "Run the research on real bars, or trade against: algo-pipeline sandbox.",
        )

"""What ``doctor`` looks at of live trading: account, clock, bars, lock, champions, journal, alerts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pandas as pd

from algo_pipeline.broker.alpaca import AlpacaBroker
from algo_pipeline.broker.auth import PaperAccess, can_trade, require_paper
from algo_pipeline.cli.checks import Check, fail, failed, ok, warn
from algo_pipeline.cli.reach import clock_ahead, obstacle
from algo_pipeline.common.config import Settings
from algo_pipeline.common.errors import AlgoPipelineError, BrokerError, TransientSourceError
from algo_pipeline.common.formatting import minute, number
from algo_pipeline.common.locks import lock_holder
from algo_pipeline.common.paper import is_loopback, require_paper_url
from algo_pipeline.common.time import BAR, last_closed_open, utc_now
from algo_pipeline.common.types import Symbol
from algo_pipeline.dashboard.status import RESUME, way_out
from algo_pipeline.live.alert_channels import alert_channels
from algo_pipeline.live.journal import TORN_FILE, Journal
from algo_pipeline.live.monitoring import overdue_hours
from algo_pipeline.live.reconciliation import require_same_account
from algo_pipeline.live.state import LiveState, StateStore
from algo_pipeline.live.watch_report import watch_words
from algo_pipeline.registry.bundle import BundleStore
from algo_pipeline.registry.champion import DeployedChampion
from algo_pipeline.sources.catalog import make_source

_TIMEOUT_S = 5.0
_CLOCK_TOLERANCE_S = 30
_ASK_ALPACA = "The account's page at Alpaca says how it stands, and makes new keys."
_OLD_MODEL = pd.Timedelta(days=21)
_RESEARCH = "Run `algo-pipeline research` (or `make run`): it trains, judges and deploys one."
_NOWHERE = "Set both keys of an Alpaca paper account in .env, or rehearse without keys: `algo-pipeline sandbox`."


@dataclass(frozen=True, slots=True)
class Venue:
    """The account to look at, and the time that counts for it.

    Parameters
    ----------
    access : PaperAccess or None
        None where none is configured, or may be used.
    broker : AlpacaBroker or None
        The same.
    """

    access: PaperAccess | None
    broker: AlpacaBroker | None

    def now(self) -> pd.Timestamp:
        """A sandbox's clock, else this machine's."""
        if self.access is not None and self.access.is_loopback and self.broker is not None:
            return self.broker.now()
        return utc_now()


def open_venue(settings: Settings) -> Venue:
    """The configured account; nothing is asked yet."""
    try:
        url, key, secret = settings.alpaca_trading_url, settings.alpaca_api_key, settings.alpaca_secret_key
        access = require_paper(url, key, secret)
    except AlgoPipelineError:
        return Venue(None, None)
    return Venue(access, AlpacaBroker(access, make_source("simulated"), read_timeout_s=_TIMEOUT_S))


def credentials(settings: Settings) -> Check:
    """Paper keys or a sandbox, and nothing else."""
    url, key, secret = settings.alpaca_trading_url, settings.alpaca_api_key, settings.alpaca_secret_key
    if not can_trade(url, key, secret) and not (key or secret):
        require_paper_url(url)
        return warn("credentials", "No paper account is configured: research works, nothing is traded.", _NOWHERE)
    access = require_paper(url, key, secret)
    where = f"a sandbox at {access.trading_url}" if access.is_loopback else "an Alpaca paper account"
    return ok("credentials", f"orders go to {where}")


def account(venue: Venue, state: LiveState) -> Iterator[Check]:
    """Whether the account answers, may trade, and is the journal's."""
    if venue.broker is None:
        return
    try:
        found = venue.broker.get_account()
    except BrokerError as error:
        yield _unanswered(venue, error)
        return
    require_same_account(found, state)
    words = f"it answers: {number(float(found.cash), 2)} USD cash, {number(float(found.equity), 2)} USD equity"
    if found.trading_blocked:
        yield fail("account", f"{words}, but the broker blocks trading.", _ASK_ALPACA)
    else:
        yield ok("account", words)


def _unanswered(venue: Venue, error: BrokerError) -> Check:
    """Why the account did not answer: a sandbox that does not run, keys, or what lies between."""
    found = None if venue.access is None else obstacle(venue.access.trading_url)
    if venue.access is not None and venue.access.is_loopback and found is not None:
        return fail("account", error.message, "Start it: `algo-pipeline sandbox`.", error.code)
    if found is not None:
        return fail("account", f"{error.message} {found.words}", found.remedy, error.code)
    return fail("account", error.message, error.remedy or _ASK_ALPACA, error.code)


def clock(settings: Settings, venue: Venue) -> Iterator[Check]:
    """Whether this machine's clock is within 30 s of the broker's, or of the source's where there is no account."""
    if venue.broker is None or venue.access is None:
        yield from _clock_beside(venue_url(settings, settings.data_source))
        return
    now = venue.broker.now()
    whose = f"the sandbox's own: {minute(now)} UTC" if venue.access.is_loopback else "within 30 s of Alpaca's"
    yield ok("clock", whose)


def _clock_beside(url: str | None) -> Iterator[Check]:
    ahead = None if url is None or is_loopback(url) else clock_ahead(url)
    if ahead is None:
        return
    seconds = abs(ahead.total_seconds())
    if seconds <= _CLOCK_TOLERANCE_S:
        yield ok("clock", f"within {_CLOCK_TOLERANCE_S} s of the source's")
    else:
        words = f"This machine's clock is {seconds:,.0f} s {'ahead of' if ahead > timedelta() else 'behind'} {url}'s."
        yield fail("clock", words, "Set the clock (for example: timedatectl set-ntp true). Nothing trades before that.")


def market_data(settings: Settings, venue: Venue, symbol: Symbol, source_name: str) -> Check:
    """Whether the source has the bar that a decision needs now."""
    from algo_pipeline.defs.sources import source_options

    name, now = f"bars {symbol}", venue.now()
    url = venue_url(settings, source_name)
    found = None if url is None else obstacle(url)
    if found is not None:  # at once: the source itself would try again and again
        words = f"The source {source_name} can't be reached. {found.words}"
        return fail(name, words, found.remedy, TransientSourceError.code)
    bars = make_source(source_name, source_options(settings)).fetch_bars(symbol, now.floor("h") - 24 * BAR, now)
    due = last_closed_open(now)
    if len(bars) and bars.index[-1] >= due:
        return ok(name, f"{source_name} has the bar that opened at {minute(due)} UTC")
    newest = f"its newest is {minute(bars.index[-1])} UTC" if len(bars) else "it has none of the last 24 h"
    return warn(
        name,
        f"{source_name} lacks the bar that opened at {minute(due)} UTC: {newest}.",
        "Without it an hour is skipped. Minutes after the hour it may only be late; a file or a simulation must go on.",
    )


def venue_url(settings: Settings, source_name: str) -> str | None:
    """Where a source is asked; None for one that is on this machine."""
    return {"binance": settings.binance_url, "alpaca": settings.alpaca_data_url}.get(source_name)


def runner_lock(folder: Path) -> Check:
    """Whether a run of the live account is at work."""
    from algo_pipeline.defs.live_account import LOCK_FILE

    holder = lock_holder(folder / LOCK_FILE)
    if holder is None:
        return ok("lock", "free: no run of the live account is at work")
    remedy = "Everyday for some seconds an hour; if it stays, look at that process and end it. Nothing else frees it."
    return warn("lock", f"held by {holder}", remedy)


def champion(settings: Settings, symbol: Symbol, venue: Venue) -> Check:
    """Whether a symbol has a model that may decide."""
    name = f"champion {symbol}"
    bundle = BundleStore(settings.artifacts_dir).load(symbol)
    if bundle is None:
        return warn(name, "None is deployed: the symbol is held as it is, and nothing is bought.", _RESEARCH)
    deployed = DeployedChampion(bundle, settings.own_classes())
    age = utc_now() - deployed.training_end
    words = (
        f"{bundle.recipe} for {bundle.label}, version {bundle.model_version}, trading {deployed.trading}, learnt from "
        f"{bundle.source} until {minute(deployed.training_end)} UTC"
    )
    if deployed.simulated and venue.access is not None and not venue.access.is_loopback:
        return fail(name, f"{words}: simulated bars trade in a sandbox only.", _RESEARCH)
    if age > _OLD_MODEL and not deployed.simulated:
        return warn(
            name, f"{words}, {age.days} days ago.", "Retrain it: `algo-pipeline research`; `make ui` does weekly."
        )
    return ok(name, words)


def journal(folder: Path) -> Check:
    """The whole chain."""
    n_lines = Journal(folder).verify()
    if n_lines == 0:
        return ok("journal", "empty: live trading has not started")
    torn = f"; an incomplete line was set aside in {TORN_FILE}" if (folder / TORN_FILE).exists() else ""
    return ok("journal", f"{n_lines:,} lines, an unbroken chain{torn}")


def live_state(folder: Path) -> LiveState:
    """What the journal says; nothing where it can't be read, which its own check tells."""
    try:
        return StateStore(folder).load(Journal(folder))
    except AlgoPipelineError:
        return LiveState()


def trading(settings: Settings, state: LiveState, venue: Venue) -> Iterator[Check]:
    """What keeps trading from going on."""
    way = way_out(state, drift_abstention=settings.drift_abstention)
    if state.stopped is not None:
        yield fail("trading", f"Stopped: {state.stopped}.", f"Look at the account, then: {way}", "trading_stopped")
    elif state.killed_at is not None:
        yield warn(
            "trading", f"The kill switch latched at {minute(state.killed_at)} UTC.", f"When you are ready: {way}"
        )
    elif state.halted is not None:
        yield warn("trading", f"Halted: {state.halted}.", f"When you are ready: {way}")
    for intent in state.open_intents.values():
        yield warn("trading", f"The outcome of {intent.order_id} is unknown.", "The next hourly run asks again.")
    if venue.broker is None:  # nothing could decide
        return
    overdue = overdue_hours(state, venue.now(), settings.max_decision_delay)
    if overdue is not None:
        span = f"{minute(overdue.first)} to {minute(overdue.last)} UTC"
        remedy = "See the check of the schedule; the next run journals them as missed."
        yield warn("trading", f"{overdue.hours:,} h without a decision: {span}.", remedy)


def watch(state: LiveState) -> Iterator[Check]:
    """What the watch says of each symbol's probabilities and features."""
    for symbol, seen in state.watches.items():
        name = f"watch {symbol}"
        if seen.alarm is None:
            yield ok(name, watch_words(seen))
        else:
            words = f"Since {minute(seen.alarm.bar)} UTC: {seen.alarm.text}."
            yield warn(name, words, f"Look at the source and at recent months, retrain, then: {RESUME}")


def alerts(settings: Settings) -> Iterator[Check]:
    """Whether every alert channel can be understood; nothing is sent."""
    urls = settings.alert_urls.get_secret_value() if settings.alert_urls else None
    channels = alert_channels(urls)
    if not channels:
        remedy = "Set ALGO_TRADER_ALERT_URLS, for example to a Telegram bot: tgram://TOKEN/CHAT."
        yield warn("alerts", "They reach the console and alerts.log only.", remedy)
    for channel in channels:
        try:
            channel.check()
            yield ok("alerts", f"{channel.name} is understood")
        except AlgoPipelineError as error:
            yield failed("alerts", type(error)(f"{channel.name}: {error.message}", error.remedy))

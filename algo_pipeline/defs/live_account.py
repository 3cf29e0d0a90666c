"""The live account put together from the settings: broker, journal, clock, alerts and rules, one run at a time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from loguru import logger

from algo_pipeline.broker.alpaca import AlpacaBroker
from algo_pipeline.broker.auth import PaperAccess, require_paper
from algo_pipeline.common.config import Settings
from algo_pipeline.common.errors import BrokerError, BusyError
from algo_pipeline.common.locks import file_lock
from algo_pipeline.common.logger import SecretMasker
from algo_pipeline.common.paper import is_loopback
from algo_pipeline.common.time import utc_now
from algo_pipeline.defs.sources import source_options
from algo_pipeline.interfaces.broker import BaseBroker
from algo_pipeline.interfaces.market_data import MarketDataSource
from algo_pipeline.live.alert_channels import alert_channels
from algo_pipeline.live.alerts import Alert, Alerter, Severity
from algo_pipeline.live.champion import Clock
from algo_pipeline.live.journal import Journal
from algo_pipeline.live.limits import LiveRules
from algo_pipeline.live.session import LiveAccount
from algo_pipeline.live.state import StateStore
from algo_pipeline.sources.catalog import make_source

LOCK_FILE = "runner.lock"
LOCK_WAIT_S = 60.0
_LOCK_BUSY = "lock_busy"


@dataclass(frozen=True, slots=True)
class BrokerClock:
    """The broker's own clock, and this machine's way of waiting."""

    broker: BaseBroker

    def now(self) -> pd.Timestamp:
        """Now, by the broker."""
        return self.broker.now()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class SwitchClock:
    """Alpaca's clock while it answers, then this machine's: no halt may hang on a clock.

    Parameters
    ----------
    broker : BaseBroker
        A paper account; a sandbox's time can't be guessed.
    """

    def __init__(self, broker: BaseBroker) -> None:
        self._broker, self._answers = broker, True

    def now(self) -> pd.Timestamp:
        """Now."""
        try:
            if self._answers:
                return self._broker.now()
        except BrokerError as error:
            logger.warning("This machine's clock is used: {}", error)
            self._answers = False
        return utc_now()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@contextmanager
def open_account(settings: Settings, *, lock_wait_s: float = LOCK_WAIT_S) -> Iterator[LiveAccount]:
    """The account alone, under the lock: for a person's switches, which no damaged bundle may stand in the way of.

    Raises
    ------
    PaperOnlyError, SettingsError, BusyError
        As :func:`open_session`.
    """
    access = require_paper(settings.alpaca_trading_url, settings.alpaca_api_key, settings.alpaca_secret_key)
    folder = settings.artifacts_dir / "live"
    with runner_lock(settings, folder, lock_wait_s):
        account = make_account(settings, access, folder, make_source(settings.data_source, source_options(settings)))
        yield account if access.is_loopback else replace(account, clock=SwitchClock(account.broker))


def account_time(settings: Settings) -> pd.Timestamp:
    """Whose time counts for the account: a sandbox's own clock where one is configured, else this machine's.

    Raises
    ------
    BrokerError
        If the sandbox does not answer.
    """
    if not is_loopback(settings.alpaca_trading_url):
        return utc_now()
    access = require_paper(settings.alpaca_trading_url, settings.alpaca_api_key, settings.alpaca_secret_key)
    return AlpacaBroker(access, make_source("simulated")).now()


def make_alerter(settings: Settings, now: Callable[[], pd.Timestamp] = utc_now) -> Alerter:
    """Alerts to the console, to ``alerts.log`` and to the configured channels."""
    urls = settings.alert_urls.get_secret_value() if settings.alert_urls else None
    folder = settings.artifacts_dir / "live"
    return Alerter(folder, alert_channels(urls), now, SecretMasker(settings.secret_values()))


def live_rules(settings: Settings, access: PaperAccess) -> LiveRules:
    """The rules of the live account."""
    return LiveRules(
        trading=settings.live_config(),
        max_decision_delay_s=settings.max_decision_delay,
        max_orders_per_day=settings.max_orders_per_day,
        price_band_bps=settings.price_band_bps,
        price_check_bps=settings.price_check_bps,
        drift_abstention=settings.drift_abstention,
        is_loopback=access.is_loopback,
    )


@contextmanager
def runner_lock(settings: Settings, folder: Path, wait_s: float) -> Iterator[None]:
    """Keep every other run off the account; who waits in vain says so in ``alerts.log``."""
    lock = file_lock(folder / LOCK_FILE, "Another run of the live account", wait_s)
    try:
        lock.__enter__()
    except BusyError as error:
        alert = Alert(Severity.WARNING, _LOCK_BUSY, "Another run of the live account is active", str(error), utc_now())
        make_alerter(settings).raise_alert(alert)
        raise
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


def make_account(
    settings: Settings, access: PaperAccess, folder: Path, bars: MarketDataSource, clock: Clock | None = None
) -> LiveAccount:
    """The account; whoever writes its journal holds the lock."""
    broker = AlpacaBroker(access, bars)
    clock = clock or BrokerClock(broker)
    return LiveAccount(
        symbols=settings.parsed_symbols(),
        broker=broker,
        journal=Journal(folder),
        store=StateStore(folder),
        clock=clock,
        alerter=make_alerter(settings, clock.now),
        rules=live_rules(settings, access),
    )

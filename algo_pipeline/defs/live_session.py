"""The live account put together from the settings: broker, champions, bars, journal, alerts; one run at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
from loguru import logger

from algo_pipeline.broker.auth import PaperAccess, require_paper
from algo_pipeline.common.config import Settings
from algo_pipeline.common.errors import AlgoPipelineError, CorruptFileError, LiveStateError, OtherCodeError
from algo_pipeline.common.time import last_closed_open, utc_now
from algo_pipeline.common.types import Symbol
from algo_pipeline.defs.live_account import LOCK_WAIT_S, make_account, runner_lock
from algo_pipeline.defs.price_check import SecondSource, second_source
from algo_pipeline.defs.sources import source_options
from algo_pipeline.interfaces.market_data import MarketDataSource
from algo_pipeline.live.alerts import Alert, Severity
from algo_pipeline.live.champion import Clock
from algo_pipeline.live.report import HourReport
from algo_pipeline.live.runner import run_hour
from algo_pipeline.live.session import LiveAccount
from algo_pipeline.registry.bundle import BundleStore
from algo_pipeline.registry.champion import DeployedChampion
from algo_pipeline.registry.watch import DeployedWatch
from algo_pipeline.sources.catalog import make_source
from algo_pipeline.sources.live_bars import LiveBars
from algo_pipeline.sources.live_feed import LiveFeed, LiveInputs
from algo_pipeline.sources.retry import RetryPolicy
from algo_pipeline.sources.store import BarStore

_BARS_POLICY = RetryPolicy(attempts=2, first_wait_s=0.5, max_wait_s=2.0)  # the hour polls its bars itself


@dataclass(frozen=True, slots=True)
class LiveSession:
    """Everything that an hour of live trading works with.

    Parameters
    ----------
    settings : Settings
        As loaded.
    access : PaperAccess
        Where orders go.
    account : LiveAccount
        Broker, journal, clock, alerts and rules.
    champions : dict
        The deployed models by symbol; a symbol without one HOLDs.
    feed : LiveFeed
        Bars and features.
    price_check : SecondSource
        A second opinion on prices.
    damaged : dict
        Why a symbol's champion can't be used; it HOLDs, and the account's kill switch stays in force.
    challengers : dict
        Models that are only listened to.
    """

    settings: Settings
    access: PaperAccess
    account: LiveAccount
    champions: dict[Symbol, DeployedChampion]
    feed: LiveFeed
    price_check: SecondSource
    damaged: dict[Symbol, AlgoPipelineError]
    challengers: dict[Symbol, DeployedChampion] = field(default_factory=dict)

    def due_bar(self) -> pd.Timestamp:
        """Open time of the newest closed bar by the account's clock."""
        return last_closed_open(self.account.clock.now())

    def run_hour(self, bar: pd.Timestamp, *, dry_run: bool = False) -> HourReport:
        """Decide and trade one closed bar; see :func:`~algo_pipeline.live.runner.run_hour`."""
        return run_hour(
            bar,
            self.account,
            champions=self.champions,
            feed=self.feed,
            price_check=self.price_check,
            watch=DeployedWatch(self.champions, self.feed.outcome),
            challengers=self.challengers,
            dry_run=dry_run,
        )


@contextmanager
def open_session(
    settings: Settings, *, clock: Clock | None = None, lock_wait_s: float = LOCK_WAIT_S, read_only: bool = False
) -> Iterator[LiveSession]:
    """Check the account, take the lock and put the session together, in this order.

    Parameters
    ----------
    settings : Settings
        As loaded.
    clock : Clock, optional
        Whose time it is; the broker's if omitted.
    lock_wait_s : float
        How long to wait for another run.
    read_only : bool
        Take no lock: nothing will be journalled.

    Raises
    ------
    PaperOnlyError, SettingsError
        If orders could go anywhere but to a paper account or a sandbox, or keys are missing; before anything else.
    BusyError
        If another run keeps the lock; it is recorded in ``alerts.log``.
    LiveStateError
        If simulated bars would be traded on outside of a sandbox.
    """
    access = require_paper(settings.alpaca_trading_url, settings.alpaca_api_key, settings.alpaca_secret_key)
    folder = settings.artifacts_dir / "live"
    if read_only:
        yield _session(settings, access, folder, clock)
        return
    with runner_lock(settings, folder, lock_wait_s):
        session = _session(settings, access, folder, clock)
        yield session
        _tell_of_damage(session)
        _tell_of_other_sources(session)


def _session(settings: Settings, access: PaperAccess, folder: Path, clock: Clock | None) -> LiveSession:
    symbols = settings.parsed_symbols()
    champions, damaged = _champions(settings, symbols)
    sources = _sources(settings, symbols, champions)
    _require_real_bars(sources, access)
    account = make_account(settings, access, folder, next(iter(sources.values())), clock)
    feed = _feed(settings, champions, sources)
    check = second_source(settings.coingecko_url, account.clock.now)
    challengers = _challengers(settings, champions)
    return LiveSession(settings, access, account, champions, feed, check, damaged, challengers)


def _tell_of_other_sources(session: LiveSession) -> None:
    """Warn, once the orders are out, of models that decide on bars of another source than they learnt from."""
    name = session.settings.live_bars_source
    others = [champion for champion in session.champions.values() if name is not None and champion.source != name]
    for champion in others:
        title = f"{champion.symbol}: bars of another source"
        text = (
            f"The champion learnt from {champion.source} and decides on {name}: algo-pipeline doctor measures how far"
        )
        alert = Alert(Severity.WARNING, "other_source", title, f"{text} the features differ.", utc_now())
        session.account.alerter.raise_alert(alert)


def _tell_of_damage(session: LiveSession) -> None:
    """Alert, once the orders are out, of symbols that only HOLD because their champion can't be read."""
    for symbol, error in session.damaged.items():
        title = f"{symbol}: the champion can't be used"
        alert = Alert(Severity.CRITICAL, "champion_damaged", title, f"It HOLDs. {error}", utc_now())
        session.account.alerter.raise_alert(alert)


def _champions(
    settings: Settings, symbols: tuple[Symbol, ...]
) -> tuple[dict[Symbol, DeployedChampion], dict[Symbol, AlgoPipelineError]]:
    """The usable champions, and why others are not: one damaged file must not stop what protects the account."""
    store = BundleStore(settings.artifacts_dir)
    champions: dict[Symbol, DeployedChampion] = {}
    damaged: dict[Symbol, AlgoPipelineError] = {}
    for symbol in symbols:
        try:
            bundle = store.load(symbol)
            if bundle is not None:
                champions[symbol] = DeployedChampion(bundle, settings.own_classes())
        except (CorruptFileError, OtherCodeError) as error:
            damaged[symbol] = error
    return champions, damaged


def _challengers(settings: Settings, champions: dict[Symbol, DeployedChampion]) -> dict[Symbol, DeployedChampion]:
    """Challengers of their champion's label, features and source; one that can't be read is no reason for anything."""
    store = BundleStore(settings.artifacts_dir, "challenger")
    found = {}
    for symbol, champion in champions.items() if settings.challenger else ():
        try:
            bundle = store.load(symbol)
            if bundle is None or (bundle.label, bundle.source) != (champion.label, champion.source):
                continue
            other = DeployedChampion(bundle, settings.own_classes())
            if other.features.choice == champion.features.choice:  # it is shown the champion's row
                found[symbol] = other
        except AlgoPipelineError as error:
            logger.warning("The challenger of {} is not listened to: {}", symbol, error)
    return found


def _sources(
    settings: Settings, symbols: tuple[Symbol, ...], champions: dict[Symbol, DeployedChampion]
) -> dict[Symbol, MarketDataSource]:
    """Where each symbol's live bars come from: its training's source unless the settings say otherwise.

    Symbols of one venue share its client, and with it connection and rate limit.
    """
    names = {
        symbol: settings.live_bars_source or (champions[symbol].source if symbol in champions else settings.data_source)
        for symbol in symbols
    }
    options = replace(source_options(settings), policy=_BARS_POLICY)
    made = {name: make_source(name, options) for name in set(names.values())}
    return {symbol: made[name] for symbol, name in names.items()}


def _require_real_bars(sources: dict[Symbol, MarketDataSource], access: PaperAccess) -> None:
    """Refuse to trade an account outside of this machine on a market that does not exist."""
    simulated = [str(symbol) for symbol, source in sources.items() if source.name == "simulated"]
    if simulated and not access.is_loopback:
        raise LiveStateError(
            f"The live bars of {', '.join(simulated)} would be simulated ones, which trade in a sandbox only.",
            "Correct ALGO_TRADER_LIVE_BARS_SOURCE or ALGO_TRADER_DATA_SOURCE, or trade against: algo-pipeline sandbox.",
        )


def _feed(
    settings: Settings, champions: dict[Symbol, DeployedChampion], sources: dict[Symbol, MarketDataSource]
) -> LiveFeed:
    store = BarStore(settings.bars_dir())
    start = settings.history_start_at()
    histories = {
        symbol: LiveBars(source, symbol, champions[symbol].history_start if symbol in champions else start, store)
        for symbol, source in sources.items()
    }
    exact = {
        symbol: symbol in champions and champions[symbol].learnt_from(source.name, source.venue_symbol(symbol))
        for symbol, source in sources.items()
    }
    inputs = {
        symbol: LiveInputs(champion.features, champion.feature_check, champion.own_label)
        for symbol, champion in champions.items()
    }
    return LiveFeed(histories, exact, inputs)

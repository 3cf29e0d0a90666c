"""Which checks ``doctor`` makes, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from algo_pipeline.cli import checks_live as live
from algo_pipeline.cli import checks_machine as machine
from algo_pipeline.cli import checks_own as own
from algo_pipeline.cli import checks_registry as registry
from algo_pipeline.cli import checks_stores as stores
from algo_pipeline.cli.checks import Check, Diagnosis, Level, checked, fail, ok, warn
from algo_pipeline.common.config import Settings
from algo_pipeline.common.errors import AlgoPipelineError
from algo_pipeline.common.formatting import count, number
from algo_pipeline.common.logger import SecretMasker
from algo_pipeline.common.time import utc_now
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.skew import FeatureSkew
from algo_pipeline.live.alerts import Alert, Severity
from algo_pipeline.registry.bundle import BundleStore

_SAME_SOURCE = "Unset ALGO_TRADER_LIVE_BARS_SOURCE, or train on the source that you trade on."


def diagnose(settings: Settings) -> Diagnosis:
    """Make every check; none keeps another from being made."""
    skews: dict[Symbol, FeatureSkew] = {}
    checks = [*_machine(settings), *_account(settings), *_symbols(settings, skews), *_services(settings)]
    mask = SecretMasker(settings.secret_values()).mask
    return Diagnosis(tuple(replace(check, message=mask(check.message)) for check in checks), skews)


def send_test_alert(settings: Settings) -> Check:
    """Raise an alert as live trading does."""
    from algo_pipeline.defs.live_account import make_alerter

    at = utc_now()
    alert = Alert(Severity.INFO, "test", f"Test at {at:%Y-%m-%d %H:%M:%S} UTC", "Sent by algo-pipeline doctor.", at)
    if make_alerter(settings).raise_alert(alert):
        return ok("test alert", "sent; look whether it has arrived")
    return fail("test alert", "No channel took it.", "alerts.log says why, with its secrets masked.")


def _machine(settings: Settings) -> Iterator[Check]:
    yield from checked("disk", partial(machine.disk, settings))
    yield from checked("artifacts", partial(machine.artifacts_folder, settings))


def _account(settings: Settings) -> Iterator[Check]:
    folder = settings.artifacts_dir / "live"
    venue, state = live.open_venue(settings), live.live_state(folder)
    yield from checked("credentials", partial(live.credentials, settings))
    yield from checked("account", partial(live.account, venue, state))
    yield from checked("clock", partial(live.clock, settings, venue))
    yield from checked("lock", partial(live.runner_lock, folder))
    yield from checked("locks", partial(stores.research_locks, settings))
    yield from checked("journal", partial(live.journal, folder))
    yield from checked("trading", partial(live.trading, settings, state, venue))
    yield from checked("watch", partial(live.watch, state))
    yield from checked("alerts", partial(live.alerts, settings))


def _symbols(settings: Settings, skews: dict[Symbol, FeatureSkew]) -> Iterator[Check]:
    yield from checked("own classes", partial(own.own_classes, settings))
    venue = live.open_venue(settings)
    for symbol in settings.parsed_symbols():
        learnt = _learnt_from(settings, symbol)
        source = settings.live_bars_source or learnt or settings.data_source
        yield from checked(f"champion {symbol}", partial(live.champion, settings, symbol, venue))
        yield from checked(f"bars {symbol}", partial(live.market_data, settings, venue, symbol, source))
        if learnt is not None and source != learnt:
            name = f"bars source {symbol}"
            yield from checked(name, partial(_measured, name, settings, venue, symbol, learnt, source, skews))


def _services(settings: Settings) -> Iterable[Check]:
    yield from checked("dagster port", partial(machine.dagster_port, settings))
    yield from checked("mlflow port", partial(machine.mlflow_port, settings))
    yield from checked("dashboard port", partial(machine.dashboard_port, settings))
    registered = checked("mlflow store", partial(stores.mlflow_store, settings))
    yield from registered
    yield from checked("ledger", partial(registry.promotion_ledger, settings))
    yield from checked("trials", partial(registry.trial_ledger, settings))
    for symbol in settings.parsed_symbols():
        if all(check.level is not Level.FAIL for check in registered):  # once is enough
            yield from checked(f"alias {symbol}", partial(registry.alias, settings, symbol))
    from algo_pipeline.defs.instance import dagster_home

    store = checked("dagster store", partial(stores.dagster_store, dagster_home(settings)))
    yield from store
    if all(check.level is Level.OK for check in store):  # a locked store would keep the look at the schedule waiting
        yield from checked("schedule", partial(stores.schedule, settings))


def _learnt_from(settings: Settings, symbol: Symbol) -> str | None:
    """The source of the champion's bars; a bundle that can't be read is told by its own check."""
    try:
        bundle = BundleStore(settings.artifacts_dir).load(symbol)
    except AlgoPipelineError:
        return None
    return None if bundle is None else bundle.source


def _measured(
    name: str,
    settings: Settings,
    venue: live.Venue,
    symbol: Symbol,
    learnt: str,
    source: str,
    skews: dict[Symbol, FeatureSkew],
) -> Check:
    from algo_pipeline.defs.bars_skew import measured_skew

    words = f"The champion learnt from {learnt} and decides on {source}"
    try:
        skew = skews[symbol] = measured_skew(settings, symbol, learnt, source, venue.now())
    except AlgoPipelineError as error:
        return warn(name, f"{words}; how far they are apart could not be measured: {error.message}", _SAME_SOURCE)
    worst = number(skew.table["median"].iloc[0], 3)
    measured = f"on {count(skew.n_hours)} hours the worst feature, {skew.worst}, is {worst} deviations apart (median)"
    return warn(name, f"{words}: {measured}.", f"See the table. {_SAME_SOURCE}")

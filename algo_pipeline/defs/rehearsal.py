"""A day of live trading in a sandbox inside this process, on the hours that follow the champions' training."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pandas as pd

from algo_pipeline.common.config import PREFIX, Settings, load_settings
from algo_pipeline.common.errors import ConfigValueError, LiveStateError
from algo_pipeline.common.time import BAR, to_utc
from algo_pipeline.common.types import Symbol
from algo_pipeline.defs.live_account import runner_lock
from algo_pipeline.defs.live_runs import run_hours
from algo_pipeline.defs.partitions import HOURS
from algo_pipeline.defs.replay import TICK_AFTER_CLOSE
from algo_pipeline.defs.sandbox_clock import SandboxClock
from algo_pipeline.defs.trading import partition_key
from algo_pipeline.live.journal import Journal
from algo_pipeline.live.lines import JournalLine
from algo_pipeline.live.state import StateStore
from algo_pipeline.registry.bundle import BundleStore
from algo_pipeline.sandbox.bars import sandbox_bars
from algo_pipeline.sandbox.server import SandboxConfig, running_sandbox

_VENUES = ("ALPACA_TRADING_URL", "ALPACA_DATA_URL", "BINANCE_URL", "COINGECKO_URL")
_FILES = ("decisions.jsonl", "state.json", "alerts.log")


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What was rehearsed.

    Parameters
    ----------
    first, last : pd.Timestamp
        Open times of the first and last bar decided on.
    lines : tuple of JournalLine
        The journal, whole.
    """

    first: pd.Timestamp
    last: pd.Timestamp
    lines: tuple[JournalLine, ...]


def rehearse(definitions: dg.Definitions, settings: Settings, hours: int) -> Rehearsal:
    """Decide and trade the ``hours`` after the youngest champion's training end, each in a Dagster run of its own.

    The journal of an earlier rehearsal is replaced; any other is left alone.

    Raises
    ------
    ConfigValueError
        If a symbol has no champion, or its bars end before the rehearsal does.
    LiveStateError
        If the live folder holds the journal of another account.
    AlgoPipelineError
        As an hour of live trading raises them.
    """
    symbols = settings.parsed_symbols()
    first = _first_bar(settings, symbols)
    last = first + (hours - 1) * BAR
    require_live_hours(first, last)
    bars = sandbox_bars(settings, symbols, last + 2 * BAR)
    short = [str(symbol) for symbol, frame in bars.items() if frame.index[-1] <= last]
    if short:
        raise ConfigValueError(
            f"A rehearsal to {last:%Y-%m-%d %H:%M} needs a bar after it; the bars of {', '.join(short)} end earlier.",
            "Train on fewer bars: algo-pipeline research --until TIME.",
        )
    config = SandboxConfig(bars, start=first + BAR, rules=settings.live_config(), seed=settings.simulated_seed)
    with running_sandbox(config) as url:
        clock = SandboxClock(url)
        folder = settings.artifacts_dir / "live"
        with runner_lock(settings, folder, 0.0):
            _make_room(folder, str(clock.control.state()["account_id"]))
        with _pointed_to(url):
            run_hours(
                definitions,
                load_settings(),
                tuple(pd.date_range(first, last, freq=BAR)),
                lambda bar: clock.set(bar + BAR + TICK_AFTER_CLOSE),
            )
    return Rehearsal(first, last, Journal(settings.artifacts_dir / "live").read())


def require_live_hours(first: pd.Timestamp, last: pd.Timestamp) -> None:
    """ConfigValueError unless both bars are partitions of the live assets."""
    for bar in (first, last):
        if not HOURS.has_partition_key(partition_key(bar)):
            known_from = HOURS.get_first_partition_key()
            raise ConfigValueError(
                f"A rehearsal needs hours from {known_from} UTC to now; it would decide on the bar of "
                f"{bar:%Y-%m-%d %H:%M}, an hour after the champions' training.",
                "Train to a time between them: algo-pipeline research --until TIME.",
            )


def _first_bar(settings: Settings, symbols: tuple[Symbol, ...]) -> pd.Timestamp:
    store = BundleStore(settings.artifacts_dir)
    bundles = {symbol: store.load(symbol) for symbol in symbols}
    missing = [str(symbol) for symbol, bundle in bundles.items() if bundle is None]
    if missing:
        raise ConfigValueError(f"No champion of {', '.join(missing)} is deployed.", "Run `algo-pipeline research`.")
    return max(to_utc(bundle.training_end) for bundle in bundles.values() if bundle is not None)


def _make_room(folder: Path, account_id: str) -> None:
    """Remove the files of an earlier rehearsal: its account is gone with its sandbox."""
    if not (folder / _FILES[0]).exists():
        return
    state = StateStore(folder).load(Journal(folder))
    if state.seq and state.account_id != account_id:  # without an account there may still be a person's halt in it
        raise LiveStateError(
            f"{folder} holds the journal of another account than the rehearsal's.",
            "Rehearse in another folder: set ALGO_TRADER_ARTIFACTS_DIR.",
        )
    for name in _FILES:
        (folder / name).unlink(missing_ok=True)


@contextmanager
def _pointed_to(url: str) -> Iterator[None]:
    """Every venue's setting is the sandbox while the block lasts: the runs read the settings themselves."""
    names = [f"{PREFIX}{name}" for name in _VENUES]
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, url))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

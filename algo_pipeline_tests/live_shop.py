"""A workshop that trades: a small bundle that is always LONG (or never), and a sandbox with the bars it learnt from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from algo_pipeline.common.config import Settings
from algo_pipeline.common.time import BAR
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.simulation import simulate_bars
from algo_pipeline.live.journal import Journal
from algo_pipeline.live.lines import JournalLine
from algo_pipeline.live.state import LiveState, StateStore
from algo_pipeline.registry.bundle import BundleStore, ChampionBundle
from algo_pipeline.research.promotion import Trading
from algo_pipeline.sandbox.client import SandboxControl
from algo_pipeline.sandbox.server import SandboxConfig, running_sandbox
from algo_pipeline_tests.registry.samples import sample_bundle
from algo_pipeline_tests.workshop import Workshop, workshop

BTC = Symbol("BTC", "USD")
HISTORY_START = pd.Timestamp("2023-10-01", tz="UTC")
FIRST = pd.Timestamp("2024-01-02", tz="UTC")
"""The first bar that is traded."""
N_TRADED = 60


def hour(n: int) -> pd.Timestamp:
    """Open time of the n-th traded bar."""
    return FIRST + n * BAR


@cache
def market() -> pd.DataFrame:
    return simulate_bars(BTC, HISTORY_START, hour(N_TRADED), seed=7, signal_strength=0.3)


@cache
def _learnt() -> ChampionBundle:
    return sample_bundle()


def bundle(threshold: float = 0.0, **changes: object) -> ChampionBundle:
    """A champion on simulated bars: with threshold 0 it is LONG on every bar, with 1 FLAT."""
    made = replace(
        _learnt(),
        source="simulated",
        venue_symbol="BTCUSD[seed=7,signal=0.3]",
        enter_threshold=threshold,
        exit_threshold=threshold,
        history_start=HISTORY_START.isoformat(),
        training_end=FIRST.isoformat(),
        trading=Trading.ON,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class LiveShop:
    """A workshop, the settings in force and its sandbox."""

    shop: Workshop
    settings: Settings
    sandbox: SandboxControl
    url: str

    @property
    def folder(self) -> Path:
        return self.shop.artifacts / "live"

    def deploy(self, threshold: float = 0.0, **changes: object) -> Path:
        return BundleStore(self.shop.artifacts).deploy(bundle(threshold, **changes))

    def tick(self, bar: pd.Timestamp, after: str = "60s") -> None:
        """Let the sandbox's clock show the time at which a bar is decided on."""
        self.sandbox.set_clock(bar + BAR + pd.Timedelta(after))

    @property
    def lines(self) -> tuple[JournalLine, ...]:
        return Journal(self.folder).read()

    @property
    def state(self) -> LiveState:
        return StateStore(self.folder).load(Journal(self.folder))

    def events(self) -> list[str]:
        return [line.event.value for line in self.lines]

    def alerts(self) -> str:
        path = self.folder / "alerts.log"
        return path.read_text() if path.exists() else ""

    def orders(self) -> int:
        return len(self.sandbox.ledger()["orders"])


@contextmanager
def live_shop(root: Path, dagster_template: Path | None = None) -> Iterator[LiveShop]:
    """This process works in a shop whose sandbox stands a minute after the first traded bar's close."""
    config = SandboxConfig({BTC: market()}, start=FIRST + BAR + pd.Timedelta("60s"))
    with running_sandbox(config) as url:
        control = SandboxControl(url)
        root.mkdir(parents=True, exist_ok=True)
        shop = workshop(root, **sandbox_environment(url))
        if dagster_template is not None:
            shutil.copytree(dagster_template, shop.artifacts / "dagster", symlinks=True)
        with shop.active() as settings:
            yield LiveShop(shop, settings, control, url)
        control.close()


def sandbox_environment(url: str) -> dict[str, str]:
    names = ("ALPACA_TRADING_URL", "ALPACA_DATA_URL", "BINANCE_URL", "COINGECKO_URL")
    return {f"ALGO_TRADER_{name}": url for name in names} | {
        "ALGO_TRADER_HISTORY_START": HISTORY_START.isoformat(),
        "ALGO_TRADER_SIMULATED_SEED": "7",
        "ALGO_TRADER_DRIFT_ABSTENTION": "false",  # the sample model is sure of itself, and wrong, on these bars
    }


def exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: str, **settings: str) -> int:
    """Run ``algo-pipeline`` in this process; settings stay in force."""
    from algo_pipeline.cli.main import main

    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["algo-pipeline", *arguments])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0

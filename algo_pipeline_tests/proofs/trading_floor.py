"""A sandbox in a process of its own, with champions that are LONG or FLAT as told: an order whenever one is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from algo_pipeline.common.config import PREFIX, Settings, load_settings
from algo_pipeline.common.time import BAR
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.simulation import simulate_bars
from algo_pipeline.live.journal import Journal
from algo_pipeline.registry.bundle import BundleStore
from algo_pipeline.sandbox.client import SandboxControl
from algo_pipeline.sources.store import BarStore, StoredBars
from algo_pipeline_tests.proofs.sandbox_process import sandbox_process

BTC, ETH = Symbol("BTC", "USD"), Symbol("ETH", "USD")
SHORT_HISTORY, WHOLE_HISTORY = pd.Timestamp("2023-10-01", tz="UTC"), pd.Timestamp("2020-01-01", tz="UTC")
FIRST = pd.Timestamp("2024-01-02", tz="UTC")
"""The first bar that is traded."""
RULES = BacktestConfig(fee_in_base=True, cash_buffer_bps=50.0, max_drawdown=1.0)
_URLS = ("alpaca_trading_url", "alpaca_data_url", "binance_url", "coingecko_url")


@dataclass(frozen=True)
class TradingFloor:
    """One live account: its folder, its symbols, and the sandbox it trades in.

    Parameters
    ----------
    root : Path
        Of the artifacts.
    symbols : tuple of Symbol
        Each with a champion of simulated bars.
    url : str
        The sandbox.
    control : SandboxControl
        Moves its clock, arms its faults, reads its books.
    history_start : pd.Timestamp
        Of the bars that the champions know.
    """

    root: Path
    symbols: tuple[Symbol, ...]
    url: str
    control: SandboxControl
    history_start: pd.Timestamp

    @property
    def folder(self) -> Path:
        """Where journal and state lie."""
        return self.root / "live"

    @property
    def journal(self) -> Journal:
        """What has happened."""
        return Journal(self.folder)

    def say(self, *, long: bool) -> None:
        """Let every champion be LONG, or FLAT, on every bar from now on."""
        from algo_pipeline_tests.live_shop import bundle

        threshold = 0.0 if long else 1.0
        for symbol in self.symbols:
            told = replace(bundle(threshold), symbol=str(symbol), history_start=self.history_start.isoformat())
            BundleStore(self.root).deploy(told)

    def tick(self, n: int) -> pd.Timestamp:
        """Let it be a minute after the close of the n-th bar; returns the bar."""
        bar = FIRST + n * BAR
        self.control.set_clock(bar + BAR + pd.Timedelta(minutes=1))
        return bar

    def overrides(self) -> dict[str, Any]:
        """Settings that differ from the defaults."""
        rules = {name: getattr(RULES, name) for name in BacktestConfig.__dataclass_fields__}
        return dict.fromkeys(_URLS, self.url) | rules | {
            "drift_abstention": False,  # the sample model is sure of itself, and wrong, on these bars
            "artifacts_dir": self.root,
            "symbols": ",".join(map(str, self.symbols)),
            "live_bars_source": "binance",
            "history_start": self.history_start.isoformat(),
            "mlflow_tracking_uri": f"sqlite:///{self.root}/mlruns/mlflow.db",
        }  # fmt: skip

    def settings(self) -> Settings:
        """What a process of the account works with."""
        return load_settings(None, **self.overrides())

    def environment(self) -> Mapping[str, str]:
        """The same for a process that reads its environment."""
        given = {f"{PREFIX}{name.upper()}": str(value) for name, value in self.overrides().items()}
        return given | {"DAGSTER_HOME": str(self.root / "dagster"), "DAGSTER_DISABLE_TELEMETRY": "true"}


@contextmanager
def trading_floor(
    root: Path, symbols: tuple[Symbol, ...], hours: int, *, stored: bool = False
) -> Iterator[TradingFloor]:
    """An account whose sandbox stands before the first bar's close and has bars for so many hours.

    ``stored``: four years of bars lie in the store, as ingest leaves them, and only new ones are fetched; else there
    are three months, all to be fetched.
    """
    root.mkdir(parents=True, exist_ok=True)
    start = WHOLE_HISTORY if stored else SHORT_HISTORY
    files = {}
    for symbol in symbols:
        bars = simulate_bars(symbol, start, FIRST + (hours + 3) * BAR, seed=7, signal_strength=0.3)
        files[symbol] = root / f"{symbol.slug}.parquet"
        bars.reset_index().to_parquet(files[symbol])
        if stored:
            known = StoredBars(bars[bars.index < FIRST], f"{symbol.base}USDT", start)
            BarStore(root / "data").save("binance", symbol, known)
    with sandbox_process(files, FIRST, RULES) as url:
        control = SandboxControl(url)
        floor = TradingFloor(root, symbols, url, control, start)
        floor.say(long=True)
        yield floor
        control.close()

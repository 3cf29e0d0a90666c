"""A small world for a browser: half a year of research, some hours of trading in a sandbox, and every web UI."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from algo_pipeline.common.time import BAR
from algo_pipeline.common.types import Symbol
from algo_pipeline.defs.trading import partition_key
from algo_pipeline.registry.bundle import BundleStore
from algo_pipeline.sandbox.bars import sandbox_bars
from algo_pipeline.sandbox.client import SandboxControl
from algo_pipeline.sandbox.server import SandboxConfig, running_sandbox
from algo_pipeline_tests.web_uis import WebUis, web_uis
from algo_pipeline_tests.workshop import Workshop, workshop

BTC = Symbol("BTC", "USD")
_HISTORY_START = pd.Timestamp("2023-04-27", tz="UTC")
_UNTIL = pd.Timestamp("2024-01-02", tz="UTC")
_TRADED = (True, True, False, False, True, False)
"""Whether the champion wants to be long in the hours that lie behind when the UIs start."""
_VENUES = ("ALPACA_TRADING_URL", "ALPACA_DATA_URL", "BINANCE_URL", "COINGECKO_URL")


@dataclass(frozen=True)
class World:
    """A workshop whose account lives in a sandbox, with its web UIs."""

    shop: Workshop
    sandbox: SandboxControl
    uis: WebUis

    def report(self, page: str = "report.html") -> str:
        """Address of a page beside the backtest report."""
        return (self.shop.artifacts / "backtest" / BTC.slug / page).as_uri()

    def say(self, *, long: bool) -> None:
        """Let the champion be LONG, or FLAT, on every bar from now on."""
        _say(self.shop.artifacts, long)

    def next_hour(self) -> str:
        """Let the newest bar close, undecided yet; returns the key of its partition."""
        bar = self.sandbox.now().floor("h")
        self.sandbox.set_clock(bar + BAR + pd.Timedelta(minutes=1))
        return partition_key(bar)


@contextmanager
def browser_world(root: Path, mlflow_template: Path) -> Iterator[World]:
    """Everything runs while the block lasts, and is stopped whatever happens in it."""
    with ExitStack() as stack:
        # The market must be known before its sandbox is, and the sandbox before the processes that trade in it.
        shop = workshop(root, mlflow_template, **_settings())
        with shop.active() as settings:
            bars = sandbox_bars(settings, (BTC,), _UNTIL)
        config = SandboxConfig(bars, start=_UNTIL, rules=settings.live_config())
        url = stack.enter_context(running_sandbox(config))
        shop = replace(shop, environment={**shop.environment, **{f"ALGO_TRADER_{name}": url for name in _VENUES}})
        control = SandboxControl(url)
        stack.callback(control.close)
        _research(shop)
        _trade(shop, control)
        yield World(shop, control, stack.enter_context(web_uis(shop)))


def _settings() -> dict[str, str]:
    return {
        "ALGO_TRADER_HISTORY_START": f"{_HISTORY_START:%Y-%m-%d}",
        "ALGO_TRADER_PROMOTION_POLICY": "always",
        "ALGO_TRADER_CHALLENGER": "true",
        "ALGO_TRADER_DRIFT_ABSTENTION": "false",  # a champion that is told what to say says nothing usual
    }


def _research(shop: Workshop) -> None:
    done = shop.run("research", "--until", f"{_UNTIL:%Y-%m-%dT%H:%MZ}", "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    swept = shop.run("sweep", "--symbol", str(BTC), "--json")
    assert swept.returncode == 0, swept.stderr + swept.stdout


def _trade(shop: Workshop, control: SandboxControl) -> None:
    """Some hours of live trading, each a Dagster run, as the schedule would start it."""
    from algo_pipeline.definitions import build_definitions
    from algo_pipeline.defs.live_runs import run_hours

    with shop.active() as settings:
        definitions = build_definitions()
        for n, long in enumerate(_TRADED):
            bar = _UNTIL + n * BAR
            _say(shop.artifacts, long)
            run_hours(definitions, settings, (bar,), lambda bar: control.set_clock(bar + BAR + pd.Timedelta("1min")))


def _say(artifacts: Path, long: bool) -> None:
    threshold = 0.0 if long else 1.0
    store = BundleStore(artifacts)
    bundle = store.load(BTC)
    assert bundle is not None
    store.deploy(replace(bundle, enter_threshold=threshold, exit_threshold=threshold))

"""A live account on the disk as the dashboard finds it: journal, alerts, a champion, and the backtest of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import requests

from algo_pipeline.common.config import Settings
from algo_pipeline.common.storage import write_json, write_text
from algo_pipeline.dashboard.app import build_app
from algo_pipeline.dashboard.reading import Reader
from algo_pipeline.dashboard.server import listening, make_server
from algo_pipeline.dashboard.view import View
from algo_pipeline.live.alerts import ALERTS_FILE, Alert, Alerter, Severity
from algo_pipeline.live.events import Entry
from algo_pipeline.live.journal import JOURNAL_FILE, Journal
from algo_pipeline.registry.bundle import BundleStore
from algo_pipeline_tests.live.lines import decision, hour, intent, mark, reconciled, result, started
from algo_pipeline_tests.live_shop import bundle

N_BACKTEST_HOURS = 2000
VERDICT = "evidence of an edge after costs (DSR 0.99, 2 trials)"


@dataclass(frozen=True)
class Browser:
    """Asks one server."""

    root: str

    def get(self, path: str = "/", method: str = "GET", **headers: str) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, self.root + path, headers=headers, timeout=30, allow_redirects=False)


@dataclass(frozen=True)
class DiskAccount:
    """Its folder, and the settings that point there."""

    folder: Path
    settings: Settings

    @property
    def live(self) -> Path:
        return self.folder / "live"

    @property
    def journal_path(self) -> Path:
        return self.live / JOURNAL_FILE

    def write(self, *entries: Entry) -> None:
        """Journal each an hour and a minute after its bar's open."""
        journal = Journal(self.live)
        for entry in entries:
            journal.append([entry], entry.timestamp + pd.Timedelta(minutes=61))

    def deploy(self, **changes: object) -> None:
        BundleStore(self.folder).deploy(bundle(**changes))

    def backtest(self, hourly: float = 1e-5, recipe_hash: str | None = None) -> None:
        """A backtest that gains this much an hour, with noise."""
        rng = np.random.default_rng(5)
        equity = 100_000.0 * np.cumprod(1.0 + rng.normal(hourly, 1e-3, N_BACKTEST_HOURS))
        times = pd.date_range("2022-01-01", periods=N_BACKTEST_HOURS, freq="h", tz="UTC")
        rows = "".join(
            f"{at:%Y-%m-%dT%H:%M:%SZ},{value!r},0,0,0\n" for at, value in zip(times, equity.tolist(), strict=True)
        )
        folder = self.folder / "backtest" / "BTC-USD"
        write_text(folder / "equity_curve.csv", f"timestamp,equity,cash,quantity,drawdown\n{rows}")
        write_json(folder / "report.json", {"verdict": VERDICT, "recipe_hash": recipe_hash or bundle().recipe_hash})
        write_text(folder / "report.html", "<!doctype html><title>the report</title>")

    def alert(self, title: str, severity: Severity = Severity.WARNING, text: str = "text") -> None:
        at = hour(3)
        Alerter(self.live, (), lambda: at).raise_alert(Alert(severity, "code", title, text, at))

    def view(self, now: pd.Timestamp | None = None) -> View:
        return Reader(self.settings).view(now or hour(4))

    @contextmanager
    def served(self, *allowed_hosts: str) -> Iterator[Browser]:
        """The dashboard on a port of this machine; four hours after the start."""
        app = build_app(self.settings, Reader(self.settings), lambda: hour(4), allowed_hosts)
        server = make_server(app)
        with listening("127.0.0.1", 0) as listener:
            thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
            thread.start()
            try:
                yield Browser(f"http://127.0.0.1:{listener.getsockname()[1]}")
            finally:
                server.should_exit = server.force_exit = True
                thread.join(10.0)


def traded() -> tuple[Entry, ...]:
    """Three hours: half a coin bought at 42,010 (2.26 bps above the close), its fee of 25 bps taken in coin."""
    return (
        started(0, cash="100000"),
        mark(0, 100_000.0, 100_000.0),
        decision(0),
        intent(0, quantity="0.5"),
        result(0, filled_bar=1),
        reconciled(1, cash="78995", BTC="0.49875"),
        mark(1, 100_300.0, 100_300.0),
        decision(1, action="none"),
        mark(2, 100_200.0, 100_300.0, 100.0 / 100_300.0),
        decision(2, action="none"),
    )


def account_in(folder: Path, **settings: object) -> DiskAccount:
    """An account that has nothing yet."""
    given = {"artifacts_dir": folder, "symbols": "BTC/USD", "drift_abstention": False, **settings}
    return DiskAccount(folder, Settings(_env_file=None, **given))  # type: ignore[arg-type]


def traded_account(folder: Path, **settings: object) -> DiskAccount:
    """An account with everything."""
    account = account_in(folder, **settings)
    account.write(*traded())
    account.deploy(source="file")
    account.backtest()
    account.alert("BTC/USD: something")
    assert (account.live / ALERTS_FILE).exists()
    return account

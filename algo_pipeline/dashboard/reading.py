"""Gathers from the disk what the dashboard shows; whatever can't be read becomes a problem on the page."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import pandas as pd

from algo_pipeline.common.config import Settings
from algo_pipeline.common.errors import AlgoPipelineError
from algo_pipeline.common.types import Symbol
from algo_pipeline.dashboard.clock import page_time
from algo_pipeline.dashboard.expectation import account_returns
from algo_pipeline.dashboard.file_cache import FileCache, Latest, file_mark
from algo_pipeline.dashboard.journal_reading import FollowedJournal
from algo_pipeline.dashboard.research_reading import ResearchFiles
from algo_pipeline.dashboard.status import BrokerAnswer, status_document
from algo_pipeline.dashboard.view import (
    ChampionView,
    CostsView,
    EquityView,
    Links,
    Problem,
    View,
    costs_view,
    equity_view,
)
from algo_pipeline.live.alert_reading import read_alerts
from algo_pipeline.live.alerts import ALERTS_FILE, Alert
from algo_pipeline.live.tally import JournalTally
from algo_pipeline.research.promotion import Trading

BARS_OF_DECISIONS = 168
_HOST = "127.0.0.1"
_Made = TypeVar("_Made")


class Reader:
    """Reads the live account's files, again as they change; safe to use from several threads.

    Parameters
    ----------
    settings : Settings
        Where the files are, and the rules that the account trades by.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._live = settings.artifacts_dir / "live"
        self._journal = FollowedJournal(self._live)
        self._research = ResearchFiles(settings.artifacts_dir)
        self._cache = FileCache()
        self._equity, self._costs = Latest[EquityView](), Latest[CostsView]()
        self._lock = threading.Lock()

    def view(self, wall: pd.Timestamp) -> View:
        """Everything as it is now; ``wall`` is this machine's clock."""
        with self._lock:
            return self._gathered(wall, _Tolerant())

    def report_page(self, slug: str) -> bytes | None:
        """The page of a configured symbol's last backtest; None if there is none."""
        symbol = next((each for each in self._settings.parsed_symbols() if each.slug == slug), None)
        if symbol is None:
            return None
        path = self._research.report_path(symbol)
        return path.read_bytes() if path.is_file() else None

    def _gathered(self, wall: pd.Timestamp, tolerant: _Tolerant) -> View:
        settings = self._settings
        self._journal.refresh()
        if self._journal.problem is not None:
            tolerant.problems.append(self._journal.problem)
        tally, state = self._journal.tally, self._journal.state
        time = page_time(settings.alpaca_trading_url, state.account_id, tally.newest_at, wall)
        broker = BrokerAnswer("not asked", "The dashboard reads files alone.", None, time.now)
        champions = tuple(self._champion(symbol, time.now, tolerant) for symbol in settings.parsed_symbols())
        return View(
            time=time,
            status=status_document(settings, state, tally, broker, wall, BARS_OF_DECISIONS),
            has_started=tally.offset > 0,
            is_journal_whole=self._journal.problem is None,
            equity=self._equity_view(tally, champions, tolerant),
            costs=self._costs.get(tally.last_hash, lambda: costs_view(tally, settings.slippage_bps, settings.fee_bps)),
            alerts=self._alerts(tolerant),
            champions=champions,
            links=Links(f"http://{_HOST}:{settings.dagster_port}", f"http://{_HOST}:{settings.mlflow_port}"),
            outcomes=tally.outcomes(),
            n_decisions=tally.n_decisions,
            last_decision_at=tally.newest_decision_at,
            problems=tuple(tolerant.problems),
        )

    def _champion(self, symbol: Symbol, now: pd.Timestamp, tolerant: _Tolerant) -> ChampionView:
        champion = tolerant(
            f"The champion of {symbol}", lambda: self._research.champion(symbol, now), ChampionView(str(symbol))
        )
        nothing: Mapping[str, Any] = {}
        report = tolerant(f"The backtest of {symbol}", lambda: self._research.report(symbol), nothing)
        gate = tolerant("The promotions", lambda: self._research.gate_reason(symbol, champion.version), "")
        is_its_own = report.get("recipe_hash") == champion.recipe_hash
        return replace(champion, verdict=str(report.get("verdict", "")), is_verdict_its_own=is_its_own, gate=gate)

    def _equity_view(self, tally: JournalTally, champions: Sequence[ChampionView], tolerant: _Tolerant) -> EquityView:
        """The session beside the backtests of all symbols that may trade; beside nothing where one is missing."""
        symbols = [Symbol.parse(each.symbol) for each in champions if each.trading == Trading.ON.value]
        curves = [
            tolerant(f"The backtest of {symbol}", partial(self._research.curve, symbol), None) for symbol in symbols
        ]
        known = [curve for curve in curves if curve is not None]
        shown = known if len(known) == len(symbols) else []
        key = (tally.last_hash, [file_mark(self._research.curve_path(symbol)) for symbol in symbols], len(shown))
        return self._equity.get(key, lambda: equity_view(tally, account_returns(shown)))

    def _alerts(self, tolerant: _Tolerant) -> tuple[Alert, ...]:
        path, read = self._live / ALERTS_FILE, partial(read_alerts, self._live)
        return tolerant("The alerts", lambda: self._cache.get(path, "alerts", read), ())


class _Tolerant:
    """Calls what may fail, and remembers why it did."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def __call__(self, what: str, read: Callable[[], _Made], otherwise: _Made) -> _Made:
        try:
            return read()
        except AlgoPipelineError as error:
            problem = Problem(what, error.message, error.remedy)
            if problem not in self.problems:
                self.problems.append(problem)
            return otherwise

"""vectorbt from this side: starts its process, hands it markets, asks for laps."""

from __future__ import annotations

import gc
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from algo_pipeline.common.time import epoch_ns
from algo_pipeline.common.types import FloatArray
from benchmarks.harness import Lap
from benchmarks.markets import Market
from benchmarks.rules import FRACTION

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv-bench-vectorbt" / "bin" / "python"
ENGINES = ("numba", "rust")
METRICS = ("sharpe", "sortino", "calmar", "max_drawdown", "win_rate", "profit_factor")


@dataclass(frozen=True)
class Outcome:
    """Equity at each close; a row per trade, closed or still open; its metrics."""

    equity: FloatArray
    trades: pd.DataFrame
    metrics: dict[str, float]


class VectorbtProcess:
    """A running worker; a context manager that ends it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        address = f"{self._folder.name}/socket"
        with Listener(address) as listener:
            command = [str(PYTHON), "-W", "ignore", "-m", "benchmarks.vectorbt_worker", address]
            self._process = subprocess.Popen(command, cwd=ROOT)
            self._connection: Connection[Any, Any] = listener.accept()
        self._loaded: Market | None = None

    def __enter__(self) -> VectorbtProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._process.wait(timeout=30)
        self._folder.cleanup()

    def ask(self, request: str, *arguments: object) -> Any:
        """Call a method of the worker."""
        self._connection.send((request, arguments))
        return self._connection.recv()

    def versions(self) -> dict[str, str]:
        """Of the packages in its environment."""
        found: dict[str, str] = self.ask("versions")
        return found

    def run(self, market: Market, engine: str, *, metrics: bool) -> Lap:
        """One run; its figure is the last equity."""
        self._load(market)
        return Lap(*self.ask("run", engine, metrics))

    def sweep(self, market: Market, engine: str, sets: Sequence[FloatArray], *, metrics: bool) -> Lap:
        """One run per set of enter and exit threshold, fee and slippage rate; its figure sums the last equities."""
        self._load(market)
        return Lap(*self.ask("sweep", engine, metrics, tuple(sets)))

    def outcome(
        self, market: Market, engine: str, *, fraction: float = FRACTION, sized_at_fill: bool = False
    ) -> Outcome:
        """One run with all that it yields."""
        self._load(market)
        found = self.ask("outcome", engine, fraction, sized_at_fill)
        trades = pd.DataFrame(
            {name: found[name] for name in ("size", "entry_idx", "exit_idx", "pnl", "return", "closed")}
        )
        return Outcome(found["equity"], trades, dict(zip(METRICS, found["metrics"].tolist(), strict=True)))

    def _load(self, market: Market) -> None:
        if market is not self._loaded:
            prices = (np.asarray(market.bars[name], dtype=np.float64) for name in ("open", "close"))
            self.ask(
                "load",
                epoch_ns(pd.DatetimeIndex(market.bars.index)),
                *prices,
                np.asarray(market.probability, dtype=np.float64),
            )
            self._loaded = market
            gc.collect()

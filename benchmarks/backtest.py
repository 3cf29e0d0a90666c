"""Speed of the backtest: one run, its metrics, a sweep, and the first call of a process, beside slower ways.

Run with ``python -m benchmarks.backtest``. Peers are measured where they are installed (vectorbt, empyrical).
"""

from __future__ import annotations

import functools
import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from algo_pipeline.backtest.engine import BacktestConfig, run_backtest
from algo_pipeline.backtest.metrics import TradingFigures, compute_metrics
from algo_pipeline.backtest.reference import reference_backtest
from algo_pipeline.backtest.sweep import run_sweep
from algo_pipeline.common.time import epoch_ns
from algo_pipeline.common.types import FloatArray, Symbol

SIZES = (37_660, 100_000, 1_000_000)
CONFIG = BacktestConfig(fee_bps=10.0, slippage_bps=5.0, max_drawdown=1.0)
SWEEP_GRID = {
    "enter_threshold": np.linspace(0.51, 0.60, 20).tolist(),
    "exit_threshold": np.linspace(0.40, 0.50, 20).tolist(),
    "cooldown_bars": [0, 3, 6, 12, 24],
    "fee_bps": [0.0, 5.0, 10.0, 15.0, 25.0],
}
_FIRST_CALL = (
    "import time, benchmarks.backtest as b; bars, p = b.make_market(200); t = time.perf_counter();"
    "b.run_backtest(bars, p, b.CONFIG); print(time.perf_counter() - t)"
)


@dataclass(frozen=True)
class Timing:
    """Median and best wall time of one piece of work."""

    work: str
    n_bars: int
    median: float
    best: float

    def __str__(self) -> str:
        return f"{self.work:<44} {self.n_bars:>9,} {self.median * 1e3:>11.3f} {self.best * 1e3:>11.3f}"


def make_market(n_bars: int, seed: int = 0) -> tuple[pd.DataFrame, pd.Series[float]]:
    """Hourly bars of a heavy-tailed walk, and a restless probability that trades about every 15 bars."""
    rng = np.random.default_rng(seed)
    returns = rng.standard_t(4, n_bars) * 0.004
    close = 30_000.0 * np.exp(np.cumsum(returns - returns.mean()))
    open_ = np.concatenate([[30_000.0], close[:-1]])
    index = pd.date_range("1900-01-01", periods=n_bars, freq="h", tz="UTC", name="timestamp", unit="ns")
    prices = {"open": open_, "high": np.maximum(open_, close), "low": np.minimum(open_, close), "close": close}
    bars = pd.DataFrame(prices | {"volume": np.ones(n_bars)}, index=index)
    noise = np.convolve(rng.normal(size=n_bars + 7), np.ones(8) / 8, "valid")
    return bars, pd.Series(1.0 / (1.0 + np.exp(-0.8 * noise)), index=bars.index)


def time_work(work: str, n_bars: int, run: Callable[[], object], repeats: int) -> Timing:
    """Warm once, then measure."""
    run()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return Timing(work, n_bars, statistics.median(seconds), min(seconds))


def backtest_and_read(bars: pd.DataFrame, probability: pd.Series[float]) -> tuple[float, int, int]:
    """Everything a user may look at: curve, trades, fills and metrics."""
    result = run_backtest(bars, probability, CONFIG)
    return result.metrics["sharpe"], len(result.trades) + len(result.fills), len(result.equity)


def numpy_metrics(index: pd.DatetimeIndex, equity: FloatArray) -> tuple[float, float, float]:
    """Return, Sharpe and drawdown by plain pandas and numpy, for comparison."""
    curve = pd.Series(equity, index=index)
    daily = curve.resample("1D").last().pct_change().dropna()
    drawdown = (1.0 - curve / curve.cummax()).max()
    return float(curve.iloc[-1] / curve.iloc[0] - 1), float(daily.mean() / daily.std() * 365**0.5), float(drawdown)


def single_runs() -> list[Timing]:
    """``run_backtest`` at every size, and the decimal reference on the first bars."""
    timings = []
    for n_bars in SIZES:
        bars, probability = make_market(n_bars)
        repeats = 101 if n_bars < 200_000 else 15
        work = functools.partial(backtest_and_read, bars, probability)
        timings.append(time_work("run_backtest, all outputs", n_bars, work, repeats))
    symbol = Symbol("BTC", "USD")
    bars, probability = make_market(1000)
    slow = time_work(
        "decimal reference", 1000, lambda: reference_backtest({symbol: bars}, {symbol: probability}, CONFIG), 3
    )
    return [*timings, slow]


def metric_runs() -> list[Timing]:
    """Metrics of one curve of a million points, ours beside plain pandas and, if installed, empyrical."""
    bars, probability = make_market(1_000_000)
    equity = np.asarray(run_backtest(bars, probability, CONFIG).equity, dtype=np.float64)
    index = pd.DatetimeIndex(bars.index)
    trading = TradingFigures(np.empty(0), np.empty(0, np.int64), 0, 0.0, 0.0, 0.0)
    stamps = epoch_ns(index)
    timings = [
        time_work("metrics, all", len(bars), lambda: compute_metrics(stamps, equity, 100_000.0, trading), 15),
        time_work("metrics, three by pandas", len(bars), lambda: numpy_metrics(index, equity), 5),
    ]
    if importlib.util.find_spec("empyrical"):
        empyrical = importlib.import_module("empyrical")
        returns = pd.Series(np.diff(equity) / equity[:-1], index=index[1:])
        work = functools.partial(empyrical.max_drawdown, returns)
        timings.append(time_work("metrics, drawdown by empyrical", len(bars), work, 5))
    return timings


def sweep_runs() -> list[Timing]:
    """10,000 configurations, with the kill switch as by default and switched off."""
    bars, probability = make_market(SIZES[0])
    bases = {"run_sweep 10,000, kill switch at 10 %": BacktestConfig(), "run_sweep 10,000, no kill switch": CONFIG}
    return [
        time_work(name, len(bars), functools.partial(run_sweep, bars, probability, SWEEP_GRID, base), 3)
        for name, base in bases.items()
    ]


def peer_runs() -> list[Timing]:
    """The same signals in vectorbt, where it is installed."""
    if not importlib.util.find_spec("vectorbt"):
        return []
    vectorbt = importlib.import_module("vectorbt")
    timings = []
    for n_bars in SIZES:
        bars, probability = make_market(n_bars)
        entries, exits = (probability >= 0.55).shift(fill_value=False), (probability <= 0.45).shift(fill_value=False)

        def run(bars: pd.DataFrame = bars, entries: object = entries, exits: object = exits) -> object:
            portfolio = vectorbt.Portfolio.from_signals(
                bars["close"], entries, exits, price=bars["open"], size=0.2, size_type="percent", fees=0.001,
                slippage=0.0005, init_cash=100_000.0, freq="1h",
            )  # fmt: skip
            figures = (portfolio.total_return, portfolio.sharpe_ratio, portfolio.max_drawdown, portfolio.trades.count)
            return [figure() for figure in figures]

        timings.append(time_work("vectorbt from_signals, four metrics", n_bars, run, 5))
    return timings


def first_call_seconds() -> float:
    """Seconds of the first ``run_backtest`` of a fresh process whose compiled code is on disk."""
    output = subprocess.run([sys.executable, "-c", _FIRST_CALL], check=True, capture_output=True, text=True).stdout
    return float(output)


def main() -> None:
    """Print one table."""
    print(f"{'work':<44} {'bars':>9} {'median ms':>11} {'best ms':>11}")
    for timing in (*single_runs(), *metric_runs(), *sweep_runs(), *peer_runs()):
        print(timing)
    print(f"first call of a process, compiled code on disk: {first_call_seconds():.2f} s")


if __name__ == "__main__":
    main()

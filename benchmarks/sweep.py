"""Ten thousand parameter sets over one series: ours beside a slice of the same sets in vectorbt."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numba
import numpy as np

from algo_pipeline.backtest.engine import BacktestConfig
from algo_pipeline.backtest.sweep import run_sweep
from algo_pipeline.common.types import FloatArray, IntArray
from benchmarks import ours
from benchmarks.harness import Effort, Lap, Row, Tool, race, table
from benchmarks.markets import N_REAL_BARS, Market
from benchmarks.peer_vectorbt import ENGINES, VectorbtProcess
from benchmarks.rules import INITIAL_CASH
from benchmarks.session import Session

GRID: Mapping[str, Sequence[float]] = {
    "enter_threshold": np.linspace(0.51, 0.60, 20).tolist(),
    "exit_threshold": np.linspace(0.40, 0.50, 20).tolist(),
    "fee_bps": [0.0, 5.0, 10.0, 15.0, 25.0],
    "slippage_bps": [0.0, 2.0, 5.0, 10.0, 20.0],
}
RISK_GRID: Mapping[str, Sequence[float]] = {**GRID, "slippage_bps": [5.0], "cooldown_bars": [0, 3, 6, 12, 24]}
N_SETS = 10_000
SLICE = 200
_FULL, _QUICK = Effort(rounds=5, least=5, seconds=60.0), Effort(rounds=1, least=1, seconds=0.0)


def report(session: Session) -> str:
    """The table; the slice must reach the same last equities."""
    title = f"A sweep of {N_SETS:,} sets over so many bars (vectorbt: {SLICE} of them, times {N_SETS // SLICE})"
    return table(title, rows(session))


def rows(session: Session) -> list[Row]:
    """A line per tool."""
    effort = _QUICK if session.quick else _FULL
    return race([*_tools(session)], N_REAL_BARS, partial(session.source.market, N_REAL_BARS), effort)


def slice_rows() -> IntArray:
    """Which sets of the grid the slice has: spread over it at random, always the same."""
    return np.sort(np.random.default_rng(0).choice(N_SETS, SLICE, replace=False)).astype(np.int64)


def slice_sets() -> tuple[FloatArray, ...]:
    """Enter and exit thresholds, fee and slippage rates of the slice, each of shape (SLICE,)."""
    enter, exit_, fee, slippage = (values[slice_rows()] for values in _columns())
    return enter, exit_, fee * 1e-4, slippage * 1e-4


def _columns() -> list[FloatArray]:
    """The grid as a column per field, rows in the order of ``run_sweep``."""
    return [values.ravel() for values in np.meshgrid(*GRID.values(), indexing="ij")]


def _tools(session: Session) -> Iterator[Tool[Market]]:
    cores = os.cpu_count() or 1
    yield Tool(f"algo_pipeline: 15 metrics, {cores} threads", partial(_ours, threads=cores))
    yield Tool("algo_pipeline: 15 metrics, 1 thread", partial(_ours, threads=1))
    yield Tool("algo_pipeline: with cooldowns and kill switch", _with_risk)
    if session.vectorbt is not None:
        yield from _vectorbt(session.vectorbt)


def _vectorbt(process: VectorbtProcess) -> Iterator[Tool[Market]]:
    sets, scale = slice_sets(), N_SETS / SLICE
    for engine in ENGINES:
        yield Tool(
            f"vectorbt, {engine}: total return only, 1 thread",
            partial(process.sweep, engine=engine, sets=sets, metrics=False),
            scale=scale,
        )
        yield Tool(
            f"vectorbt, {engine}: 7 metrics, 1 thread",
            partial(process.sweep, engine=engine, sets=sets, metrics=True),
            scale=scale,
        )


def _ours(market: Market, threads: int) -> Lap:
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        start = time.perf_counter()
        result = run_sweep(market.bars, market.probability, GRID, ours.CONFIG)
        seconds = time.perf_counter() - start
    finally:
        numba.set_num_threads(before)
    final = INITIAL_CASH * (1.0 + result["total_return"].to_numpy()[slice_rows()])
    return Lap(seconds, float(final.sum()))


def _with_risk(market: Market) -> Lap:
    start = time.perf_counter()
    run_sweep(market.bars, market.probability, RISK_GRID, BacktestConfig())
    return Lap(time.perf_counter() - start)

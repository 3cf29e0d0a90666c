"""One backtest of one symbol: ours with everything on, beside vectorbt, backtesting.py and PyBroker."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks import ours, peer_backtesting, peer_pybroker
from benchmarks.harness import Row, Tool, race, table, timed, unchanged
from benchmarks.markets import Market
from benchmarks.peer_vectorbt import ENGINES, VectorbtProcess
from benchmarks.session import Session, installed


def report(session: Session) -> str:
    """The table; all tools must reach the same last equity."""
    return table("One backtest", rows(session))


def rows(session: Session) -> list[Row]:
    """A line per tool and size."""
    tools = [*_tools(session)]
    return [
        row
        for n_bars in session.sizes
        for row in race(tools, n_bars, partial(session.source.market, n_bars), session.effort)
    ]


def _tools(session: Session) -> Iterator[Tool[Market]]:
    yield Tool("algo_pipeline: curve, trades, fills, 15 metrics", timed(ours.final_equity, unchanged))
    if session.vectorbt is not None:
        yield from _vectorbt(session.vectorbt)
    if installed("backtesting"):
        lap = timed(peer_backtesting.final_equity, peer_backtesting.prepare)
        yield Tool("backtesting.py: curve, trades, its statistics", lap)
    if installed("pybroker"):
        lap = timed(peer_pybroker.final_equity, peer_pybroker.prepare)
        yield Tool("PyBroker: curve, trades, its metrics", lap, largest=100_000)


def _vectorbt(process: VectorbtProcess) -> Iterator[Tool[Market]]:
    for engine in ENGINES:
        yield Tool(f"vectorbt, {engine}: total return only", partial(process.run, engine=engine, metrics=False))
        yield Tool(f"vectorbt, {engine}: curve, trades, 7 metrics", partial(process.run, engine=engine, metrics=True))

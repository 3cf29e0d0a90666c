"""The first backtest of a fresh process, its start and imports included: without compiled code on disk, and with it."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.harness import Effort, Lap, Row, Tool, race, table
from benchmarks.peer_vectorbt import ENGINES, PYTHON, ROOT
from benchmarks.session import Session, installed

N_BARS = 2_000
_FULL, _QUICK = Effort(rounds=5, least=5, seconds=0.0), Effort(rounds=1, least=1, seconds=0.0)
_PROGRAM = "from benchmarks import markets, {module} as tool; market = markets.simulated_market({n_bars}); {run}"


def report(session: Session) -> str:
    """The table."""
    return table("First backtest of a fresh process, imports included", rows(session))


def rows(session: Session) -> list[Row]:
    """A line per tool with compiled code on disk, then without; the ratio is to ours in the same state."""
    effort = _QUICK if session.quick else _FULL
    without = dataclasses.replace(effort, warm_up=False)
    with tempfile.TemporaryDirectory() as folder:
        warm = race([*_tools(session, "warm", Path(folder))], N_BARS, _nothing, effort)
    return warm + race([*_tools(session, "cold", None)], N_BARS, _nothing, without)


def _tools(session: Session, state: str, cache: Path | None) -> Iterator[Tool[None]]:
    """``cache`` is the folder of compiled code; None is a new one for each call."""
    for name, python, program in _programs(session):
        yield Tool(f"{name}, {state}", partial(_lap, python, program, cache))


def _programs(session: Session) -> Iterator[tuple[str, str, str]]:
    here = sys.executable
    yield "algo_pipeline", here, _program("ours", "tool.final_equity(market)")
    if session.vectorbt is not None:
        for engine in ENGINES:
            yield f"vectorbt, {engine}", str(PYTHON), _program("vectorbt_worker", f"tool.run_once(market, {engine!r})")
    for name, package in (("backtesting.py", "backtesting"), ("PyBroker", "pybroker")):
        if installed(package):
            yield name, here, _program(f"peer_{package}", "tool.final_equity(tool.prepare(market))")


def _program(module: str, run: str) -> str:
    return _PROGRAM.format(module=module, n_bars=N_BARS, run=run)


def _nothing(_number: int) -> None:
    """No data: each process makes its own."""


def _lap(python: str, program: str, cache: Path | None, _: None) -> Lap:
    with tempfile.TemporaryDirectory() as empty:
        environment = os.environ | {"NUMBA_CACHE_DIR": str(cache or empty)}
        start = time.perf_counter()
        subprocess.run(
            [python, "-W", "ignore", "-c", program], cwd=ROOT, env=environment, check=True, capture_output=True
        )
        return Lap(time.perf_counter() - start)

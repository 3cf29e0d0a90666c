"""From tick to order acknowledged, under a real daemon and code server, against a sandbox: a tick every minute.

The sandbox's clock is moved an hour a minute, and the champion is LONG and FLAT in turn, so that every tick trades.
"""

from __future__ import annotations

import datetime as dt
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import dagster as dg

from algo_pipeline_tests.proofs.daemon import daemon_and_code_server
from algo_pipeline_tests.proofs.stamps import Stamp, read_stamps
from algo_pipeline_tests.proofs.trading_floor import BTC, TradingFloor, trading_floor

TARGET_S = 4.0
_SCHEDULED = ".dagster/scheduled_execution_time"
_PERIOD_S, _MOVE_AT_S = 60, 45
_MOMENTS = ("scheduled", "created", "start", "imports", "loaded", "step", "body", "hour", "sent", "acknowledged")
PARTS = (
    "daemon: tick to run",
    "daemon: run to process",
    "process: Python and Dagster",
    "process: the code location",
    "process: Dagster's run",
    "imports: the live path",
    "decision: the session",
    "decision: to the order",
    "broker: to the acknowledgement",
)
TOTAL = "tick to acknowledged"


@dataclass(frozen=True)
class Tick:
    """One tick: seconds of each part, and processor seconds that the run's process had used at each of its moments."""

    seconds: Mapping[str, float]
    cpu_s: Mapping[str, float]


@dataclass(frozen=True)
class Latency:
    """The ticks that ended with an acknowledged order, of so many."""

    ticks: tuple[Tick, ...]
    wanted: int

    def median(self, part: str) -> float:
        """Median seconds of a part."""
        return statistics.median(tick.seconds[part] for tick in self.ticks)

    def worst(self, part: str) -> float:
        """Most seconds of a part."""
        return max(tick.seconds[part] for tick in self.ticks)

    def cpu_s(self, moment: str) -> float:
        """Median processor seconds that the run's process had used at a moment."""
        return statistics.median(tick.cpu_s[moment] for tick in self.ticks)

    @property
    def holds(self) -> bool:
        """Whether every tick traded, and the median is within the target."""
        return len(self.ticks) == self.wanted and self.median(TOTAL) <= TARGET_S


def measure_latency(root: Path, ticks: int, on_tick: Callable[[int], object] = lambda n: None) -> Latency:
    """Measure so many ticks, a minute each; the one in which the services have just started is not counted."""
    with trading_floor(root, (BTC,), hours=ticks + 6, stored=True) as floor, _services(floor) as stamps:
        floor.control.run_clock(1.0)
        _sleep_until(_next(_MOVE_AT_S))
        first = _next(0) + _PERIOD_S
        for n in range(ticks + 1):
            _prepare(floor, n)
            _sleep_until(_next(_MOVE_AT_S))
            on_tick(n)
        return Latency(tuple(_ticks(floor, read_stamps(stamps), first, ticks)), ticks)


@contextmanager
def _services(floor: TradingFloor) -> Iterator[Path]:
    """Daemon and code server; nothing of this process's own Dagster home or settings reaches them."""
    names = [name for name in os.environ if name.startswith(("ALGO_TRADER_", "DAGSTER_HOME"))]
    kept = {name: os.environ.pop(name) for name in names}
    try:
        with daemon_and_code_server(floor) as stamps:
            yield stamps
    finally:
        os.environ.update(kept)


def _prepare(floor: TradingFloor, n: int) -> None:
    """Let the next whole minute decide on the n-th hour, and trade."""
    floor.say(long=n % 2 == 0)
    floor.tick(n)


def _ticks(floor: TradingFloor, stamps: Sequence[Stamp], first: float, wanted: int) -> Iterator[Tick]:
    """The ticks from ``first`` on that ended with an acknowledged order."""
    with dg.DagsterInstance.from_config(str(floor.root / "dagster")) as instance:
        for record in instance.get_run_records():
            run = record.dagster_run
            scheduled = dt.datetime.fromisoformat(run.tags.get(_SCHEDULED, "1970-01-01T00:00+00:00")).timestamp()
            started = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START)
            if first <= scheduled < first + wanted * _PERIOD_S and started:
                at = {"scheduled": scheduled, "created": record.create_timestamp.timestamp()}
                tick = _tick_of({**at, "step": started[0].timestamp}, _stamps_of(run.run_id, stamps))
                yield from [] if tick is None else [tick]


def _stamps_of(run_id: str, stamps: Sequence[Stamp]) -> dict[str, Stamp]:
    """The first stamp of each name that the run's process has written."""
    pids = {stamp.pid for stamp in stamps if stamp.name == "body" and stamp.of == run_id}
    return {stamp.name: stamp for stamp in reversed(stamps) if stamp.pid in pids}


def _tick_of(by_dagster: Mapping[str, float], stamps: Mapping[str, Stamp]) -> Tick | None:
    at = {**by_dagster, **{name: stamp.at for name, stamp in stamps.items()}}
    if any(name not in at for name in _MOMENTS):
        return None
    seconds = {part: at[b] - at[a] for part, (a, b) in zip(PARTS, pairwise(_MOMENTS), strict=True)}
    cpu = {name: stamps[name].cpu_s for name in ("imports", "loaded", "body", "sent", "acknowledged")}
    return Tick({**seconds, TOTAL: at["acknowledged"] - at["scheduled"]}, cpu)


def _next(second: int) -> float:
    """The next moment at which a minute's clock shows this second."""
    now = time.time()
    return now + (second - now) % _PERIOD_S


def _sleep_until(at: float) -> None:
    time.sleep(max(0.0, at - time.time()))

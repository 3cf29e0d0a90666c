"""Seeded fault schedules with a simulated crash at every step boundary, over the real Alpaca client and a sandbox.

A schedule is a random market with random weather: lost, late, spoiled and refused answers of the venue. Some hours run
under it, killed at random; then one hour is run again and again from the same start, killed at each of its boundaries:
before every write, sync and request, and after the last (after one step is before the next), in the middle of every
write, and while an order is on its way. Every one of these histories must keep every promise.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from loguru import logger

from algo_pipeline.common.errors import BrokerError
from algo_pipeline.live.state import STATE_FILE
from algo_pipeline.sandbox.faults import Fault, FaultKind
from algo_pipeline.sandbox.server import FillMode
from algo_pipeline_tests.live.harness import BTC, ETH, CrashPoints, SimulatedCrash, broken_promises, lost_orders
from algo_pipeline_tests.live.storm import unfinished
from algo_pipeline_tests.live.worlds import LIVE, random_world
from algo_pipeline_tests.proofs.wire_world import WireFault, WireWorld

_FIRST_HOURS, _CALM_HOURS = 2, 1
_ORDERS, _ORDER_LOOK_UP = "/v2/orders", "/v2/orders:by_client_order_id"
_ANY = "/v2/*"
_SEVERAL = (1, 1, 1, 2, 2, 3, 6, 30)


@dataclass(frozen=True)
class Tally:
    """What schedules have come to: how much happened, and what is wrong (nothing, if every promise held)."""

    schedules: int = 0
    histories: int = 0
    crashes: int = 0
    orders: int = 0
    resent: int = 0
    steps: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()

    def __add__(self, other: Tally) -> Tally:
        """Both."""
        return Tally(
            self.schedules + other.schedules,
            self.histories + other.histories,
            self.crashes + other.crashes,
            self.orders + other.orders,
            self.resent + other.resent,
            self.steps | other.steps,
            self.problems + other.problems,
        )


def run_schedules(seeds: Sequence[int], processes: int, every: int = 1) -> Tally:
    """Run the schedules of these seeds on several processors, with a crash at every (or every so manyth) boundary."""
    run = partial(run_schedule, every=every)
    if processes <= 1:
        return reduce(Tally.__add__, map(run, seeds), Tally())
    with ProcessPoolExecutor(processes, get_context("forkserver")) as pool:
        return reduce(Tally.__add__, pool.map(run, seeds, chunksize=4), Tally())


def run_schedule(seed: int, every: int = 1) -> Tally:
    """One schedule, in a folder that is removed; what is wrong names the seed and the boundary."""
    logger.disable("algo_pipeline")
    folder = Path(tempfile.mkdtemp(prefix="schedule-"))
    try:
        return _Schedule(folder, seed, every).run()
    finally:
        shutil.rmtree(folder)
        logger.enable("algo_pipeline")


@dataclass
class _Schedule:
    folder: Path
    seed: int
    every: int
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def run(self) -> Tally:
        start = self._start()
        bar = start.times[_FIRST_HOURS]
        counted, uncut = CrashPoints(), start.clone(self.folder / "uncut")
        _until_through(uncut, bar, counted)
        chosen = list(enumerate(boundaries(counted.steps)))[self.seed % self.every :: self.every]
        histories = [self._history(start, bar, points, n) for n, points in chosen]
        end = self._ended("without a crash", uncut)
        return replace(reduce(Tally.__add__, histories, end), schedules=1, steps=frozenset(counted.steps))

    def _start(self) -> WireWorld:
        """A world after some hours of weather and kills, with the next hour's weather coming up."""
        rng = self.rng
        config = replace(
            LIVE, max_drawdown=float(rng.choice([0.02, 1.0])), position_fraction=float(rng.choice([0.2, 0.6]))
        )
        market = random_world(self.folder, self.seed, (BTC, ETH), _FIRST_HOURS + _CALM_HOURS + 3, config)
        mode = FillMode.REALISTIC if rng.random() < 0.5 else FillMode.PARITY
        options = {
            "mode": mode,
            "seed": self.seed,
            "partial_fill_probability": float(rng.choice([0.0, 0.5])),
            "latency_s": float(rng.choice([0.0, 1.5, 40.0], p=[0.75, 0.15, 0.1])),
        }
        world = WireWorld(
            self.folder / "start",
            market.bars,
            market.probability,
            config,
            options=options,
            asks_for_the_time=self.seed % 5 == 0,
        )
        for bar in world.times[:_FIRST_HOURS]:
            make_weather(world, rng)
            for _ in range(int(rng.integers(0, 3))):
                points = CrashPoints(int(rng.integers(0, 40)), str(rng.choice(["before", "torn"])))
                with contextlib.suppress(BrokerError, SimulatedCrash):
                    world.tick(bar, points=points)
                world.clock.sleep(float(rng.choice([1.0, 20.0, 300.0])))
            _until_through(world, bar, CrashPoints())
        make_weather(world, rng)
        return world

    def _history(self, start: WireWorld, bar: pd.Timestamp, points: CrashPoints, n: int) -> Tally:
        world = start.clone(self.folder / str(n))
        world.wire.late_after_death_s = float(np.random.default_rng((self.seed, n)).choice([0.5, 3.0, 8.0, 25.0]))
        _until_through(world, bar, points)
        step = points.steps[points.at] if points.at is not None and points.at < len(points.steps) else "the end"
        tally = self._ended(f"crash {points.where} step {points.at}, {step}", world)
        shutil.rmtree(world.folder)
        return replace(tally, crashes=1)

    def _ended(self, where: str, world: WireWorld) -> Tally:
        """The world after calm hours, and what is wrong with it."""
        world.sandbox.faults.clear()
        world.wire.faults.clear()
        for bar in world.times[_FIRST_HOURS + 1 : _FIRST_HOURS + 1 + _CALM_HOURS]:
            world.tick(bar)
        problems = tuple(f"seed {self.seed}, {where}: {problem}" for problem in problems_of(world))
        orders, ids = len(world.broker.orders), [order_id for order_id, *_ in world.broker.sent]
        return Tally(histories=1, orders=orders, resent=len(ids) - len(set(ids)), problems=problems)


def boundaries(steps: Sequence[str]) -> Iterator[CrashPoints]:
    """Every boundary of a run: before each step, after the last, and inside those that can be cut."""
    for n, step in enumerate(steps):
        yield CrashPoints(n, "before")
        if step.startswith(("append", "request POST", "request DELETE")):
            yield CrashPoints(n, "torn")
    yield CrashPoints(len(steps) - 1, "after")


def make_weather(world: WireWorld, rng: np.random.Generator) -> None:
    """Other faults than before, for the hours to come; one hour in four is fair."""
    world.sandbox.faults.clear()
    world.wire.faults.clear()
    if rng.random() < 0.25:
        return
    for path, method, chance in ((_ORDERS, "POST", 0.5), (_ORDER_LOOK_UP, "GET", 0.4), (_ANY, "*", 0.3)):
        if rng.random() < chance:
            world.sandbox.faults.add(_fault(path, method, rng))
    if rng.random() < 0.25:
        world.wire.faults.append(WireFault("late", int(rng.choice([1, 2])), float(rng.choice([2.0, 11.0, 25.0]))))
    if rng.random() < 0.25:
        world.wire.faults.append(WireFault("unseen", int(rng.choice([1, 2, 3]))))


def _fault(path: str, method: str, rng: np.random.Generator) -> Fault:
    count, skip = int(rng.choice(_SEVERAL)), int(rng.choice([0, 0, 1, 5]))
    kinds = (FaultKind.STATUS, FaultKind.RESET, FaultKind.TRUNCATED, FaultKind.MALFORMED, FaultKind.HTML)
    kind = kinds[int(rng.integers(0, len(kinds)))]
    status = int(rng.choice([429, 500, 502, 503, 504])) if kind is FaultKind.STATUS else None
    after = bool(rng.random() < 0.6) if kind in (FaultKind.STATUS, FaultKind.RESET) else None
    chance = float(rng.choice([1.0, 0.5]))
    return Fault(kind, path, method, count, chance, int(rng.integers(1 << 30)), skip, status=status, after_effect=after)


def problems_of(world: WireWorld) -> list[str]:
    """Every promise that a world in calm has broken, in words."""
    found = [*broken_promises(world), *lost_orders(world, may_abandon=True), *unfinished(world)]
    state = world.state
    saved = (world.folder / STATE_FILE).read_bytes()
    (world.folder / STATE_FILE).unlink()
    if world.state != state or not saved:
        found.append("the state rebuilt from the journal is not the one that was saved")
    (world.folder / STATE_FILE).write_bytes(saved)
    world.sandbox.venue.ledger.verify()
    return found


def _until_through(world: WireWorld, bar: pd.Timestamp, points: CrashPoints) -> None:
    """Run a bar, again as a new process after a crash; a broker that can't be asked leaves it to the next hour."""
    try:
        with contextlib.suppress(BrokerError):
            world.tick(bar, points=points)
    except SimulatedCrash:
        world.clock.sleep(5)
        with contextlib.suppress(BrokerError):
            world.run(bar)

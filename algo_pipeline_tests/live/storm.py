"""Storms: hours of live trading under random faults and kills, all from one seed, and what must hold afterwards."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import BrokerError
from algo_pipeline.live.events import Event
from algo_pipeline_tests.live.harness import (
    BTC,
    ETH,
    CrashPoints,
    Fault,
    Filling,
    SimulatedCrash,
    World,
    broken_promises,
    lost_orders,
)
from algo_pipeline_tests.live.worlds import LIVE, random_world

_HOURS = 8
_KINDS = {
    "place": ("before", "after", "after", "refuse"),
    "find": ("before", "absent", "absent", "refuse"),
    "cancel": ("before", "after"),
    "account": ("before",),
    "positions": ("before",),
    "open": ("before",),
    "since": ("before",),
}


@dataclass(frozen=True)
class Storm:
    """What a storm has come to: what is wrong (nothing, if all is well), and how much happened."""

    problems: tuple[str, ...]
    crashes: int
    orders: int
    resent: int


def run_storm(folder: Path, seed: int) -> Storm:
    """Run some hours under faults and kills, then two calm ones, and check every promise."""
    rng = np.random.default_rng(seed)
    config = replace(LIVE, max_drawdown=float(rng.choice([0.02, 1.0])), position_fraction=float(rng.choice([0.2, 0.6])))
    world = random_world(folder, seed, (BTC, ETH), _HOURS + 4, config)
    crashes = 0
    for n, bar in enumerate(world.times[: _HOURS + 2]):
        if n < _HOURS:
            _make_weather(world, rng)
            if rng.random() < 0.1:
                continue
            crashes += _hour_with_kills(world, bar, rng)
        else:
            world.broker.faults.clear()
            world.broker.filling = Filling()
            world.tick(bar)
    problems = [*broken_promises(world), *unfinished(world), *lost_orders(world, may_abandon=True)]
    return Storm(tuple(problems), crashes, len(world.broker.orders), len(world.broker.sent) - len(world.broker.orders))


def _make_weather(world: World, rng: np.random.Generator) -> None:
    world.broker.faults = [
        Fault(request, str(rng.choice(kinds)), int(rng.choice([1, 1, 2, 3, 6, 40])))
        for request, kinds in _KINDS.items()
        if rng.random() < 0.3
    ]
    share = rng.choice([1.0, 1.0, 1.0, 0.5, 0.0])
    world.broker.filling = Filling(Decimal(repr(float(share))), bool(rng.random() < 0.3), bool(rng.random() < 0.05))


def _hour_with_kills(world: World, bar: pd.Timestamp, rng: np.random.Generator) -> int:
    """Run the hour with up to three kills, and a last time in peace; the number of kills."""
    crashes = 0
    for _ in range(int(rng.integers(0, 4))):
        points = CrashPoints(int(rng.integers(0, 30)), str(rng.choice(["before", "after", "torn"])))
        try:
            with contextlib.suppress(BrokerError):
                world.tick(bar, points=points)
        except SimulatedCrash:
            crashes += 1
        world.clock.sleep(float(rng.choice([1.0, 20.0, 300.0])))
    with contextlib.suppress(BrokerError):
        world.tick(bar)
    return crashes


def unfinished(world: World) -> list[str]:
    """What two calm hours have left behind."""
    state, problems = world.state, []
    if state.stopped is not None:
        problems.append(f"stopped: {state.stopped}")
    if state.open_intents:
        problems.append(f"open: {', '.join(state.open_intents)}")
    if world.lines_of(Event.ADJUSTMENT):
        problems.append("cash was adjusted although nobody moved any")
    if any(not order.is_terminal for order in world.broker.orders.values()):
        problems.append("an order rests")
    return problems

"""Killed at any step, the next process brings the hour to the same end: one intent, at most one order, none lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from algo_pipeline.live.events import Event
from algo_pipeline.live.report import HourReport
from algo_pipeline_tests.live.harness import (
    BTC,
    ETH,
    CrashPoints,
    Fault,
    SimulatedCrash,
    World,
    broken_promises,
    lost_orders,
)
from algo_pipeline_tests.live.worlds import LIVE, hour, scripted

CRASH_BAR = 2
ALMOST_ALL = replace(LIVE, position_fraction=0.6, max_position_fraction=0.6)


def busy_world(folder: Path) -> World:
    """On bar 2 BTC is sold, ETH bought; the fills of bar 1 are still to be reconciled."""
    return scripted(folder, {BTC: [0.7, 0.5, 0.3, 0.5, 0.5], ETH: [0.5, 0.5, 0.7, 0.5, 0.5]})


def kill_switch_world(folder: Path) -> World:
    """Both are held when BTC falls by 60 % on bar 2."""
    closes = {BTC: [100.0, 100.0, 40.0, 40.0, 40.0, 40.0, 40.0]}
    return scripted(folder, {BTC: [0.7, 0.5, 0.7, 0.7, 0.7], ETH: [0.7, 0.5, 0.7, 0.5, 0.5]}, closes)


def up_to_the_crash_bar(world: World, *, miss: bool = False, deposit: bool = False) -> World:
    for n in range(CRASH_BAR - 1 if miss else CRASH_BAR):
        world.tick(hour(n))
    if deposit:
        world.broker.cash += Decimal(1000)
    return world


WORLDS: dict[str, Callable[[Path], World]] = {
    "busy": lambda folder: up_to_the_crash_bar(busy_world(folder)),
    "first": lambda folder: scripted(folder, {BTC: [0.5] * CRASH_BAR + [0.7], ETH: [0.5] * CRASH_BAR + [0.7]}),
    "cash binds": lambda folder: scripted(folder, {BTC: [0.5, 0.5, 0.7], ETH: [0.5, 0.5, 0.7]}, config=ALMOST_ALL),
    "kill switch": lambda folder: up_to_the_crash_bar(kill_switch_world(folder)),
    "missed and deposit": lambda folder: up_to_the_crash_bar(busy_world(folder), miss=True, deposit=True),
}


def fault_free(world: World) -> None:
    del world


def answer_lost(world: World) -> None:
    world.broker.faults.append(Fault("place", "after"))


def not_taken_once(world: World) -> None:
    world.broker.faults.append(Fault("place", "before"))


def not_seen_at_first(world: World) -> None:
    world.broker.faults += [Fault("place", "after"), Fault("find", "absent", 3)]


FAULTS = [fault_free, answer_lost, not_taken_once, not_seen_at_first]


def clean_run(make: Callable[[Path], World], fault: Callable[[World], None], folder: Path) -> tuple[World, list[str]]:
    world = make(folder)
    fault(world)
    points = CrashPoints()
    world.tick(hour(CRASH_BAR), points=points)
    return world, points.steps


def the_end(world: World) -> tuple[object, ...]:
    """Everything by which two histories of the hour may not differ."""
    state = world.state
    decisions = [
        (line.symbol, line.signal, line.prob, line.action, line.order_id, dict(line.details))
        for line in world.lines_of(Event.DECISION)
    ]
    intents = sorted((line.order_id, line.details["quantity"]) for line in world.lines_of(Event.INTENT))
    marks = [dict(line.details) for line in world.lines_of(Event.MARK)]
    kept = (state.equity, state.peak, state.killed_at, state.stopped, state.last_exit_bar)
    broker = (world.broker.cash, {s: q for s, q in world.broker.held.items() if q}, sorted(world.broker.orders))
    return (decisions, intents, marks, kept, broker, dict(state.open_intents), state.last_bar)


def points_of(steps: list[str]) -> Iterator[CrashPoints]:
    for n, step in enumerate(steps):
        for where in ("before", "after", *(("torn",) if step.startswith("append") else ())):
            yield CrashPoints(n, where)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        pytest.param(make, fault, id=f"{name}, {fault.__name__}")
        for name, make in WORLDS.items()
        for fault in (FAULTS if name in ("busy", "kill switch") else FAULTS[:2])
    ],
)
def test_a_crash_at_any_step_changes_nothing_of_the_end(tmp_path, make, fault):
    clean, steps = clean_run(make, fault, tmp_path / "clean")
    expected = the_end(clean)
    assert broken_promises(clean) == lost_orders(clean) == []
    assert len(steps) > 12
    start = make(tmp_path / "start")
    fault(start)
    for n, points in enumerate(points_of(steps)):
        world = start.clone(tmp_path / str(n))
        report = world.until_the_end(hour(CRASH_BAR), points)
        where = f"{points.where} step {points.at}, {steps[points.at or 0]}"
        assert broken_promises(world) == [], where
        assert lost_orders(world) == [], where
        assert the_end(world) == expected, where
        assert isinstance(report, HourReport)
        world.tick(hour(CRASH_BAR + 1))
        assert (world.state.stopped, world.state.exiting) == (None, frozenset()), where


def test_crashing_again_and_again_still_ends_with_one_order_each(tmp_path):
    clean, steps = clean_run(WORLDS["busy"], answer_lost, tmp_path / "clean")
    world = WORLDS["busy"](tmp_path / "world")
    answer_lost(world)
    for n in range(2 * len(steps)):
        try:
            world.tick(hour(CRASH_BAR), points=CrashPoints(n % 17, ("before", "after", "torn")[n % 3]))
        except SimulatedCrash:
            continue
    world.run(hour(CRASH_BAR))
    assert broken_promises(world) == lost_orders(world) == []
    assert the_end(world)[1:5] == the_end(clean)[1:5]


def test_a_crash_at_any_step_of_a_flattening_halt_sells_everything_once(tmp_path):
    def make(folder: Path) -> World:
        world = scripted(folder, {BTC: [0.7, 0.5, 0.5, 0.5, 0.5], ETH: [0.7, 0.5, 0.5, 0.5, 0.5]})
        world.tick(hour(0))
        world.tick(hour(1))
        return world

    clean, counted = make(tmp_path / "clean"), CrashPoints()
    clean.halt(flatten=True, points=counted)
    assert not any(clean.broker.held.values())
    start = make(tmp_path / "start")
    for n, points in enumerate(points_of(counted.steps)):
        world = start.clone(tmp_path / str(n))
        with pytest.raises(SimulatedCrash):
            world.halt(flatten=True, points=points)
        journalled = world.state.halted is not None
        world.tick(hour(2))
        world.tick(hour(3))
        assert broken_promises(world) == lost_orders(world, may_abandon=True) == [], points.at
        assert (not any(world.broker.held.values())) == journalled, points.at
        assert len(world.broker.orders) == (4 if journalled else 2), points.at


def test_an_hour_that_comes_back_after_its_deadline_sends_nothing_and_loses_nothing(tmp_path):
    _, steps = clean_run(WORLDS["busy"], fault_free, tmp_path / "clean")
    start = WORLDS["busy"](tmp_path / "start")
    for n, points in enumerate(points_of(steps)):
        world = start.clone(tmp_path / str(n))
        with pytest.raises(SimulatedCrash):
            world.tick(hour(CRASH_BAR), points=points)
        sent = len(world.broker.sent)
        world.clock.sleep(3000)
        world.run(hour(CRASH_BAR))
        assert len(world.broker.sent) == sent
        assert broken_promises(world) == []
        assert not world.state.open_intents
        world.tick(hour(CRASH_BAR + 1))
        assert world.state.stopped is None
        assert broken_promises(world) == []

from __future__ import annotations

import math

import pytest

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.sandbox.clock import ClockState, VirtualClock

SECOND = 1_000_000_000


class Wall:
    """A wall clock that the test moves."""

    def __init__(self) -> None:
        self.now = 7 * SECOND

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def wall():
    return Wall()


def test_a_clock_without_speed_stands_still(wall):
    clock = VirtualClock(1000, wall=wall)
    wall.now += 3600 * SECOND
    assert clock.now_ns() == 1000


def test_it_runs_with_the_wall_clock_at_its_speed(wall):
    clock = VirtualClock(1000, speed=60.0, wall=wall)
    wall.now += 2 * SECOND
    assert clock.now_ns() == 1000 + 120 * SECOND


def test_it_stands_still_while_the_wall_clock_steps_back(wall):
    clock = VirtualClock(0, speed=1.0, wall=wall)
    wall.now += 10 * SECOND
    assert clock.now_ns() == 10 * SECOND
    wall.now -= 4 * SECOND
    assert clock.now_ns() == 10 * SECOND


def test_it_can_be_set_and_advanced_but_not_back(wall):
    clock = VirtualClock(1000, wall=wall)
    clock.set(2000)
    clock.advance(500)
    assert clock.now_ns() == 2500
    with pytest.raises(ConfigValueError, match="backwards"):
        clock.set(2499)
    assert clock.now_ns() == 2500


def test_a_running_clock_runs_on_from_where_it_is_set(wall):
    clock = VirtualClock(0, speed=2.0, wall=wall)
    wall.now += 5 * SECOND
    clock.set(100 * SECOND)
    wall.now += SECOND
    assert clock.now_ns() == 102 * SECOND


def test_stopping_and_starting_loses_no_time(wall):
    clock = VirtualClock(0, speed=1.0, wall=wall)
    wall.now += 5 * SECOND
    clock.run(0.0)
    wall.now += 5 * SECOND
    clock.run(10.0)
    wall.now += SECOND
    assert clock.now_ns() == 15 * SECOND


def test_a_restored_running_clock_has_run_on_meanwhile(wall):
    kept = VirtualClock(0, speed=1.0, wall=wall).state
    wall.now += 100 * SECOND
    clock = VirtualClock(0, wall=wall)
    clock.restore(kept)
    assert clock.now_ns() == 100 * SECOND


def test_a_restored_clock_may_be_earlier(wall):
    clock = VirtualClock(5000, wall=wall)
    clock.restore(ClockState(1000, wall.now, 0.0))
    assert clock.now_ns() == 1000


@pytest.mark.parametrize("speed", [-1.0, math.inf, math.nan])
def test_an_impossible_speed_is_refused(speed, wall):
    with pytest.raises(ConfigValueError):
        VirtualClock(0, speed=speed, wall=wall)
    with pytest.raises(ConfigValueError):
        VirtualClock(0, wall=wall).run(speed)

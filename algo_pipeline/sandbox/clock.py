"""The venue's clock: it stands still until told, or runs with the wall clock at a speed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from algo_pipeline.common.errors import ConfigValueError


@dataclass(frozen=True, slots=True)
class ClockState:
    """Where the clock was at a moment of the wall clock, in ns since the epoch, and its speed."""

    at_ns: int
    wall_ns: int
    speed: float


class VirtualClock:
    """Nanoseconds since the epoch, never backwards.

    Parameters
    ----------
    start_ns : int
        Its first reading.
    speed : float
        Virtual seconds per second; 0 stands still until :meth:`set` or :meth:`advance`.
    wall : callable
        The wall clock in ns; tests pass their own.

    Raises
    ------
    ConfigValueError
        If the speed is negative or not finite.
    """

    def __init__(self, start_ns: int, speed: float = 0.0, wall: Callable[[], int] = time.time_ns) -> None:
        if not (math.isfinite(speed) and speed >= 0):
            raise ConfigValueError(f"The clock's speed must be a number >= 0; it was {speed}.", "Use 0 to hold it.")
        self._wall = wall
        self._state = ClockState(start_ns, wall(), speed)
        self._latest_ns = start_ns

    @property
    def state(self) -> ClockState:
        """What a snapshot keeps: a running clock runs on while its server is away."""
        return self._state

    @property
    def speed(self) -> float:
        """Virtual seconds per second."""
        return self._state.speed

    def now_ns(self) -> int:
        """The present; it stands still where the wall clock steps back."""
        if self._state.speed > 0:
            passed = int((self._wall() - self._state.wall_ns) * self._state.speed)
            self._latest_ns = max(self._latest_ns, self._state.at_ns + passed)
        return self._latest_ns

    def set(self, at_ns: int) -> None:
        """Go to a later time.

        Raises
        ------
        ConfigValueError
            If it is earlier than the present.
        """
        if at_ns < self.now_ns():
            raise ConfigValueError("The clock does not run backwards.", "Set a later time, or start another sandbox.")
        self._anchor(at_ns, self._state.speed)

    def advance(self, by_ns: int) -> None:
        """Go forward by this much."""
        self.set(self.now_ns() + by_ns)

    def run(self, speed: float) -> None:
        """Change the speed from now on; 0 stops the clock.

        Raises
        ------
        ConfigValueError
            If it is negative or not finite.
        """
        if not (math.isfinite(speed) and speed >= 0):
            raise ConfigValueError(f"The clock's speed must be a number >= 0; it was {speed}.", "Use 0 to hold it.")
        self._anchor(self.now_ns(), speed)

    def restore(self, state: ClockState) -> None:
        """Take up a state that was kept, earlier than the present or not."""
        self._state = state
        self._latest_ns = state.at_ns

    def _anchor(self, at_ns: int, speed: float) -> None:
        self._state = ClockState(at_ns, self._wall(), speed)
        self._latest_ns = at_ns

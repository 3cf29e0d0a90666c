"""How much of a venue's allowance of this minute is used."""

from __future__ import annotations

import time
from collections.abc import Callable

_MINUTE_S = 60


class RequestMeter:
    """Counts weights by minute of the wall clock, as venues do for those who call them.

    Parameters
    ----------
    per_minute : int
        The allowance.
    enforce : bool
        Whether more is refused.
    wall : callable
        Seconds since the epoch.
    """

    def __init__(self, per_minute: int, *, enforce: bool = False, wall: Callable[[], float] = time.time) -> None:
        self.per_minute = per_minute
        self._enforce = enforce
        self._wall = wall
        self._minute = -1
        self.used = 0

    @property
    def left(self) -> int:
        """What is left of this minute's allowance; never below 0."""
        return max(self.per_minute - self.used, 0)

    @property
    def resets_at_s(self) -> int:
        """When the next minute begins, in seconds since the epoch."""
        return (self._minute + 1) * _MINUTE_S

    def count(self, weight: int = 1) -> int:
        """Count a request; returns 0, or the seconds to wait where it is one too many."""
        now_s = int(self._wall())
        if now_s // _MINUTE_S != self._minute:
            self._minute, self.used = now_s // _MINUTE_S, 0
        self.used += weight
        return max(self.resets_at_s - now_s, 1) if self._enforce and self.used > self.per_minute else 0

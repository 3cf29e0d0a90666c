"""What Alpaca's answers say beside their bodies: what time it is there, and how many requests are left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import lru_cache

import pandas as pd

from algo_pipeline.common.time import to_utc

_MAX_SKEW = pd.Timedelta(seconds=30)
_LONGEST_WAIT_S = 60.0
_KEPT_FOR_ORDERS = 10


class HeaderWatch:
    """Keeps the newest of both; an answer without a header leaves what was known.

    Parameters
    ----------
    wall_clock : callable
        This machine's clock.
    """

    def __init__(self, wall_clock: Callable[[], pd.Timestamp]) -> None:
        self._wall_clock = wall_clock
        self._remaining: int | None = None
        self._resets_at_s = 0.0
        self.skew: pd.Timedelta | None = None

    def note(self, headers: Mapping[str, str]) -> None:
        """Read one answer's headers; what can't be read is as good as absent."""
        with suppress(KeyError, ValueError, TypeError):
            self.skew = self._wall_clock() - _time_of(headers["Date"])
        try:
            remaining, resets_at_s = int(headers["X-Ratelimit-Remaining"]), float(headers["X-Ratelimit-Reset"])
        except (KeyError, ValueError):
            return
        self._remaining, self._resets_at_s = remaining, resets_at_s

    @property
    def clocks_agree(self) -> bool:
        """Whether this machine's clock is known to be within 30 s of Alpaca's."""
        return self.skew is not None and abs(self.skew) <= _MAX_SKEW

    def wait_s(self) -> float:
        """Seconds (at most 60) that a question waits so that the minute's last requests are left for orders."""
        if self._remaining is None or self._remaining >= _KEPT_FOR_ORDERS:
            return 0.0
        until_reset_s = self._resets_at_s - self._wall_clock().timestamp()
        return min(until_reset_s, _LONGEST_WAIT_S) if until_reset_s > 0.0 else 0.0


@lru_cache(maxsize=1)
def _time_of(text: str) -> pd.Timestamp:
    """Read a Date header; answers of one second share theirs."""
    return to_utc(parsedate_to_datetime(text))

"""A limit to how long code of the user's own may keep everything else waiting."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_AGAIN_S = 1.0  # for code that swallows the error and goes on


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError within the block once it has taken so long, be it at work or waiting.

    It rests on a signal, which Python gives to a process's main thread alone: in another thread nothing is limited.
    Live hours run in a main thread, whether Dagster, cron or a person starts them.
    """
    if threading.current_thread() is not threading.main_thread() or _ends_sooner_anyway(seconds):
        yield
        return

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"no end after {seconds:g} s")

    handler = signal.signal(signal.SIGALRM, ring)
    before = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *before)


def _ends_sooner_anyway(seconds: float) -> bool:
    """Whether a limit around this one is the shorter."""
    return 0.0 < signal.getitimer(signal.ITIMER_REAL)[0] <= seconds

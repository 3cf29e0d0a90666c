from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress

import pytest

from algo_pipeline.common.time_limit import time_limit


def test_what_waits_is_ended() -> None:
    with pytest.raises(TimeoutError, match="no end after"), time_limit(0.05):
        threading.Event().wait(30.0)


def _works() -> None:
    while True:
        pass


def _outlasts_two_limits() -> None:
    with suppress(TimeoutError), time_limit(0.05):
        threading.Event().wait(30.0)
    threading.Event().wait(30.0)


def test_what_works_is_ended() -> None:
    with pytest.raises(TimeoutError), time_limit(0.05):
        _works()


def test_what_is_quick_is_left_alone_and_so_is_what_follows() -> None:
    handler, (left, interval) = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    with time_limit(0.05):
        pass
    assert signal.getsignal(signal.SIGALRM) is handler
    left_now, interval_now = signal.getitimer(signal.ITIMER_REAL)
    assert abs(left_now - left) < 5.0
    assert interval_now == interval


def test_a_limit_within_another_leaves_the_outer_one_in_force() -> None:
    started = time.monotonic()
    with pytest.raises(TimeoutError), time_limit(0.2):
        _outlasts_two_limits()
    assert 0.15 < time.monotonic() - started < 25.0


def _allows_itself_more() -> None:
    with time_limit(60.0):
        threading.Event().wait(30.0)


def test_a_longer_limit_within_another_does_not_lengthen_it() -> None:
    with pytest.raises(TimeoutError, match=r"no end after 0\.05 s"), time_limit(0.05):
        _allows_itself_more()


def test_in_another_thread_nothing_is_limited() -> None:
    done: list[bool] = []

    def work() -> None:
        with time_limit(0.0):
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]

"""What an HTTP failure means for the caller, and the bounded retry of those that may pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from algo_pipeline.common.errors import LongWaitError, SourceBlockedError, SourceError, TransientSourceError

T = TypeVar("T")

_TOO_MANY_REQUESTS, _BANNED, _FORBIDDEN, _GEO_BLOCKED, _TIMED_OUT = 429, 418, 403, 451, 408
_OTHER_SOURCE = "use another source (--source alpaca, or --source file with your own bars)"
_BLOCKED = {
    _BANNED: ("has banned this address for too many requests", f"Stop for a few hours, or {_OTHER_SOURCE}."),
    _FORBIDDEN: ("refuses this address (its firewall)", f"Try from another network, or {_OTHER_SOURCE}."),
    _GEO_BLOCKED: ("is not offered in your region", f"{_OTHER_SOURCE.capitalize()}."),
}
_SHOWN_CHARACTERS = 200


class RetryLaterError(TransientSourceError):
    """A failure that may pass, with the wait the venue asked for (seconds), if it named one."""

    def __init__(self, message: str, remedy: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, remedy)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently to ask again: waits double from ``first_wait_s``; none exceeds ``max_wait_s``."""

    attempts: int = 4
    first_wait_s: float = 1.0
    max_wait_s: float = 120.0


def call_with_retries(call: Callable[[], T], policy: RetryPolicy, sleep: Callable[[float], object]) -> T:
    """Call until it answers; only a RetryLaterError is tried again, after the wait asked for or a doubling one.

    Raises
    ------
    TransientSourceError
        If the last attempt failed too; LongWaitError if the venue asks for a longer wait than the policy allows.
    """
    for attempt in range(1, policy.attempts):
        try:
            return call()
        except RetryLaterError as error:
            sleep(_wait(error, attempt, policy))
    return call()


def failure_of(venue: str, status: int, headers: Mapping[str, str], body: str) -> SourceError:
    """Translate an HTTP status that is no success into the error to raise."""
    said = f" It said: {body.strip()[:_SHOWN_CHARACTERS]}" if body.strip() else ""
    if status in _BLOCKED:
        problem, remedy = _BLOCKED[status]
        return SourceBlockedError(f"{venue} {problem} (HTTP {status}).{said}", remedy)
    if status == _TOO_MANY_REQUESTS:
        return RetryLaterError(
            f"{venue} limits the rate of requests (HTTP {status}).",
            "Wait a few minutes and run again; what was fetched is kept.",
            retry_after(headers),
        )
    if status == _TIMED_OUT or status >= 500:
        return unreachable(venue, f"HTTP {status}", retry_after(headers))
    return SourceError(f"{venue} refused the request (HTTP {status}).{said}", "Check the symbol and the venue's URL.")


def unreachable(venue: str, reason: str, retry_after_s: float | None = None) -> RetryLaterError:
    """The error for a venue that did not answer properly this time."""
    return RetryLaterError(
        f"{venue} could not be reached: {reason}.",
        "Check the network and the venue's status, then run again; what was fetched is kept.",
        retry_after_s,
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The ``Retry-After`` header in seconds; None if absent or not a number of seconds."""
    try:
        seconds = float(headers.get("Retry-After", "nan"))
    except ValueError:
        return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _wait(error: RetryLaterError, attempt: int, policy: RetryPolicy) -> float:
    wait = policy.first_wait_s * 2 ** (attempt - 1) if error.retry_after_s is None else error.retry_after_s
    if wait > policy.max_wait_s:
        raise LongWaitError(
            f"{error.message} It asks for a wait of {wait:.0f} s.", "Run again after that; what was fetched is kept."
        ) from error
    return wait

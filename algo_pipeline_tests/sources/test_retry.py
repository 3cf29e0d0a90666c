from __future__ import annotations

import pytest

from algo_pipeline.common.errors import SourceBlockedError, SourceError, TransientSourceError
from algo_pipeline.sources.retry import RetryLaterError, RetryPolicy, call_with_retries, failure_of, retry_after
from algo_pipeline_tests.sources.conftest import Waits


class Flaky:
    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def later(seconds: float | None = None) -> RetryLaterError:
    return RetryLaterError("It failed.", "Wait.", seconds)


def test_waits_double_unless_the_venue_names_one() -> None:
    waits, call = Waits(), Flaky(later(), later(9.0), later())
    assert call_with_retries(call, RetryPolicy(), waits) == "done"
    assert waits == [1.0, 9.0, 4.0]


def test_the_last_failure_is_raised() -> None:
    waits, call = Waits(), Flaky(*[later() for _ in range(9)])
    with pytest.raises(RetryLaterError):
        call_with_retries(call, RetryPolicy(attempts=3), waits)
    assert (call.calls, waits) == (3, [1.0, 2.0])


def test_a_wait_beyond_the_limit_is_not_waited_for() -> None:
    waits, call = Waits(), Flaky(later(121.0))
    with pytest.raises(TransientSourceError, match="121 s"):
        call_with_retries(call, RetryPolicy(), waits)
    assert (call.calls, waits) == (1, [])


@pytest.mark.parametrize("error", [SourceBlockedError("no"), SourceError("no"), TransientSourceError("no"), KeyError()])
def test_other_failures_are_never_tried_again(error: Exception) -> None:
    call = Flaky(error)
    with pytest.raises(type(error)):
        call_with_retries(call, RetryPolicy(), Waits())
    assert call.calls == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, SourceError),
        (401, SourceError),
        (403, SourceBlockedError),
        (404, SourceError),
        (408, RetryLaterError),
        (418, SourceBlockedError),
        (429, RetryLaterError),
        (451, SourceBlockedError),
        (500, RetryLaterError),
        (503, RetryLaterError),
        (599, RetryLaterError),
    ],
)
def test_a_status_says_whether_to_stop_to_wait_or_to_correct(status: int, kind: type[SourceError]) -> None:
    error = failure_of("Venue", status, {"Retry-After": "3"}, "body")
    assert type(error) is kind
    assert str(status) in error.message
    assert error.remedy


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", None), ("nan", None), ("inf", None)],
)
def test_a_named_wait_is_read_in_seconds(header: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": header}) == seconds
    assert retry_after({}) is None

"""A check of ``doctor``: what was looked at, how it stands, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from loguru import logger

from algo_pipeline.common.errors import AlgoPipelineError

_REPORT = "This is a defect of the program; the details are in logs/algo_pipeline.log under the artifacts folder."


class Level(str, Enum):
    """How a check stands."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the diagnosis.

    Parameters
    ----------
    name : str
        What was looked at.
    level : Level
        FAIL is what keeps something from working; WARN is what a person should know.
    message : str
        What was found.
    remedy : str
        What to do; empty where nothing is to be done.
    code : str or None
        Of the error that was met, if one was.
    """

    name: str
    level: Level
    message: str
    remedy: str = ""
    code: str | None = None


def ok(name: str, message: str) -> Check:
    """It is as it should be."""
    return Check(name, Level.OK, message)


def warn(name: str, message: str, remedy: str) -> Check:
    """It works, and a person should know."""
    return Check(name, Level.WARN, message, remedy)


def fail(name: str, message: str, remedy: str, code: str | None = None) -> Check:
    """It does not work."""
    return Check(name, Level.FAIL, message, remedy, code)


def failed(name: str, error: AlgoPipelineError) -> Check:
    """An error that was met, as a check."""
    return fail(name, error.message, error.remedy, error.code)


def checked(name: str, look: Callable[[], Check | Iterable[Check]]) -> list[Check]:
    """What a look brings; an error that it raises becomes its FAIL, so that the others are still made."""
    try:
        found = look()
        return [found] if isinstance(found, Check) else list(found)
    except AlgoPipelineError as error:
        return [failed(name, error)]
    except Exception as error:
        logger.opt(exception=error).debug("the check {} failed unexpectedly", name)
        return [fail(name, f"{type(error).__name__}: {error}", _REPORT, "unexpected")]

"""A check of ``doctor``: what was looked at, how it stands, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from algo_pipeline.common.errors import AlgoPipelineError

if TYPE_CHECKING:
    from algo_pipeline.common.types import Symbol
    from algo_pipeline.data.skew import FeatureSkew

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


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found.

    Parameters
    ----------
    checks : tuple of Check
        In the order in which they were made.
    skews : mapping of Symbol to FeatureSkew
        Of symbols that decide on bars of another source than their champion's.
    """

    checks: tuple[Check, ...]
    skews: Mapping[Symbol, FeatureSkew] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        """Whether nothing fails."""
        return all(check.level is not Level.FAIL for check in self.checks)

    def summary(self) -> str:
        """``2 problems, 1 warning``."""
        failures, warnings = (sum(check.level is level for check in self.checks) for level in (Level.FAIL, Level.WARN))
        parts = (_counted(failures, "problem"), _counted(warnings, "warning"))
        return ", ".join(part for part in parts if part) or f"all {len(self.checks)} checks are well"


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
        from loguru import logger

        logger.opt(exception=error).debug("the check {} failed unexpectedly", name)
        return [fail(name, f"{type(error).__name__}: {error}", _REPORT, "unexpected")]


def _counted(n: int, what: str) -> str:
    return "" if n == 0 else f"{n} {what}" if n == 1 else f"{n} {what}s"

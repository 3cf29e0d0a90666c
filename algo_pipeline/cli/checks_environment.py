"""What ``doctor`` looks at before anything else: Python and its packages. It needs neither settings nor packages."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from algo_pipeline.cli.checks import Check, fail, ok

_OLDEST, _NEWEST = (3, 11), (3, 13)
_AGAIN = "Set the environment up anew: `make clean`, then `make setup`."
_COMPILED = ("numpy", "pandas", "pyarrow", "numba", "scipy", "sklearn", "talib", "lightgbm")
"""What breaks as a whole: a library that is missing on the machine, or another processor or system than it is for."""

_DISTRIBUTION = "algo-pipeline"


def python_version() -> Check:
    """One of the versions that the locked packages exist for."""
    found = sys.version_info[:2]
    words = f"Python {found[0]}.{found[1]}"
    if _OLDEST <= found <= _NEWEST:
        return ok("python", words)
    return fail("python", f"{words}; 3.11 to 3.13 are supported.", "Run make setup with one of them.")


def packages() -> Iterator[Check]:
    """Every required package, in a version that is allowed; those that are compiled can be imported."""
    problems = [*_missing_or_other(), *_not_importable()]
    if problems:
        yield fail("packages", f"{'; '.join(problems)}.", _AGAIN, "environment")
    else:
        yield ok("packages", "all that are needed are there")


def not_importable(error: Exception) -> Check:
    """An import that failed while the checks themselves were loaded."""
    return fail("packages", f"{_words(error)}.", _AGAIN, "environment")


def _missing_or_other() -> Iterator[str]:
    try:
        from packaging.requirements import Requirement
    except ImportError as error:
        yield _words(error)
        return
    try:
        wanted = [Requirement(text) for text in requires(_DISTRIBUTION) or ()]
    except PackageNotFoundError:
        yield f"{_DISTRIBUTION} itself is not installed"
        return
    for each in wanted:
        if each.marker is not None and not each.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(each.name)
        except PackageNotFoundError:
            yield f"{each.name} is missing"
            continue
        if not each.specifier.contains(found, prereleases=True):
            yield f"{each.name} {found} is installed, {each.specifier} is needed"


def _not_importable() -> Iterator[str]:
    for name in _COMPILED:
        try:
            importlib.import_module(name)
        except Exception as error:
            yield f"{name} can't be imported: {_words(error)}"


def _words(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__

"""The worked example's parts in a folder of a test's own, in which it works as a user does."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples" / "own_parts"
MODEL = "momentum_model:Momentum"
STRATEGY = "breakout_strategy:Breakout"
OWN = frozenset({MODEL, STRATEGY})


def copy_parts(folder: Path) -> Path:
    """The example's modules in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in EXAMPLES.glob("*.py"):
        shutil.copy(path, folder)
    return folder


@contextmanager
def working_in(folder: Path) -> Iterator[Path]:
    """Work in a folder that has the example's parts."""
    with pytest.MonkeyPatch.context() as patch, own_modules_forgotten():
        patch.chdir(copy_parts(folder))
        yield folder


@contextmanager
def own_modules_forgotten() -> Iterator[None]:
    """As in a process of its own: the example's modules are loaded anew within, and after."""
    _forget()
    try:
        yield
    finally:
        _forget()


def change(folder: Path, module: str) -> None:
    """The user edits a file; a process that has loaded it does not see it."""
    path = folder / f"{module}.py"
    path.write_text(path.read_text() + "\n# a change\n")


def _forget() -> None:
    for path in EXAMPLES.glob("*.py"):
        sys.modules.pop(path.stem, None)

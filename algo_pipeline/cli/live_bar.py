"""Shows how far long work is: a bar on the last line of a terminal, elsewhere a plain line now and then."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

import click

from algo_pipeline.common.progress import Progress, listening

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar

_BAR_WIDTH = 20
_PLAIN_EVERY_S = 10.0


@contextmanager
def shown_progress(quiet: bool) -> Iterator[None]:
    """Show on stderr what the work inside tells of itself; nothing of it is left on the screen at the end.

    Parameters
    ----------
    quiet : bool
        Show nothing: the output is for a program.
    """
    if quiet:
        yield
        return
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        with listening(_PlainLines(time.monotonic, lambda line: click.echo(line, err=True)).hear):
            yield
        return
    with _own_stderr() as terminal, _bar_on(Console(file=terminal)) as bar, listening(_LiveBar(bar).hear):
        yield


@contextmanager
def _own_stderr() -> Iterator[TextIO]:
    """The terminal behind stderr, which Dagster leads into a file of its own while a step runs."""
    with os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8") as terminal:
        yield terminal


def _bar_on(console: Console) -> Bar:
    """What is printed to stderr meanwhile appears above the bar; stdout, which holds the result, is left alone."""
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    counted = (BarColumn(_BAR_WIDTH), TextColumn("{task.fields[count]}"), TimeElapsedColumn())
    columns = (SpinnerColumn(), TextColumn("{task.description}"), *counted)
    return Bar(*columns, console=console, transient=True, redirect_stdout=False)


class _Outermost:
    """Of work that is counted within counted work, only the outer count is worth showing."""

    def __init__(self) -> None:
        self._counted = ""

    def takes(self, told: Progress) -> bool:
        if told.total == 1:
            return False
        if told.total is None:
            self._counted = ""
            return True
        if self._counted not in ("", told.what):
            return False
        self._counted = "" if told.is_done else told.what
        return True


class _LiveBar:
    """One task of a rich bar: the step on which the work is, and the pieces of that step where they are counted."""

    def __init__(self, bar: Bar) -> None:
        self._bar, self._outermost = bar, _Outermost()
        self._task = bar.add_task("", total=None, visible=False, count="")
        self._step, self._shown = "", ""

    def hear(self, told: Progress) -> None:
        if not self._outermost.takes(told):
            return
        if told.total is None:
            self._step = told.what
        words = told.what if told.total is None else f"{self._step}, {told.what}".removeprefix(", ")
        if words != self._shown:
            self._shown = words
            self._bar.remove_task(self._task)  # the total of a task can't be taken back
            self._task = self._bar.add_task(words, total=told.total, count="")
        count = "" if told.total is None else f"{told.done:,} of {told.total:,}"
        self._bar.update(self._task, completed=told.done, total=told.total, count=count)


class _PlainLines:
    """A line where counted work takes long, and no more often than people like to read."""

    def __init__(self, clock: Callable[[], float], write: Callable[[str], object]) -> None:
        self._clock, self._write, self._outermost = clock, write, _Outermost()
        self._step, self._what, self._last_at = "", "", clock()

    def hear(self, told: Progress) -> None:
        if not self._outermost.takes(told):
            return
        if told.total is None:
            self._step = told.what
        if told.total is None or told.what != self._what:
            self._what, self._last_at = told.what, self._clock()
        elif self._clock() - self._last_at >= _PLAIN_EVERY_S and not told.is_done:
            self._last_at = self._clock()
            step = f"{self._step}, " if self._step else ""
            self._write(f"         {step}{told.what}: {told.done:,} of {told.total:,}")

"""Side-by-side measurement: every tool takes its turn in every round, each round on data that none has seen.

A slow moment of the machine then hits all tools alike, and no branch predictor or cache learns one series by heart.
The first round is not measured: it compiles and warms up.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Data = TypeVar("Data")
Prepared = TypeVar("Prepared")


class UnequalWorkError(Exception):
    """Two tools reached different figures: their times say nothing about each other."""


@dataclass(frozen=True)
class Lap:
    """Seconds of one piece of work, and the figure by which its result is compared; NaN is not compared."""

    seconds: float
    figure: float = math.nan


@dataclass(frozen=True)
class Tool(Generic[Data]):
    """One way to do a piece of work.

    Parameters
    ----------
    name : str
        As printed.
    lap : callable
        Does the work on the data and returns its :class:`Lap`.
    largest : int
        The largest size that it is asked to do.
    scale : float
        By how much its laps are multiplied where it does a part of the work only.
    """

    name: str
    lap: Callable[[Data], Lap]
    largest: int = 10**9
    scale: float = 1.0


@dataclass(frozen=True)
class Effort:
    """How many measured rounds: ``rounds``, but no more than ``least`` of a tool that has used up ``seconds``.

    Without ``warm_up`` the first round counts.
    """

    rounds: int
    least: int
    seconds: float
    warm_up: bool = True


FULL = Effort(rounds=21, least=5, seconds=10.0)
QUICK = Effort(rounds=5, least=1, seconds=2.0)


@dataclass(frozen=True)
class Row:
    """A line of a table: seconds, and the ratio of medians to the first tool at the same size.

    ``best`` tells what the machine's other work cost: a short lap fits between it, a long one is interrupted, so
    that medians of a busy machine flatter the faster tool.
    """

    name: str
    size: int
    median: float
    best: float
    laps: int
    ratio: float


def timed(work: Callable[[Prepared], float | None], prepare: Callable[[Data], Prepared]) -> Callable[[Data], Lap]:
    """A lap that measures ``work`` alone, on data brought into the tool's own layout before."""

    def lap(data: Data) -> Lap:
        prepared = prepare(data)
        gc.collect()
        start = time.perf_counter()
        figure = work(prepared)
        seconds = time.perf_counter() - start
        return Lap(seconds, math.nan if figure is None else figure)

    return lap


def unchanged(data: Data) -> Data:
    """What a tool needs that takes the data as they are."""
    return data


def race(
    tools: Sequence[Tool[Data]],
    size: int,
    make_data: Callable[[int], Data],
    effort: Effort,
    tolerance: float = 1e-8,
) -> list[Row]:
    """Measure the tools in turns, round after round, and hold their figures to one another.

    Parameters
    ----------
    tools : sequence of Tool
        The first is the one that ratios are to; those too slow for ``size`` sit out.
    size : int
        Printed, and compared with ``Tool.largest``.
    make_data : callable
        Data by number of the round, 0 for the warm-up.
    effort : Effort
        Rounds.
    tolerance : float
        Relative tolerance of figures within a round.

    Raises
    ------
    UnequalWorkError
        If a tool's figure differs from the first comparable one of its round.
    """
    entered = [tool for tool in tools if size <= tool.largest]
    seconds: dict[str, list[float]] = {tool.name: [] for tool in entered}
    for number in range(0 if effort.warm_up else 1, effort.rounds + 1):
        turn = [tool for tool in entered if _has_a_turn(seconds[tool.name], effort)]
        if not turn:
            break
        data = make_data(number)
        laps = {tool.name: tool.lap(data) for tool in turn}
        require_agreement({name: lap.figure for name, lap in laps.items()}, tolerance)
        if number > 0:
            for tool in turn:
                seconds[tool.name].append(tool.scale * laps[tool.name].seconds)
    return _rows(seconds, size)


def require_agreement(figures: dict[str, float], tolerance: float) -> None:
    """Raise :class:`UnequalWorkError` unless all comparable figures are equal to the relative tolerance."""
    comparable = [(name, figure) for name, figure in figures.items() if not math.isnan(figure)]
    for name, found in comparable[1:]:
        first, expected = comparable[0]
        if not math.isclose(expected, found, rel_tol=tolerance):
            raise UnequalWorkError(f"{name} reached {found!r}, {first} {expected!r}: the work is not the same.")


def row(name: str, size: int, laps: Sequence[float], reference: float) -> Row:
    """The line of a tool's laps; the ratio is to ``reference`` seconds."""
    median = statistics.median(laps)
    return Row(name, size, median, min(laps), len(laps), median / reference)


def table(title: str, rows: Iterable[Row]) -> str:
    """The rows as text under a title."""
    header = f"{'':<50}{'size':>10}{'median':>12}{'best':>12}{'ratio':>9}{'laps':>6}"
    return "\n".join([f"\n{title}", header, *(_line(row) for row in rows)])


def readable(seconds: float) -> str:
    """Three significant digits or a little more, in the unit that suits: ``1.23 ms``, ``45.6 s``."""
    return f"{seconds:.3g} s" if seconds >= 1.0 else f"{seconds * 1e3:.3g} ms"


def _has_a_turn(seconds: Sequence[float], effort: Effort) -> bool:
    return len(seconds) < effort.least or sum(seconds) < effort.seconds


def _rows(seconds: dict[str, list[float]], size: int) -> list[Row]:
    ours = next((statistics.median(laps) for laps in seconds.values()), math.nan)
    return [row(name, size, laps, ours) for name, laps in seconds.items()]


def _line(row: Row) -> str:
    ratio = f"{row.ratio:.3g}" if row.ratio < 100 else f"{row.ratio:,.0f}"
    times = f"{readable(row.median):>12}{readable(row.best):>12}"
    return f"{row.name:<50}{row.size:>10,}{times}{ratio:>9}{row.laps:>6}"

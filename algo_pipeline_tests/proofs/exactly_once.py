"""At most one order an intent, none lost, whatever dies: every way in which it is tried, and what came of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from algo_pipeline_tests.proofs.cases import run_cases
from algo_pipeline_tests.proofs.kills import kill_processes, race_processes
from algo_pipeline_tests.proofs.schedules import Tally, run_schedules
from algo_pipeline_tests.proofs.table import Row

_BATCH = 50


@dataclass(frozen=True)
class Extent:
    """How much is tried."""

    schedules: int = 1_000
    every: int = 1
    kills: int = 120
    decides: int = 6
    races: int = 10
    retry: bool = True
    first_seed: int = 0


QUICK = Extent(schedules=60, every=6, kills=10, decides=1, races=2, retry=False)


def prove(folder: Path, extent: Extent, say: Callable[[str], object] = lambda text: None) -> Iterator[Row]:
    """Try everything; a row for each way, whose problems name their seeds."""
    logger.disable("algo_pipeline")
    yield _cases(folder / "cases")
    yield _schedules(extent, say)
    yield _kills(folder / "kills", extent, say)
    yield _races(folder / "races", extent, say)
    if extent.retry:
        yield _retry(folder / "retry", say)
    logger.enable("algo_pipeline")


def _cases(folder: Path) -> Row:
    results = run_cases(folder)
    problems = tuple(f"{name}: {problem}" for name, found in results.items() for problem in found)
    return Row("exactly once", "lost answers, 504s, outages of 3 h, by name", f"{len(results)} cases", problems)


def _schedules(extent: Extent, say: Callable[[str], object]) -> Row:
    total, end = Tally(), extent.first_seed + extent.schedules
    for start in range(extent.first_seed, end, _BATCH):
        total += run_schedules(range(start, min(start + _BATCH, end)), os.cpu_count() or 1, extent.every)
        say(f"{total.schedules} of {extent.schedules} schedules, {len(total.problems)} problems")
    happened = f"{total.crashes:,} crashes, {total.orders:,} orders, {total.resent:,} sent again"
    figures = f"{total.schedules:,} schedules, {happened}"
    return Row(
        "exactly once",
        f"seeded faults, a crash at every {'' if extent.every == 1 else f'{extent.every}th '}step boundary",
        figures,
        total.problems,
    )


def _kills(folder: Path, extent: Extent, say: Callable[[str], object]) -> Row:
    say(f"{extent.kills} processes to be killed")
    done = kill_processes(folder, extent.first_seed, extent.kills, decides=extent.decides)
    figures = f"{done.kills:,} kills in {done.hours:,} hours, {done.orders:,} orders"
    return Row("exactly once", "kill -9 at random moments", figures, tuple(done.problems))


def _races(folder: Path, extent: Extent, say: Callable[[str], object]) -> Row:
    say(f"{extent.races} races")
    done = race_processes(folder, extent.first_seed, extent.races)
    figures = f"{done.hours:,} hours, {done.kills:,} kills, {done.orders:,} orders"
    return Row("exactly once", "two processes for one hour", figures, tuple(done.problems))


def _retry(folder: Path, say: Callable[[str], object]) -> Row:
    from algo_pipeline_tests.proofs.retries import retry_after_crash

    say("a run of the daemon to be killed and retried")
    return Row("exactly once", "a run of the daemon killed, and its retry", "1 run", tuple(retry_after_crash(folder)))

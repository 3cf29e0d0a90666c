"""Time stamps that a run's process writes for the latency proof, and how they are read."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

STAMPS = "BENCH_STAMPS"
"""Environment variable that names the file."""


@dataclass(frozen=True)
class Stamp:
    """A moment of a process: wall time, the processor time it had used, and the run or order that it is of."""

    name: str
    at: float
    cpu_s: float
    pid: int
    of: str | None = None


def stamp(name: str, of: str | None = None, at: float | None = None, cpu_s: float | None = None) -> None:
    """Add this moment, or an earlier one."""
    made = Stamp(name, at or time.time(), time.process_time() if cpu_s is None else cpu_s, os.getpid(), of)
    with Path(os.environ[STAMPS]).open("a") as file:
        file.write(json.dumps(made.__dict__) + "\n")


def read_stamps(path: Path) -> list[Stamp]:
    """All of them so far."""
    return [Stamp(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def process_start() -> float:
    """When this process was started, to a hundredth of a second."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age_s

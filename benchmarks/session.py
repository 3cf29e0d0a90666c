"""What all subjects of a run of the benchmarks share, and the line that says on what they ran."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.harness import FULL, QUICK, Effort
from benchmarks.markets import N_REAL_BARS, BarSource, bar_source
from benchmarks.peer_vectorbt import PYTHON, VectorbtProcess

_PACKAGES = {
    "backtesting": "backtesting",
    "empyrical": "empyrical-reloaded",
    "pybroker": "lib-pybroker",
    "quantstats": "quantstats",
    "ta": "ta",
}


@dataclass(frozen=True)
class Session:
    """One run of the benchmarks.

    Parameters
    ----------
    source : BarSource
        Where markets come from.
    quick : bool
        Few rounds of the smallest size: an impression, no measurement.
    vectorbt : VectorbtProcess or None
        None where its environment does not exist.
    """

    source: BarSource
    quick: bool
    vectorbt: VectorbtProcess | None

    @property
    def effort(self) -> Effort:
        """How many rounds."""
        return QUICK if self.quick else FULL

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of bars."""
        return (N_REAL_BARS,) if self.quick else (N_REAL_BARS, 100_000, 1_000_000)


@contextmanager
def open_session(*, quick: bool) -> Iterator[Session]:
    """A session, with vectorbt's process running as long as it is open."""
    process = VectorbtProcess() if PYTHON.exists() else nullcontext()
    with process as vectorbt:
        yield Session(bar_source(), quick, vectorbt)


def installed(module: str) -> bool:
    """Whether a rival can be imported here."""
    return importlib.util.find_spec(module) is not None


def describe(session: Session) -> str:
    """Machine, versions, and what is missing."""
    ours = [f"{name} {version(name)}" for name in ("numba", "numpy", "pandas", "scikit-learn", "TA-Lib")]
    rivals = [f"{package} {version(package)}" for module, package in _PACKAGES.items() if installed(module)]
    missing = [package for module, package in _PACKAGES.items() if not installed(module)]
    if session.vectorbt is None:
        missing.append("vectorbt")
    else:
        found = session.vectorbt.versions()
        rivals.append(", ".join(f"{name} {number}" for name, number in found.items()) + " (a process of its own)")
    lines = [
        f"{_processor()}, {os.cpu_count()} CPUs, {platform.system()}, Python {platform.python_version()}",
        f"here: {', '.join(ours)}",
        f"rivals: {'; '.join(rivals) or 'none'}",
        *([f"left out, since not installed (`make bench` installs them): {', '.join(missing)}"] if missing else []),
        f"bars: {len(session.source.bars):,} {session.source.origin}; other sizes bootstrapped from them",
        "medians of warm laps, tools in turns, fresh data each round; ratio: to the first line of the size",
        *_busy(),
        *(["quick: few laps, an impression and no measurement"] if session.quick else []),
    ]
    return "\n".join(lines)


def _busy() -> list[str]:
    """A warning where other work would be measured too."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load < 0.75 * cores:
        return []
    return [
        f"BUSY: load {load:.1f} on {cores} CPUs; times are too long and ratios flatter the faster tool. Measure again"
    ]


def _processor() -> str:
    """The model of the processor, where the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

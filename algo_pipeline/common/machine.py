"""What a result may depend on beside code and data: versions of packages, and what the machine computes with."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = (
    "algo-pipeline",
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "lightgbm",
    "ta-lib",
    "numba",
    "pyarrow",
    "skops",
)


def environment() -> dict[str, str]:
    """Versions of the packages that make numbers, Python's, and the processor's vector instructions that numpy uses.

    ``program`` is a hash of this program's own source, for its version stays the same between two commits.
    """
    import numpy as np

    found = np.show_config(mode="dicts")["SIMD Extensions"]
    return {
        **{name: _version(name) for name in _PACKAGES},
        "program": _source_hash(),
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "cpu_features": " ".join([*found.get("baseline", ()), *found.get("found", ())]),
    }


def environment_changes(recorded: Mapping[str, str], found: Mapping[str, str]) -> tuple[str, ...]:
    """What differs, in words: ``numpy 1.26.4 then, 2.4.6 now``; nothing where nothing was recorded."""
    names = [name for name in recorded if recorded[name] != found.get(name, "none")]
    return tuple(f"{name} {recorded[name]} then, {found.get(name, 'none')} now" for name in names)


def _source_hash() -> str:
    """First 12 digits of a SHA-256 over every module's path and text."""
    package, found = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        found.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:12]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"

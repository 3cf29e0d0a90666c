"""What a result may depend on beside code and data: versions of packages, and what the machine computes with."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    *("algo-pipeline", "numpy", "pandas", "scipy", "scikit-learn", "lightgbm", "ta-lib", "numba", "pyarrow", "skops"),
)


def environment() -> dict[str, str]:
    """Versions of the packages that make numbers, Python's, and the processor's vector instructions that numpy uses."""
    import numpy as np

    found = np.show_config(mode="dicts")["SIMD Extensions"]
    return {
        **{name: _version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "cpu_features": " ".join([*found.get("baseline", ()), *found.get("found", ())]),
    }


def environment_changes(recorded: Mapping[str, str], found: Mapping[str, str]) -> tuple[str, ...]:
    """What differs, in words: ``numpy 1.26.4 then, 2.4.6 now``; nothing where nothing was recorded."""
    names = [name for name in recorded if recorded[name] != found.get(name, "none")]
    return tuple(f"{name} {recorded[name]} then, {found.get(name, 'none')} now" for name in names)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"

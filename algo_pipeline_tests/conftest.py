"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

_DEFAULT_BARS_DIR = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_bars() -> Callable[[str], pd.DataFrame]:
    """Loader of real hourly bars by name (``BTCUSDT``); skips where the folder of test bars is absent."""
    folder = Path(os.environ.get("TEST_BARS_DIR", _DEFAULT_BARS_DIR))

    def load(name: str) -> pd.DataFrame:
        path = folder / f"{name}_1h.parquet"
        if not path.exists():
            pytest.skip(f"real bars are not available: set TEST_BARS_DIR to the folder that holds {path.name}")
        bars = pd.read_parquet(path).set_index("timestamp")
        bars.index = bars.index.as_unit("ns")
        return bars

    return load

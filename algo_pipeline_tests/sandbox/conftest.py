"""A running sandbox with steady bars: two symbols, fifty hours, the clock ten minutes into the eleventh."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest

from algo_pipeline.sandbox.server import SandboxConfig
from algo_pipeline_tests.sandbox.rig import BTC, ETH, FIRST, HOUR, Rig, running, steady

START = FIRST + 10 * HOUR + pd.Timedelta(minutes=10)


@pytest.fixture
def rig() -> Iterator[Rig]:
    with running(SandboxConfig({BTC: steady(50), ETH: steady(50, 2000.0)}, START)) as made:
        yield made

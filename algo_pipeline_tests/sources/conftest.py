"""Fixtures of the source tests: a loopback venue and a clock that records its waits."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest

from algo_pipeline.common.types import Symbol
from algo_pipeline_tests.market import random_bars
from algo_pipeline_tests.wire.server import WireServer, running

BTC = Symbol("BTC", "USD")
START = pd.Timestamp("2024-01-01", tz="UTC")
N_BARS = 2_300
NOW = START + N_BARS * pd.Timedelta(hours=1) - pd.Timedelta(minutes=30)
"""Half an hour before the last bar closes: that bar is open."""


@pytest.fixture
def venue() -> Iterator[WireServer]:
    bars = random_bars(N_BARS, seed=7)
    names = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BTC/USD", "coingecko:bitcoin")
    with running(WireServer(dict.fromkeys(names, bars), NOW)) as server:
        yield server


class Waits(list[float]):
    """Stands in for ``time.sleep``: records the seconds and returns at once."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)

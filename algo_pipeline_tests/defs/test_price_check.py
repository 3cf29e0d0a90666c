"""The second opinion on a price: fresh or none, and never an error."""

from __future__ import annotations

import pandas as pd
import pytest

from algo_pipeline.common.types import Symbol
from algo_pipeline.defs.price_check import second_source
from algo_pipeline.sandbox.client import SandboxControl
from algo_pipeline.sandbox.faults import Fault, FaultKind
from algo_pipeline.sandbox.server import SandboxConfig, running_sandbox
from algo_pipeline_tests.market import random_bars

BTC = Symbol("BTC", "USD")
BARS = random_bars(200, seed=2, price=40_000.0)
BAR = BARS.index[150]
TICK = BAR + pd.Timedelta(minutes=61)


def test_it_is_the_close_of_the_bar_that_has_just_closed() -> None:
    with running_sandbox(SandboxConfig({BTC: BARS}, start=TICK)) as url:
        assert second_source(url, lambda: TICK)(BTC) == pytest.approx(BARS.loc[BAR, "close"], rel=1e-6)


def test_a_price_of_hours_ago_is_no_opinion() -> None:
    with running_sandbox(SandboxConfig({BTC: BARS}, start=TICK)) as url:
        assert second_source(url, lambda: TICK + pd.Timedelta(hours=3))(BTC) is None


def test_a_source_that_fails_is_asked_once_and_has_no_opinion() -> None:
    with running_sandbox(SandboxConfig({BTC: BARS}, start=TICK)) as url:
        control = SandboxControl(url)
        control.add_fault(Fault(FaultKind.STATUS, path="/api/v3/coins/*", status=503, count=None))
        assert second_source(url, lambda: TICK)(BTC) is None
        assert len([each for each in control.requests() if "/coins/" in each["path"]]) == 1


def test_a_source_out_of_reach_has_no_opinion() -> None:
    assert second_source("http://127.0.0.1:9", lambda: TICK)(BTC) is None

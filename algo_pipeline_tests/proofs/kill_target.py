"""The process that is killed: one hour of live trading, as a replay runs it; loaded once and forked for every hour."""

from __future__ import annotations

from typing import Any

import alpaca.trading.client
import alpaca.trading.requests
from loguru import logger

from algo_pipeline.common.config import load_settings
from algo_pipeline.common.time import to_utc
from algo_pipeline.data.feature_stream import FeatureStream
from algo_pipeline.defs.live_session import open_session
from algo_pipeline.defs.sandbox_clock import SandboxClock
from algo_pipeline.sources.binance import _ccxt
from algo_pipeline_tests.market import random_bars

LOADED = (alpaca.trading.client, alpaca.trading.requests, _ccxt("binance"), _ccxt("base.errors"))
FeatureStream(random_bars(1_000)).latest()  # loads the kernels, which every fork then has


def nothing() -> None:
    """The first process: when it has ended, everything is loaded."""


def run_one_hour(overrides: dict[str, Any], bar: str) -> None:
    """Decide and trade the bar; raises what the live path raises."""
    logger.remove()
    settings = load_settings(None, **overrides)
    with open_session(settings, clock=SandboxClock(settings.alpaca_trading_url)) as session:
        session.run_hour(to_utc(bar))

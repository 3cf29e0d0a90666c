"""Past hours through the live path, one after another, against a sandbox: as fast as it can."""

import time
from dataclasses import dataclass

import pandas as pd

from algo_pipeline.broker.auth import require_paper
from algo_pipeline.common.config import Settings
from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.progress import tracked
from algo_pipeline.common.time import BAR
from algo_pipeline.defs.live_session import open_session
from algo_pipeline.defs.sandbox_clock import SandboxClock
from algo_pipeline.live.report import HourReport

TICK_AFTER_CLOSE = pd.Timedelta(seconds=60)
"""The live schedule ticks a minute after the hour."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay came to.

    Parameters
    ----------
    hours, decided, orders : int
        Hours driven, hours with a decision, and orders taken to an outcome.
    seconds : float
        Wall time of the hours, the first included.
    last : HourReport
        The last hour's report.
    """

    hours: int
    decided: int
    orders: int
    seconds: float
    last: HourReport


def replay(settings: Settings, first: pd.Timestamp, last: pd.Timestamp) -> Replay:
    """Drive the live path over the bars that open from ``first`` to ``last``, both included.

    Raises
    ------
    ConfigValueError
        If the trading URL is no sandbox, or the span holds no hour.
    AlgoPipelineError
        As an hour of live trading raises them; what was journalled stays.
    """
    if last < first:
        raise ConfigValueError(f"The replay must end after it starts; it was {first} to {last}.", "Correct the times.")
    require_paper(settings.alpaca_trading_url, settings.alpaca_api_key, settings.alpaca_secret_key)
    clock = SandboxClock(settings.alpaca_trading_url)
    decided = orders = 0
    with open_session(settings, clock=clock) as session:
        started = time.perf_counter()
        bars = tuple(pd.date_range(first, last, freq=BAR))
        for bar in tracked(bars, "hours"):
            clock.set(bar + BAR + TICK_AFTER_CLOSE)
            report = session.run_hour(bar)
            decided += report.skipped is None
            orders += len(report.orders)
        return Replay(len(bars), decided, orders, time.perf_counter() - started, report)

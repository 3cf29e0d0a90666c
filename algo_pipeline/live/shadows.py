"""What challengers would have said of an hour: journalled beside the champions' decisions when the orders are out.

Nothing follows from it, and nothing that breaks in it is told anywhere but in the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd
from loguru import logger

from algo_pipeline.common.types import Symbol
from algo_pipeline.live import entries
from algo_pipeline.live.champion import BarFeed, Champion, outlook_of
from algo_pipeline.live.decision import signal_of
from algo_pipeline.live.events import Entry


def shadow_entries(
    bar: pd.Timestamp,
    symbols: Iterable[Symbol],
    challengers: Mapping[Symbol, Champion],
    feed: BarFeed,
    round_trip_cost: float,
) -> list[Entry]:
    """The lines of those symbols whose challenger has a probability; a broken challenger has none.

    Parameters
    ----------
    symbols : iterable of Symbol
        Those that this run has decided on.
    round_trip_cost : float
        Of the account, as a fraction of the notional.
    """
    found = (_entry(bar, challengers[symbol], feed, round_trip_cost) for symbol in symbols if symbol in challengers)
    return [entry for entry in found if entry is not None]


def _entry(bar: pd.Timestamp, challenger: Champion, feed: BarFeed, cost: float) -> Entry | None:
    try:
        features = feed.features(challenger.symbol, bar)
        if features.row is None:
            return None
        outlook = outlook_of(challenger, features.row)
        if not 0.0 <= outlook.probability <= 1.0:
            return None
        signal = signal_of(challenger.strategy, outlook, cost)
        return entries.shadow(bar, challenger, signal.name, outlook.probability)
    except Exception:
        logger.exception("The challenger of {} has no probability", challenger.symbol)
        return None

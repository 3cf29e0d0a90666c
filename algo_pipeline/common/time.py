"""UTC time and the arithmetic of the hourly bar grid.

A bar is named by its OPEN time t, covers [t, t + 1 h) and is *closed* at t + 1 h.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.types import IntArray

BAR = pd.Timedelta(hours=1)
BAR_NS = int(BAR.value)
BARS_PER_DAY = 24
DAY_NS = BARS_PER_DAY * BAR_NS


def utc_now() -> pd.Timestamp:
    """The wall clock as a tz-aware UTC timestamp; only adapters and wiring call this."""
    return pd.Timestamp(datetime.now(UTC))


def to_utc(value: str | datetime | pd.Timestamp) -> pd.Timestamp:
    """Convert to tz-aware UTC; a naive value is read as UTC.

    Raises
    ------
    ConfigValueError
        If the value is no time.
    """
    try:
        stamp = pd.Timestamp(value)
    except (ValueError, TypeError) as error:
        raise ConfigValueError(
            f"A time is expected, for example 2024-01-31T00:00Z; found {value!r}.", "Write it in ISO 8601."
        ) from error
    if pd.isna(stamp):
        raise ConfigValueError(f"A time is expected; found {value!r}.", "Write it in ISO 8601.")
    return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")


def floor_to_bar(at: pd.Timestamp) -> pd.Timestamp:
    """Open time of the bar that contains ``at``."""
    return at.floor("h")


def last_closed_open(now: pd.Timestamp) -> pd.Timestamp:
    """Open time of the newest bar that is closed at ``now`` (a bar closes exactly at its open + 1 h)."""
    return floor_to_bar(now) - BAR


def epoch_ns(index: pd.DatetimeIndex) -> IntArray:
    """Stamps as int64 nanoseconds since the epoch, whatever the index's own unit; not to be written to."""
    in_ns = index if index.unit == "ns" else index.as_unit("ns")
    return np.asarray(in_ns.asi8, dtype=np.int64)  # type: ignore[attr-defined]  # public, missing in the stubs


def bar_numbers(index: pd.DatetimeIndex) -> IntArray:
    """Whole hours since the epoch; consecutive bars differ by exactly 1."""
    return epoch_ns(index) // BAR_NS

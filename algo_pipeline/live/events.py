"""The words of the live journal: what can happen, and the line that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

import pandas as pd

from algo_pipeline.common.types import Symbol


class Event(str, Enum):
    """What a journal line tells."""

    STARTED = "started"
    MARK = "mark"
    DECISION = "decision"
    INTENT = "intent"
    RESULT = "result"
    RECONCILED = "reconciled"
    ADJUSTMENT = "adjustment"
    DIFFERENCE = "difference"
    KILL_SWITCH = "kill_switch"
    MISSED = "missed"
    SKIPPED_STALE = "skipped_stale"
    SHADOW = "shadow"
    HALT = "halt"
    RESUME = "resume"


class Purpose(str, Enum):
    """Why an order is sent: ``d`` by the hour's decision, ``h<n>`` by the n-th halt (the number is added)."""

    DECISION = "d"
    HALT = "h"


class Outcome(str, Enum):
    """How an intent ended; OPEN is no end."""

    OPEN = "open"
    FILLED = "filled"
    PARTIAL = "partial"
    UNFILLED = "unfilled"
    REFUSED = "refused"
    ABANDONED_STALE = "abandoned_stale"


DETAIL_KEYS: Mapping[Event, tuple[str, ...]] = MappingProxyType(
    {
        Event.STARTED: ("account_id", "cash", "holdings", "strategy"),
        Event.MARK: ("equity", "peak", "drawdown", "cash", "holdings", "closes", "broker_equity"),
        Event.KILL_SWITCH: ("equity", "peak", "drawdown", "max_drawdown"),
        Event.DECISION: (
            *("reason", "close", "held", "quantity", "bundle", "model_version", "trading", "verdicts"),
            "features_exact",
        ),
        Event.INTENT: ("side", "quantity", "purpose", "close"),
        Event.RESULT: (
            *("outcome", "side", "quantity", "filled_quantity", "average_price", "broker_order_id", "broker_status"),
            *("filled_bar", "note"),
        ),
        Event.RECONCILED: ("cash", "holdings", "flat", "notes"),
        Event.ADJUSTMENT: ("delta_usd", "peak_before", "peak_after", "reason"),
        Event.DIFFERENCE: ("reason", "expected", "found"),
        Event.MISSED: ("from", "to", "hours", "cause"),
        Event.SKIPPED_STALE: ("delay_s", "reason"),
        Event.SHADOW: ("bundle", "model_version"),
        Event.HALT: ("number", "flatten", "reason"),
        Event.RESUME: ("reason", "adopt", "peak", "cash", "holdings"),
    }
)
"""What the details of a line always hold, by event; null where it is not known."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal before it is chained.

    Parameters
    ----------
    timestamp : pd.Timestamp
        Open time of the bar that it belongs to.
    event : Event
        What happened.
    symbol : Symbol or None
        None where it concerns the account.
    signal, prob, action, order_id
        Null where it has none. ``signal`` is LONG, FLAT or HOLD; ``action`` is enter, exit, none, buy or sell.
    details : mapping
        Everything else, plain JSON: amounts of coin and cash as decimal strings, prices and equity as numbers.
    """

    timestamp: pd.Timestamp
    event: Event
    symbol: Symbol | None = None
    signal: str | None = None
    prob: float | None = None
    action: str | None = None
    order_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

"""What one hour has come to, for the command line, Dagster's metadata and tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import pandas as pd

from algo_pipeline.common.types import Symbol
from algo_pipeline.live.alerts import Alert
from algo_pipeline.live.orders import Settlement
from algo_pipeline.live.state import DecisionRecord


@dataclass(frozen=True, slots=True)
class HourReport:
    """One run of the hourly decision.

    Parameters
    ----------
    bar : pd.Timestamp
        Open time of the bar decided on.
    decisions : tuple of DecisionRecord
        In configured order, those of an earlier run of the hour included; empty where nothing was decided.
    orders : tuple of Settlement
        Every order that this run took to an outcome, earlier hours' included.
    equity, peak, drawdown : float
        At the newest mark; 0 before the first.
    cash, holdings : Decimal, mapping
        As the broker showed them before this run's new orders.
    skipped : str or None
        Why nothing was decided.
    delay_s : float
        Seconds from the bar's close to the decision.
    missed_hours : int
        Hours without a decision that this run has told of.
    was_resumed : bool
        Whether an earlier run of the hour had decided already, and this one only went on with it.
    killed_at, halted, stopped
        The kill switch's bar, the reason of a halt, the difference that stopped trading.
    alerts : tuple of Alert
        What was raised.
    dry_run : bool
        Whether it was only tried: nothing written, nothing sent.
    """

    bar: pd.Timestamp
    decisions: tuple[DecisionRecord, ...] = ()
    orders: tuple[Settlement, ...] = ()
    equity: float = 0.0
    peak: float = 0.0
    drawdown: float = 0.0
    cash: Decimal = Decimal(0)
    holdings: Mapping[Symbol, Decimal] = field(default_factory=dict)
    skipped: str | None = None
    delay_s: float = 0.0
    missed_hours: int = 0
    was_resumed: bool = False
    killed_at: pd.Timestamp | None = None
    halted: str | None = None
    stopped: str | None = None
    alerts: tuple[Alert, ...] = ()
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ControlReport:
    """What a person's ``halt`` or ``resume`` has done.

    Parameters
    ----------
    number : int or None
        The halt's number.
    orders : tuple of Settlement
        Orders taken to an outcome.
    peak : float
        After it.
    cash, holdings
        As the broker showed them before its orders.
    notes : tuple of str
        What a person should know.
    """

    number: int | None
    orders: tuple[Settlement, ...]
    peak: float
    cash: Decimal
    holdings: Mapping[Symbol, Decimal]
    notes: tuple[str, ...] = ()
    alerts: tuple[Alert, ...] = ()

"""What journal and state say about the hours: which are missing, how bad that is, and how the session went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from algo_pipeline.common.time import BAR, last_closed_open
from algo_pipeline.live.alerts import Severity
from algo_pipeline.live.events import Event
from algo_pipeline.live.lines import JournalLine, utc
from algo_pipeline.live.state_records import LiveState, amount

HOURS_THAT_ESCALATE = 2
FILL_COLUMNS = ("timestamp", "side", "quantity", "price", "notional", "symbol", "order_id")


class Span(NamedTuple):
    """Consecutive bars: open times of the first and the last, and how many there are."""

    first: pd.Timestamp
    last: pd.Timestamp
    hours: int


@dataclass(frozen=True, slots=True)
class SessionFigures:
    """What the live account did.

    Parameters
    ----------
    equity : pd.Series
        Equity at close by the open time of the bar, from the marks.
    adjustments : pd.Series
        Money that came or went without an order, by bar: to be taken out of the returns.
    fills : pd.DataFrame
        A row per order that traded, in the order of their last results: ``FILL_COLUMNS``. ``timestamp`` is the open
        time of the bar in which it filled; quantity in coin before fees, price the average, notional their product.
    """

    equity: pd.Series[float]
    adjustments: pd.Series[float]
    fills: pd.DataFrame


def missed_span(state: LiveState, bar: pd.Timestamp) -> Span | None:
    """The bars between the last one accounted for and ``bar``; None if there are none, or nothing came before."""
    if state.last_bar is None or bar - state.last_bar <= BAR:
        return None
    return Span(state.last_bar + BAR, bar - BAR, int((bar - state.last_bar) / BAR) - 1)


def overdue_hours(state: LiveState, now: pd.Timestamp, max_decision_delay_s: float = 600.0) -> Span | None:
    """The closed bars that nobody decided on and that nobody can decide on any more.

    Parameters
    ----------
    state : LiveState
        What the journal says.
    now : pd.Timestamp
        The time, UTC.
    max_decision_delay_s : float
        Seconds after a bar's close within which its decision may still come.

    Returns
    -------
    Span or None
        None if no bar is overdue, or live trading never started.
    """
    newest = last_closed_open(now - pd.Timedelta(seconds=max_decision_delay_s))
    return missed_span(state, newest + BAR)


def is_holding(state: LiveState, min_notional: float) -> bool:
    """Whether any holding was worth as much as the smallest order when it was last marked; unpriced ones count."""
    return any(
        quantity > 0 and not float(quantity) * state.closes.get(symbol, np.inf) < min_notional
        for symbol, quantity in state.holdings.items()
        if symbol not in state.outside
    )


def severity_of_missed(hours: int, *, holding: bool) -> Severity:
    """Critical for two or more hours without a decision while something is held."""
    return Severity.CRITICAL if holding and hours >= HOURS_THAT_ESCALATE else Severity.WARNING


def session_figures(lines: Iterable[JournalLine]) -> SessionFigures:
    """The figures of a journal, or of a part of it."""
    equity: dict[pd.Timestamp, float] = {}
    adjustments: dict[pd.Timestamp, float] = {}
    results: dict[str, JournalLine] = {}
    for line in lines:
        if line.event is Event.MARK:
            equity[line.timestamp] = float(line.details["equity"])
        elif line.event is Event.ADJUSTMENT:
            delta = float(amount(line.details["delta_usd"]))
            adjustments[line.timestamp] = adjustments.get(line.timestamp, 0.0) + delta
        elif line.event is Event.RESULT and line.order_id is not None:
            results.pop(line.order_id, None)
            results[line.order_id] = line  # a later result of an order tells all that it filled
    return SessionFigures(_series(equity), _series(adjustments), _fills(results.values()))


def _series(by_bar: dict[pd.Timestamp, float]) -> pd.Series[float]:
    index = pd.DatetimeIndex(list(by_bar), dtype="datetime64[ns, UTC]", name="timestamp")
    return pd.Series(list(by_bar.values()), index=index, dtype=np.float64).sort_index()


def _fills(results: Iterable[JournalLine]) -> pd.DataFrame:
    rows = [_fill(line) for line in results if amount(line.details["filled_quantity"]) > 0]
    frame = pd.DataFrame(rows, columns=list(FILL_COLUMNS))
    numbers = dict.fromkeys(("quantity", "price", "notional"), np.float64)
    return frame.astype({"timestamp": "datetime64[ns, UTC]", **numbers})


def _fill(line: JournalLine) -> tuple[object, ...]:
    details = line.details
    quantity, price = amount(details["filled_quantity"]), details["average_price"]
    notional = None if price is None else float(quantity * amount(price))
    filled_bar = details["filled_bar"]
    at = line.timestamp + BAR if filled_bar is None else utc(filled_bar)
    average = None if price is None else float(amount(price))
    return at, details["side"], float(quantity), average, notional, str(line.symbol), line.order_id

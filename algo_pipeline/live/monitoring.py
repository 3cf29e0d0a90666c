"""What journal and state say about the hours: which are missing, how bad that is, and how the session went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from algo_pipeline.common.time import BAR, last_closed_open
from algo_pipeline.common.types import FloatArray
from algo_pipeline.live.alerts import Severity
from algo_pipeline.live.events import Event
from algo_pipeline.live.lines import JournalLine, utc
from algo_pipeline.live.state_records import LiveState, amount

HOURS_THAT_ESCALATE = 2
FILL_COLUMNS = ("timestamp", "side", "quantity", "price", "notional", "symbol", "order_id", "reference")


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
        Money that came or went without an order, by the bar whose mark is the first to show it: to be taken out of the
        returns. Where a person adopted what the account held, whatever that changed counts as such.
    closes : pd.DataFrame
        A row per mark, a column per symbol: the closes it was marked at, NaN where none was known.
    fills : pd.DataFrame
        A row per order that traded, in the order of their last results: ``FILL_COLUMNS``. ``timestamp`` is the open
        time of the bar in which it filled; quantity in coin before fees, price the average, notional their product,
        reference the close that it was decided on.
    """

    equity: pd.Series[float]
    adjustments: pd.Series[float]
    closes: pd.DataFrame
    fills: pd.DataFrame

    @property
    def growth(self) -> pd.Series[float]:
        """The equity curve that trading alone would have made from the first mark on, had no money come or gone."""
        equity = self.equity.to_numpy()
        brought = self._brought()
        ratios = (equity[1:] - brought[1:]) / equity[:-1]
        return pd.Series(np.cumprod(np.concatenate([equity[:1], ratios])), index=self.equity.index)

    def _brought(self) -> FloatArray:
        """Money that came, by the mark that shows it."""
        brought = np.zeros(len(self.equity))
        places = self.equity.index.searchsorted(self.adjustments.index)
        for place, delta in zip(places, self.adjustments, strict=True):
            if place < len(brought):
                brought[place] += delta
        return brought


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


class SessionTally:
    """What the figures of a session are made of, taken in line by line: a journal of years is read once."""

    def __init__(self) -> None:
        self._money = _Money()
        self._closes: dict[pd.Timestamp, dict[str, float | None]] = {}
        self._references: dict[str, float | None] = {}
        self._results: dict[str, JournalLine] = {}
        self._made: SessionFigures | None = None

    def take(self, line: JournalLine) -> None:
        """Count the journal's next line."""
        self._made = None
        self._money.read(line)
        if line.event is Event.MARK:
            self._closes[line.timestamp] = line.details["closes"]
        elif line.event is Event.INTENT:
            self._references[str(line.order_id)] = line.details["close"]
        elif line.event is Event.RESULT and line.order_id is not None:
            self._results.pop(line.order_id, None)
            self._results[line.order_id] = line  # a later result of an order tells all that it filled

    def figures(self) -> SessionFigures:
        """The figures of the lines so far."""
        if self._made is None:
            money, fills = self._money, _fills(self._results.values(), self._references)
            self._made = SessionFigures(_series(money.equity), _series(money.adjustments), _frame(self._closes), fills)
        return self._made


def session_figures(lines: Iterable[JournalLine]) -> SessionFigures:
    """The figures of a journal, or of a part of it."""
    tally = SessionTally()
    for line in lines:
        tally.take(line)
    return tally.figures()


class _Money:
    """Equity by bar, and what came or went, by the bar whose mark shows it."""

    def __init__(self) -> None:
        self.equity: dict[pd.Timestamp, float] = {}
        self.adjustments: dict[pd.Timestamp, float] = {}
        self._believed = 0.0

    def read(self, line: JournalLine) -> None:
        if line.event is Event.MARK:
            self.equity[line.timestamp] = self._believed = float(line.details["equity"])
        elif line.event is Event.ADJUSTMENT:
            self._add(line.timestamp, float(amount(line.details["delta_usd"])))
        elif line.event is Event.RESUME and line.details["adopt"] and self.equity:
            self._add(line.timestamp, float(line.details["peak"]) - self._believed)

    def _add(self, bar: pd.Timestamp, delta: float) -> None:
        shown_by = bar + BAR if bar in self.equity else bar  # a bar is marked once
        self.adjustments[shown_by] = self.adjustments.get(shown_by, 0.0) + delta
        self._believed += delta


def _series(by_bar: dict[pd.Timestamp, float]) -> pd.Series[float]:
    index = pd.DatetimeIndex(list(by_bar), dtype="datetime64[ns, UTC]", name="timestamp")
    return pd.Series(list(by_bar.values()), index=index, dtype=np.float64).sort_index()


def _frame(closes: dict[pd.Timestamp, dict[str, float | None]]) -> pd.DataFrame:
    index = pd.DatetimeIndex(list(closes), dtype="datetime64[ns, UTC]", name="timestamp")
    return pd.DataFrame(list(closes.values()), index=index, dtype=np.float64).sort_index()


def _fills(results: Iterable[JournalLine], references: Mapping[str, float | None]) -> pd.DataFrame:
    traded = [line for line in results if amount(line.details["filled_quantity"]) > 0]
    rows = [(*_fill(line), references.get(str(line.order_id))) for line in traded]
    frame = pd.DataFrame(rows, columns=list(FILL_COLUMNS))
    numbers = dict.fromkeys(("quantity", "price", "notional", "reference"), np.float64)
    return frame.astype({"timestamp": "datetime64[ns, UTC]", **numbers})


def _fill(line: JournalLine) -> tuple[object, ...]:
    details = line.details
    quantity, price = amount(details["filled_quantity"]), details["average_price"]
    notional = None if price is None else float(quantity * amount(price))
    filled_bar = details["filled_bar"]
    at = line.timestamp + BAR if filled_bar is None else utc(filled_bar)
    average = None if price is None else float(amount(price))
    return at, details["side"], float(quantity), average, notional, str(line.symbol), line.order_id

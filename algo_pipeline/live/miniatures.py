"""Small pictures of live trading, to be seen at once on Dagster's pages: decisions hour by hour, and slippage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from algo_pipeline.common.miniature import BLUE, GREEN, GREY, ORANGE, RED, Blocks, Dots, Line, Miniature, Note
from algo_pipeline.common.time import BAR
from algo_pipeline.common.types import Symbol
from algo_pipeline.live.costs import FillCost
from algo_pipeline.live.events import Event
from algo_pipeline.live.lines import JournalLine

HOURS = 48
_MOST_SYMBOLS, _MOST_MARKS, _MOST_FILLS = 3, 9, 24
_TITLE = "probability, position (shaded), entries (green), exits (red)"


def decision_strip(lines: Iterable[JournalLine], last: pd.Timestamp, hours: int = HOURS) -> str:
    """A band per symbol: its probability, when it was held, where it was entered and left.

    Parameters
    ----------
    lines : iterable of JournalLine
        The journal, or its end.
    last : pd.Timestamp
        Open time of the newest bar.
    hours : int
        Bars shown at most, the newest included; of three symbols at most.
    """
    earliest = last - (hours - 1) * BAR
    decided = [each for each in lines if each.event is Event.DECISION and earliest <= each.timestamp <= last]
    symbols = sorted({each.symbol for each in decided if each.symbol is not None})[:_MOST_SYMBOLS]
    if not symbols:
        return Miniature(_TITLE, notes=(Note(0.0, 0.5, "nothing was decided lately"),)).markdown()
    first = min(each.timestamp for each in decided)
    n = len(symbols)
    strips = [_Strip(symbol, decided, first, int((last - first) / BAR) + 1, _MOST_MARKS // n) for symbol in symbols]
    shown = Miniature(
        _TITLE,
        lines=[Line(row_value + strip.probability) for row_value, strip in _rows(strips)],
        dots=[_dots(strips, "enter", GREEN), _dots(strips, "exit", RED)],
        blocks=[Blocks([block for row, strip in enumerate(strips) for block in strip.held(row / n, (row + 0.94) / n)])],
        notes=[Note(0.0, row / n + 0.13, str(symbol)) for row, symbol in enumerate(symbols)],
        low=0.0,
        high=float(n),
    )
    return shown.markdown()


def slippage(costs: Sequence[FillCost], assumed_bps: float) -> str:
    """How much worse than the close each of the last fills was, beside what the backtest assumes."""
    known = [each.slippage_bps for each in costs if each.slippage_bps is not None][-_MOST_FILLS:]
    words = [Note(0.0, 0.96, f"assumed {assumed_bps:.1f} bps (orange)")]
    if not known:
        return Miniature("slippage of fills", notes=[*words, Note(0.0, 0.5, "no fill lately")]).markdown()
    reach = max(*(abs(each) for each in known), assumed_bps, 1.0) * 1.2
    places = [(number + 0.5) / len(known) for number in range(len(known))]
    lines = (Line([0.0, 0.0], GREY), Line([assumed_bps] * 2, ORANGE))
    words.append(Note(1.0, 0.96, f"last {known[-1]:+.1f} bps", ends=True))
    return Miniature(
        "slippage of the last fills in bps", lines, (Dots(places, known, BLUE),), notes=words, low=-reach, high=reach
    ).markdown()


class _Strip:
    """One symbol's hours; of entries, exits and stretches held the last ``most`` are marked."""

    def __init__(
        self, symbol: Symbol, decided: Sequence[JournalLine], first: pd.Timestamp, hours: int, most: int
    ) -> None:
        self._hours, self._most = hours, most
        self._by_hour = {int((each.timestamp - first) / BAR): each for each in decided if each.symbol == symbol}
        self.probability = np.full(hours, np.nan)
        for hour, line in self._by_hour.items():
            self.probability[hour] = np.nan if line.prob is None else line.prob

    def held(self, top: float, bottom: float) -> list[tuple[float, float, float, float]]:
        """Stretches of hours that began with a holding, as blocks."""
        hours = sorted(hour for hour, line in self._by_hour.items() if float(line.details["held"] or 0) > 0)
        starts = [hour for hour in hours if hour - 1 not in hours]
        stops = [hour for hour in hours if hour + 1 not in hours]
        pairs = list(zip(starts, stops, strict=True))[-self._most :]
        return [(start / self._hours, (stop + 1) / self._hours, top, bottom) for start, stop in pairs]

    def acted(self, action: str) -> list[tuple[float, float]]:
        """Where an action was decided, and at which probability."""
        hours = [hour for hour, line in sorted(self._by_hour.items()) if line.action == action][-self._most :]
        return [(hour / max(self._hours - 1, 1), float(self.probability[hour])) for hour in hours]


def _dots(strips: Sequence[_Strip], action: str, colour: str) -> Dots:
    marks = [(x, floor + y) for floor, strip in _rows(strips) for x, y in strip.acted(action)]
    return Dots([x for x, _ in marks], [y for _, y in marks], colour)


def _rows(strips: Sequence[_Strip]) -> list[tuple[float, _Strip]]:
    """The value at which each strip's band begins, the first at the top."""
    return [(float(len(strips) - 1 - row), strip) for row, strip in enumerate(strips)]

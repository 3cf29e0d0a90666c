"""What a venue shows of recorded bars at a time: closed bars, and the open one as far as it has come.

Inside a bar the price runs on straight lines from open over low and high to close, or over high and low where the bar
falls, a third of the hour each: the simplest path that ends in the recorded bar. Fills in parity mode don't use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from algo_pipeline.common.errors import ConfigValueError, UnknownSymbolError
from algo_pipeline.common.schemas import bar_values
from algo_pipeline.common.time import BAR_NS, epoch_ns
from algo_pipeline.common.types import IntArray, Symbol

_LEGS = 3


@dataclass(frozen=True, slots=True)
class Candle:
    """One bar as it is seen: ``opened_ns`` since the epoch, prices, and the volume so far."""

    opened_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float

    @property
    def closes_ns(self) -> int:
        """When it is closed."""
        return self.opened_ns + BAR_NS

    def seen_at(self, now_ns: int) -> Candle:
        """The bar as it looks at a time after its open."""
        if now_ns >= self.closes_ns:
            return self
        at = self._share_of_hour(now_ns)
        low, high = self.extremes(self.opened_ns, now_ns)
        return Candle(self.opened_ns, self.open, high, low, self._price(at), self.volume * at)

    def price_at(self, at_ns: int) -> float:
        """The price at a time within the bar."""
        return self._price(self._share_of_hour(at_ns))

    def extremes(self, from_ns: int, to_ns: int) -> tuple[float, float]:
        """Lowest and highest price between two times within the bar."""
        start, end = self._share_of_hour(from_ns), self._share_of_hour(to_ns)
        corners = [price for leg, price in enumerate(self._corners()) if start <= leg / _LEGS <= end]
        prices = [self._price(start), self._price(end), *corners]
        return min(prices), max(prices)

    def _share_of_hour(self, at_ns: int) -> float:
        return min(max((at_ns - self.opened_ns) / BAR_NS, 0.0), 1.0)

    def _corners(self) -> tuple[float, float, float, float]:
        if self.close >= self.open:
            return self.open, self.low, self.high, self.close
        return self.open, self.high, self.low, self.close

    def _price(self, share_of_hour: float) -> float:
        corners = self._corners()
        leg = min(int(share_of_hour * _LEGS), _LEGS - 1)
        price = corners[leg] + (corners[leg + 1] - corners[leg]) * (share_of_hour * _LEGS - leg)
        return min(max(price, self.low), self.high)


class BarSeries:
    """The bars of one symbol as arrays, ascending by open time.

    Parameters
    ----------
    bars : pd.DataFrame
        Valid bars, indexed by their open times (UTC).
    """

    def __init__(self, bars: pd.DataFrame) -> None:
        if bars.empty:
            raise ConfigValueError("A sandbox needs bars; there are none.", "Choose another source or another span.")
        self.opened_ns: IntArray = epoch_ns(pd.DatetimeIndex(bars.index))
        self._rows: list[list[float]] = bar_values(bars).tolist()  # of plain numbers, as answers are made of

    def __len__(self) -> int:
        return len(self.opened_ns)

    def candle(self, row: int) -> Candle:
        """The whole bar of a row."""
        return Candle(int(self.opened_ns[row]), *self._rows[row])

    def begun(self, now_ns: int) -> int:
        """How many bars have begun."""
        return int(self.opened_ns.searchsorted(now_ns, side="right"))

    def last_closed(self, now_ns: int) -> Candle | None:
        """The newest closed bar."""
        n_closed = self.begun(now_ns - BAR_NS)
        return self.candle(n_closed - 1) if n_closed > 0 else None

    def running_or_next(self, now_ns: int) -> Candle | None:
        """The bar that contains this time or, in a gap, the next one that exists; None after the last."""
        row = self.begun(now_ns - BAR_NS)
        return self.candle(row) if row < len(self) else None

    def between(self, from_ns: int, to_ns: int) -> list[Candle]:
        """All bars, whole, that share time with [from, to)."""
        first, last = self.begun(from_ns - BAR_NS), int(self.opened_ns.searchsorted(to_ns, side="left"))
        return [self.candle(row) for row in range(first, last)]

    def price_at(self, now_ns: int) -> float | None:
        """The latest price; None before the first bar."""
        n_begun = self.begun(now_ns)
        return self.candle(n_begun - 1).price_at(now_ns) if n_begun > 0 else None

    def seen(
        self, now_ns: int, first_ns: int, last_ns: int, limit: int | None = None, *, newest: bool = False
    ) -> list[Candle]:
        """Bars with an open time in [first, last] that have begun, ascending; at most ``limit``, oldest or newest."""
        start = int(self.opened_ns.searchsorted(first_ns, side="left"))
        stop = self.begun(min(last_ns, now_ns))
        if limit is not None:
            start, stop = (max(start, stop - limit), stop) if newest else (start, min(stop, start + limit))
        return [self.candle(row).seen_at(now_ns) for row in range(start, stop)]


class Market:
    """The bars of all symbols.

    Parameters
    ----------
    bars_by_symbol : mapping of Symbol to DataFrame
        Valid bars; their order is the order in which lists show the symbols.
    """

    def __init__(self, bars_by_symbol: Mapping[Symbol, pd.DataFrame]) -> None:
        if not bars_by_symbol:
            raise ConfigValueError("A sandbox needs the bars of one symbol at least; there are none.", "Add a symbol.")
        self._series = {symbol: BarSeries(bars) for symbol, bars in bars_by_symbol.items()}

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """All symbols, in their order."""
        return tuple(self._series)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._series

    def __getitem__(self, symbol: Symbol) -> BarSeries:
        try:
            return self._series[symbol]
        except KeyError:
            raise UnknownSymbolError(f"The sandbox has no bars of {symbol}.", "Start it with that symbol.") from None

    @property
    def last_open_ns(self) -> int:
        """Open time of the newest bar of all."""
        return max(int(series.opened_ns[-1]) for series in self._series.values())

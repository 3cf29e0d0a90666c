"""Bars as an hourly decision needs them: the whole history in memory, and only what is new fetched.

The stored bars are read, never written: ingest alone writes them, and a decision must not wait for its lock.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import DataValidationError
from algo_pipeline.common.schemas import BAR_COLUMNS, INDEX_NAME, PRICE_COLUMNS, bar_values, validate_bars
from algo_pipeline.common.time import BAR, BAR_NS, epoch_ns
from algo_pipeline.common.types import FloatArray, IntArray, Symbol
from algo_pipeline.interfaces.market_data import MarketDataSource
from algo_pipeline.sources.store import BarStore

_ROOM_BARS = 10_000
_CLOSE = BAR_COLUMNS.index("close")
_N_PRICES = len(PRICE_COLUMNS)
_NEVER = pd.Timestamp(0, tz="UTC")


class LiveBars:
    """One symbol's closed bars from ``history_start`` on.

    Parameters
    ----------
    source : MarketDataSource
        Where new bars come from.
    symbol : Symbol
        The pair.
    history_start : pd.Timestamp
        Open of the first bar that the deployed model's training saw: recursive features start there.
    store : BarStore or None
        Where older bars of the same source may lie; None fetches all.
    """

    def __init__(
        self, source: MarketDataSource, symbol: Symbol, history_start: pd.Timestamp, store: BarStore | None = None
    ) -> None:
        self._source, self._symbol, self._start, self._store = source, symbol, history_start, store
        self._open_ns: IntArray = np.empty(0, np.int64)
        self._values: FloatArray = np.empty((0, len(BAR_COLUMNS)))
        self._n_bars = 0
        self._is_loaded = False

    def update(self, bar: pd.Timestamp) -> None:
        """Fetch every closed bar up to the one that opens at ``bar`` and is not here yet.

        Raises
        ------
        DataValidationError
            If the source gives an invalid bar; nothing of its answer is kept.
        SourceError, UnknownSymbolError
            As the source raises them.
        """
        if not self._is_loaded:
            self._load(bar)
        start = self.newest + BAR if self._n_bars else self._start
        if start > bar:
            return
        fetched = self._source.fetch_bars(self._symbol, start, bar + BAR)
        try:
            new = validate_bars(_between(fetched, start, bar))
        except DataValidationError as error:
            raise DataValidationError(
                f"The {self._source.name} source gave invalid bars of {self._symbol}. {error.message}",
                "Nothing is decided on them; look at the source, or wait for the next hour.",
            ) from error
        self._append(new)

    @property
    def newest(self) -> pd.Timestamp:
        """Open time of the newest bar; the epoch where there is none."""
        return pd.Timestamp(self._open_ns[self._n_bars - 1], tz="UTC") if self._n_bars else _NEVER

    @property
    def starts_at_training(self) -> bool:
        """Whether the first bar is the one that training started with, so that features agree bit for bit."""
        return self._n_bars > 0 and int(self._open_ns[0]) == self._start.value

    @property
    def n_bars(self) -> int:
        """How many bars are here."""
        return self._n_bars

    def times(self) -> pd.DatetimeIndex:
        """Open times."""
        return pd.DatetimeIndex(self._open_ns[: self._n_bars], tz="UTC", name=INDEX_NAME)

    def closes(self) -> FloatArray:
        """Closes, shape (n_bars,); not to be written to."""
        return self._values[: self._n_bars, _CLOSE]

    def until(self, bar: pd.Timestamp, n: int) -> tuple[FloatArray, IntArray]:
        """Prices, shape (m, 4), and numbers of the newest ``n`` bars up to the one that opens at ``bar``."""
        end = int(np.searchsorted(self._open_ns[: self._n_bars], bar.value, side="right"))
        rows = slice(max(0, end - n), end)
        return self._values[rows, :_N_PRICES], self._open_ns[rows] // BAR_NS

    def frame(self, first: int = 0) -> pd.DataFrame:
        """The bars from the ``first``-th on, without a copy of their values; not to be written to."""
        rows = slice(first, self._n_bars)
        index = pd.DatetimeIndex(self._open_ns[rows], tz="UTC", name=INDEX_NAME)
        return pd.DataFrame(self._values[rows], index=index, columns=list(BAR_COLUMNS), copy=False)

    def _load(self, bar: pd.Timestamp) -> None:
        """Take what is stored up to the bar that is decided on: a later one must not be seen."""
        stored = None if self._store is None else self._store.load(self._source.name, self._symbol)
        if stored is not None and stored.venue_symbol in ("", self._source.venue_symbol(self._symbol)):
            self._append(_between(stored.bars, self._start, bar))
        self._is_loaded = True

    def _append(self, bars: pd.DataFrame) -> None:
        n_new = len(bars)
        if self._n_bars + n_new > len(self._open_ns):
            self._grow(n_new + _ROOM_BARS)
        place = slice(self._n_bars, self._n_bars + n_new)
        self._open_ns[place] = epoch_ns(pd.DatetimeIndex(bars.index))
        self._values[place] = bar_values(bars)
        self._n_bars += n_new

    def _grow(self, n_more: int) -> None:
        size = self._n_bars + n_more
        open_ns, values = np.empty(size, np.int64), np.empty((size, len(BAR_COLUMNS)))
        open_ns[: self._n_bars] = self._open_ns[: self._n_bars]
        values[: self._n_bars] = self._values[: self._n_bars]
        self._open_ns, self._values = open_ns, values


def _between(bars: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """The bars that open from ``first`` to ``last``."""
    opened_ns = epoch_ns(pd.DatetimeIndex(bars.index))
    wanted = (opened_ns >= first.value) & (opened_ns <= last.value)
    return bars if wanted.all() else bars[wanted]

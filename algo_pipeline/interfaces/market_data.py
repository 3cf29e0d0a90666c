"""Where bars come from."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pandas as pd

from algo_pipeline.common.types import Symbol


class MarketDataSource(ABC):
    """A venue, file or simulation that provides hourly bars."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The source's name in settings, paths and records, for example ``binance``."""

    @property
    def is_local(self) -> bool:
        """Whether the whole history can be read again at no cost, as from a file or a simulation.

        Ingest then reads it whole every time and refuses it if it contradicts what is stored.
        """
        return False

    @abstractmethod
    def venue_symbol(self, symbol: Symbol) -> str:
        """The symbol in the source's own spelling, as recorded with every artifact (``BTCUSDT``)."""

    @abstractmethod
    def fetch_bars(self, symbol: Symbol, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        """Fetch the bars with ``start <= open`` and ``close <= end`` that exist at the source.

        Parameters
        ----------
        symbol : Symbol
            The pair.
        start, end : pd.Timestamp
            tz-aware UTC. ``end`` is an exclusive bound of time: the last bar returned closes at or before it and
            is closed by the source's own clock too, so that an open bar never enters the program.

        Returns
        -------
        pd.DataFrame
            Shape (n, 5): float64 columns ``open high low close volume``, index ``timestamp`` (open times, UTC),
            ascending and unique. Hours without a bar are absent. Values are the source's own: the caller validates.

        Raises
        ------
        UnknownSymbolError
            If the source does not list the symbol.
        SourceBlockedError
            If the source refuses this caller; calling again makes it worse.
        TransientSourceError
            If it failed in a way that may pass.
        DataValidationError
            If the answer can't be read as bars.
        """

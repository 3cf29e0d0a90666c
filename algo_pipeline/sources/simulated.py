"""Bars of a simulated market, always labelled as such: for the demo, the null statistics and the tests."""

from __future__ import annotations

import pandas as pd

from algo_pipeline.common.types import Symbol
from algo_pipeline.interfaces.market_data import MarketDataSource


class SimulatedSource(MarketDataSource):
    """Seeded bars of :mod:`algo_pipeline.data.simulation`; every symbol exists.

    Parameters
    ----------
    seed : int
        Seed of the market, not negative.
    signal_strength : float
        Planted predictability in [0, 1]; 0 is a true null.
    first, last : pd.Timestamp, optional
        Bounds of the market's life (UTC): no bar opens before ``first`` or closes after ``last``.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        signal_strength: float = 0.0,
        first: pd.Timestamp | None = None,
        last: pd.Timestamp | None = None,
    ) -> None:
        self._seed = seed
        self._signal_strength = signal_strength
        self._first = first
        self._last = last

    @property
    def name(self) -> str:
        """``simulated``."""
        return "simulated"

    @property
    def is_local(self) -> bool:
        """True: bars are computed."""
        return True

    def venue_symbol(self, symbol: Symbol) -> str:
        """The pair with what its market was made from, so that two markets are never taken for one."""
        return f"{symbol.base}{symbol.quote}[seed={self._seed},signal={self._signal_strength:g}]"

    def fetch_bars(self, symbol: Symbol, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        """Simulate the bars between ``start`` and ``end``; see :class:`MarketDataSource`."""
        from algo_pipeline.data.simulation import simulate_bars

        start = start if self._first is None else max(start, self._first)
        end = end if self._last is None else min(end, self._last)
        return simulate_bars(symbol, start, end, seed=self._seed, signal_strength=self._signal_strength)

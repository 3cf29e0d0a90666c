"""From the log of fills to round trips and the frames that show both."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.types import FloatArray, IntArray, Side

TRADE_COLUMNS = ("entry_time", "exit_time", "quantity", "entry_price", "exit_price", "fees", "pnl", "return")
FILL_COLUMNS = ("timestamp", "side", "quantity", "price", "fee", "notional")
_SIDES = np.array([Side.BUY.value, Side.SELL.value], dtype=object)


class RoundTrips(NamedTuple):
    """Closed round trips in the order of their exits.

    ``places`` has shape (n_trades, 3): bar of the entry's fill, bar of the exit's fill, symbol.
    ``values`` has shape (6, n_trades): quantity, entry price, exit price, fees, pnl, return.
    """

    places: IntArray
    values: FloatArray

    @property
    def pnl(self) -> FloatArray:
        """Net result of each trip in quote currency."""
        return np.asarray(self.values[4])

    @property
    def holding_bars(self) -> IntArray:
        """Bars of the grid from the entry's fill to the exit's."""
        return self.places[:, 1] - self.places[:, 0]


@compiled
def round_trips(places: IntArray, values: FloatArray, quantities: FloatArray, fee_rate_in_coin: float) -> RoundTrips:
    """Pair the fills of each symbol: a trip starts at the first buy after nothing was held and ends at the last sale.

    Parameters
    ----------
    places, values : ndarray
        Of a :class:`~algo_pipeline.backtest.kernel.Simulation`.
    quantities : ndarray of shape (n_symbols, n_bars)
        Holdings at close: the sale after which nothing is held ends the trip.
    fee_rate_in_coin : float
        Part of a bought quantity that is kept back as the fee; 0 where fees are paid in quote currency.

    Notes
    -----
    ``quantity`` is what was sold, which is what arrived; ``entry_price`` and ``exit_price`` are the average fill prices
    of buys and sells; ``fees`` both sides in quote currency, a fee in coin at its fill price. Hence
    ``pnl = quantity · (exit_price − entry_price) − fees`` whoever takes the fee, and
    ``return = pnl / (bought quantity · entry_price)``. A position still open at the end is no round trip.
    A symbol sells at most once in a bar, as the last of its fills there.
    """
    n_symbols = len(quantities)
    n_sales = int(np.sum(values[:, 0] < 0.0))
    trip_places = np.empty((n_sales, 3), np.int64)
    trips = np.empty((6, n_sales))
    entry_bar = np.full(n_symbols, -1, np.int64)
    bought = np.zeros(n_symbols)
    spent = np.zeros(n_symbols)
    sold = np.zeros(n_symbols)
    received = np.zeros(n_symbols)
    exit_price = np.zeros(n_symbols)
    fees = np.zeros(n_symbols)
    n = 0
    for i in range(len(values)):
        s = places[i, 1]
        quantity, price, fee = values[i, 0], values[i, 1], values[i, 2]
        fees[s] += fee
        if quantity > 0.0:
            entry_bar[s] = places[i, 0] if entry_bar[s] < 0 else entry_bar[s]
            bought[s] += quantity
            spent[s] += quantity * price
            continue
        sold[s] -= quantity
        received[s] -= quantity * price
        exit_price[s] += (price - exit_price[s]) * (-quantity / sold[s])  # a single sale's price, to the last bit
        if quantities[s, places[i, 0]] > 0.0:
            continue
        trip_places[n] = entry_bar[s], places[i, 0], s
        fees_in_cash = fees[s] - fee_rate_in_coin * spent[s]
        pnl = received[s] - spent[s] - fees_in_cash
        trips[:, n] = sold[s], spent[s] / bought[s], exit_price[s], fees[s], pnl, pnl / spent[s]
        entry_bar[s] = -1
        bought[s] = spent[s] = sold[s] = received[s] = exit_price[s] = fees[s] = 0.0
        n += 1
    return RoundTrips(trip_places[:n].copy(), trips[:, :n].copy())


def trades_frame(trips: RoundTrips, times: pd.DatetimeIndex) -> pd.DataFrame:
    """One row per round trip, columns :data:`TRADE_COLUMNS`; times are open times of the bars of the fills."""
    columns = [times.take(trips.places[:, 0]), times.take(trips.places[:, 1]), *trips.values]
    return pd.DataFrame(dict(zip(TRADE_COLUMNS, columns, strict=True)), copy=False)


def fills_frame(places: IntArray, values: FloatArray, times: pd.DatetimeIndex) -> pd.DataFrame:
    """One row per fill, columns :data:`FILL_COLUMNS`; ``quantity`` is what was traded, before a fee in coin."""
    quantity = np.abs(values[:, 0])
    sides = _SIDES[(values[:, 0] < 0.0).astype(np.int64)]
    columns = [times.take(places[:, 0]), sides, quantity, values[:, 1], values[:, 2], quantity * values[:, 1]]
    return pd.DataFrame(dict(zip(FILL_COLUMNS, columns, strict=True)), copy=False)

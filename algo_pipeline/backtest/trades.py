"""From the log of fills to round trips and the frames that show both."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.types import FloatArray, IntArray, Side

TRADE_COLUMNS = ("entry_time", "exit_time", "quantity", "entry_price", "exit_price", "fees", "pnl", "return")
FILL_COLUMNS = ("timestamp", "side", "quantity", "price", "fee", "notional")
_BUY, _SELL = (np.array([side.value], dtype=object) for side in (Side.BUY, Side.SELL))


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
    n_sales = int(np.sum(values[:, 0] < 0.0))
    trip_places = np.empty((n_sales, 3), np.int64)
    trips = np.empty((6, n_sales))
    last_fills = np.empty(n_sales, np.int64)
    n = 0
    for s in range(len(quantities)):
        n = _trips_of_symbol(s, places, values, quantities[s], fee_rate_in_coin, trip_places, trips, last_fills, n)
    if len(quantities) == 1 and n == n_sales:
        return RoundTrips(trip_places, trips)
    order = np.argsort(last_fills[:n])
    return RoundTrips(trip_places[order], trips[:, order])


@compiled
def _trips_of_symbol(
    symbol: int,
    places: IntArray,
    values: FloatArray,
    quantities: FloatArray,
    fee_rate_in_coin: float,
    trip_places: IntArray,
    trips: FloatArray,
    last_fills: IntArray,
    n: int,
) -> int:
    """Write the symbol's trips from place ``n`` on; return the place after them."""
    entry_bar = -1
    bought = spent = sold = received = exit_price = fees = 0.0
    for i in range(len(values)):
        if places[i, 1] != symbol:
            continue
        quantity, price = values[i, 0], values[i, 1]
        fees += values[i, 2]
        if quantity > 0.0:
            entry_bar = places[i, 0] if entry_bar < 0 else entry_bar
            bought += quantity
            spent += quantity * price
            continue
        sold -= quantity
        received -= quantity * price
        exit_price += (price - exit_price) * (-quantity / sold)  # a single sale's price, to the last bit
        if quantities[places[i, 0]] > 0.0:
            continue
        pnl = received - spent - (fees - fee_rate_in_coin * spent)
        trip_places[n, 0], trip_places[n, 1], trip_places[n, 2] = entry_bar, places[i, 0], symbol
        trips[0, n], trips[1, n], trips[2, n] = sold, spent / bought, exit_price
        trips[3, n], trips[4, n], trips[5, n] = fees, pnl, pnl / spent
        last_fills[n] = i
        entry_bar = -1
        bought = spent = sold = received = exit_price = fees = 0.0
        n += 1
    return n


@compiled
def fill_totals(places: IntArray, values: FloatArray, opens: FloatArray) -> tuple[float, float]:
    """Notional of all fills, and their costs: fees plus the distance of each price from its reference.

    The reference is a fourth column of ``values``, or else the open of the fill's bar; ``opens`` has shape
    (n_symbols, n_bars).
    """
    has_reference = values.shape[1] == 4
    notional = fees = slippage = 0.0
    for i in range(len(values)):
        quantity, price = values[i, 0], values[i, 1]
        reference = values[i, 3] if has_reference else opens[places[i, 1], places[i, 0]]
        notional += abs(quantity * price)
        fees += values[i, 2]
        slippage += quantity * (price - reference)
    return notional, fees + slippage


def trades_frame(trips: RoundTrips, times: pd.DatetimeIndex) -> pd.DataFrame:
    """One row per round trip, columns :data:`TRADE_COLUMNS`; times are open times of the bars of the fills."""
    columns = [times.take(trips.places[:, 0]), times.take(trips.places[:, 1]), *trips.values]
    return pd.DataFrame(dict(zip(TRADE_COLUMNS, columns, strict=True)), copy=False)


def fills_frame(places: IntArray, values: FloatArray, times: pd.DatetimeIndex) -> pd.DataFrame:
    """One row per fill, columns :data:`FILL_COLUMNS`; ``quantity`` is what was traded, before a fee in coin."""
    quantity = np.abs(values[:, 0])
    sides = np.where(values[:, 0] < 0.0, _SELL, _BUY)
    columns = [times.take(places[:, 0]), sides, quantity, values[:, 1], values[:, 2], quantity * values[:, 1]]
    return pd.DataFrame(dict(zip(FILL_COLUMNS, columns, strict=True)), copy=False)

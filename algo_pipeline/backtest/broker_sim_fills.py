"""Fills of the simulated broker, and what follows from them alone: the account's equity and its round trips."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

import pandas as pd

from algo_pipeline.backtest.broker_sim_decimals import EXACT, ROUNDED, ZERO
from algo_pipeline.common.types import Side, Symbol


@dataclass(frozen=True, slots=True)
class SimulatedFill:
    """One fill; ``fee`` in quote currency, ``fee_in_coin`` the part of the quantity kept back.

    ``reference`` is the price without slippage, ``held_after`` what is held of the symbol after the fill.
    """

    at: pd.Timestamp
    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_in_coin: Decimal
    reference: Decimal
    held_after: Decimal

    @property
    def notional(self) -> Decimal:
        """Quantity times price."""
        return EXACT.multiply(self.quantity, self.price)

    @property
    def slippage_cost(self) -> Decimal:
        """What the price is worse than the reference, in quote currency."""
        with localcontext(EXACT):
            worse_by = self.price - self.reference if self.side is Side.BUY else self.reference - self.price
            return self.quantity * worse_by

    @property
    def cash_flow(self) -> Decimal:
        """What the fill adds to cash; the fee counts unless it was taken from the coin."""
        with localcontext(EXACT):
            paid_fee = ZERO if self.fee_in_coin else self.fee
            return (self.notional if self.side is Side.SELL else -self.notional) - paid_fee

    @property
    def coin_flow(self) -> Decimal:
        """What the fill adds to the holding."""
        with localcontext(EXACT):
            return -self.quantity if self.side is Side.SELL else self.quantity - self.fee_in_coin

    @property
    def closes_the_position(self) -> bool:
        """Whether it sold the last of what was held."""
        return self.side is Side.SELL and self.held_after == 0


@dataclass(slots=True)
class FillLedger:
    """Cash and holdings as the fills alone tell them."""

    cash: Decimal
    held: dict[Symbol, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    n_read: int = 0

    def equity(self, fills: Sequence[SimulatedFill], marks: Mapping[Symbol, Decimal]) -> Decimal:
        """Start cash + Σ sells − Σ buys − Σ fees + quantity × close; reads the fills that it hasn't read yet."""
        with localcontext(EXACT):
            for fill in fills[self.n_read :]:
                self.cash += fill.cash_flow
                self.held[fill.symbol] += fill.coin_flow
            self.n_read = len(fills)
            return self.cash + sum((quantity * marks[symbol] for symbol, quantity in self.held.items()), ZERO)


@dataclass(frozen=True, slots=True)
class SimulatedTrip:
    """A closed round trip: from the first buy after nothing was held to the sale that leaves nothing."""

    symbol: Symbol
    entry_at: pd.Timestamp
    exit_at: pd.Timestamp
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    fees: Decimal
    pnl: Decimal

    @classmethod
    def from_fills(cls, fills: Sequence[SimulatedFill]) -> SimulatedTrip:
        """Sum up the fills of one trip; its result is the cash that came back less the cash that went in."""
        buys = [fill for fill in fills if fill.side is Side.BUY]
        sells = [fill for fill in fills if fill.side is Side.SELL]
        with localcontext(EXACT):
            sold = sum((fill.quantity for fill in sells), ZERO)
            fees = sum((fill.fee for fill in fills), ZERO)
            pnl = sum((fill.cash_flow for fill in fills), ZERO)
        return cls(
            fills[0].symbol, fills[0].at, fills[-1].at, sold, average_price(buys), average_price(sells), fees, pnl
        )


def average_price(fills: Sequence[SimulatedFill]) -> Decimal:
    """Mean price by quantity, to 60 digits."""
    with localcontext(EXACT):
        notional = sum((fill.notional for fill in fills), ZERO)
        quantity = sum((fill.quantity for fill in fills), ZERO)
    return ROUNDED.divide(notional, quantity)


def simulated_trips(fills: Iterable[SimulatedFill]) -> list[SimulatedTrip]:
    """Closed round trips in the order of their exits."""
    trips: list[SimulatedTrip] = []
    open_trips: dict[Symbol, list[SimulatedFill]] = defaultdict(list)
    for fill in fills:
        open_trips[fill.symbol].append(fill)
        if fill.closes_the_position:
            trips.append(SimulatedTrip.from_fills(open_trips.pop(fill.symbol)))
    return trips

"""What rests at the simulated venue, the price at which a bar fills it, and what remains of it after the bar."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

from algo_pipeline.backtest.broker_sim_decimals import EXACT, ROUNDED, ZERO
from algo_pipeline.common.types import Side
from algo_pipeline.interfaces.broker import BrokerOrder


@dataclass(frozen=True, slots=True)
class Candle:
    """One bar of one symbol."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class Deal:
    """A price that a bar offers to an order; ``reference`` is the price without slippage."""

    price: Decimal
    reference: Decimal
    is_at_open: bool = False

    @classmethod
    def at_open(cls, side: Side, candle: Candle, slippage: Decimal) -> Deal:
        """What a market order gets at the open."""
        return cls(slipped(candle.open, side, slippage), candle.open, is_at_open=True)


@dataclass(frozen=True, slots=True)
class PendingOrder:
    """An order on its way to the venue or at it; a market order unless it has a limit.

    ``wait_bars`` bars of the symbol pass before it is at the venue, then it rests for ``rest_bars`` if it is a limit.
    """

    order: BrokerOrder
    wait_bars: int = 0
    limit: Decimal | None = None
    rest_bars: int = 0

    @property
    def left(self) -> Decimal:
        """The quantity that is not filled yet."""
        return EXACT.subtract(self.order.quantity, self.order.filled_quantity)

    def a_bar_nearer(self) -> PendingOrder:
        """The same order one bar later, not yet at the venue."""
        return replace(self, wait_bars=self.wait_bars - 1)

    def as_market_order(self) -> PendingOrder:
        """The same order without its limit, at the venue when it was due to be there."""
        return replace(self, limit=None, rest_bars=0)

    def deal(self, candle: Candle, slippage: Decimal) -> Deal | None:
        """What the bar offers to this order, if anything; inside the bar its limit must be traded through."""
        side, limit = self.order.side, self.limit
        at_open = Deal.at_open(side, candle, slippage)
        if limit is None:
            return at_open
        if side is Side.BUY:
            opens_well, is_traded_through = at_open.price <= limit, candle.low < limit
        else:
            opens_well, is_traded_through = at_open.price >= limit, candle.high > limit
        if opens_well:
            return at_open
        return Deal(limit, limit) if is_traded_through else None

    def after_bar(self) -> PendingOrder | None:
        """What rests on after a bar at the venue: an exit stays in force as a market order, an entry does not."""
        if self.left == 0:
            return None
        if self.rest_bars > 1:
            return replace(self, rest_bars=self.rest_bars - 1)
        return self.as_market_order() if self.order.side is Side.SELL else None


def slipped(price: Decimal, side: Side, slippage: Decimal) -> Decimal:
    """The price moved against the one who trades."""
    with localcontext(EXACT):
        return price * (1 + slippage if side is Side.BUY else 1 - slippage)


def with_fill(order: BrokerOrder, quantity: Decimal, price: Decimal) -> BrokerOrder:
    """The order after one more fill."""
    filled = EXACT.add(order.filled_quantity, quantity)
    with localcontext(ROUNDED):
        before = order.filled_quantity * (order.average_price or ZERO)
        average = price if quantity == filled else (before + quantity * price) / filled
    status = "filled" if filled == order.quantity else "partially_filled"
    return replace(order, filled_quantity=filled, average_price=average, status=status)

"""Orders and fills as the sandbox's account keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext
from enum import Enum

from algo_pipeline.backtest.broker_sim_decimals import EXACT, ROUNDED, ZERO
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.interfaces.broker import TERMINAL_STATUSES

_NOTHING_MORE: Mapping[str, str] = {}


class OrderType(str, Enum):
    """The order types that the sandbox knows."""

    MARKET = "market"
    LIMIT = "limit"


class TimeInForce(str, Enum):
    """What Alpaca takes for crypto."""

    GTC = "gtc"
    IOC = "ioc"


class Refusal(Exception):  # noqa: N818 - the venue's no, not a defect
    """The venue's refusal of a request: HTTP status, Alpaca's code, its words, and more fields of the body."""

    def __init__(self, status: int, code: int, message: str, details: Mapping[str, str] = _NOTHING_MORE) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What was asked for: ``quantity`` of the coin or ``notional`` in quote currency, one of them None."""

    symbol: Symbol
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal | None
    notional: Decimal | None
    limit: Decimal | None
    client_order_id: str


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order and what became of it; times in ns since the epoch.

    ``watched_ns`` is how far the market has been compared with it, ``reserve_price`` what a coin of it holds back in
    cash while it is open.
    """

    id: str
    request: OrderRequest
    created_ns: int
    updated_ns: int
    watched_ns: int
    reserve_price: Decimal
    status: str = "accepted"
    filled_quantity: Decimal = ZERO
    average_price: Decimal | None = None
    filled_ns: int | None = None
    canceled_ns: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether it may still fill."""
        return self.status not in TERMINAL_STATUSES

    @property
    def filled_notional(self) -> Decimal:
        """What was traded, in quote currency, to 60 digits."""
        return ROUNDED.multiply(self.filled_quantity, self.average_price or ZERO)

    def left_at(self, price: Decimal, step: Decimal) -> Decimal:
        """The quantity not yet filled; of a notional order what the rest of it buys at ``price``, on the step."""
        if self.request.quantity is not None:
            return EXACT.subtract(self.request.quantity, self.filled_quantity)
        with localcontext(ROUNDED):
            left = (self.request.notional or ZERO) - self.filled_notional
            return max((left / price) // step * step, ZERO)

    def with_fill(self, quantity: Decimal, price: Decimal, at_ns: int) -> VenueOrder:
        """The order after one more fill, partially filled for now."""
        filled = EXACT.add(self.filled_quantity, quantity)
        with localcontext(ROUNDED):
            average = price if quantity == filled else (self.filled_notional + quantity * price) / filled
        return replace(
            self,
            filled_quantity=filled,
            average_price=average,
            status="partially_filled",
            updated_ns=at_ns,
            filled_ns=at_ns,
        )

    def ended(self, status: str, at_ns: int) -> VenueOrder:
        """The order filled or canceled for good."""
        canceled_ns = at_ns if status == "canceled" else None
        return replace(self, status=status, updated_ns=at_ns, canceled_ns=canceled_ns)


@dataclass(frozen=True, slots=True)
class LedgerFill:
    """One fill; ``fee`` in quote currency, ``fee_in_coin`` the part of the quantity kept back instead."""

    at_ns: int
    order_id: str
    client_order_id: str
    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_in_coin: Decimal

    @property
    def cash_flow(self) -> Decimal:
        """What it adds to cash; the fee counts unless it was taken from the coin."""
        with localcontext(EXACT):
            notional = self.quantity * self.price
            return (
                notional - self.fee if self.side is Side.SELL else -notional - (ZERO if self.fee_in_coin else self.fee)
            )

    @property
    def coin_flow(self) -> Decimal:
        """What it adds to the holding."""
        return -self.quantity if self.side is Side.SELL else EXACT.subtract(self.quantity, self.fee_in_coin)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Cash (``symbol`` None) or coin that came, or went where negative, without an order."""

    at_ns: int
    symbol: Symbol | None
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Holding:
    """A quantity, and what it cost by average, to 9 decimals: Alpaca shows the cost, nothing depends on it."""

    quantity: Decimal = ZERO
    cost: Decimal = field(default=ZERO)

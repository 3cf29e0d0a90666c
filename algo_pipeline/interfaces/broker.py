"""What an account at a broker must offer, simulated or real."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal

import pandas as pd

from algo_pipeline.common.types import Side, Symbol

TERMINAL_STATUSES = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})


@dataclass(frozen=True, slots=True)
class Account:
    """Cash and equity in quote currency, as the broker states them."""

    account_id: str
    cash: Decimal
    equity: Decimal
    trading_blocked: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """A holding: all of it, and the part that no open order holds back."""

    symbol: Symbol
    quantity: Decimal
    quantity_available: Decimal


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order as the broker knows it; ``average_price`` is None until something is filled.

    ``status`` is the broker's own word; one that is not in :data:`TERMINAL_STATUSES` may still fill.
    """

    client_order_id: str
    broker_order_id: str
    symbol: Symbol
    side: Side
    quantity: Decimal
    filled_quantity: Decimal
    average_price: Decimal | None
    status: str
    created_at: pd.Timestamp | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more can happen to it."""
        return self.status in TERMINAL_STATUSES


class BaseBroker(ABC):
    """One account that trades market orders.

    Every method raises ``AmbiguousBrokerError`` when the answer is unknown (time-out, reset, 429, 5xx, unreadable), and
    ``BrokerRefusedError`` when the broker says no: a failed query is never an empty answer.
    """

    @abstractmethod
    def now(self) -> pd.Timestamp:
        """The broker's clock, tz-aware UTC."""

    @abstractmethod
    def get_account(self) -> Account:
        """The account's identity, cash and equity."""

    @abstractmethod
    def get_positions(self) -> tuple[Position, ...]:
        """Every holding; raises when the broker can't be asked, for a failed query is not an empty account."""

    @abstractmethod
    def get_bars(self, symbol: Symbol, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        """Closed bars as :meth:`MarketDataSource.fetch_bars` returns them."""

    @abstractmethod
    def place_order(self, symbol: Symbol, quantity: Decimal, side: Side, client_order_id: str) -> BrokerOrder:
        """Place a market order under an id that is never used twice.

        Raises
        ------
        BrokerRefusedError
            If the broker definitely did not take it.
        AmbiguousBrokerError
            If it may have taken it; a used id counts as that too. Look it up by id before anything else.
        """

    @abstractmethod
    def find_order(self, client_order_id: str) -> BrokerOrder | None:
        """The order with this id; None only if the broker itself says that it does not exist."""

    @abstractmethod
    def get_open_orders(self) -> tuple[BrokerOrder, ...]:
        """Every order that may still fill, whoever placed it."""

    @abstractmethod
    def get_orders_since(self, since: pd.Timestamp) -> tuple[BrokerOrder, ...]:
        """Every order, open or not, created at or after ``since``, oldest first."""

    @abstractmethod
    def cancel_order(self, order: BrokerOrder) -> None:
        """Ask for the order's cancellation; one that can't be cancelled any more is no error. Look it up after."""

"""What an account at a broker must offer, simulated or real."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal

import pandas as pd

from algo_pipeline.common.types import Side, Symbol


@dataclass(frozen=True, slots=True)
class Account:
    """Cash and equity in quote currency, as the broker states them."""

    account_id: str
    cash: Decimal
    equity: Decimal


@dataclass(frozen=True, slots=True)
class Position:
    """A holding: all of it, and the part that no open order holds back."""

    symbol: Symbol
    quantity: Decimal
    quantity_available: Decimal


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order as the broker knows it; ``average_price`` is None until something is filled."""

    client_order_id: str
    broker_order_id: str
    symbol: Symbol
    side: Side
    quantity: Decimal
    filled_quantity: Decimal
    average_price: Decimal | None
    status: str


class BaseBroker(ABC):
    """One account that trades market orders."""

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
        """Place a market order under an id that is never used twice."""

    @abstractmethod
    def find_order(self, client_order_id: str) -> BrokerOrder | None:
        """The order with this id; None only if the broker itself says that it does not exist."""

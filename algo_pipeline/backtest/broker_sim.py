"""A broker over a simulated account in exact decimals: slow, obvious, and the judge of the compiled kernel.

Sums and products run in a context that refuses to round, so that the account balances to the last digit. Market
orders fill in full at the next open of their symbol, ``open · (1 ± slippage)``, as far as cash goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Context, Decimal, Inexact, localcontext

import pandas as pd

from algo_pipeline.common.errors import AccountingError, ConfigValueError
from algo_pipeline.common.time import BAR
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.interfaces.broker import Account, BaseBroker, BrokerOrder, Position

_EXACT = Context(prec=400, traps=[Inexact])
_ROUNDED = Context(prec=60, rounding=ROUND_FLOOR)
_ZERO = Decimal(0)


def exact(value: float) -> Decimal:
    """The decimal that a person reads: the shortest one that names this double."""
    return Decimal(repr(float(value)))


def floor_decimal(value: Decimal, step: Decimal) -> Decimal:
    """Largest multiple of ``step`` that does not exceed ``value``."""
    return value.quantize(step, rounding=ROUND_FLOOR, context=Context(prec=60))


@dataclass(frozen=True, slots=True)
class SimulatedFill:
    """One fill; ``fee`` in quote currency, ``fee_in_coin`` the part of the quantity kept back."""

    at: pd.Timestamp
    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_in_coin: Decimal

    @property
    def notional(self) -> Decimal:
        """Quantity times price."""
        with localcontext(_EXACT):
            return self.quantity * self.price


class SimulatedBroker(BaseBroker):
    """One account that trades market orders at the opens of given bars.

    The caller moves time: :meth:`open_bar` fills what is pending, :meth:`close_bar` marks the account.

    Parameters
    ----------
    bars_by_symbol : mapping of Symbol to DataFrame
        Valid bars; the order of the symbols is the order in which buys fill.
    config : BacktestConfig
        Start cash, costs, quantity step and minimum.
    """

    def __init__(self, bars_by_symbol: Mapping[Symbol, pd.DataFrame], config: BacktestConfig) -> None:
        self._bars = dict(bars_by_symbol)
        self._fee_rate = exact(config.fee_bps) / 10_000
        self._slippage = exact(config.slippage_bps) / 10_000
        self._fee_in_base = config.fee_in_base
        self._step = Decimal(1).scaleb(-config.step_decimals)
        self._min_notional = exact(config.min_notional)
        self._start_cash = self._cash = exact(config.initial_cash)
        self._held = dict.fromkeys(self._bars, _ZERO)
        self._marks = dict.fromkeys(self._bars, _ZERO)
        self._orders: dict[str, BrokerOrder] = {}
        self._now: pd.Timestamp | None = None
        self.fills: list[SimulatedFill] = []

    def get_account(self) -> Account:
        """Cash, and equity at the last closes."""
        with localcontext(_EXACT):
            equity = self._cash + sum((self._held[s] * self._marks[s] for s in self._bars), _ZERO)
        return Account("simulated", self._cash, equity)

    def get_positions(self) -> tuple[Position, ...]:
        """Every holding; a market sell holds nothing back, for it fills at once or waits for a bar."""
        return tuple(Position(s, quantity, quantity) for s, quantity in self._held.items() if quantity > 0)

    def get_bars(self, symbol: Symbol, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        """Bars in [start, end) that are closed by the simulated clock."""
        bars = self._bars[symbol]
        if self._now is None:
            return bars.iloc[:0]
        return bars[(bars.index >= start) & (bars.index + BAR <= min(end, self._now))]

    def place_order(self, symbol: Symbol, quantity: Decimal, side: Side, client_order_id: str) -> BrokerOrder:
        """Queue a market order for the symbol's next open.

        Raises
        ------
        ConfigValueError
            If the id was used before, or the quantity is not positive.
        """
        if client_order_id in self._orders or quantity <= 0:
            raise ConfigValueError(
                f"An order needs a fresh id and a positive quantity; found {client_order_id!r} and {quantity}.",
                "Derive the id from symbol, bar, side and purpose.",
            )
        order = BrokerOrder(client_order_id, client_order_id, symbol, side, quantity, _ZERO, None, "new")
        self._orders[client_order_id] = order
        return order

    def find_order(self, client_order_id: str) -> BrokerOrder | None:
        """The order with this id, or None."""
        return self._orders.get(client_order_id)

    def pending_orders(self) -> tuple[BrokerOrder, ...]:
        """Orders that still wait for a bar of their symbol."""
        return tuple(order for order in self._orders.values() if order.status == "new")

    def cancel_pending(self, symbol: Symbol) -> None:
        """Cancel the symbol's orders that still wait for a bar."""
        for order in self.pending_orders():
            if order.symbol == symbol:
                self._orders[order.client_order_id] = replace(order, status="canceled")

    def open_bar(self, at: pd.Timestamp, opens: Mapping[Symbol, Decimal]) -> None:
        """Fill pending orders of the symbols that have a bar: sells first, then buys in the symbols' order."""
        self._now = at
        rank = list(self._bars).index
        ready = [order for order in self.pending_orders() if order.symbol in opens]
        for order in sorted(ready, key=lambda order: (order.side is Side.BUY, rank(order.symbol))):
            self._fill(order, at, opens[order.symbol])

    def close_bar(self, at: pd.Timestamp, closes: Mapping[Symbol, Decimal]) -> None:
        """Mark the symbols that have a bar and check the accounting identity to the last digit.

        Raises
        ------
        AccountingError
            If cash, fills and holdings do not add up.
        """
        self._now = at + BAR
        self._marks.update(closes)
        expected, found = self._equity_from_fills(), self.get_account().equity
        if expected != found:
            raise AccountingError(f"At {at} fills add up to {expected}, the account to {found}.")

    def _fill(self, order: BrokerOrder, at: pd.Timestamp, open_price: Decimal) -> None:
        with localcontext(_EXACT):
            price = open_price * (1 + self._slippage if order.side is Side.BUY else 1 - self._slippage)
            quantity = order.quantity if order.side is Side.SELL else self._covered(order.quantity, price)
            fee = quantity * price * self._fee_rate
            if order.side is Side.SELL:
                fee_in_coin = _ZERO
                self._cash += quantity * price - fee
                self._held[order.symbol] -= quantity
            else:
                fee_in_coin = quantity * self._fee_rate if self._fee_in_base else _ZERO
                self._cash -= quantity * price + (_ZERO if self._fee_in_base else fee)
                self._held[order.symbol] += quantity - fee_in_coin
        status = "filled" if quantity == order.quantity else "canceled"
        average = price if quantity else None
        self._orders[order.client_order_id] = replace(
            order, filled_quantity=quantity, average_price=average, status=status
        )
        if quantity:
            self.fills.append(SimulatedFill(at, order.symbol, order.side, quantity, price, fee, fee_in_coin))

    def _covered(self, ordered: Decimal, price: Decimal) -> Decimal:
        """What cash covers of a buy, on the step; nothing where that is worth less than the minimum."""
        unit_cost = price if self._fee_in_base else price * (1 + self._fee_rate)
        if ordered * unit_cost <= self._cash:
            return ordered
        quantity = floor_decimal(_ROUNDED.divide(self._cash, unit_cost), self._step)
        return quantity if quantity * price >= self._min_notional else _ZERO

    def _equity_from_fills(self) -> Decimal:
        """Start cash + Σ sells − Σ buys − Σ fees + quantity × close, from the fills alone."""
        with localcontext(_EXACT):
            total = self._start_cash
            for fill in self.fills:
                sign = 1 if fill.side is Side.SELL else -1
                total += sign * fill.notional - (_ZERO if fill.fee_in_coin else fill.fee)
                total += (-sign * fill.quantity - fill.fee_in_coin) * self._marks[fill.symbol]
            return total

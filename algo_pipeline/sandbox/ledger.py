"""The account in exact decimals: what came, went and was traded, and what open orders hold back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal, localcontext

from algo_pipeline.backtest.broker_sim_decimals import EXACT, ROUNDED, ZERO
from algo_pipeline.common.errors import AccountingError, ConfigValueError
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.sandbox.orders import Holding, LedgerFill, Transfer, VenueOrder

_SHOWN_STEP = Decimal("1e-9")


class Ledger:
    """Cash, holdings, orders, fills and transfers of one account.

    Parameters
    ----------
    account_id : str
        The account's identity; a reset account has another.
    opened_ns : int
        When it was opened.
    """

    def __init__(self, account_id: str, opened_ns: int) -> None:
        self.account_id = account_id
        self.opened_ns = opened_ns
        self.blocked = False
        self.fills: list[LedgerFill] = []
        self.transfers: list[Transfer] = []
        self._cash = ZERO
        self._holdings: dict[Symbol, Holding] = {}
        self._orders: dict[str, VenueOrder] = {}
        self._open: dict[str, VenueOrder] = {}
        self._id_of_client_id: dict[str, str] = {}

    @property
    def cash(self) -> Decimal:
        """All cash, held back or not."""
        return self._cash

    @property
    def orders(self) -> tuple[VenueOrder, ...]:
        """All orders, oldest first."""
        return tuple(self._orders.values())

    @property
    def open_orders(self) -> tuple[VenueOrder, ...]:
        """Orders that may still fill, oldest first."""
        return tuple(self._open.values())

    @property
    def n_orders(self) -> int:
        """How many orders there are, open or not."""
        return len(self._orders)

    @property
    def last_order_ns(self) -> int:
        """When the newest order was created; 0 before the first."""
        return self._orders[next(reversed(self._orders))].created_ns if self._orders else 0

    def held_symbols(self) -> tuple[Symbol, ...]:
        """Symbols of which something is held, in the order in which they were first bought."""
        return tuple(symbol for symbol, holding in self._holdings.items() if holding.quantity != 0)

    def holding(self, symbol: Symbol) -> Holding:
        """What is held of a symbol."""
        return self._holdings.get(symbol, Holding())

    def order(self, order_id: str) -> VenueOrder | None:
        """The order with the venue's id."""
        return self._orders.get(order_id)

    def order_of_client(self, client_order_id: str) -> VenueOrder | None:
        """The order with the client's id."""
        return self._orders.get(self._id_of_client_id.get(client_order_id, ""))

    def put(self, order: VenueOrder) -> None:
        """Take up a new order, or what became of a known one."""
        self._orders[order.id] = order
        self._id_of_client_id[order.request.client_order_id] = order.id
        if order.is_open:
            self._open[order.id] = order
        else:
            self._open.pop(order.id, None)

    def free_cash(self, *, besides: str = "") -> Decimal:
        """Cash that no open buy holds back; ``besides`` names an order that doesn't count."""
        with localcontext(EXACT):
            return self._cash - sum((_reserved(order) for order in self._others(Side.BUY, None, besides)), ZERO)

    def free_quantity(self, symbol: Symbol, *, besides: str = "") -> Decimal:
        """What is held and no open sell holds back."""
        with localcontext(EXACT):
            held_back = sum((_left(order) for order in self._others(Side.SELL, symbol, besides)), ZERO)
            return self.holding(symbol).quantity - held_back

    def book(self, fill: LedgerFill) -> None:
        """Move cash and coin."""
        self.fills.append(fill)
        with localcontext(EXACT):
            self._cash += fill.cash_flow
            self._holdings[fill.symbol] = _traded(self.holding(fill.symbol), fill)

    def transfer(self, transfer: Transfer) -> None:
        """Add or take cash or coin without an order.

        Raises
        ------
        ConfigValueError
            If there is not that much to take.
        """
        before = self._cash if transfer.symbol is None else self.holding(transfer.symbol).quantity
        after = EXACT.add(before, transfer.amount)
        if after < 0:
            raise ConfigValueError(f"The account holds {before}; {-transfer.amount} can't leave it.", "Take less.")
        self.transfers.append(transfer)
        if transfer.symbol is None:
            self._cash = after
        else:
            self._holdings[transfer.symbol] = Holding(after, self.holding(transfer.symbol).cost)

    def verify(self) -> None:
        """Check that transfers and fills add up to cash and holdings, to the last digit.

        Raises
        ------
        AccountingError
            If they do not.
        """
        cash, held = _retold(self.transfers, self.fills)
        if cash != self._cash:
            raise AccountingError(f"Transfers and fills add up to cash of {cash}; the account has {self._cash}.")
        for symbol in {*held, *self._holdings}:
            if held[symbol] != self.holding(symbol).quantity:
                raise AccountingError(
                    f"Transfers and fills add up to {held[symbol]} {symbol.base}; "
                    f"the account has {self.holding(symbol).quantity}."
                )

    def restore(
        self,
        cash: Decimal,
        holdings: Mapping[Symbol, Holding],
        orders: Iterable[VenueOrder],
        fills: Iterable[LedgerFill],
        transfers: Iterable[Transfer],
    ) -> None:
        """Take up a kept account.

        Raises
        ------
        AccountingError
            If it does not add up.
        """
        self._cash, self._holdings = cash, dict(holdings)
        self.fills, self.transfers = list(fills), list(transfers)
        for order in orders:
            self.put(order)
        self.verify()

    def _others(self, side: Side, symbol: Symbol | None, besides: str) -> Iterable[VenueOrder]:
        for order in self._open.values():
            is_meant = order.request.side is side and symbol in (None, order.request.symbol)
            if is_meant and order.id != besides:
                yield order


def _left(order: VenueOrder) -> Decimal:
    return order.left_at(order.reserve_price, _SHOWN_STEP)


def _reserved(order: VenueOrder) -> Decimal:
    return _left(order) * order.reserve_price


def _traded(holding: Holding, fill: LedgerFill) -> Holding:
    """The holding after a fill; a sale takes its share of the cost."""
    quantity = EXACT.add(holding.quantity, fill.coin_flow)
    with localcontext(ROUNDED):
        if fill.side is Side.BUY:
            cost = holding.cost + fill.quantity * fill.price
        else:
            cost = holding.cost * quantity / holding.quantity if holding.quantity else ZERO
        return Holding(quantity, cost.quantize(_SHOWN_STEP))


def _retold(transfers: Iterable[Transfer], fills: Iterable[LedgerFill]) -> tuple[Decimal, defaultdict[Symbol, Decimal]]:
    cash, held = ZERO, defaultdict[Symbol, Decimal](Decimal)
    with localcontext(EXACT):
        for transfer in transfers:
            if transfer.symbol is None:
                cash += transfer.amount
            else:
                held[transfer.symbol] += transfer.amount
        for fill in fills:
            cash += fill.cash_flow
            held[fill.symbol] += fill.coin_flow
    return cash, held

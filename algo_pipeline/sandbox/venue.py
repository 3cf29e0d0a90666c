"""Alpaca's matching of orders with the market, as far as a strategy can tell.

In *parity* mode a market order fills in full at ``open · (1 ± slippage)`` of the bar that contains the present (in a
gap, of the next bar that exists), unrounded, as far as cash goes: what an account backtest does. In *realistic* mode it
fills at the present price inside the bar, may fill in part, and a buy beyond the cash is refused. Limit orders fill at
once if the price allows it, or rest until a bar trades through their limit.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from enum import Enum
from uuid import NAMESPACE_URL, uuid5

from algo_pipeline.backtest.broker_sim_decimals import (
    EXACT,
    ROUNDED,
    ZERO,
    exact,
    floor_decimal,
    floor_quotient,
    rate_of_bps,
)
from algo_pipeline.backtest.broker_sim_orders import slipped
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.sandbox.clock import VirtualClock
from algo_pipeline.sandbox.ledger import Ledger
from algo_pipeline.sandbox.market import Market
from algo_pipeline.sandbox.orders import LedgerFill, OrderRequest, OrderType, Refusal, TimeInForce, Transfer, VenueOrder
from algo_pipeline.sandbox.wire import decimal_text

FORBIDDEN, UNPROCESSABLE, NOT_FOUND = 403, 422, 404
INSUFFICIENT, BAD_PARAMETER, BAD_STATE, UNKNOWN = 40310000, 40010001, 42210000, 40410000
_WIRE_STEP = Decimal("1e-9")
_MICROSECOND_NS = 1_000


class FillMode(str, Enum):
    """How orders fill."""

    PARITY = "parity"
    REALISTIC = "realistic"


@dataclass(frozen=True, slots=True)
class VenueRules:
    """What orders cost and how they fill.

    Parameters
    ----------
    rules : BacktestConfig
        Fees, slippage, quantity step, smallest holding and start cash.
    mode : FillMode
        Parity or realistic.
    seed : int
        Of partial fills and identities.
    partial_fill_probability : float or None
        Share of attempts that fill a random part only; None is 0.1 in realistic mode, as on Alpaca paper, else 0.
    latency_s : float
        Virtual seconds between an order's acceptance and its first chance to fill.
    maker_fee_bps : float or None
        Fee of a limit order that rested; None is the fee of all others.
    min_order_usd : float
        Smallest order that is taken.
    """

    rules: BacktestConfig
    mode: FillMode = FillMode.PARITY
    seed: int = 0
    partial_fill_probability: float | None = None
    latency_s: float = 0.0
    maker_fee_bps: float | None = None
    min_order_usd: float = 10.0

    @property
    def is_parity(self) -> bool:
        """Whether fills are those of a backtest."""
        return self.mode is FillMode.PARITY

    @property
    def partial_share(self) -> float:
        """Share of attempts that fill a part only."""
        if self.partial_fill_probability is not None:
            return self.partial_fill_probability
        return 0.0 if self.is_parity else 0.1


@dataclass(frozen=True, slots=True)
class _Offer:
    """A price at a time; ``rested`` if it came to an order that waited for it."""

    price: Decimal
    at_ns: int
    rested: bool = False


class Venue:
    """One account at a venue; every public method first brings it up to the clock.

    Parameters
    ----------
    market : Market
        The bars.
    clock : VirtualClock
        The venue's time.
    rules : VenueRules
        Costs and the way of filling.
    """

    def __init__(self, market: Market, clock: VirtualClock, rules: VenueRules) -> None:
        self.market = market
        self.clock = clock
        self.rules = rules
        self.n_changes = 0
        self._n_accounts = 0
        self._fee_rate = rate_of_bps(rules.rules.fee_bps)
        self._maker_fee_rate = self._fee_rate if rules.maker_fee_bps is None else rate_of_bps(rules.maker_fee_bps)
        self._slippage = rate_of_bps(rules.rules.slippage_bps)
        self._step = Decimal(1).scaleb(-rules.rules.step_decimals)
        self.ledger = self.reset()

    def reset(self, cash: Decimal | None = None) -> Ledger:
        """Open a fresh account with another identity; nothing of the old one remains."""
        self._n_accounts += 1
        now_ns = self.clock.now_ns()
        self.ledger = Ledger(self._identity("account", self._n_accounts), now_ns)
        self.transfer(None, exact(self.rules.rules.initial_cash) if cash is None else cash)
        return self.ledger

    def restore(self, ledger: Ledger, n_accounts: int) -> None:
        """Take up a kept account."""
        self.ledger, self._n_accounts = ledger, n_accounts
        self.n_changes += 1

    @property
    def n_accounts(self) -> int:
        """How many accounts there have been."""
        return self._n_accounts

    def catch_up(self) -> None:
        """Let open orders meet the market up to the present."""
        now_ns = self.clock.now_ns()
        for order in self.ledger.open_orders:
            is_due = order.watched_ns <= now_ns if order.status == "accepted" else order.watched_ns < now_ns
            if is_due:
                self._work(order, now_ns)

    def place(self, request: OrderRequest) -> VenueOrder:
        """Take an order; returns it as it is acknowledged, before anything is filled.

        Raises
        ------
        Refusal
            If the account or the id does not allow it.
        """
        self.catch_up()
        request, price = self._as_meant(request), self._reference_price(request)
        self._require_acceptable(request, price)
        order = self._new_order(request, price)
        self.ledger.put(order)
        self.n_changes += 1
        if self.rules.latency_s == 0:
            self._work(order, order.watched_ns)
        return replace(order, status="pending_new")

    def trade_by_hand(self, request: OrderRequest, price: Decimal | None) -> VenueOrder:
        """Fill a market order that someone placed on Alpaca's pages, at a given price if one is given."""
        if price is None:
            self.place(request)
        else:
            self.catch_up()
            self._require_acceptable(request, price)
            self._fill(self._new_order(request, price), _Offer(price, self.clock.now_ns()))
        order = self.ledger.order_of_client(request.client_order_id)
        if order is None:
            raise AssertionError("an order that was taken is in the ledger")
        return order

    def cancel(self, order: VenueOrder) -> None:
        """End an open order.

        Raises
        ------
        Refusal
            If it is over already.
        """
        if not order.is_open:
            raise Refusal(UNPROCESSABLE, BAD_STATE, f'order is already in "{order.status}" state')
        self._end(order, "canceled")

    def transfer(self, symbol: Symbol | None, amount: Decimal) -> None:
        """Move cash or coin in, or out where negative, without an order."""
        self.ledger.transfer(Transfer(self.clock.now_ns(), symbol, amount))
        self.n_changes += 1

    def block(self, *, blocked: bool) -> None:
        """Have the account refuse new orders, or take them again."""
        self.ledger.blocked = blocked
        self.n_changes += 1

    def price(self, symbol: Symbol) -> Decimal:
        """The present price; 0 before the symbol's first bar."""
        price = self.market[symbol].price_at(self.clock.now_ns())
        return ZERO if price is None else exact(price)

    def new_client_order_id(self) -> str:
        """An id for an order whose client gave none."""
        return self._identity("client", self.ledger.n_orders)

    def _work(self, order: VenueOrder, now_ns: int) -> None:
        """One attempt to fill what is left of an order."""
        if order.request.type is OrderType.MARKET:
            offer = self._market_offer(order, order.watched_ns if order.status == "accepted" else now_ns)
        else:
            offer = self._limit_offer(order, now_ns)
        if offer is not None:
            self._fill(order, offer)
        elif order.request.time_in_force is TimeInForce.IOC or order.request.type is OrderType.MARKET:
            self._end(order, "canceled")
        else:
            self.ledger.put(
                replace(order, status="new" if order.status == "accepted" else order.status, watched_ns=now_ns)
            )

    def _market_offer(self, order: VenueOrder, at_ns: int) -> _Offer | None:
        price = self._immediate_price(order.request.symbol, at_ns)
        return None if price is None else _Offer(self._slipped(price, order.request.side), at_ns)

    def _limit_offer(self, order: VenueOrder, now_ns: int) -> _Offer | None:
        """The first price since the order was last looked at that its limit allows."""
        limit, side = order.request.limit or ZERO, order.request.side
        if order.status == "accepted":
            offer = self._market_offer(order, order.watched_ns)
            if offer is not None and _is_allowed(offer.price, limit, side):
                return offer
        return next((offer for offer in self._resting_offers(order, limit, now_ns)), None)

    def _resting_offers(self, order: VenueOrder, limit: Decimal, now_ns: int) -> Iterator[_Offer]:
        side = order.request.side
        if now_ns <= order.watched_ns:
            return
        for candle in self.market[order.request.symbol].between(order.watched_ns, now_ns):
            start_ns, end_ns = max(order.watched_ns, candle.opened_ns), min(now_ns, candle.closes_ns)
            opening = self._slipped(exact(candle.price_at(start_ns)), side)
            if start_ns == candle.opened_ns and _is_allowed(opening, limit, side):
                yield _Offer(opening, start_ns, rested=True)
            low, high = candle.extremes(start_ns, end_ns)
            if (exact(low) < limit) if side is Side.BUY else (exact(high) > limit):
                yield _Offer(limit, end_ns, rested=True)

    def _fill(self, order: VenueOrder, offer: _Offer) -> None:
        """Book what is filled at the offer; what is left of the order rests or ends."""
        wanted = self._part_of(order, order.left_at(offer.price, _WIRE_STEP), offer.at_ns)
        quantity = self._affordable(order, wanted, offer.price)
        now_ns = max(offer.at_ns, order.created_ns)
        if quantity > 0:
            self.ledger.book(self._booking(order, quantity, offer, now_ns))
            order = replace(order.with_fill(quantity, offer.price, now_ns), watched_ns=max(now_ns, order.watched_ns))
        if quantity > 0 and order.left_at(offer.price, _WIRE_STEP) == 0:
            self._end(order, "filled")
        elif order.request.time_in_force is TimeInForce.IOC or quantity < wanted:
            self._end(order, "canceled")
        else:
            self.ledger.put(order)
            self.n_changes += 1

    def _booking(self, order: VenueOrder, quantity: Decimal, offer: _Offer, at_ns: int) -> LedgerFill:
        request, rate = order.request, self._maker_fee_rate if offer.rested else self._fee_rate
        with localcontext(EXACT):
            fee = self._rounded(quantity * offer.price * rate)
            in_coin = request.side is Side.BUY and self.rules.rules.fee_in_base
            fee_in_coin = self._rounded(quantity * rate) if in_coin else ZERO
        return LedgerFill(
            at_ns,
            order.id,
            request.client_order_id,
            request.symbol,
            request.side,
            quantity,
            offer.price,
            fee,
            fee_in_coin,
        )

    def _affordable(self, order: VenueOrder, ordered: Decimal, price: Decimal) -> Decimal:
        """What holding or cash covers; a buy that cash shrinks below the smallest holding fills nothing."""
        if order.request.side is Side.SELL:
            return max(min(ordered, self.ledger.free_quantity(order.request.symbol, besides=order.id)), ZERO)
        cash = self.ledger.free_cash(besides=order.id)
        with localcontext(EXACT):
            unit_cost = price if self.rules.rules.fee_in_base else price * (1 + self._fee_rate)
            if ordered * unit_cost <= cash:
                return ordered
        quantity = floor_quotient(max(cash, ZERO), unit_cost, self._step)
        return quantity if EXACT.multiply(quantity, price) >= exact(self.rules.rules.min_notional) else ZERO

    def _part_of(self, order: VenueOrder, wanted: Decimal, at_ns: int) -> Decimal:
        """All of it or, by the seed, a random part on the quantity step."""
        if self.rules.partial_share == 0:
            return wanted
        draw = random.Random(f"{self.rules.seed}/{order.id}/{at_ns}")  # noqa: S311 - a simulation's dice
        if draw.random() >= self.rules.partial_share:
            return wanted
        part = floor_decimal(ROUNDED.multiply(wanted, exact(draw.random())), self._step)
        return part if part > 0 else wanted

    def _require_acceptable(self, request: OrderRequest, price: Decimal) -> None:
        if self.ledger.blocked:
            raise Refusal(FORBIDDEN, INSUFFICIENT, "new orders are rejected by user request")
        if self.ledger.order_of_client(request.client_order_id) is not None:
            raise Refusal(UNPROCESSABLE, BAD_PARAMETER, "client_order_id must be unique")
        if price == 0:
            raise Refusal(UNPROCESSABLE, BAD_STATE, f'asset "{request.symbol}" is not tradable: it has no price yet')
        cost = request.notional if request.quantity is None else EXACT.multiply(request.quantity, price)
        smallest = exact(self.rules.min_order_usd)
        if cost is None or cost < smallest:
            words = f"cost basis must be >= minimal amount of order {decimal_text(smallest)}"
            raise Refusal(FORBIDDEN, INSUFFICIENT, words)
        if request.side is Side.SELL:
            quantity = floor_quotient(cost, price, _WIRE_STEP) if request.quantity is None else request.quantity
            available = self.ledger.free_quantity(request.symbol)
            _require_balance(request.symbol.base, quantity, available, self.ledger.holding(request.symbol).quantity)
        elif not self.rules.is_parity or request.type is OrderType.LIMIT:
            _require_balance(request.symbol.quote, cost, self.ledger.free_cash(), self.ledger.cash)

    def _as_meant(self, request: OrderRequest) -> OrderRequest:
        """In parity mode, a sell of what a double can tell of all there is sells all there is.

        Quantities travel as JSON's doubles, and an unrounded holding may have more digits than a double.
        """
        if request.side is Side.BUY or request.quantity is None or not self.rules.is_parity:
            return request
        available = self.ledger.free_quantity(request.symbol)
        difference = abs(EXACT.subtract(request.quantity, available))
        return replace(request, quantity=available) if difference < Decimal(math.ulp(float(available))) else request

    def _reference_price(self, request: OrderRequest) -> Decimal:
        """What an order is judged by before it trades; in parity mode the close that the decision was made on."""
        if request.limit is not None:
            return request.limit
        closed = self.market[request.symbol].last_closed(self.clock.now_ns())
        return exact(closed.close) if self.rules.is_parity and closed is not None else self.price(request.symbol)

    def _immediate_price(self, symbol: Symbol, at_ns: int) -> Decimal | None:
        if self.rules.is_parity:
            candle = self.market[symbol].running_or_next(at_ns)
            return None if candle is None else exact(candle.open)
        price = self.market[symbol].price_at(at_ns)
        return None if price is None else exact(price)

    def _new_order(self, request: OrderRequest, price: Decimal) -> VenueOrder:
        # Strictly later than the order before, so that a client can page by time.
        created_ns = max(self.clock.now_ns(), self.ledger.last_order_ns + _MICROSECOND_NS)
        due_ns = created_ns + int(self.rules.latency_s * 1e9)
        order_id = self._identity("order", self.ledger.n_orders)
        return VenueOrder(order_id, request, created_ns, created_ns, due_ns, price)

    def _end(self, order: VenueOrder, status: str) -> None:
        self.ledger.put(order.ended(status, max(self.clock.now_ns(), order.updated_ns)))
        self.n_changes += 1

    def _slipped(self, price: Decimal, side: Side) -> Decimal:
        return self._rounded(slipped(price, side, self._slippage))

    def _rounded(self, value: Decimal) -> Decimal:
        return value if self.rules.is_parity else value.quantize(_WIRE_STEP, context=ROUNDED)

    def _identity(self, kind: str, number: int) -> str:
        return str(uuid5(NAMESPACE_URL, f"sandbox/{self.rules.seed}/{self._n_accounts}/{kind}/{number}"))


def _is_allowed(price: Decimal, limit: Decimal, side: Side) -> bool:
    return price <= limit if side is Side.BUY else price >= limit


def _require_balance(currency: str, requested: Decimal, available: Decimal, balance: Decimal) -> None:
    if requested <= available:
        return
    shown = decimal_text(available)
    words = f"insufficient balance for {currency} (requested: {decimal_text(requested)}, available: {shown})"
    details = {"available": shown, "balance": decimal_text(balance), "symbol": currency}
    raise Refusal(FORBIDDEN, INSUFFICIENT, words, details)

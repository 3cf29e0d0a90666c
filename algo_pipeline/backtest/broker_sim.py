"""A broker over a simulated account in exact decimals: slow, obvious, and the judge of the compiled kernels.

Sums and products run in a context that refuses to round, so that the account balances to the last digit. A market
order fills at the next open of its symbol, ``open · (1 ± slippage)``, as far as cash goes; ``ExecutionOptions`` add
what ``docs/backtest.md`` tells under order realism.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, localcontext

import pandas as pd

from algo_pipeline.backtest.broker_sim_decimals import EXACT, ZERO, exact, floor_quotient, rate_of_bps
from algo_pipeline.backtest.broker_sim_exits import Protection, ProtectionRules
from algo_pipeline.backtest.broker_sim_fills import FillLedger, SimulatedFill
from algo_pipeline.backtest.broker_sim_frictions import Slippage, VolumeCap
from algo_pipeline.backtest.broker_sim_orders import Candle, Deal, PendingOrder, with_fill
from algo_pipeline.backtest.realism import ExecutionOptions
from algo_pipeline.common.errors import AccountingError, ConfigValueError
from algo_pipeline.common.time import BAR
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.interfaces.broker import Account, BaseBroker, BrokerOrder, Position

_BEFORE_ALL_BARS = pd.Timestamp.min.tz_localize("UTC")


class SimulatedBroker(BaseBroker):
    """One account that trades given bars.

    The caller moves time: :meth:`trade_bar` fills what a bar fills, :meth:`close_bar` marks the account.

    Parameters
    ----------
    bars_by_symbol : mapping of Symbol to DataFrame
        Valid bars; the order of the symbols is the order in which orders fill.
    config : BacktestConfig
        Start cash, costs, quantity step and minimum.
    execution : ExecutionOptions, optional
        How orders meet the market; market orders at the next open if omitted.
    """

    def __init__(
        self,
        bars_by_symbol: Mapping[Symbol, pd.DataFrame],
        config: BacktestConfig,
        execution: ExecutionOptions | None = None,
    ) -> None:
        self._bars = dict(bars_by_symbol)
        self._options = execution or ExecutionOptions()
        self._fee_rate = rate_of_bps(config.fee_bps)
        self._fee_in_base = config.fee_in_base
        self._step = Decimal(1).scaleb(-config.step_decimals)
        self._min_notional = exact(config.min_notional)
        self._cash = exact(config.initial_cash)
        self._held = dict.fromkeys(self._bars, ZERO)
        self._marks = dict.fromkeys(self._bars, ZERO)
        self._orders: dict[str, BrokerOrder] = {}
        self._pending: dict[Symbol, PendingOrder] = {}
        self._rules = ProtectionRules.from_options(self._options)
        self._protection = {symbol: Protection(self._rules) for symbol in self._bars}
        self._slippage = Slippage(config, self._options)
        self._caps = {symbol: VolumeCap.from_options(config, self._options) for symbol in self._bars}
        self._now = _BEFORE_ALL_BARS
        self.fills: list[SimulatedFill] = []
        self._ledger = FillLedger(self._cash)

    def now(self) -> pd.Timestamp:
        """The open of the bar that trades, or the close of the last one."""
        return self._now

    def get_account(self) -> Account:
        """Cash, and equity at the last closes."""
        with localcontext(EXACT):
            equity = self._cash + sum((self._held[s] * self._marks[s] for s in self._bars), ZERO)
        return Account("simulated", self._cash, equity)

    def get_positions(self) -> tuple[Position, ...]:
        """Every holding; an order holds nothing back, for a symbol has one at most."""
        return tuple(Position(s, quantity, quantity) for s, quantity in self._held.items() if quantity > 0)

    def get_bars(self, symbol: Symbol, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        """Bars in [start, end) that are closed by the simulated clock."""
        bars = self._bars[symbol]
        return bars[(bars.index >= start) & (bars.index + BAR <= min(end, self._now))]

    def place_order(
        self, symbol: Symbol, quantity: Decimal, side: Side, client_order_id: str, limit: Decimal | None = None
    ) -> BrokerOrder:
        """Send an order on its way: a market order, or with ``limit`` one that rests for ``limit_timeout_bars``.

        Raises
        ------
        ConfigValueError
            If the id was used before, the quantity is not positive, or another order of the symbol is pending.
        """
        if client_order_id in self._orders or quantity <= 0:
            raise ConfigValueError(
                f"An order needs a fresh id and a positive quantity; found {client_order_id!r} and {quantity}.",
                "Derive the id from symbol, bar, side and purpose.",
            )
        if symbol in self._pending:
            raise ConfigValueError(f"A symbol has one pending order at most; {symbol} has one.", "Cancel it first.")
        order = BrokerOrder(client_order_id, client_order_id, symbol, side, quantity, ZERO, None, "new", self._now)
        rest_bars = 0 if limit is None else self._options.limit_timeout_bars or 1
        self._keep(PendingOrder(order, self._options.latency_bars, limit, rest_bars))
        return order

    def find_order(self, client_order_id: str) -> BrokerOrder | None:
        """The order with this id, or None."""
        return self._orders.get(client_order_id)

    def get_open_orders(self) -> tuple[BrokerOrder, ...]:
        """All orders that wait or rest."""
        return tuple(pending.order for pending in self._pending.values())

    def get_orders_since(self, since: pd.Timestamp) -> tuple[BrokerOrder, ...]:
        """Every order created at or after ``since``, oldest first."""
        return tuple(order for order in self._orders.values() if order.created_at and order.created_at >= since)

    def cancel_order(self, order: BrokerOrder) -> None:
        """Cancel the order if it still waits or rests."""
        pending = self._pending.get(order.symbol)
        if pending is not None and pending.order.client_order_id == order.client_order_id:
            self.cancel_pending(order.symbol)

    def quantity_held(self, symbol: Symbol) -> Decimal:
        """What is held of a symbol."""
        return self._held[symbol]

    def pending_order(self, symbol: Symbol) -> PendingOrder | None:
        """The symbol's order that waits or rests, if there is one."""
        return self._pending.get(symbol)

    def cancel_pending(self, symbol: Symbol) -> None:
        """Cancel the symbol's order that waits or rests, if there is one."""
        pending = self._pending.pop(symbol, None)
        if pending is not None:
            self._orders[pending.order.client_order_id] = replace(pending.order, status="canceled")

    def drop_limit(self, symbol: Symbol) -> None:
        """Turn the symbol's pending order into a market order, at the venue when it was due to be there."""
        self._keep(self._pending[symbol].as_market_order())

    def trade_bar(self, at: pd.Timestamp, candles: Mapping[Symbol, Candle]) -> None:
        """Fill what this bar fills: pending sells, then pending buys, then protective exits; symbols in their order."""
        self._now = at
        present = [symbol for symbol in self._bars if symbol in candles]
        held_before = {symbol for symbol in present if self._held[symbol] > 0}
        with localcontext(EXACT):
            for symbol in present:
                self._caps[symbol].start_bar(candles[symbol].volume)
                self._trade_pending(symbol, Side.SELL, candles[symbol])
            buys = {symbol: self._trade_pending(symbol, Side.BUY, candles[symbol]) for symbol in present}
            for symbol in present:
                self._protect(symbol, candles[symbol], buys[symbol], held_before=symbol in held_before)

    def close_bar(self, at: pd.Timestamp, closes: Mapping[Symbol, Decimal]) -> None:
        """Mark the symbols that have a bar and check the accounting identity to the last digit.

        Raises
        ------
        AccountingError
            If cash, fills and holdings do not add up.
        """
        self._now = at + BAR
        self._slippage.note_closes(closes)
        self._marks.update(closes)
        expected, found = self._ledger.equity(self.fills, self._marks), self.get_account().equity
        if expected != found:
            raise AccountingError(f"At {at} fills add up to {expected}, the account to {found}.")

    def _trade_pending(self, symbol: Symbol, side: Side, candle: Candle) -> Deal | None:
        """Let the symbol's order of this side wait or trade; the deal if something was filled."""
        pending = self._pending.get(symbol)
        if pending is None or pending.order.side is not side:
            return None
        if pending.wait_bars > 0:
            self._keep(pending.a_bar_nearer())
            return None
        deal = pending.deal(candle, self._slippage.rate(symbol))
        if deal is None:
            self._let_rest(pending)
            return None
        return deal if self._execute(pending, deal) > 0 else None

    def _protect(self, symbol: Symbol, candle: Candle, buy: Deal | None, *, held_before: bool) -> None:
        """Let the protective exits of what is held trade: a market sell of everything at the exit's price."""
        if self._rules.are_off or self._held[symbol] == 0:
            return
        bought_inside = buy is not None and not buy.is_at_open
        held_at_open = held_before or (buy is not None and buy.is_at_open)
        deal = self._protection[symbol].exit_in(
            candle, self._slippage.rate(symbol), held_at_open=held_at_open, bought_inside=bought_inside
        )
        if deal is not None and self._held[symbol] * deal.price >= self._min_notional:
            self.cancel_pending(symbol)
            order_id = f"{symbol.slug}-{self._now.value}-exit"
            order = BrokerOrder(order_id, order_id, symbol, Side.SELL, self._held[symbol], ZERO, None, "new", self._now)
            self._execute(PendingOrder(order), deal)
        if self._held[symbol] > 0:
            self._protection[symbol].note_bar(candle, bought_inside=bought_inside)

    def _execute(self, pending: PendingOrder, deal: Deal) -> Decimal:
        """Fill what volume and, for a buy, cash allow; the rest of the order rests on or ends."""
        symbol, side = pending.order.symbol, pending.order.side
        allowed = min(pending.left, self._caps[symbol].left)
        quantity = allowed if side is Side.SELL else self._covered(allowed, deal.price)
        self._caps[symbol].take(quantity)
        if quantity > 0:
            self._book(symbol, side, quantity, deal)
            pending = replace(pending, order=with_fill(pending.order, quantity, deal.price))
        if quantity == 0 and allowed > 0:
            self._end(pending)
        else:
            self._let_rest(pending)
        return quantity

    def _book(self, symbol: Symbol, side: Side, quantity: Decimal, deal: Deal) -> None:
        """Move cash and coin, and record the fill."""
        fee = quantity * deal.price * self._fee_rate
        if side is Side.SELL:
            fee_in_coin = ZERO
            self._cash += quantity * deal.price - fee
            self._held[symbol] -= quantity
        else:
            fee_in_coin = quantity * self._fee_rate if self._fee_in_base else ZERO
            self._cash -= quantity * deal.price + (ZERO if self._fee_in_base else fee)
            self._held[symbol] += quantity - fee_in_coin
            self._protection[symbol].note_buy(quantity, deal.price)
        fill = SimulatedFill(
            self._now, symbol, side, quantity, deal.price, fee, fee_in_coin, deal.reference, self._held[symbol]
        )
        self.fills.append(fill)
        if fill.closes_the_position:
            self._protection[symbol] = Protection(self._rules)

    def _covered(self, ordered: Decimal, price: Decimal) -> Decimal:
        """What cash covers of a buy, on the step; nothing where cash shrinks it below the minimum."""
        unit_cost = price if self._fee_in_base else price * (1 + self._fee_rate)
        if ordered * unit_cost <= self._cash:
            return ordered
        quantity = floor_quotient(self._cash, unit_cost, self._step)
        return quantity if quantity * price >= self._min_notional else ZERO

    def _keep(self, pending: PendingOrder) -> None:
        self._orders[pending.order.client_order_id] = pending.order
        self._pending[pending.order.symbol] = pending

    def _let_rest(self, pending: PendingOrder) -> None:
        """The order's bar is over: it rests on, or ends."""
        resting = pending.after_bar()
        if resting is None:
            self._end(pending)
        else:
            self._keep(resting)

    def _end(self, pending: PendingOrder) -> None:
        order = pending.order
        self._pending.pop(order.symbol, None)
        self._orders[order.client_order_id] = order if order.status == "filled" else replace(order, status="canceled")

"""The slow reference of the engine: the rules of ``docs/backtest.md`` read aloud, one bar at a time, in decimals.

It shares no code with the compiled kernels; tests demand that both agree on thousands of random markets.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

import pandas as pd

from algo_pipeline.backtest.broker_sim import SimulatedBroker
from algo_pipeline.backtest.broker_sim_decimals import EXACT, ROUNDED, ZERO, exact, floor_decimal, rate_of_bps
from algo_pipeline.backtest.broker_sim_fills import SimulatedFill, SimulatedTrip, simulated_trips
from algo_pipeline.backtest.broker_sim_orders import Candle
from algo_pipeline.backtest.realism import ExecutionOptions
from algo_pipeline.backtest.reference_strategy import ReferenceStrategy, ReferenceView
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Side, Signal, Symbol


@dataclass(slots=True)
class ReferenceResult:
    """Exact history of a run, a value per bar."""

    times: list[pd.Timestamp] = field(default_factory=list)
    equity: list[Decimal] = field(default_factory=list)
    cash: list[Decimal] = field(default_factory=list)
    drawdown: list[Decimal] = field(default_factory=list)
    quantities: list[dict[Symbol, Decimal]] = field(default_factory=list)
    fills: list[SimulatedFill] = field(default_factory=list)
    kill_switch_at: pd.Timestamp | None = None

    @property
    def trips(self) -> list[SimulatedTrip]:
        """Closed round trips in the order of their exits."""
        return simulated_trips(self.fills)

    @property
    def costs_paid(self) -> Decimal:
        """Fees and slippage of all fills, in quote currency."""
        with localcontext(EXACT):
            return sum((fill.fee + fill.slippage_cost for fill in self.fills), ZERO)


def reference_backtest(
    bars_by_symbol: Mapping[Symbol, pd.DataFrame],
    probability_by_symbol: Mapping[Symbol, pd.Series[float]],
    config: BacktestConfig,
    execution: ExecutionOptions | None = None,
    *,
    strategy: Mapping[str, object] | None = None,
    conditions_by_symbol: Mapping[Symbol, pd.DataFrame] | None = None,
) -> ReferenceResult:
    """Run one account bar by bar; parameters as ``engine.run_account_backtest``, inputs valid and aligned.

    A strategy is named by its document: nothing of its code is used.
    """
    strategies = {
        symbol: ReferenceStrategy(
            strategy, config, probability_by_symbol[symbol], (conditions_by_symbol or {}).get(symbol), bars
        )
        for symbol, bars in bars_by_symbol.items()
    }
    trader = _Trader(bars_by_symbol, strategies, config, execution or ExecutionOptions())
    with localcontext(EXACT):
        for at in sorted(set().union(*(bars.index for bars in bars_by_symbol.values()))):
            trader.live_through(at)
    trader.result.fills = trader.broker.fills
    return trader.result


class _Trader:
    """The state between bars: peak, kill switch, and when each symbol was last sold out."""

    def __init__(
        self,
        bars_by_symbol: Mapping[Symbol, pd.DataFrame],
        strategies: Mapping[Symbol, ReferenceStrategy],
        config: BacktestConfig,
        execution: ExecutionOptions,
    ) -> None:
        self.broker = SimulatedBroker(bars_by_symbol, config, execution)
        self.config = config
        self.uses_limits = execution.limit_timeout_bars is not None
        self.candles = {symbol: _candles(bars) for symbol, bars in bars_by_symbol.items()}
        self.strategies = strategies
        self.result = ReferenceResult()
        self.peak = exact(config.initial_cash)
        self.closes: dict[Symbol, Decimal] = {}
        self.own_bars: Counter[Symbol] = Counter()
        self.sold_out_at_bar: dict[Symbol, int] = {}

    def live_through(self, at: pd.Timestamp) -> None:
        present = {symbol: candles[at] for symbol, candles in self.candles.items() if at in candles}
        closes = {symbol: candle.close for symbol, candle in present.items()}
        self.closes.update(closes)
        self.own_bars.update(present.keys())
        self._trade(at, present)
        self.broker.close_bar(at, closes)
        equity, drawdown = self._mark(at)
        if self.result.kill_switch_at is None and drawdown >= exact(self.config.max_drawdown):
            self.result.kill_switch_at = at
        for symbol in self.candles:
            if self.result.kill_switch_at is not None:
                self._get_out(symbol, at)
            elif symbol in present:
                self._decide(symbol, at, equity)

    def _trade(self, at: pd.Timestamp, present: Mapping[Symbol, Candle]) -> None:
        n_known = len(self.broker.fills)
        self.broker.trade_bar(at, present)
        for fill in self.broker.fills[n_known:]:
            if fill.closes_the_position:
                self.sold_out_at_bar[fill.symbol] = self.own_bars[fill.symbol]

    def _mark(self, at: pd.Timestamp) -> tuple[Decimal, Decimal]:
        account = self.broker.get_account()
        self.peak = max(self.peak, account.equity)
        drawdown = ROUNDED.subtract(1, ROUNDED.divide(account.equity, self.peak))
        self.result.times.append(at)
        self.result.equity.append(account.equity)
        self.result.cash.append(account.cash)
        self.result.drawdown.append(drawdown)
        self.result.quantities.append({symbol: self.broker.quantity_held(symbol) for symbol in self.candles})
        return account.equity, drawdown

    def _get_out(self, symbol: Symbol, at: pd.Timestamp) -> None:
        """The kill switch: no buy rests, and whatever is held is on its way out at the market."""
        pending = self.broker.pending_order(symbol)
        if pending is not None and pending.order.side is Side.SELL:
            self.broker.drop_limit(symbol)
            return
        self.broker.cancel_pending(symbol)
        self._sell_all(symbol, at, limit=None)

    def _decide(self, symbol: Symbol, at: pd.Timestamp, equity: Decimal) -> None:
        pending = self.broker.pending_order(symbol)
        if pending is not None and pending.order.side is Side.SELL:
            return
        view = self.strategies[symbol].view(at)
        limit = self.closes[symbol] if self.uses_limits else None
        if view.signal is Signal.FLAT:
            self.broker.cancel_pending(symbol)
            self._sell_all(symbol, at, limit)
        elif view.signal is Signal.LONG and pending is None and self._is_flat(symbol) and self._has_rested(symbol):
            self._buy(symbol, at, equity, view, limit)

    def _has_rested(self, symbol: Symbol) -> bool:
        bars_since = self.own_bars[symbol] - self.sold_out_at_bar.get(symbol, -math.inf)
        return bars_since >= self.config.cooldown_bars

    def _sell_all(self, symbol: Symbol, at: pd.Timestamp, limit: Decimal | None) -> None:
        if not self._is_flat(symbol):
            order_id = f"{symbol.slug}-{at.value}-sell"
            self.broker.place_order(symbol, self.broker.quantity_held(symbol), Side.SELL, order_id, limit)

    def _buy(
        self, symbol: Symbol, at: pd.Timestamp, equity: Decimal, view: ReferenceView, limit: Decimal | None
    ) -> None:
        config, close, step = self.config, self.closes[symbol], Decimal(1).scaleb(-self.config.step_decimals)
        fraction = exact(min(config.position_fraction, config.max_position_fraction))
        if view.size_limit is not None:
            fraction = min(fraction, view.size_limit)
        wanted = ROUNDED.divide(fraction * equity, close) - self.broker.quantity_held(symbol)
        if config.cash_buffer_bps is not None:
            wanted = min(wanted, ROUNDED.divide(self._free_cash(), self._set_aside(symbol)))
        quantity = floor_decimal(max(wanted, ZERO), step)
        if quantity > 0 and quantity * close >= exact(config.min_notional):
            self.broker.place_order(symbol, quantity, Side.BUY, f"{symbol.slug}-{at.value}-buy", limit)

    def _free_cash(self) -> Decimal:
        """Cash less what buys that wait or rest set aside."""
        buys = [order for order in self.broker.get_open_orders() if order.side is Side.BUY]
        reserved = sum(((buy.quantity - buy.filled_quantity) * self._set_aside(buy.symbol) for buy in buys), ZERO)
        return self.broker.get_account().cash - reserved

    def _set_aside(self, symbol: Symbol) -> Decimal:
        """Cash a buffered buy sets aside per unit."""
        config = self.config
        fee = ZERO if config.fee_in_base else rate_of_bps(config.fee_bps)
        buffer = rate_of_bps(config.cash_buffer_bps or 0.0)
        return self.closes[symbol] * (1 + rate_of_bps(config.slippage_bps)) * (1 + fee) * (1 + buffer)

    def _is_flat(self, symbol: Symbol) -> bool:
        held = self.broker.quantity_held(symbol)
        return held == 0 or held * self.closes[symbol] < exact(self.config.min_notional)


def _candles(bars: pd.DataFrame) -> dict[pd.Timestamp, Candle]:
    columns = (map(exact, bars[name]) for name in ("open", "high", "low", "close", "volume"))
    return {at: Candle(*values) for at, *values in zip(bars.index, *columns, strict=True)}

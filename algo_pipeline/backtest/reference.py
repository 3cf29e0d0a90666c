"""The slow reference of the engine: the rules of ``docs/backtest.md`` read aloud, one bar at a time, in decimals.

It shares no code with the compiled kernel; tests demand that both agree on thousands of random markets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal

import pandas as pd

from algo_pipeline.backtest.broker_sim import SimulatedBroker, SimulatedFill, exact, floor_decimal
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Side, Signal, Symbol

_DIVISION = Context(prec=60)
_ZERO = Decimal(0)


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


def reference_backtest(
    bars_by_symbol: Mapping[Symbol, pd.DataFrame],
    probability_by_symbol: Mapping[Symbol, pd.Series[float]],
    config: BacktestConfig,
) -> ReferenceResult:
    """Run one account bar by bar; parameters as ``engine.run_account_backtest``, inputs valid and aligned."""
    trader = _Trader(bars_by_symbol, probability_by_symbol, config)
    for at in sorted(set().union(*(bars.index for bars in bars_by_symbol.values()))):
        trader.live_through(at)
    trader.result.fills = trader.broker.fills
    return trader.result


class _Trader:
    """The state between bars: peak, kill switch, and when each symbol was last sold."""

    def __init__(
        self,
        bars_by_symbol: Mapping[Symbol, pd.DataFrame],
        probability_by_symbol: Mapping[Symbol, pd.Series[float]],
        config: BacktestConfig,
    ) -> None:
        self.broker = SimulatedBroker(bars_by_symbol, config)
        self.config = config
        self.bars = bars_by_symbol
        self.prices = {symbol: bars[["open", "close"]].to_dict() for symbol, bars in bars_by_symbol.items()}
        self.probability = probability_by_symbol
        self.result = ReferenceResult()
        self.peak = exact(config.initial_cash)
        self.closes: dict[Symbol, Decimal] = {}

    def live_through(self, at: pd.Timestamp) -> None:
        present = [symbol for symbol, bars in self.bars.items() if at in bars.index]
        self.broker.open_bar(at, {symbol: self._price(symbol, at, "open") for symbol in present})
        self.closes.update({symbol: self._price(symbol, at, "close") for symbol in present})
        self.broker.close_bar(at, {symbol: self.closes[symbol] for symbol in present})
        equity, drawdown = self._mark(at)
        if self.result.kill_switch_at is None and drawdown >= exact(self.config.max_drawdown):
            self.result.kill_switch_at = at
        for symbol in self.bars:
            if self.result.kill_switch_at is not None:
                self.broker.cancel_pending(symbol)
                self._sell_all(symbol, at)
            elif symbol in present:
                self._decide(symbol, at, equity)

    def _price(self, symbol: Symbol, at: pd.Timestamp, column: str) -> Decimal:
        return exact(self.prices[symbol][column][at])

    def _mark(self, at: pd.Timestamp) -> tuple[Decimal, Decimal]:
        account = self.broker.get_account()
        self.peak = max(self.peak, account.equity)
        drawdown = 1 - _DIVISION.divide(account.equity, self.peak)
        self.result.times.append(at)
        self.result.equity.append(account.equity)
        self.result.cash.append(account.cash)
        self.result.drawdown.append(drawdown)
        self.result.quantities.append({symbol: self._held(symbol) for symbol in self.bars})
        return account.equity, drawdown

    def _decide(self, symbol: Symbol, at: pd.Timestamp, equity: Decimal) -> None:
        signal = self._signal(float(self.probability[symbol].get(at, math.nan)))
        if signal is Signal.FLAT:
            self._sell_all(symbol, at)
        elif signal is Signal.LONG and self._is_flat(symbol) and self._has_rested(symbol, at):
            self._buy(symbol, at, equity)

    def _signal(self, probability: float) -> Signal:
        if math.isnan(probability):
            return Signal.HOLD
        if probability >= self.config.enter_threshold:
            return Signal.LONG
        return Signal.FLAT if probability <= self.config.exit_threshold else Signal.HOLD

    def _has_rested(self, symbol: Symbol, at: pd.Timestamp) -> bool:
        sold_at = [fill.at for fill in self.broker.fills if fill.symbol == symbol and fill.side is Side.SELL]
        index = self.bars[symbol].index
        bars_since = int(((index > sold_at[-1]) & (index <= at)).sum()) if sold_at else math.inf
        return bars_since >= self.config.cooldown_bars

    def _sell_all(self, symbol: Symbol, at: pd.Timestamp) -> None:
        if not self._is_flat(symbol):
            self.broker.place_order(symbol, self._held(symbol), Side.SELL, f"{symbol.slug}-{at.value}-sell")

    def _buy(self, symbol: Symbol, at: pd.Timestamp, equity: Decimal) -> None:
        config, close, step = self.config, self.closes[symbol], Decimal(1).scaleb(-self.config.step_decimals)
        fraction = exact(min(config.position_fraction, config.max_position_fraction))
        wanted = _DIVISION.divide(fraction * equity, close) - self._held(symbol)
        if config.cash_buffer_bps is not None:
            wanted = min(wanted, _DIVISION.divide(self._free_cash(), self._set_aside(symbol)))
        quantity = floor_decimal(max(wanted, _ZERO), step)
        if quantity > 0 and quantity * close >= exact(config.min_notional):
            self.broker.place_order(symbol, quantity, Side.BUY, f"{symbol.slug}-{at.value}-buy")

    def _free_cash(self) -> Decimal:
        orders = self.broker.pending_orders()
        reserved = sum((o.quantity * self._set_aside(o.symbol) for o in orders if o.side is Side.BUY), _ZERO)
        return self.broker.get_account().cash - reserved

    def _set_aside(self, symbol: Symbol) -> Decimal:
        """Cash a buffered buy sets aside per unit."""
        config = self.config
        fee = _ZERO if config.fee_in_base else exact(config.fee_bps) / 10_000
        buffer = exact(config.cash_buffer_bps or 0.0) / 10_000
        return self.closes[symbol] * (1 + exact(config.slippage_bps) / 10_000) * (1 + fee) * (1 + buffer)

    def _held(self, symbol: Symbol) -> Decimal:
        return next((p.quantity for p in self.broker.get_positions() if p.symbol == symbol), _ZERO)

    def _is_flat(self, symbol: Symbol) -> bool:
        held = self._held(symbol)
        return held == 0 or held * self.closes[symbol] < exact(self.config.min_notional)

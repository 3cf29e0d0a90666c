"""Protective exits of the simulated broker: stop-loss, trailing stop and take-profit of one holding."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext

from algo_pipeline.backtest.broker_sim_decimals import EXACT, ROUNDED, ZERO, rate_of_bps
from algo_pipeline.backtest.broker_sim_orders import Candle, Deal, slipped
from algo_pipeline.backtest.realism import ExecutionOptions
from algo_pipeline.common.types import Side


@dataclass(frozen=True, slots=True)
class ProtectionRules:
    """Distances of the protective exits as fractions; None where one is off."""

    stop_loss: Decimal | None
    take_profit: Decimal | None
    trailing_stop: Decimal | None

    @classmethod
    def from_options(cls, options: ExecutionOptions) -> ProtectionRules:
        """Basis points as fractions."""
        distances = (options.stop_loss_bps, options.take_profit_bps, options.trailing_stop_bps)
        return cls(*(None if bps is None else rate_of_bps(bps) for bps in distances))

    @property
    def are_off(self) -> bool:
        """Whether there is no protective exit at all."""
        return self.stop_loss is None and self.take_profit is None and self.trailing_stop is None


@dataclass(slots=True)
class Protection:
    """What the exits of one holding know: its buys since nothing was held, and the highest price since the entry."""

    rules: ProtectionRules
    bought: Decimal = ZERO
    spent: Decimal = ZERO
    highest: Decimal = ZERO

    @property
    def entry_price(self) -> Decimal:
        """Average fill price of the buys."""
        return ROUNDED.divide(self.spent, self.bought)

    def note_buy(self, quantity: Decimal, price: Decimal) -> None:
        """A first buy, or one that adds."""
        with localcontext(EXACT):
            self.bought += quantity
            self.spent += quantity * price
        self.highest = max(self.highest, price)

    def note_bar(self, candle: Candle, *, bought_inside: bool) -> None:
        """Raise the highest price; a bar's high may have come before a buy inside it, its close can't."""
        self.highest = max(self.highest, candle.close if bought_inside else candle.high)

    def exit_in(self, candle: Candle, slippage: Decimal, *, held_at_open: bool, bought_inside: bool) -> Deal | None:
        """What the exits get in this bar, if they trade: the pessimistic one where several could.

        Parameters
        ----------
        candle, slippage
            The bar, and what a sale that isn't a limit loses in it.
        held_at_open : bool
            Whether something was held before the bar, or bought at its open.
        bought_inside : bool
            Whether a buy filled at its limit inside the bar: then only the standing stop can trade.
        """
        stop_level = self._stop_level()
        deal = None if stop_level is None else _stop(stop_level, candle, slippage, held_at_open=held_at_open)
        if deal is None and not bought_inside:
            deal = self._stop_raised_by_the_high(candle, slippage) or self._profit(candle, slippage)
        return deal

    def _stop_level(self) -> Decimal | None:
        """The higher of stop-loss and trailing stop, as they stand before the bar's own high."""
        stop, trailing = self.rules.stop_loss, self.rules.trailing_stop
        with localcontext(EXACT):
            levels = [] if stop is None else [self.entry_price * (1 - stop)]
            levels += [] if trailing is None else [self.highest * (1 - trailing)]
        return max(levels, default=None)

    def _stop_raised_by_the_high(self, candle: Candle, slippage: Decimal) -> Deal | None:
        """First the high, which raises the trailing stop, then the low, which reaches it but not the standing stop."""
        if self.rules.trailing_stop is None:
            return None
        raised = EXACT.multiply(candle.high, 1 - self.rules.trailing_stop)
        return Deal(slipped(raised, Side.SELL, slippage), raised) if candle.low <= raised else None

    def _profit(self, candle: Candle, slippage: Decimal) -> Deal | None:
        """A sell limit above the entry price."""
        if self.rules.take_profit is None:
            return None
        limit = EXACT.multiply(self.entry_price, 1 + self.rules.take_profit)
        at_open = Deal.at_open(Side.SELL, candle, slippage)
        if at_open.price >= limit:
            return at_open
        return Deal(limit, limit) if candle.high > limit else None


def _stop(level: Decimal, candle: Candle, slippage: Decimal, *, held_at_open: bool) -> Deal | None:
    """A stop sells at the open of a bar that opens beyond it, else at its level."""
    if held_at_open and candle.open <= level:
        return Deal.at_open(Side.SELL, candle, slippage)
    return Deal(slipped(level, Side.SELL, slippage), level) if candle.low <= level else None

"""Sums over the fills, the round trips and the bars of one configuration of a sweep."""

from __future__ import annotations

from typing import NamedTuple

from algo_pipeline.backtest.costs import buy_price, fee_on, sell_price
from algo_pipeline.backtest.kernel_rules import KernelRules
from algo_pipeline.common.compiled import compiled


class Totals(NamedTuple):
    """``equity`` is summed over closes; ``net_sold`` is what all fills brought in cash, fees paid."""

    equity: float
    bars_held: int
    traded_notional: float
    fees: float
    slippage: float
    net_sold: float
    n_trades: int
    n_wins: int
    gains: float
    losses: float
    holding_bars: int


@compiled
def no_totals() -> Totals:
    """Before the first bar."""
    return Totals(0.0, 0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0.0, 0.0, 0)


@compiled
def with_bars(totals: Totals, n_bars: int, cash: float, held: float, sum_of_closes: float) -> Totals:
    """Add bars at constant cash and quantity."""
    return Totals(
        totals.equity + (cash * n_bars + held * sum_of_closes),
        totals.bars_held + (n_bars if held > 0.0 else 0),
        totals.traded_notional,
        totals.fees,
        totals.slippage,
        totals.net_sold,
        totals.n_trades,
        totals.n_wins,
        totals.gains,
        totals.losses,
        totals.holding_bars,
    )


@compiled
def after_buy(totals: Totals, quantity: float, open_price: float, rules: KernelRules) -> Totals:
    """Add the fill of a buy."""
    price = buy_price(open_price, rules.slippage_rate)
    notional = quantity * price
    return Totals(
        totals.equity,
        totals.bars_held,
        totals.traded_notional + notional,
        totals.fees + fee_on(notional, rules.fee_rate),
        totals.slippage + quantity * (price - open_price),
        totals.net_sold - (notional + fee_on(notional, rules.fee_rate_in_cash)),
        totals.n_trades,
        totals.n_wins,
        totals.gains,
        totals.losses,
        totals.holding_bars,
    )


@compiled
def after_sale(
    totals: Totals, bought: float, entry_open: float, exit_open: float, holding_bars: int, rules: KernelRules
) -> Totals:
    """Add the fill of the sale that ends the round trip of a buy of ``bought``."""
    price = sell_price(exit_open, rules.slippage_rate)
    held = bought * (1.0 - rules.fee_rate_in_coin)
    notional = held * price
    fee = fee_on(notional, rules.fee_rate)
    spent = bought * buy_price(entry_open, rules.slippage_rate)
    pnl = notional - spent - (fee_on(spent, rules.fee_rate) + fee - rules.fee_rate_in_coin * spent)
    return Totals(
        totals.equity,
        totals.bars_held,
        totals.traded_notional + notional,
        totals.fees + fee,
        totals.slippage + held * (exit_open - price),
        totals.net_sold + (notional - fee),
        totals.n_trades + 1,
        totals.n_wins + (1 if pnl > 0.0 else 0),
        totals.gains + max(pnl, 0.0),
        totals.losses + max(-pnl, 0.0),
        totals.holding_bars + holding_bars,
    )

"""What every compiled state machine of an account shares: the rules as plain numbers, and the decision at a close."""

from __future__ import annotations

import math
from typing import NamedTuple

from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.strategy.position_sizing import cash_per_unit, counts_as_flat, entry_quantity
from algo_pipeline.strategy.risk import cooldown_has_passed
from algo_pipeline.strategy.signal_to_trade import action_for_signal, signal_from_probability

NEVER = -(2**62)  # the bar of an exit that has not been


class KernelRules(NamedTuple):
    """A :class:`BacktestConfig` as the plain numbers that compiled code reads."""

    initial_cash: float
    enter_threshold: float
    exit_threshold: float
    fraction: float
    max_drawdown: float
    cooldown_bars: int
    fee_rate: float
    fee_rate_in_cash: float
    fee_rate_in_coin: float
    slippage_rate: float
    steps_per_unit: float
    min_notional: float
    buffer_rate: float

    @classmethod
    def from_config(cls, config: BacktestConfig) -> KernelRules:
        """Rates as fractions, the clamped fraction, and NaN for no cash buffer."""
        fee = config.fee_rate
        return cls(
            initial_cash=float(config.initial_cash),
            enter_threshold=float(config.enter_threshold),
            exit_threshold=float(config.exit_threshold),
            fraction=float(config.target_fraction),
            max_drawdown=float(config.max_drawdown),
            cooldown_bars=config.cooldown_bars,
            fee_rate=fee,
            fee_rate_in_cash=0.0 if config.fee_in_base else fee,
            fee_rate_in_coin=fee if config.fee_in_base else 0.0,
            slippage_rate=config.slippage_rate,
            steps_per_unit=float(10**config.step_decimals),
            min_notional=float(config.min_notional),
            buffer_rate=math.nan if config.cash_buffer_bps is None else config.cash_buffer_bps * 1e-4,
        )


@compiled
def action_at_close(
    probability: float, held: float, close: float, bars_since_exit: int, killed: bool, rules: KernelRules
) -> int:
    """What to do about one symbol at its close, as the value of an :class:`Action`: signal, then risk."""
    signal = signal_from_probability(probability, rules.enter_threshold, rules.exit_threshold)
    is_flat = counts_as_flat(held, close, rules.min_notional)
    rested = cooldown_has_passed(bars_since_exit, rules.cooldown_bars)
    return action_for_signal(signal, is_flat, rested, killed)


@compiled
def entry_order(free_cash: float, equity: float, held: float, close: float, rules: KernelRules) -> float:
    """Quantity of the buy that an entry decides at its close; a cash buffer caps it by ``free_cash``."""
    affordable = math.inf
    if not math.isnan(rules.buffer_rate):
        affordable = free_cash / cash_to_set_aside(close, rules)
    return entry_quantity(equity, close, held, rules.fraction, affordable, rules.steps_per_unit, rules.min_notional)


@compiled
def cash_to_set_aside(close: float, rules: KernelRules) -> float:
    """Cash that one unit bought sets aside at the decision's close."""
    return cash_per_unit(close, rules.slippage_rate, rules.fee_rate_in_cash, rules.buffer_rate)

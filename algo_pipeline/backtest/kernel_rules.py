"""What every compiled state machine of an account shares: the rules as plain numbers, and the decision at a close."""

from __future__ import annotations

import math
from typing import NamedTuple

from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import FloatArray
from algo_pipeline.interfaces.strategy import Band
from algo_pipeline.strategy.position_sizing import cash_per_unit, counts_as_flat, entry_quantity
from algo_pipeline.strategy.risk import cooldown_has_passed
from algo_pipeline.strategy.signal_to_trade import action_for_signal, signal_from_score

NEVER = -(2**62)  # the bar of an exit that has not been


class KernelRules(NamedTuple):
    """A :class:`BacktestConfig` as the plain numbers that compiled code reads.

    ``enter_threshold`` and ``exit_threshold`` bound what a strategy's scores HOLD: probabilities for fixed thresholds.
    """

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
    def from_config(cls, config: BacktestConfig, band: Band | None = None) -> KernelRules:
        """Rates as fractions, the clamped fraction, and NaN for no cash buffer; without a band, its thresholds."""
        fee = config.fee_rate
        enter, exit_ = band or (config.enter_threshold, config.exit_threshold)
        return cls(
            initial_cash=float(config.initial_cash),
            enter_threshold=float(enter),
            exit_threshold=float(exit_),
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
    score: float, held: float, close: float, bars_since_exit: int, killed: bool, rules: KernelRules
) -> int:
    """What to do about one symbol at its close, as the value of an :class:`Action`: signal, then risk."""
    signal = signal_from_score(score, rules.enter_threshold, rules.exit_threshold)
    is_flat = counts_as_flat(held, close, rules.min_notional)
    rested = cooldown_has_passed(bars_since_exit, rules.cooldown_bars)
    return action_for_signal(signal, is_flat, rested, killed)


@compiled
def size_limit_at(size_limits: FloatArray, t: int) -> float:
    """The strategy's size limit at bar t; a single one stands for every bar."""
    limit: float = size_limits[min(t, len(size_limits) - 1)]
    return limit


@compiled
def entry_order(
    free_cash: float, equity: float, held: float, close: float, size_limit: float, rules: KernelRules
) -> float:
    """Quantity of the buy that an entry decides at its close; a cash buffer caps it by ``free_cash``."""
    return order_of_fraction(free_cash, equity, held, close, min(rules.fraction, size_limit), rules)


@compiled
def order_of_fraction(
    free_cash: float, equity: float, held: float, close: float, fraction: float, rules: KernelRules
) -> float:
    """:func:`entry_order` for a target that is limited already, as a fraction of equity."""
    affordable = math.inf
    if not math.isnan(rules.buffer_rate):
        affordable = free_cash / cash_to_set_aside(close, rules)
    return entry_quantity(equity, close, held, fraction, affordable, rules.steps_per_unit, rules.min_notional)


@compiled
def cash_to_set_aside(close: float, rules: KernelRules) -> float:
    """Cash that one unit bought sets aside at the decision's close."""
    return cash_per_unit(close, rules.slippage_rate, rules.fee_rate_in_cash, rules.buffer_rate)

"""Many configurations over one symbol, on all cores: figures of each, no curves kept.

A configuration follows the :mod:`~algo_pipeline.backtest.sweep_plan` of its thresholds from trip to trip, by the same
functions that decide and fill in ``backtest.symbol_kernel``. One that leaves the plan, as an entry was dropped or a
holding sank to dust, is left to ``backtest.sweep_bars``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from algo_pipeline.backtest.kernel_rules import KernelRules, entry_order
from algo_pipeline.backtest.metrics import sharpe_ratio, sortino_ratio
from algo_pipeline.backtest.sweep_bars import SweepFigures, SweepMarket, rules_of
from algo_pipeline.backtest.sweep_curve import (
    Curve,
    Stretch,
    after_idle,
    after_stretch,
    hangs_on_bars,
    longest_drawdown,
    start_of_curve,
    walk_stretch,
)
from algo_pipeline.backtest.sweep_plan import TradePlan, empty_plan, make_plan
from algo_pipeline.backtest.sweep_totals import Totals, after_buy, after_sale, no_totals, with_bars
from algo_pipeline.backtest.symbol_kernel import bought_quantity, cash_received
from algo_pipeline.common.compiled import compiled, compiled_parallel
from algo_pipeline.common.types import FloatArray
from algo_pipeline.strategy.position_sizing import counts_as_flat
from algo_pipeline.strategy.risk import drawdown_from_peak, kill_switch_trips

_CONFIGS_PER_BLOCK = 25


class _Balances(NamedTuple):
    """Cash and quantity by place in the plan: 2k before trip k, 2k + 1 within it."""

    cash: FloatArray
    held: FloatArray


class _Outcome(NamedTuple):
    """How a plan was followed; from bar ``flat_from`` on, the kill switch let nothing be held."""

    is_followed: bool
    equity: float
    cash: float
    flat_from: int
    curve: Curve
    totals: Totals


@compiled_parallel
def sweep(market: SweepMarket, rules: FloatArray, figures: FloatArray) -> None:
    """Run every configuration.

    Parameters
    ----------
    market : SweepMarket
        Validated bars and probabilities.
    rules : ndarray of shape (n_configs, 13)
        :class:`~algo_pipeline.backtest.kernel_rules.KernelRules` by rows; fastest where rows of the same thresholds and
        cooldown follow each other.
    figures : ndarray of shape (15, n_configs)
        Filled with :class:`SweepFigures` by rows; NaN for a configuration that left the plan.
    """
    n_configs = len(rules)
    for block in prange((n_configs + _CONFIGS_PER_BLOCK - 1) // _CONFIGS_PER_BLOCK):
        first = block * _CONFIGS_PER_BLOCK
        last = min(first + _CONFIGS_PER_BLOCK, n_configs)
        _run_block(market, rules[first:last], figures[:, first:last])


@compiled
def _run_block(market: SweepMarket, rules: FloatArray, figures: FloatArray) -> None:
    n_bars, n_days = len(market.closes), len(market.day_ends)
    plan = empty_plan(n_bars, n_days)
    balances = _Balances(np.empty(n_bars + 3), np.empty(n_bars + 3))
    daily = np.empty(n_days)
    n_trips = 0
    for i in range(len(rules)):
        own = rules_of(rules[i])
        if i == 0 or not _share_a_plan(own, rules_of(rules[i - 1])):
            n_trips = make_plan(plan, market.closes, market.probabilities, market.day_ends, own)
        outcome = _follow_plan(market, plan, n_trips, balances, own)
        if outcome.is_followed:
            _fill_daily_returns(market, plan, balances, outcome, own.initial_cash, daily)
            _fill_figures(market, outcome, daily, own, figures[:, i])
        else:
            figures[:, i] = np.nan


@compiled
def _share_a_plan(left: KernelRules, right: KernelRules) -> bool:
    return (
        left.enter_threshold == right.enter_threshold
        and left.exit_threshold == right.exit_threshold
        and left.cooldown_bars == right.cooldown_bars
    )


@compiled
def _follow_plan(
    market: SweepMarket, plan: TradePlan, n_trips: int, balances: _Balances, rules: KernelRules
) -> _Outcome:
    opens, closes = market.opens, market.closes
    n_bars = len(closes)
    cash, held = rules.initial_cash, 0.0
    until = plan.entries[0] if n_trips > 0 else n_bars - 1
    curve = after_idle(start_of_curve(cash), 0, until, cash, closes)
    totals = with_bars(no_totals(), until + 1, cash, 0.0, 0.0)
    balances.cash[0], balances.held[0] = cash, 0.0
    flat_from = n_bars
    for k in range(n_trips):
        first, last, closes_sum = plan.entries[k] + 1, plan.exits[k], plan.sums[k]
        quantity = _entered_quantity(cash, closes[first - 1], opens[first], rules)
        cash += cash_received(quantity, opens[first], rules)
        held = quantity * (1.0 - rules.fee_rate_in_coin)
        stretch = Stretch(first, last, cash, held, cash + held * plan.lows[k], cash + held * plan.highs[k])
        if counts_as_flat(held, plan.lows[k], rules.min_notional) or stretch.least <= cash:
            return _Outcome(False, 0.0, cash, n_bars, curve, totals)
        is_killed = False
        if hangs_on_bars(curve, stretch, rules.max_drawdown):
            curve, last, is_killed = walk_stretch(curve, stretch, closes, rules.max_drawdown)
            closes_sum = closes[first : last + 1].sum()
        else:
            curve = after_stretch(curve, stretch)
        totals = with_bars(after_buy(totals, quantity, opens[first], rules), last + 1 - first, cash, held, closes_sum)
        balances.cash[2 * k + 1], balances.held[2 * k + 1] = cash, held
        if last + 1 == n_bars:
            break
        cash += cash_received(-held, opens[last + 1], rules)
        totals = after_sale(totals, quantity, opens[first], opens[last + 1], last + 1 - first, rules)
        held = 0.0
        balances.cash[2 * k + 2], balances.held[2 * k + 2] = cash, 0.0
        is_killed |= kill_switch_trips(drawdown_from_peak(cash, max(curve.peak, cash)), rules.max_drawdown)
        until = n_bars - 1 if is_killed or k + 1 == n_trips else plan.entries[k + 1]
        curve = after_idle(curve, last + 1, until, cash, closes)
        totals = with_bars(totals, until - last, cash, 0.0, 0.0)
        if is_killed:
            flat_from = last + 1
            break
    return _Outcome(True, cash + held * closes[n_bars - 1], cash, flat_from, curve, totals)


@compiled
def _entered_quantity(cash: float, close: float, next_open: float, rules: KernelRules) -> float:
    """What the entry decided at ``close`` buys at the next open; 0 where its order is dropped."""
    return bought_quantity(entry_order(cash, cash, 0.0, close, np.inf, rules), next_open, cash, rules)


@compiled
def _fill_daily_returns(
    market: SweepMarket,
    plan: TradePlan,
    balances: _Balances,
    outcome: _Outcome,
    initial_cash: float,
    daily: FloatArray,
) -> None:
    previous = initial_cash
    for day in range(len(daily)):
        place, bar = plan.at_day_ends[day], market.day_ends[day]
        equity = outcome.equity
        if bar < outcome.flat_from:
            equity = balances.cash[place] + balances.held[place] * market.closes[bar]
        daily[day] = equity / previous - 1.0
        previous = equity


@compiled
def _fill_figures(
    market: SweepMarket, outcome: _Outcome, daily: FloatArray, rules: KernelRules, figures: FloatArray
) -> None:
    totals = outcome.totals
    n_bars = len(market.closes)
    balance = rules.initial_cash + totals.net_sold + (outcome.equity - outcome.cash)
    row = SweepFigures(
        outcome.equity,
        totals.equity / n_bars,
        sharpe_ratio(daily),
        sortino_ratio(daily),
        outcome.curve.deepest,
        float(longest_drawdown(outcome.curve, n_bars, market.closes)),
        float(totals.n_wins),
        totals.gains,
        totals.losses,
        float(totals.bars_held),
        totals.traded_notional,
        float(totals.n_trades),
        float(totals.holding_bars),
        totals.fees + totals.slippage,
        (balance - outcome.equity) / outcome.curve.peak,  # the sums round at the size of the greatest fill
    )
    for i in range(len(row)):
        figures[i] = row[i]

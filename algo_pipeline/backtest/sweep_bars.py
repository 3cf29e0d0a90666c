"""What a sweep reads and yields, and a configuration run bar by bar with the parts of ``engine.run_backtest``."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from algo_pipeline.backtest.accounting import first_difference
from algo_pipeline.backtest.kernel_rules import KernelRules
from algo_pipeline.backtest.metrics import curve_figures, sharpe_ratio, sortino_ratio, trade_outcomes
from algo_pipeline.backtest.symbol_kernel import priced_fills, run_symbol
from algo_pipeline.backtest.trades import fill_totals, round_trips
from algo_pipeline.common.compiled import compiled, compiled_parallel
from algo_pipeline.common.types import FloatArray, IntArray


class SweepMarket(NamedTuple):
    """One symbol's bars, arrays of shape (n_bars,); ``day_ends`` holds the last bar of each UTC day that has bars."""

    opens: FloatArray
    closes: FloatArray
    probabilities: FloatArray
    open_ns: IntArray
    day_ends: IntArray


class SweepFigures(NamedTuple):
    """Raw figures of one configuration, from which its metrics follow."""

    final_equity: float
    mean_equity: float
    sharpe: float
    sortino: float
    max_drawdown: float
    max_drawdown_bars: float
    n_wins: float
    gains: float
    losses: float
    bars_held: float
    traded_notional: float
    n_trades: float
    holding_bars: float
    costs: float
    imbalance: float


@compiled_parallel
def sweep_by_bars(market: SweepMarket, rules: FloatArray, figures: FloatArray) -> None:
    """Run every configuration; parameters as in ``sweep_kernel.sweep``."""
    for i in prange(len(rules)):
        row = run_by_bars(market, rules_of(rules[i]))
        for j in range(len(row)):
            figures[j, i] = row[j]


@compiled_parallel
def daily_returns_by_bars(market: SweepMarket, rules: FloatArray, daily: FloatArray) -> None:
    """Fill ``daily``, shape (n_configs, n_days), with every configuration's returns of each day that has bars."""
    n_bars = len(market.closes)
    for i in prange(len(rules)):
        own = rules_of(rules[i])
        curve, fill_bars, quantities = np.empty((4, n_bars)), np.empty(n_bars, np.int64), np.empty(n_bars)
        unlimited = np.full(1, np.inf)
        run_symbol(market.opens, market.closes, market.probabilities, unlimited, own, curve, fill_bars, quantities)
        daily[i] = curve_figures(market.open_ns, curve[0], own.initial_cash).daily_returns


@compiled
def rules_of(row: FloatArray) -> KernelRules:
    """The rules that a row of numbers stands for."""
    return KernelRules(
        row[0], row[1], row[2], row[3], row[4], int(row[5]), row[6], row[7], row[8], row[9], row[10], row[11], row[12]
    )


@compiled
def run_by_bars(market: SweepMarket, rules: KernelRules) -> SweepFigures:
    """Figures of one configuration by its whole curve, which is then dropped."""
    opens, closes, probabilities, open_ns, _ = market
    n_bars = len(closes)
    curve = np.empty((4, n_bars))
    fill_bars, quantities = np.empty(n_bars, np.int64), np.empty(n_bars)
    _, n_fills, bars_held = run_symbol(
        opens, closes, probabilities, np.full(1, np.inf), rules, curve, fill_bars, quantities
    )
    places, values = priced_fills(fill_bars[:n_fills], quantities[:n_fills], opens, rules)
    trips = round_trips(places, values, curve[2:3], rules.fee_rate_in_coin)
    n_wins, gains, losses = trade_outcomes(trips.values[4])
    traded_notional, costs = fill_totals(places, values, opens.reshape((1, n_bars)))
    equity = curve[0]
    figures = curve_figures(open_ns, equity, rules.initial_cash)
    _, difference = first_difference(equity, closes, places, values, rules)
    return SweepFigures(
        equity[n_bars - 1],
        figures.mean_equity,
        sharpe_ratio(figures.daily_returns),
        sortino_ratio(figures.daily_returns),
        figures.max_drawdown,
        float(figures.max_drawdown_bars),
        float(n_wins),
        gains,
        losses,
        float(bars_held),
        traded_notional,
        float(len(trips.places)),
        float((trips.places[:, 1] - trips.places[:, 0]).sum()),
        costs,
        difference / rules.initial_cash,
    )

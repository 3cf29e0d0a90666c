"""The accounting identity, recomputed from the fills alone and independent of the kernel's own state."""

from __future__ import annotations

import math

import numpy as np

from algo_pipeline.backtest.kernel import KernelRules, Simulation, symbol_rows
from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.errors import AccountingError
from algo_pipeline.common.types import FloatArray, IntArray

TOLERANCE = 1e-9


def verify_accounting(simulation: Simulation, closes: FloatArray, rules: KernelRules) -> None:
    """Check ``start cash + Σ sells − Σ buys − Σ fees + quantity × close = equity`` at every bar.

    A fee taken from the coin lowers the quantity instead of cash. The tolerance is 1e-9 of the larger of start cash
    and equity.

    Raises
    ------
    AccountingError
        Naming the first bar where both sides differ; a defect of the code.
    """
    bar, difference = _first_difference(
        symbol_rows(len(closes)), simulation.curve[0], closes, simulation.fill_places, simulation.fill_values, rules
    )
    if bar >= 0:
        raise AccountingError(
            f"At bar {bar} cash, holdings and fees add up to {difference:+g} more than equity.",
            "This is a defect of the backtest: please report the bars and the configuration.",
        )


@compiled
def _first_difference(
    symbols: IntArray | tuple[int],
    equity: FloatArray,
    closes: FloatArray,
    places: IntArray,
    values: FloatArray,
    rules: KernelRules,
) -> tuple[int, float]:
    n_symbols = len(symbols)
    held = np.zeros(n_symbols)
    marks = np.zeros(n_symbols)
    cash = rules.initial_cash
    i = 0
    for t in range(len(equity)):
        while i < len(places) and places[i, 0] == t:
            quantity, price, fee = values[i, 0], values[i, 1], values[i, 2]
            in_coin = rules.fee_rate_in_coin if quantity > 0.0 else 0.0
            held[places[i, 1]] += quantity * (1.0 - in_coin)
            cash -= quantity * price + (0.0 if in_coin > 0.0 else fee)
            i += 1
        value = cash
        for s in range(n_symbols):
            if not math.isnan(closes[s, t]):
                marks[s] = closes[s, t]
            value += held[s] * marks[s]
        if not abs(value - equity[t]) <= TOLERANCE * max(rules.initial_cash, equity[t]):
            return t, value - equity[t]
    return -1, 0.0

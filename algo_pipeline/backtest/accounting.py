"""The accounting identity, recomputed from the fills alone and independent of the kernel's own state."""

from __future__ import annotations

import math

import numpy as np

from algo_pipeline.backtest.kernel import KernelRules, Simulation
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
    equity, places, values = simulation.curve[0], simulation.fill_places, simulation.fill_values
    if len(closes) == 1:
        bar, difference = first_difference(equity, closes[0], places, values, rules)
    else:
        bar, difference = _first_difference_of_account(equity, closes, places, values, rules)
    if bar >= 0:
        raise AccountingError(
            f"At bar {bar} cash, holdings and fees add up to {difference:+g} more than equity.",
            "This is a defect of the backtest: please report the bars and the configuration.",
        )


@compiled
def first_difference(
    equity: FloatArray, closes: FloatArray, places: IntArray, values: FloatArray, rules: KernelRules
) -> tuple[int, float]:
    """First bar where an account of one symbol does not balance, and by how much; -1 and 0 where all do."""
    cash = rules.initial_cash
    held = 0.0
    n_fills = len(places)
    t = 0
    for i in range(n_fills + 1):
        next_fill = places[i, 0] if i < n_fills else len(equity)
        while t < next_fill:
            difference = cash + held * closes[t] - equity[t]
            if not _is_balanced(difference, equity[t], rules.initial_cash):
                return t, difference
            t += 1
        if i < n_fills:
            paid, received = _booked(values[i, 0], values[i, 1], values[i, 2], rules.fee_rate_in_coin)
            cash -= paid
            held += received
    return -1, 0.0


@compiled
def _first_difference_of_account(
    equity: FloatArray, closes: FloatArray, places: IntArray, values: FloatArray, rules: KernelRules
) -> tuple[int, float]:
    """:func:`first_difference` of several symbols, marked at their last closes."""
    n_symbols = len(closes)
    held = np.zeros(n_symbols)
    marks = np.zeros(n_symbols)
    cash = rules.initial_cash
    i = 0
    for t in range(len(equity)):
        while i < len(places) and places[i, 0] == t:
            paid, received = _booked(values[i, 0], values[i, 1], values[i, 2], rules.fee_rate_in_coin)
            cash -= paid
            held[places[i, 1]] += received
            i += 1
        value = cash
        for s in range(n_symbols):
            if not math.isnan(closes[s, t]):
                marks[s] = closes[s, t]
            value += held[s] * marks[s]
        if not _is_balanced(value - equity[t], equity[t], rules.initial_cash):
            return t, value - equity[t]
    return -1, 0.0


@compiled
def _booked(quantity: float, price: float, fee: float, fee_rate_in_coin: float) -> tuple[float, float]:
    """Cash paid and coin received by one fill; a sale's are negative."""
    in_coin = fee_rate_in_coin if quantity > 0.0 else 0.0
    return quantity * price + (0.0 if in_coin > 0.0 else fee), quantity * (1.0 - in_coin)


@compiled
def _is_balanced(difference: float, equity: float, initial_cash: float) -> bool:
    return abs(difference) <= TOLERANCE * max(initial_cash, equity)

"""How much to buy: quantities as whole numbers of steps, within equity, cap and cash."""

from __future__ import annotations

import numpy as np

from algo_pipeline.common.compiled import compiled

# Veltkamp's constant 2**27 + 1 splits a double into two halves of 26 bits whose products are exact.
_SPLITTER = 134217729.0


@compiled
def _product_error(a: float, b: float, product: float) -> float:
    """Exact value of ``a·b − product`` where ``product`` is the rounded ``a·b`` (Dekker 1971)."""
    t = _SPLITTER * a
    a_high = t - (t - a)
    a_low = a - a_high
    t = _SPLITTER * b
    b_high = t - (t - b)
    b_low = b - b_high
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@compiled
def floor_to_step(value: float, steps_per_unit: float) -> float:
    """Largest multiple of the quantity step that does not exceed ``value``, judged exactly.

    The rounded product ``value * steps_per_unit`` can reach a whole number that the exact product misses; the
    exact rounding error decides, so that the result equals
    ``max(k for k if Decimal(k).scaleb(-d) <= Decimal(value))`` scaled by the step.

    Parameters
    ----------
    value : float
        Wanted quantity, >= 0; NaN or a negative value gives 0.
    steps_per_unit : float
        ``10**d`` for a step of ``10**-d``; exact up to d = 22.

    Returns
    -------
    float
        The double nearest to ``k · 10**-d``; never above ``value``. Beyond 2**53 steps, where doubles are coarser
        than the step, it is the double at or just below ``value``.

    References
    ----------
    .. [1] T. J. Dekker, "A floating-point technique for extending the available precision", Numer. Math. 18 (1971).
    """
    if not value > 0.0:
        return 0.0
    product = value * steps_per_unit
    steps = float(np.floor(product))  # math.floor would go through int64 and overflow
    if steps == product and _product_error(value, steps_per_unit, product) < 0.0:
        steps -= 1.0
    return min(steps / steps_per_unit, value)


@compiled
def counts_as_flat(quantity: float, price: float, min_notional: float) -> bool:
    """Whether a holding is none, or worth less than any order may be."""
    return quantity <= 0.0 or quantity * price < min_notional


@compiled
def cash_per_unit(close: float, slippage_rate: float, fee_rate_in_cash: float, buffer_rate: float) -> float:
    """Cash to set aside per unit bought, judged at the decision's close.

    ``close · (1 + s)(1 + fee)(1 + buffer)``, with ``fee_rate_in_cash`` 0 where the fee is taken from the coin.
    """
    return close * (1.0 + slippage_rate) * (1.0 + fee_rate_in_cash) * (1.0 + buffer_rate)


@compiled
def entry_quantity(
    equity: float,
    close: float,
    held: float,
    fraction: float,
    affordable: float,
    steps_per_unit: float,
    min_notional: float,
) -> float:
    """Quantity of the buy order that brings a flat account to its target; 0 if there is none.

    The largest whole number of steps that, added to what is held, does not exceed ``fraction · equity / close``; none
    where that is more than a double holds.

    Parameters
    ----------
    equity, close : float
        Both at the close of the bar that decides.
    held : float
        What is held already; for a flat account 0 or dust.
    fraction : float
        Target notional as a fraction of equity, already clamped to the cap.
    affordable : float
        Most that free cash covers, in units; infinity leaves the cap to the fill.
    steps_per_unit, min_notional : float
        The order is a whole number of steps; worth less than the minimum at ``close`` it is dropped.
    """
    missing = fraction * equity / close - held
    if missing == np.inf:  # more units than a double counts
        return 0.0
    # Floored once: a double that stands for a whole number of steps may lie just below it and lose one more.
    quantity = floor_to_step(min(missing, affordable), steps_per_unit)
    return 0.0 if counts_as_flat(quantity, close, min_notional) else quantity

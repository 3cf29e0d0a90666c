"""Decimals of the simulated broker: how doubles become decimals, and where rounding is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Context, Decimal, Inexact, localcontext

ZERO = Decimal(0)

# Sums and products: refuses to round, so that the account balances to the last digit.
EXACT = Context(prec=400, traps=[Inexact])

# Quotients, logarithms and roots, which no number of digits could hold.
ROUNDED = Context(prec=60)

_ROUNDED_DOWN = Context(prec=60, rounding=ROUND_FLOOR)


def exact(value: float) -> Decimal:
    """The decimal that a person reads: the shortest one that names this double."""
    return Decimal(repr(float(value)))


def rate_of_bps(bps: float) -> Decimal:
    """Basis points as a fraction."""
    return exact(bps).scaleb(-4)


def floor_decimal(value: Decimal, step: Decimal) -> Decimal:
    """Largest multiple of ``step`` that does not exceed ``value``."""
    return value.quantize(step, context=_ROUNDED_DOWN)


def floor_quotient(value: Decimal, divisor: Decimal, step: Decimal) -> Decimal:
    """Largest multiple of ``step`` that does not exceed ``value / divisor``."""
    return floor_decimal(_ROUNDED_DOWN.divide(value, divisor), step)


def sample_deviation(values: Sequence[Decimal]) -> Decimal:
    """Standard deviation with ddof 1, to 60 digits; 0 for fewer than two values."""
    if len(values) < 2:
        return ZERO
    with localcontext(ROUNDED):
        mean = sum(values, ZERO) / len(values)
        return (sum(((value - mean) ** 2 for value in values), ZERO) / (len(values) - 1)).sqrt()

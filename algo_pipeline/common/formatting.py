"""Numbers and times as people read them; whatever is undefined (None, NaN, infinite) reads as ``–``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import pandas as pd

MISSING = "–"
_MINUS = "−"


def percent(value: float | None, digits: int = 1, *, signed: bool = False) -> str:
    """A fraction as a percentage: 0.0123 → ``1.2%``."""
    return _defined(value, lambda x: f"{_number(100 * x, digits, signed)}%")


def fine_percent(value: float | None) -> str:
    """A small fraction, as a skill is one, as a percentage with two decimals: 0.0123 → ``1.23%``."""
    return percent(value, 2)


def chance(probability: float | None) -> str:
    """A probability as a whole percentage that never claims certainty: ``<1%`` and ``>99%`` at the ends."""
    return _defined(probability, lambda p: "<1%" if p < 0.01 else ">99%" if p > 0.99 else percent(p, 0))


def certainty(probability: float | None) -> str:
    """A probability in hundredths, rounded down and never 1: 0.9496 must not read as if it had passed 0.95."""
    return _defined(probability, lambda p: f"{min(math.floor(100 * p + 1e-9), 99) / 100:.2f}")


def number(value: float | None, digits: int = 2, *, signed: bool = False) -> str:
    """A number with thousands separators and a fixed number of decimals."""
    return _defined(value, lambda x: _number(x, digits, signed))


def money(value: float | None, currency: str, *, signed: bool = False) -> str:
    """An amount of quote currency: two decimals below a thousand, none above."""
    return _defined(value, lambda x: f"{_number(x, 0 if abs(x) >= 1000 else 2, signed)} {currency}")


def significant(value: float | None, digits: int = 6) -> str:
    """A number with so many significant digits, never in scientific notation for common prices and quantities."""
    return _defined(value, lambda x: f"{x:,.{digits}g}".replace("-", _MINUS) if abs(x) < 10**digits else number(x, 0))


def count(value: float | None) -> str:
    """A whole number with thousands separators."""
    return number(value, 0)


def day(at: pd.Timestamp | None) -> str:
    """``2024-01-31``."""
    return MISSING if at is None or pd.isna(at) else at.strftime("%Y-%m-%d")


def minute(at: pd.Timestamp | None) -> str:
    """``2024-01-31 13:00``, in UTC (the reader is told so once)."""
    return MISSING if at is None or pd.isna(at) else at.strftime("%Y-%m-%d %H:%M")


def hours_long(bars: float | None) -> str:
    """A duration in hourly bars: hours below two days, else days."""
    return _defined(bars, lambda x: f"{number(x, 1 if x != round(x) else 0)} h" if x < 48 else f"{number(x / 24, 0)} d")


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A GitHub-flavoured table: the first column left-aligned, the others right-aligned; ``|`` is escaped."""
    lines = [_markdown_row(header), _markdown_row([":---"] + ["---:"] * (len(header) - 1))]
    return "\n".join([*lines, *(_markdown_row(row) for row in rows)])


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _defined(value: float | None, render: Callable[[float], str]) -> str:
    return MISSING if value is None or not math.isfinite(value) else render(float(value))


def _number(value: float, digits: int, signed: bool) -> str:
    rounded = round(value, digits) + 0.0
    text = f"{abs(rounded):,.{digits}f}"
    if rounded < 0:
        return _MINUS + text
    return f"+{text}" if signed and rounded > 0 else text

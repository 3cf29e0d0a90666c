"""What a frame must look like; a violation names the rule and the first offending rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import DataValidationError
from algo_pipeline.common.time import BAR_NS, epoch_ns
from algo_pipeline.common.types import BoolArray, FloatArray

BAR_COLUMNS = ("open", "high", "low", "close", "volume")
PRICE_COLUMNS = BAR_COLUMNS[:4]
INDEX_NAME = "timestamp"
_SHOWN_ROWS = 3
LEAST_PRICE, GREATEST = 1e-128, 1e128  # far beyond any market; products and ratios of two such values stay finite


def empty_bars() -> pd.DataFrame:
    """A frame of bars without rows."""
    index = pd.DatetimeIndex([], tz="UTC", name=INDEX_NAME).as_unit("ns")
    return pd.DataFrame({column: np.empty(0) for column in BAR_COLUMNS}, index=index)


def bar_values(bars: pd.DataFrame) -> FloatArray:
    """The values of bars in the order of ``BAR_COLUMNS``, shape (n, 5); not to be written to."""
    in_order = bars if tuple(bars.columns) == BAR_COLUMNS else bars[list(BAR_COLUMNS)]
    return in_order.to_numpy()


def validate_bars(bars: pd.DataFrame) -> pd.DataFrame:
    """Return ``bars`` unchanged if they keep every rule of the bar schema.

    The rules: columns ``open high low close volume`` as float64; index ``timestamp`` tz-aware UTC, whole hours,
    unique, ascending; prices finite, positive and from 1e-128 to 1e128; ``low <= open, close <= high``; volume finite,
    >= 0 and at most 1e128.

    Raises
    ------
    DataValidationError
        Naming the first rule broken and the first rows that break it.
    """
    for problem in bar_problems(bars):
        raise DataValidationError(problem, "Repair or remove these rows; nothing was stored.")
    return bars


def bar_problems(bars: pd.DataFrame) -> Iterator[str]:
    """Yield a sentence per broken rule of the bar schema, structural ones first (those end the list)."""
    structural = _structural_problem(bars)
    if structural:
        yield structural
        return
    for rule, broken in _value_rules(bars):
        if broken.any():
            yield f"Bars break the rule '{rule}' at {describe_rows(bars, broken)}."


def describe_rows(frame: pd.DataFrame, mask: BoolArray) -> str:
    """Name the first rows where ``mask`` is True: ``2 rows, first 2024-01-01T00:00Z (open=1.0, …)``."""
    positions = np.flatnonzero(mask)
    shown = "; ".join(_describe_row(frame, int(position)) for position in positions[:_SHOWN_ROWS])
    noun = "row" if len(positions) == 1 else "rows"
    return f"{len(positions)} {noun}, first {shown}"


def require_columns(frame: pd.DataFrame, columns: tuple[str, ...], what: str) -> None:
    """Raise DataValidationError unless ``frame`` has exactly these columns in this order."""
    if tuple(frame.columns) != columns:
        missing = [c for c in columns if c not in frame.columns]
        extra = [str(c) for c in frame.columns if c not in columns]
        raise DataValidationError(
            f"{what} must have the columns {', '.join(columns)} in this order; missing {missing}, unexpected {extra}.",
            "Pass the frame as the function that makes it returns it.",
        )


def _structural_problem(bars: pd.DataFrame) -> str | None:
    missing = [c for c in BAR_COLUMNS if c not in bars.columns]
    if missing or len(bars.columns) != len(BAR_COLUMNS):
        return (
            f"Bars must have exactly the columns {', '.join(BAR_COLUMNS)}; found {', '.join(map(str, bars.columns))}."
        )
    if not isinstance(bars.index, pd.DatetimeIndex) or str(bars.index.tz) != "UTC":
        return f"Bars must be indexed by tz-aware UTC open times; found {bars.index.dtype}."
    wrong = [f"{column}: {kind}" for column, kind in bars.dtypes.items() if kind != np.float64]
    if wrong:
        return f"Bars must be float64; found {', '.join(wrong)}."
    return None


def _value_rules(bars: pd.DataFrame) -> Iterator[tuple[str, BoolArray]]:
    stamps = epoch_ns(bars.index)  # type: ignore[arg-type]
    step = np.diff(stamps, prepend=stamps[:1] - 1) if len(stamps) else stamps
    yield "open times are whole hours", stamps % BAR_NS != 0
    yield "open times are unique and ascending", step <= 0
    values = bar_values(bars)
    yield "every value is finite", np.asarray(~np.isfinite(values).all(axis=1))
    yield "prices are positive", np.asarray((values[:, :4] <= 0).any(axis=1))
    o, h, low, c = values[:, 0], values[:, 1], values[:, 2], values[:, 3]
    yield (
        f"prices are from {LEAST_PRICE:g} to {GREATEST:g}",
        np.asarray(((values[:, :4] < LEAST_PRICE) | (values[:, :4] > GREATEST)).any(axis=1)),
    )
    yield "low <= open, close <= high", (low > np.minimum(o, c)) | (h < np.maximum(o, c))
    yield "volume >= 0", values[:, 4] < 0
    yield f"volume is at most {GREATEST:g}", values[:, 4] > GREATEST


def _describe_row(frame: pd.DataFrame, position: int) -> str:
    stamp = frame.index[position]
    when = stamp.strftime("%Y-%m-%dT%H:%MZ") if isinstance(stamp, pd.Timestamp) else str(stamp)
    values = ", ".join(f"{name}={value:g}" for name, value in frame.iloc[position].items())
    return f"{when} ({values})"

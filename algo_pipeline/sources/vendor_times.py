"""Times as vendors write them, read as UTC: epochs in four units, ISO 8601, offsets, naive times.

Pure functions on a column; a column that can't be read for certain is refused, never guessed.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from loguru import logger

from algo_pipeline.common.errors import DataValidationError
from algo_pipeline.common.time import BAR_NS
from algo_pipeline.common.types import BoolArray, IntArray

_EPOCH_UNITS = ((1e11, 1_000_000_000), (1e14, 1_000_000), (1e17, 1_000), (1e20, 1))
"""Upper bound of a plausible epoch in seconds, ms, µs, ns, and the nanoseconds of one unit."""

_EARLIEST = pd.Timestamp("2009-01-03", tz="UTC")  # Bitcoin's first block
_LATEST = pd.Timestamp("2100-01-01", tz="UTC")
_OFFSET = r"(Z|[+-]\d{2}:?\d{2})$"
_CLOSE_MARGIN_NS = 1_000_000_000
_SHOWN = 3


def parse_times(column: pd.Series) -> IntArray:
    """Read a column of times as nanoseconds since the epoch.

    Numbers (also written as text) are epochs, the unit told by the size of each value, for vendors change it inside
    one history. Text is ISO 8601 or close to it, either all with the same offset or all without: naive times are read
    as UTC, which is logged.

    Raises
    ------
    DataValidationError
        Naming the first values that can't be read, or the mixture found.
    """
    _require_complete(column)
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return _nanoseconds(column)
    if pd.api.types.is_datetime64_dtype(column):
        return _nanoseconds(_assume_utc(column))
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().all():
        return _parse_epochs(column, numbers)
    return _parse_text(column.astype(str).str.strip())


def closes_to_opens(stamps: IntArray) -> IntArray:
    """Turn close times (12:59:59.999 or 13:00) of hourly bars into open times (12:00).

    A stamp that is not within a second before a whole hour is left as it is, for the grid check to name it.
    """
    to_hour = -stamps % BAR_NS
    return np.where(to_hour <= _CLOSE_MARGIN_NS, stamps + to_hour - BAR_NS, stamps)


def look_like_closes(stamps: IntArray) -> bool:
    """Whether every stamp lies just before a whole hour (…:59:59.999): no bar opens then."""
    to_hour = -stamps % BAR_NS
    return bool(((to_hour > 0) & (to_hour <= _CLOSE_MARGIN_NS)).all())


def _require_complete(column: pd.Series) -> None:
    missing = column.isna().to_numpy()
    if missing.any():
        raise DataValidationError(
            f"The time column {column.name!r} is empty in {describe_file_rows(missing)}.",
            "The file may be cut off; remove or complete these rows.",
        )


def describe_file_rows(mask: BoolArray) -> str:
    """Name the first marked rows by their position among the file's data rows, counted from 1."""
    rows = np.flatnonzero(mask) + 1
    noun = "row" if len(rows) == 1 else "rows"
    return f"{len(rows)} data {noun}, first {', '.join(map(str, rows[:_SHOWN]))}"


def _parse_epochs(column: pd.Series, numbers: pd.Series) -> IntArray:
    values = numbers.to_numpy()
    scale = np.zeros(len(values), dtype=np.int64)
    for bound, nanoseconds in reversed(_EPOCH_UNITS):
        scale[np.abs(values) < bound] = nanoseconds
    in_range = (values * scale.astype(np.float64) >= _EARLIEST.value) & (
        values * scale.astype(np.float64) < _LATEST.value
    )
    if not in_range.all():
        raise _unreadable(column, ~in_range, "epochs in s, ms, µs or ns between 2009 and 2100")
    if np.issubdtype(values.dtype, np.integer):
        return np.asarray(values.astype(np.int64) * scale, dtype=np.int64)
    whole = np.floor(values).astype(np.int64)
    fraction = np.rint((values - whole) * scale).astype(np.int64)
    return np.asarray(whole * scale + fraction, dtype=np.int64)


def _parse_text(text: pd.Series) -> IntArray:
    iso = (
        text.str.replace(r"^(\d{4})[./](\d{2})[./](\d{2})", r"\1-\2-\3", regex=True)
        .str.replace(r"\s*(?:UTC|GMT)$", "Z", regex=True)
        .str.replace(r"\s+([+-]\d{2}:?\d{2})$", r"\1", regex=True)
    )
    offsets = iso.where(iso.str.contains(":", regex=False), "").str.extract(_OFFSET, expand=False)
    kinds = offsets.fillna("no offset").replace({"Z": "+00:00", "+0000": "+00:00"})
    counts = kinds.value_counts()
    if len(counts) > 1:
        found = ", ".join(f"{kind} ({count} rows)" for kind, count in counts.items())
        raise DataValidationError(
            f"The time column {text.name!r} mixes time zones: {found}.", "Write all times in UTC, with a Z."
        )
    parsed = _to_datetimes(iso)
    if parsed.isna().any():
        raise _unreadable(text, parsed.isna().to_numpy(), "ISO 8601 times or epochs")
    if offsets.isna().all():
        _warn_naive(text.name)
    return _check_years(text, _nanoseconds(parsed))


def _to_datetimes(iso: pd.Series) -> pd.Series:
    parsed = pd.to_datetime(iso, format="ISO8601", utc=True, errors="coerce")
    if parsed.isna().all():  # the older spelling of CryptoDataDownload: 2020-01-01 12-AM
        parsed = pd.to_datetime(iso, format="%Y-%m-%d %I-%p", utc=True, errors="coerce")
    return parsed


def _assume_utc(column: pd.Series) -> pd.Series:
    _warn_naive(column.name)
    aware: pd.Series = column.dt.tz_localize("UTC")
    return aware


def _warn_naive(name: object) -> None:
    logger.warning("The times in column {!r} carry no time zone; they are read as UTC.", name)


def _check_years(column: pd.Series, stamps: IntArray) -> IntArray:
    outside = (stamps < _EARLIEST.value) | (stamps >= _LATEST.value)
    if outside.any():
        raise _unreadable(column, outside, "times between 2009 and 2100")
    return stamps


def _nanoseconds(column: pd.Series) -> IntArray:
    return np.asarray(column.dt.as_unit("ns").astype("int64").to_numpy(), dtype=np.int64)


def _unreadable(column: pd.Series, mask: BoolArray, expected: str) -> DataValidationError:
    examples = ", ".join(repr(str(value)) for value in column[mask].iloc[:_SHOWN])
    return DataValidationError(
        f"The time column {column.name!r} must hold {expected}; {describe_file_rows(mask)}: {examples}.",
        "Write the times as ISO 8601 in UTC (2024-01-31T00:00:00Z) or as epochs.",
    )

"""From a vendor's table to bars: pure steps, each refusing what it can't settle for certain."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import DataValidationError, UnknownSymbolError
from algo_pipeline.common.schemas import BAR_COLUMNS, INDEX_NAME, describe_rows
from algo_pipeline.common.time import BAR_NS, epoch_ns
from algo_pipeline.common.types import BoolArray, FloatArray, IntArray, Symbol
from algo_pipeline.sources.vendor_columns import Columns, recognise_columns
from algo_pipeline.sources.vendor_times import closes_to_opens, describe_file_rows, look_like_closes, parse_times

_DOLLARS = ("USD", "USDT", "USDC")
_SHOWN = 3
_DAY_S = 86_400
_FEWEST_EQUAL_STEPS = 3
_FEWEST_STEPPED_BARS = 30


def table_to_bars(table: pd.DataFrame, symbol: Symbol) -> pd.DataFrame:
    """Read a table with recognisable columns as hourly bars, oldest first.

    Rows may run in either direction; exact repetitions are dropped, other symbols' rows left out, other columns
    ignored. Close times are turned into open times where the table has no others, or where every stamp reads
    ``…:59:59.999``.

    Raises
    ------
    DataValidationError
        For missing columns or values, text among numbers, unreadable or mixed times, rows out of order,
        contradicting duplicates, or bars that are not hourly; naming the first rows.
    UnknownSymbolError
        If the table says that it is of another symbol.
    """
    columns = recognise_columns(table, symbol)
    if table.empty:
        raise DataValidationError("The file has a header and no rows.", "It may be cut off; get it again.")
    if columns.symbol is not None:
        table = _rows_of(table, columns.symbol, symbol)
    stamps = _open_stamps(table, columns)
    values = np.column_stack([_numbers(table[name]) for name in columns.values])
    index = pd.DatetimeIndex(pd.to_datetime(stamps, utc=True), name=INDEX_NAME).as_unit("ns")
    bars = pd.DataFrame(values, columns=list(BAR_COLUMNS), index=index)
    return _require_hourly(_in_time_order(_without_repetitions(bars)))


def _rows_of(table: pd.DataFrame, column: str, symbol: Symbol) -> pd.DataFrame:
    """The rows of ``symbol``; a dollar stablecoin stands for USD where there is no USD itself."""
    spelt = table[column].astype(str).map(lambda text: re.sub(r"[^A-Z0-9]", "", text.upper()))
    quotes = _DOLLARS if symbol.quote == "USD" else (symbol.quote,)
    for wanted in (*(symbol.base + quote for quote in quotes), symbol.base):
        chosen = spelt == wanted
        if chosen.any():
            return table[chosen].reset_index(drop=True)
    found = list(dict.fromkeys(table[column].astype(str)))
    more = "" if len(found) <= _SHOWN else f" and {len(found) - _SHOWN} more"
    raise UnknownSymbolError(
        f"The file holds bars of {', '.join(found[:_SHOWN])}{more}, not of {symbol}.",
        "Pass the file of that symbol, or the symbol of that file.",
    )


def _open_stamps(table: pd.DataFrame, columns: Columns) -> IntArray:
    times = table[columns.time]
    if columns.clock is not None:
        times = (times.astype(str) + " " + table[columns.clock].astype(str)).rename(columns.time)
    stamps = parse_times(times)
    return closes_to_opens(stamps) if columns.is_close_time or look_like_closes(stamps) else stamps


def _numbers(column: pd.Series) -> FloatArray:
    texts_or_flags = _unplain(column)
    if texts_or_flags.any():
        raise _no_numbers(column, texts_or_flags)
    try:
        numbers = column.astype("float64")  # reads text as Python does, to the last bit; to_numeric does not
    except (TypeError, ValueError):
        numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    broken = numbers.isna().to_numpy()
    if not broken.any():
        return np.asarray(numbers.to_numpy(), dtype=np.float64)
    texts = broken & column.notna().to_numpy()
    if texts.any():
        raise _no_numbers(column, texts)
    raise DataValidationError(
        f"Column {column.name!r} has no value in {describe_file_rows(broken)}.",
        "The file may be cut off; complete these rows or remove them (the hours are then listed as gaps).",
    )


def _unplain(column: pd.Series) -> BoolArray:
    """Mark what converts to a number without being one: truth values, times, Python's ``1_000``."""
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return np.asarray(column.notna().to_numpy(), dtype=np.bool_)
    if pd.api.types.is_numeric_dtype(column):
        return np.zeros(len(column), dtype=np.bool_)
    return np.array(
        [isinstance(cell, bool | np.bool_) or (isinstance(cell, str) and "_" in cell) for cell in column],
        dtype=np.bool_,
    )


def _no_numbers(column: pd.Series, marks: BoolArray) -> DataValidationError:
    return DataValidationError(
        f"Column {column.name!r} must hold numbers; {describe_file_rows(marks)}, for example "
        f"{str(column[marks].iloc[0])!r}.",
        "Write plain numbers: a point for decimals, no separators of thousands, no units.",
    )


def _in_time_order(bars: pd.DataFrame) -> pd.DataFrame:
    if bars.index.is_monotonic_increasing:
        return bars
    if bars.index.is_monotonic_decreasing:
        return bars.iloc[::-1]
    steps = np.diff(epoch_ns(pd.DatetimeIndex(bars.index)))
    direction = 1 if np.median(np.sign(steps)) >= 0 else -1
    broken = np.concatenate([[False], steps * direction < 0])
    raise DataValidationError(
        f"Rows must run from old to new or from new to old; the order breaks at {describe_rows(bars, broken)}.",
        "Sort the file by time.",
    )


def _without_repetitions(bars: pd.DataFrame) -> pd.DataFrame:
    """Drop rows that repeat another exactly; refuse hours that have two different bars."""
    distinct = bars[~bars.reset_index().duplicated().to_numpy()]
    contradicting: BoolArray = np.asarray(distinct.index.duplicated(keep=False))
    if contradicting.any():
        raise DataValidationError(
            f"Some hours have two different bars: {describe_rows(distinct, contradicting)}.",
            "Keep one row for each hour.",
        )
    return distinct


def _require_hourly(bars: pd.DataFrame) -> pd.DataFrame:
    stamps = epoch_ns(pd.DatetimeIndex(bars.index))
    spacing_s = int(np.median(np.diff(stamps)) // 1_000_000_000) if len(stamps) > 1 else BAR_NS // 1_000_000_000
    if spacing_s * 1_000_000_000 != BAR_NS:
        raise DataValidationError(
            f"Hourly bars are expected; the file's rows are {_spacing_name(spacing_s)} apart.",
            "Export or resample the data to one bar an hour.",
        )
    off_grid = np.asarray(stamps % BAR_NS != 0)
    if off_grid.any():
        raise DataValidationError(
            f"Bars must open on the whole hour (UTC); {describe_rows(bars, off_grid)} do not.",
            "Export the data in UTC with the bars' open times.",
        )
    _refuse_other_interval(bars, stamps)
    return bars


def _refuse_other_interval(bars: pd.DataFrame, stamps: IntArray) -> None:
    """Refuse a stretch of longer bars among hourly ones: at least three equal steps in a row, over 30 h in all.

    Gaps are single steps, so one of any length passes. Even where every second hour is missing at random (a coin
    that hardly trades), so long a run of equal steps comes once in a billion bars.
    """
    steps = np.diff(stamps) // BAR_NS
    begins = np.flatnonzero(np.diff(steps, prepend=0))
    lengths = np.diff(np.append(begins, len(steps)))
    sizes = steps[begins]
    broken = (sizes > 1) & (lengths >= _FEWEST_EQUAL_STEPS) & (lengths * sizes >= _FEWEST_STEPPED_BARS)
    if broken.any():
        run = int(np.flatnonzero(broken)[0])
        first = np.arange(len(stamps)) == begins[run]
        raise DataValidationError(
            f"Hourly bars are expected; {lengths[run]} steps of {_spacing_name(int(sizes[run]) * 3600)} follow "
            f"{describe_rows(bars, first)}.",
            "Export or resample the data to one bar an hour.",
        )


def _spacing_name(seconds: int) -> str:
    if seconds and seconds % _DAY_S == 0:
        return "one day" if seconds == _DAY_S else f"{seconds // _DAY_S} days"
    if seconds and seconds % 3600 == 0:
        return f"{seconds // 3600} hours"
    return f"{seconds // 60} minutes" if seconds % 60 == 0 else f"{seconds} seconds"

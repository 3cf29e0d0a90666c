"""Which column of a vendor's table is which, by the spellings that exchanges and vendors use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd
from loguru import logger

from algo_pipeline.common.errors import DataValidationError
from algo_pipeline.common.types import Symbol

_OPEN_TIMES = (
    "open_time",
    "opentime",
    "time_open",
    "open_timestamp",
    "time_period_start",
    "unix",
    "unix_timestamp",
    "timestamp",
    "epoch",
    "datetime",
    "date_time",
    "date",
    "time",
    "gmt_time",
    "start_time",
    "start",
    "ts",
    "t",
)
_UNNAMED_TIMES = ("unnamed_0", "index", "index_level_0")
_CLOSE_TIMES = ("close_time", "closetime", "time_close", "close_timestamp", "time_period_end", "end_time")
_PRICES = {
    "open": ("open", "o", "open_price", "price_open", "opening_price"),
    "high": ("high", "h", "high_price", "price_high", "max"),
    "low": ("low", "l", "low_price", "price_low", "min"),
    "close": ("close", "c", "close_price", "price_close", "closing_price", "last"),
}
_VOLUMES = ("base_volume", "volume_base", "volumefrom", "volume_from", "volume", "vol", "v", "volume_traded")
_TICK_VOLUMES = ("tickvol", "tick_volume", "tickvolume")
_SYMBOLS = ("symbol", "pair", "ticker", "instrument", "tic")
_KNOWN = frozenset({*_OPEN_TIMES, *_CLOSE_TIMES, *_VOLUMES, *_TICK_VOLUMES, *_SYMBOLS}).union(*_PRICES.values())


@dataclass(frozen=True, slots=True)
class Columns:
    """The table's own names of the columns that matter.

    Parameters
    ----------
    time : str
        Column of open times, or of close times if ``is_close_time``.
    clock : str or None
        Column of the time of day where ``time`` holds the date alone.
    values : tuple of str
        Open, high, low, close and volume.
    symbol : str or None
        Column that says which pair a row is of.
    """

    time: str
    is_close_time: bool
    clock: str | None
    values: tuple[str, ...]
    symbol: str | None


def recognise_columns(table: pd.DataFrame, symbol: Symbol) -> Columns:
    """Find the columns of a table of bars; of two volumes, the one in the base coin wins.

    A broker's ticks (``<TICKVOL>``) stand for volume only where no volume is given, or one of zeros alone.

    Raises
    ------
    DataValidationError
        If one is missing, naming those found, or there are two of one name or of one meaning and other values.
    """
    refuse_repeated_columns(map(str, table.columns))
    spelt = _by_spelling(table.columns)
    base = symbol.base.lower()
    volumes = (f"volume_{base}", f"{base}_volume", f"vol_{base}", *_VOLUMES)
    found = {name: _only(table, spelt, names) for name, names in _PRICES.items()}
    found["volume"] = _volume(table, spelt, volumes)
    opened = _first(spelt, _OPEN_TIMES)
    time = opened or _first(spelt, _CLOSE_TIMES) or _unnamed_time(table, spelt)
    missing = [name for name, column in {"time": time, **found}.items() if column is None]
    if missing or time is None:
        raise DataValidationError(
            f"The file has no column for {', '.join(missing)}; found {', '.join(map(str, table.columns)) or 'none'}.",
            "Name the columns timestamp, open, high, low, close, volume (or as the exchange's own export does).",
        )
    return Columns(
        time=time,
        is_close_time=opened is None and time in {spelt.get(name) for name in _CLOSE_TIMES},
        clock=_clock(table, spelt, time),
        values=tuple(column for column in found.values() if column is not None),
        symbol=_first(spelt, _SYMBOLS),
    )


def refuse_repeated_columns(names: Iterable[str]) -> None:
    """Refuse two columns whose names differ in case, blanks and punctuation at most, if bars could be read from them.

    Raises
    ------
    DataValidationError
        Naming the two.
    """
    seen: dict[str, str] = {}
    for name in names:
        spelling = _normalise(name)
        if spelling in seen and (spelling in _KNOWN or "vol" in spelling):
            raise DataValidationError(
                f"The file has two columns for {spelling}: {seen[spelling]!r} and {name!r}.", "Keep one of them."
            )
        seen[spelling] = name


def _by_spelling(columns: Iterable[object]) -> dict[str, str]:
    spelt: dict[str, str] = {}
    for column in columns:
        spelt.setdefault(_normalise(str(column)), str(column))
    return spelt


def _normalise(name: str) -> str:
    """``Open time``, ``<OPEN>`` and ``Volume (BTC)`` in one spelling: ``open_time``, ``open``, ``volume_btc``."""
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


def _first(spelt: dict[str, str], names: Iterable[str]) -> str | None:
    return next((spelt[name] for name in names if name in spelt), None)


def _only(table: pd.DataFrame, spelt: dict[str, str], names: Iterable[str]) -> str | None:
    """The one column of that meaning; several must hold the same."""
    columns = [spelt[name] for name in names if name in spelt]
    for other in columns[1:]:
        if not table[other].equals(table[columns[0]]):
            raise DataValidationError(
                f"The columns {columns[0]!r} and {other!r} mean the same and have different values.",
                "Keep one of them.",
            )
    return columns[0] if columns else None


def _volume(table: pd.DataFrame, spelt: dict[str, str], names: Iterable[str]) -> str | None:
    traded, ticks = _first(spelt, names), _first(spelt, _TICK_VOLUMES)
    if ticks is None:
        return traded
    if traded is not None and not pd.to_numeric(table[traded].astype(str), errors="coerce").eq(0).all():
        return traded
    logger.warning("The file has no volume; {!r}, a count of price changes, stands for it.", ticks)
    return ticks


def _unnamed_time(table: pd.DataFrame, spelt: dict[str, str]) -> str | None:
    """An unnamed first column is the time unless it merely counts rows."""
    name = _first(spelt, _UNNAMED_TIMES)
    if name is None or (pd.api.types.is_integer_dtype(table[name]) and table[name].abs().max() <= len(table)):
        return None
    return name


def _clock(table: pd.DataFrame, spelt: dict[str, str], time: str) -> str | None:
    """The ``time`` column beside a ``date`` column that holds dates without a time of day (MetaTrader, Stooq)."""
    clock = spelt.get("time")
    if time != spelt.get("date") or clock is None or pd.api.types.is_numeric_dtype(table[clock]):
        return None
    has_clock_already = table[time].astype(str).str.contains(":", regex=False).any()
    return None if has_clock_already else clock

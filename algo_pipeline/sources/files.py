"""A user's own bars: CSV or Parquet, told apart by content, in the spellings of exchanges and vendors."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd

from algo_pipeline.common.errors import DataValidationError, StorageError
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.ingest import closed_within
from algo_pipeline.interfaces.market_data import MarketDataSource
from algo_pipeline.sources.vendor_csv import REMEDY, read_csv
from algo_pipeline.sources.vendor_table import table_to_bars

_PARQUET, _GZIP, _ZIP = b"PAR1", b"\x1f\x8b", b"PK\x03\x04"


class FileSource(MarketDataSource):
    """Hourly bars of one file; the file is read again at every fetch and never written.

    Parameters
    ----------
    path : Path
        CSV (plain, gzip or a zip of one file) or Parquet.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(path)

    @property
    def name(self) -> str:
        """``file``."""
        return "file"

    @property
    def is_local(self) -> bool:
        """True: the file is at hand."""
        return True

    def venue_symbol(self, symbol: Symbol) -> str:
        """The pair itself: a file has no spelling of its own, and may be moved or renamed."""
        return str(symbol)

    def fetch_bars(self, symbol: Symbol, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        """Read the file's bars between ``start`` and ``end``; see :class:`MarketDataSource`.

        Raises
        ------
        StorageError
            If the file is missing, no file, or can't be read.
        DataValidationError
            If it is not a table of hourly bars; naming the file and the first rows at fault.
        UnknownSymbolError
            If it says that it is of another symbol.
        """
        table = read_table(self._path)
        try:
            bars = table_to_bars(table, symbol)
        except DataValidationError as error:
            raise DataValidationError(f"{self._path}: {error.message}", error.remedy) from error
        return closed_within(bars, start, end)


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet file as it is, with an index that holds times as a column.

    Raises
    ------
    StorageError
        If it can't be read.
    DataValidationError
        If it is empty, cut off, or neither CSV nor Parquet.
    """
    data = _read(path)
    try:
        if data.startswith(_PARQUET):
            return _read_parquet(data)
        return read_csv(_decompress(data))
    except DataValidationError as error:
        raise DataValidationError(f"{path} {error.message}", error.remedy) from error


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise StorageError(f"{path} is a folder, not a file.", REMEDY)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} could not be read: {error.strerror or error}.", "Check the path.") from error
    if not data.strip():
        raise DataValidationError(f"{path} is empty.", REMEDY)
    return data


def _read_parquet(data: bytes) -> pd.DataFrame:
    try:
        table = pd.read_parquet(io.BytesIO(data))
    except Exception as error:  # damaged metadata fails in ways of its own: KeyError, TypeError, an unknown time zone
        raise DataValidationError(
            f"is no readable Parquet file: {_reason(error)}.", "It may be damaged or cut off; get it again."
        ) from error
    return table if isinstance(table.index, pd.RangeIndex) else table.reset_index()


def _decompress(data: bytes) -> bytes:
    import gzip
    import zipfile

    try:
        if data.startswith(_GZIP):
            return gzip.decompress(data)
        if data.startswith(_ZIP):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return archive.read(_only_member(archive))
    except DataValidationError:
        raise
    except RuntimeError as error:  # encrypted, or compressed by a method that Python does not know
        raise DataValidationError(f"can't be unpacked: {_reason(error)}.", "Unpack it and pass the file.") from error
    except Exception as error:
        raise DataValidationError(
            f"can't be unpacked: {_reason(error)}.", "It may be damaged or cut off; get it again."
        ) from error
    return data


def _only_member(archive: Any) -> str:
    names: list[str] = archive.namelist()
    if len(names) != 1:
        raise DataValidationError(f"is a zip of {len(names)} files; one is expected.", "Unpack it and pass one file.")
    return names[0]


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip().rstrip(".:")

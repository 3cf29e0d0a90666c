"""A user's own bars: CSV or Parquet, told apart by content, in the spellings of exchanges and vendors."""

from __future__ import annotations

import io
import re
import zlib
from pathlib import Path
from typing import Any

import pandas as pd
from loguru import logger

from algo_pipeline.common.errors import DataValidationError, StorageError
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.ingest import closed_within
from algo_pipeline.interfaces.market_data import MarketDataSource
from algo_pipeline.sources.vendor_table import table_to_bars

_PARQUET, _GZIP, _ZIP = b"PAR1", b"\x1f\x8b", b"PK\x03\x04"
_SEPARATORS = (",", ";", "\t", "|")
_FEWEST_FIELDS = 5
_HEAD_LINES = 50
_KLINE = [
    *("open_time", "open", "high", "low", "close", "volume"),
    *("close_time", "quote_volume", "trades", "taker_base", "taker_quote", "ignore"),
]
_HEADERLESS = {
    6: _KLINE[:6],  # ccxt
    7: [*_KLINE[:6], "trades"],  # Kraken
    8: [*_KLINE[:6], "vwap", "trades"],
    12: _KLINE,  # Binance's monthly and daily dumps
}
_SHOWN_CHARACTERS = 80
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_REMEDY = "Pass a CSV or Parquet file with the columns timestamp, open, high, low, close, volume."


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
        return _read_csv(_decompress(data))
    except DataValidationError as error:
        raise DataValidationError(f"{path} {error.message}", error.remedy) from error


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise StorageError(f"{path} is a folder, not a file.", _REMEDY)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} could not be read: {error.strerror or error}.", "Check the path.") from error
    if not data.strip():
        raise DataValidationError(f"{path} is empty.", _REMEDY)
    return data


def _read_parquet(data: bytes) -> pd.DataFrame:
    import pyarrow as pa

    try:
        table = pd.read_parquet(io.BytesIO(data))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataValidationError(
            f"is no readable Parquet file: {_reason(error)}.", "It may be cut off; get it again."
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
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataValidationError(
            f"can't be unpacked: {_reason(error)}.", "It may be cut off; get it again."
        ) from error
    return data


def _only_member(archive: Any) -> str:
    names: list[str] = archive.namelist()
    if len(names) != 1:
        raise DataValidationError(f"is a zip of {len(names)} files; one is expected.", "Unpack it and pass one file.")
    return names[0]


def _read_csv(data: bytes) -> pd.DataFrame:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataValidationError("is neither Parquet nor UTF-8 text.", _REMEDY) from error
    if "\x00" in text:
        raise DataValidationError("is neither Parquet nor text.", _REMEDY)
    if not text.endswith(("\n", "\r")):
        logger.warning("The file's last line has no end; if the file was cut off, its last bar may be wrong.")
    n_leading, separator, first = _find_table(text)
    names = None if _is_header(first) else _headerless_names(len(first))
    try:
        return pd.read_csv(
            io.StringIO(text),
            sep=separator,
            skiprows=n_leading,
            header=None if names else 0,
            names=names,
            index_col=False,
            decimal=_decimal_mark(text, separator),
            float_precision="round_trip",
            skipinitialspace=True,
            low_memory=False,
        )
    except (pd.errors.ParserError, ValueError) as error:
        raise DataValidationError(f"is no well-formed CSV: {_reason(error)}.", "Repair the row it names.") from error


def _reason(error: Exception) -> str:
    return str(error).strip().rstrip(".")


def _find_table(text: str) -> tuple[int, str, list[str]]:
    """Lines before the table (comments, a vendor's address), its separator, the fields of its first line."""
    for number, line in enumerate(text.splitlines()[:_HEAD_LINES]):
        if line.lstrip().startswith(("#", "//")):
            continue
        separator = max(_SEPARATORS, key=line.count)
        fields = [field.strip().strip('"') for field in line.split(separator)]
        if len(fields) >= _FEWEST_FIELDS:
            return number, separator, fields
    first_line = text.strip().splitlines()[0][:_SHOWN_CHARACTERS]
    raise DataValidationError(
        f"is no table of bars: no line has at least five fields; it begins with {first_line!r}.", _REMEDY
    )


def _is_header(fields: list[str]) -> bool:
    """A header has no number in it; a row of data has several."""
    return not any(_NUMBER.fullmatch(field) for field in fields)


def _headerless_names(n_fields: int) -> list[str]:
    if n_fields not in _HEADERLESS:
        raise DataValidationError(
            f"has no header and {n_fields} columns; without a header only the layouts of Binance (12 columns), "
            "Kraken (7 or 8) and ccxt (6) are known.",
            "Add a header line: timestamp,open,high,low,close,volume.",
        )
    return _HEADERLESS[n_fields]


def _decimal_mark(text: str, separator: str) -> str:
    """A comma where fields are split by semicolons and the numbers have commas (a European spreadsheet)."""
    if separator != ";":
        return "."
    last = text.rstrip().splitlines()[-1]
    return "," if any(re.fullmatch(r"-?\d+,\d+", field.strip()) for field in last.split(";")) else "."

"""CSV text of any vendor as a table: its separator, decimal mark and header found, and no field lost on the way."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator

import pandas as pd
from loguru import logger

from algo_pipeline.common.errors import DataValidationError
from algo_pipeline.sources.vendor_columns import refuse_repeated_columns

REMEDY = "Pass a CSV or Parquet file with the columns timestamp, open, high, low, close, volume."
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


def read_csv(data: bytes) -> pd.DataFrame:
    """Read CSV as it is: text stays text, and a number is read to the last bit.

    Raises
    ------
    DataValidationError
        If it is no table, or can't be read for certain: a row with more fields than the header, two columns of one
        name, points among decimal commas. The message goes on from the file's name.
    """
    text = _decode(data)
    n_leading, separator, first = _find_table(text)
    names = None if _is_header(first) else _headerless_names(len(first))
    mark = _decimal_mark(text, separator)
    _check_rows(text, n_leading, separator, mark)
    try:
        return pd.read_csv(
            io.StringIO(text),
            sep=separator,
            skiprows=n_leading,
            header=None if names else 0,
            names=names,
            index_col=False,
            decimal=mark,
            float_precision="round_trip",
            skipinitialspace=True,
            low_memory=False,
        )
    except (pd.errors.ParserError, ValueError) as error:
        raise _ill_formed(error) from error


def _decode(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataValidationError("is neither Parquet nor UTF-8 text.", REMEDY) from error
    if "\x00" in text:
        raise DataValidationError("is neither Parquet nor text.", REMEDY)
    if not text.endswith(("\n", "\r")):
        logger.warning("The file's last line has no end; if the file was cut off, its last bar may be wrong.")
    return text


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
        f"is no table of bars: no line has at least five fields; it begins with {first_line!r}.", REMEDY
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


def _check_rows(text: str, n_leading: int, separator: str, mark: str) -> None:
    """Refuse what pandas would pass over in silence: repeated columns, fields beyond the header, points as decimals."""
    rows = _rows(text, n_leading, separator)
    _, first = next(rows)
    refuse_repeated_columns(first)
    for line, fields in itertools.chain([(n_leading + 1, first)], rows):
        if any(field.strip() for field in fields[len(first) :]):
            raise DataValidationError(
                f"is no well-formed CSV: line {line} has {len(fields)} fields where the first has {len(first)}.",
                "Repair the row; a comma inside a number or a name splits it.",
            )
        pointed = (
            [field for field in fields if "." in field and _NUMBER.fullmatch(field.strip())] if mark == "," else ()
        )
        if pointed:
            raise DataValidationError(
                f"has decimal commas, so that the point of {pointed[0].strip()!r} in line {line} may be a decimal or "
                "separate thousands.",
                "Write plain numbers: one decimal mark, no separators of thousands.",
            )


def _rows(text: str, n_leading: int, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The table's rows as text, its header among them, each with its line in the file."""
    lines = itertools.islice(io.StringIO(text, newline=None), n_leading, None)
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    try:
        for fields in reader:
            yield n_leading + reader.line_num, fields
    except csv.Error as error:
        raise _ill_formed(error) from error


def _ill_formed(error: Exception) -> DataValidationError:
    return DataValidationError(f"is no well-formed CSV: {str(error).strip().rstrip('.')}.", "Repair the row it names.")

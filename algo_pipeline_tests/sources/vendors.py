"""The same bars in the spellings of exchanges and vendors, written to files."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd

Writer = Callable[[pd.DataFrame, Path], Path]
EPOCH = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


def epochs(bars: pd.DataFrame, unit: str) -> pd.Index:
    return pd.Index(pd.DatetimeIndex(bars.index).as_unit("ns").view("int64") // EPOCH[unit])


def iso(bars: pd.DataFrame, pattern: str) -> pd.Index:
    return pd.DatetimeIndex(bars.index).strftime(pattern)


def table(bars: pd.DataFrame, time: pd.Index, names: str) -> pd.DataFrame:
    """The bars as a table whose columns are named as in ``names``: time, open, high, low, close, volume."""
    out = bars.reset_index(drop=True)
    out.insert(0, "time", time)
    return out.set_axis(names.split(","), axis=1)


def csv(frame: pd.DataFrame, path: Path, head: str = "", **options: object) -> Path:
    path.write_text(head + frame.to_csv(index=False, **options))  # type: ignore[call-overload]
    return path


def plain(bars: pd.DataFrame, path: Path) -> Path:
    return csv(bars.reset_index(), path)


def ccxt(bars: pd.DataFrame, path: Path) -> Path:
    return csv(table(bars, epochs(bars, "ms"), "timestamp,open,high,low,close,volume"), path)


def epoch_seconds(bars: pd.DataFrame, path: Path) -> Path:
    return csv(table(bars, epochs(bars, "s"), "time,o,h,l,c,v"), path)


def epoch_nanoseconds(bars: pd.DataFrame, path: Path) -> Path:
    return csv(table(bars, epochs(bars, "ns"), "ts,Open,High,Low,Close,Vol"), path)


def epoch_fractions(bars: pd.DataFrame, path: Path) -> Path:
    return csv(table(bars, epochs(bars, "s") + 0.0, "Unix Timestamp,Open,High,Low,Close,Volume"), path)


def seconds_then_milliseconds(bars: pd.DataFrame, path: Path) -> Path:
    half = len(bars) // 2
    stamps = epochs(bars.iloc[:half], "s").append(epochs(bars.iloc[half:], "ms"))
    return csv(table(bars, stamps, "unix,open,high,low,close,volume"), path)


def binance_dump(bars: pd.DataFrame, path: Path, unit: str = "ms", names: str | None = None) -> Path:
    out = table(bars, epochs(bars, unit), "open_time,open,high,low,close,volume")
    out["close_time"] = out["open_time"] + 3_600 * 1_000_000_000 // EPOCH[unit] - 1
    for extra in ("quote_volume", "count", "taker_buy_volume", "taker_buy_quote_volume", "ignore"):
        out[extra] = 0
    header = names is not None
    return csv(out.set_axis(names.split(","), axis=1) if names else out, path, header=header)


def binance_dump_microseconds(bars: pd.DataFrame, path: Path) -> Path:
    return binance_dump(bars, path, "us")


def binance_export_with_header(bars: pd.DataFrame, path: Path) -> Path:
    names = "Open time,Open,High,Low,Close,Volume,Close time,Quote asset volume,Number of trades,a,b,Ignore"
    return binance_dump(bars, path, "ms", names)


def binance_dump_zip(bars: pd.DataFrame, path: Path) -> Path:
    inner = binance_dump(bars, path.with_suffix(".inner"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(inner, "BTCUSDT-1h-2024-01.csv")
    return path


def crypto_data_download(bars: pd.DataFrame, path: Path) -> Path:
    newest_first = bars.iloc[::-1]
    out = table(newest_first, epochs(newest_first, "ms"), "unix,open,high,low,close,Volume BTC")
    out.insert(1, "date", iso(newest_first, "%Y-%m-%d %H:%M:%S"))
    out.insert(2, "symbol", "BTC/USDT")
    out["Volume USDT"], out["tradecount"] = 1e9, 7
    return csv(out, path, head="https://www.CryptoDataDownload.com\n")


def crypto_data_download_old(bars: pd.DataFrame, path: Path) -> Path:
    out = table(bars, iso(bars, "%Y-%m-%d %I-%p"), "Date,Open,High,Low,Close,Volume BTC")
    out.insert(1, "Symbol", "BTCUSD")
    out["Volume USD"] = 1e9
    return csv(out, path)


def kaggle_bitstamp(bars: pd.DataFrame, path: Path) -> Path:
    out = table(bars, epochs(bars, "s"), "Timestamp,Open,High,Low,Close,Volume_(BTC)")
    out["Volume_(Currency)"], out["Weighted_Price"] = 1e9, 1.0
    return csv(out, path)


def yahoo(bars: pd.DataFrame, path: Path) -> Path:
    out = table(bars, iso(bars, "%Y-%m-%d %H:%M:%S+00:00"), "Datetime,Open,High,Low,Close,Volume")
    out.insert(5, "Adj Close", 1.0)
    return csv(out, path)


def kraken(bars: pd.DataFrame, path: Path) -> Path:
    out = table(bars, epochs(bars, "s"), "a,b,c,d,e,f")
    return csv(out.assign(trades=3), path, header=False)


def metatrader(bars: pd.DataFrame, path: Path) -> Path:
    out = table(bars, iso(bars, "%Y.%m.%d"), "<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>")
    out.insert(1, "<TIME>", iso(bars, "%H:%M:%S"))
    return csv(out, path, sep="\t")


def european_spreadsheet(bars: pd.DataFrame, path: Path) -> Path:
    out = table(bars, iso(bars, "%Y-%m-%dT%H:%M:%SZ"), "Date,Open,High,Low,Close,Volume")
    path.write_text("\ufeff" + out.to_csv(index=False, sep=";", decimal=","), encoding="utf-8")
    return path


def iso_with_offset(bars: pd.DataFrame, path: Path) -> Path:
    moved = bars.set_index(pd.DatetimeIndex(bars.index).tz_convert("Asia/Tokyo"))
    return csv(table(bars, iso(moved, "%Y-%m-%dT%H:%M:%S%z"), "time,open,high,low,close,volume"), path)


def iso_naive(bars: pd.DataFrame, path: Path) -> Path:
    return csv(table(bars, iso(bars, "%Y/%m/%d %H:%M"), "date,open,high,low,close,volume"), path)


def iso_utc_word(bars: pd.DataFrame, path: Path) -> Path:
    out = table(bars, iso(bars, "%Y-%m-%d %H:%M:%S UTC"), "timestamp,open,high,low,close,volume")
    return csv(out, path, head="# exported by hand\n# hourly\n\n")


def pandas_index(bars: pd.DataFrame, path: Path) -> Path:
    path.write_text(bars.rename_axis(None).to_csv())
    return path


def close_times_only(bars: pd.DataFrame, path: Path) -> Path:
    out = table(bars, epochs(bars, "ms") + 3_599_999, "Close time,open,high,low,close,volume")
    return csv(out, path)


def exact_close_times_only(bars: pd.DataFrame, path: Path) -> Path:
    return csv(table(bars, epochs(bars, "s") + 3_600, "time_close,open,high,low,close,volume"), path)


def close_times_called_time(bars: pd.DataFrame, path: Path) -> Path:
    return csv(table(bars, epochs(bars, "ms") + 3_599_999, "time,open,high,low,close,volume"), path)


def gzipped(bars: pd.DataFrame, path: Path) -> Path:
    path.write_bytes(gzip.compress(bars.reset_index().to_csv(index=False).encode()))
    return path


def repeated_rows(bars: pd.DataFrame, path: Path) -> Path:
    twice = pd.concat([bars, bars.iloc[5:9]]).sort_index(kind="stable")
    return csv(twice.reset_index(), path)


def several_symbols(bars: pd.DataFrame, path: Path) -> Path:
    both = pd.concat([bars.assign(ticker="BTC-USD"), (bars * 2).assign(ticker="ETH-USD")]).sort_index(kind="stable")
    return csv(both.reset_index(), path)


def parquet_column(bars: pd.DataFrame, path: Path) -> Path:
    bars.reset_index().to_parquet(path, index=False)
    return path


def parquet_index(bars: pd.DataFrame, path: Path) -> Path:
    bars.rename_axis("Date").to_parquet(path)
    return path


def parquet_unnamed_naive_index(bars: pd.DataFrame, path: Path) -> Path:
    bars.set_index(pd.DatetimeIndex(bars.index).tz_localize(None)).rename_axis(None).to_parquet(path)
    return path


def parquet_other_zone_newest_first(bars: pd.DataFrame, path: Path) -> Path:
    moved = bars.set_index(pd.DatetimeIndex(bars.index).tz_convert("America/New_York")).rename_axis("time")
    moved.iloc[::-1].to_parquet(path)
    return path


def parquet_symbol_level(bars: pd.DataFrame, path: Path) -> Path:
    bars.assign(symbol="BTC/USD").set_index("symbol", append=True).swaplevel().to_parquet(path)
    return path


def parquet_text_numbers(bars: pd.DataFrame, path: Path) -> Path:
    bars.map(repr).reset_index().to_parquet(path)
    return path


SPELLINGS: tuple[Writer, ...] = (
    plain,
    ccxt,
    epoch_seconds,
    epoch_nanoseconds,
    epoch_fractions,
    seconds_then_milliseconds,
    binance_dump,
    binance_dump_microseconds,
    binance_export_with_header,
    binance_dump_zip,
    crypto_data_download,
    crypto_data_download_old,
    kaggle_bitstamp,
    yahoo,
    kraken,
    metatrader,
    european_spreadsheet,
    iso_with_offset,
    iso_naive,
    iso_utc_word,
    pandas_index,
    close_times_only,
    exact_close_times_only,
    close_times_called_time,
    gzipped,
    repeated_rows,
    several_symbols,
    parquet_column,
    parquet_index,
    parquet_unnamed_naive_index,
    parquet_other_zone_newest_first,
    parquet_symbol_level,
    parquet_text_numbers,
)

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import DataValidationError, StorageError, UnknownSymbolError
from algo_pipeline.common.schemas import validate_bars
from algo_pipeline.common.types import Symbol
from algo_pipeline.sources.files import FileSource
from algo_pipeline.sources.store import BarStore
from algo_pipeline.sources.update import update_bars
from algo_pipeline.sources.vendor_table import table_to_bars
from algo_pipeline_tests.market import random_bars, without_rows
from algo_pipeline_tests.sources import vendors

BTC = Symbol("BTC", "USD")
HOUR = pd.Timedelta(hours=1)
FIRST, LAST = pd.Timestamp("2009-01-03", tz="UTC"), pd.Timestamp("2100-01-01", tz="UTC")
BARS = random_bars(300, seed=21)


def read(path: Path, symbol: Symbol = BTC) -> pd.DataFrame:
    return FileSource(path).fetch_bars(symbol, FIRST, LAST)


def refuse(path: Path, said: str, symbol: Symbol = BTC) -> str:
    with pytest.raises(DataValidationError, match=said) as caught:
        read(path, symbol)
    assert str(path) in caught.value.message
    assert caught.value.remedy
    return str(caught.value)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("spell", vendors.SPELLINGS, ids=lambda writer: writer.__name__)
@pytest.mark.parametrize("suffix", [".csv", ".parquet", ""], ids=["csv", "parquet", "bare"])
def test_every_spelling_gives_the_same_bars_whatever_the_file_is_called(
    tmp_path: Path, spell: vendors.Writer, suffix: str
) -> None:
    bars = read(spell(BARS, tmp_path / f"bars{suffix}"))
    pd.testing.assert_frame_equal(bars, BARS, check_exact=True, check_freq=False)
    validate_bars(bars)


@pytest.mark.parametrize("spell", [vendors.plain, vendors.binance_dump, vendors.crypto_data_download])
def test_real_bars_survive_a_round_trip_through_vendors(
    tmp_path: Path, real_bars: Callable[[str], pd.DataFrame], spell: vendors.Writer
) -> None:
    real = real_bars("BTCUSDT")
    bars = read(spell(real, tmp_path / "bars.csv"))
    pd.testing.assert_frame_equal(bars, real[list(bars.columns)], check_exact=True, check_freq=False)


@pytest.mark.parametrize("name", ["BTCUSDT", "ETHUSDT", "SOLUSDT"])
def test_real_files_are_ingested_whole(tmp_path: Path, real_bars: Callable[[str], pd.DataFrame], name: str) -> None:
    real = real_bars(name)
    path = tmp_path / f"{name}.parquet"
    real.reset_index().to_parquet(path)
    symbol = Symbol(name[:3], "USD")
    result = update_bars(FileSource(path), BarStore(tmp_path / "data"), symbol, FIRST, LAST)
    assert (result.n_new, result.gaps) == (len(real), ())
    pd.testing.assert_frame_equal(result.bars, real[list(result.bars.columns)], check_exact=True, check_freq=False)


def test_only_bars_between_the_bounds_that_are_closed_are_returned(tmp_path: Path) -> None:
    source = FileSource(vendors.plain(BARS, tmp_path / "bars.csv"))
    start = BARS.index[10]
    bars = source.fetch_bars(BTC, start, start + 2 * HOUR + pd.Timedelta(minutes=59))
    assert list(bars.index) == [start, start + HOUR]


def test_hours_missing_in_the_file_stay_missing(tmp_path: Path) -> None:
    bars = read(vendors.crypto_data_download(without_rows(BARS, 7, 8, 100), tmp_path / "bars.csv"))
    assert len(bars) == 297
    assert BARS.index[7] not in bars.index


@settings(deadline=None, max_examples=40)
@given(
    prices=st.lists(st.floats(1e-8, 1e7, allow_nan=False), min_size=4, max_size=4),
    volume=st.floats(0, 1e15, allow_nan=False),
)
def test_numbers_survive_csv_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, prices: list[float], volume: float
) -> None:
    bars = BARS.iloc[:1].copy()
    bars.iloc[0] = [*prices, volume]
    path = vendors.plain(bars, tmp_path_factory.mktemp("round") / "bars.csv")
    pd.testing.assert_frame_equal(read(path), bars, check_exact=True, check_freq=False)


def test_of_two_volumes_the_one_in_the_base_coin_wins(tmp_path: Path) -> None:
    frame = BARS.reset_index().rename(columns={"volume": "Volume ETH"})
    frame.insert(1, "Volume USDT", 1.0)
    frame.insert(1, "volume", 2.0)
    path = vendors.csv(frame, tmp_path / "bars.csv")
    assert read(path, Symbol("ETH", "USD"))["volume"].equals(BARS["volume"])


def test_ticks_stand_for_volume_only_where_that_is_missing_or_zero_throughout(tmp_path: Path) -> None:
    ticks = BARS.reset_index().assign(**{"<TICKVOL>": BARS["volume"].to_numpy() * 3})
    beside = read(vendors.csv(ticks, tmp_path / "bars.csv"))
    zero = read(vendors.csv(ticks.assign(volume=0), tmp_path / "bars.csv"))
    alone = read(vendors.csv(ticks.drop(columns="volume"), tmp_path / "bars.csv"))
    assert beside["volume"].equals(BARS["volume"])
    assert zero["volume"].equals(BARS["volume"] * 3)
    assert alone["volume"].equals(BARS["volume"] * 3)


@pytest.mark.parametrize("other", ["close", "Close", "<CLOSE>", " close "])
def test_two_columns_of_one_name_are_refused_naming_both(tmp_path: Path, other: str) -> None:
    text = vendors.plain(BARS, tmp_path / "bars.csv").read_text().splitlines()
    doubled = [f"{text[0]},{other}", *(f"{line},1.0" for line in text[1:])]
    refuse(write(tmp_path / "bars.csv", "\n".join(doubled)), "two columns for close: 'close' and ")


def test_two_columns_of_one_name_in_parquet_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bars"
    BARS.assign(Close=BARS["close"]).to_parquet(path)
    refuse(path, "two columns for close: 'close' and 'Close'")


def test_two_columns_of_one_meaning_must_hold_the_same(tmp_path: Path) -> None:
    same = vendors.csv(BARS.reset_index().assign(last=BARS["close"].to_numpy()), tmp_path / "same.csv")
    assert read(same)["close"].equals(BARS["close"])
    other = vendors.csv(BARS.reset_index().assign(last=BARS["close"].to_numpy() * 2), tmp_path / "other.csv")
    refuse(other, "'close' and 'last' mean the same")


def test_columns_that_no_bar_is_read_from_may_repeat(tmp_path: Path) -> None:
    text = vendors.plain(BARS, tmp_path / "bars.csv").read_text().splitlines()
    doubled = [f"{text[0]},note,note", *(f"{line},a,b" for line in text[1:])]
    assert len(read(write(tmp_path / "bars.csv", "\n".join(doubled) + "\n"))) == len(BARS)


# ---- what is no file of bars ------------------------------------------------------------------------------------


def test_a_missing_path_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"gone\.csv could not be read"):
        read(tmp_path / "gone.csv")
    with pytest.raises(StorageError, match="is a folder"):
        read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"   "])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes(content)
    refuse(path, "is empty")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00", "neither Parquet nor"),
        (b"text\x00with,a,zero,byte,in,it", "neither Parquet nor text"),
        (b"just some words\nand more", "no line has at least five fields; it begins with 'just some words'"),
        (b"PAR1 and then nothing", "no readable Parquet"),
        (b"\x1f\x8b\x08 and then nothing", "can't be unpacked"),
        (b"PK\x03\x04 and then nothing", "can't be unpacked"),
        (b"1,2,3,4,5\n1,2,3,4,5", "no header and 5 columns"),
        (b"open,high,low,close,volume,what", "no column for time; found open, high"),
        (b"timestamp,open,high,low,close\n1,1,1,1,1", "no column for volume; found timestamp"),
        (b"p,q,r,s,x,y\na,b,c,d,e,f", "no column for time, open, high, low, close, volume; found p, q"),
        (b"timestamp,open,high,low,close,volume", "no rows"),
    ],
)
def test_what_is_no_table_of_bars_says_what_was_found(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes(content)
    refuse(path, said)


@pytest.mark.parametrize("spell", [vendors.parquet_column, vendors.gzipped, vendors.binance_dump_zip])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_binary_file_cut_off_anywhere_is_refused(tmp_path: Path, spell: vendors.Writer, share: float) -> None:
    path = spell(BARS, tmp_path / "bars")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    refuse(path, "cut off")


def test_a_csv_cut_off_inside_a_row_is_refused_naming_the_row(tmp_path: Path) -> None:
    path = vendors.plain(BARS, tmp_path / "bars.csv")
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:50]) + "\n" + ",".join(lines[50].split(",")[:4]))
    message = refuse(path, "no value in 1 data row, first 50")
    assert "cut off" in message


def test_a_row_with_too_many_fields_is_refused(tmp_path: Path) -> None:
    path = vendors.plain(BARS, tmp_path / "bars.csv")
    path.write_text(path.read_text() + "2024-02-01T00:00:00Z,1,1,1,1,1,1,1,1\n")
    refuse(path, "line 302")


@pytest.mark.parametrize("row", [1, 150, 300])
@pytest.mark.parametrize("head", ["", "# by hand\n\n"], ids=["bare", "after a comment"])
def test_no_field_beyond_the_header_is_dropped(tmp_path: Path, row: int, head: str) -> None:
    lines = vendors.plain(BARS, tmp_path / "bars.csv").read_text().splitlines()
    lines[row:] = [f"{line},9.5" for line in lines[row:]]
    said = f"line {row + 1 + head.count(chr(10))} has 7 fields where the first has 6"
    refuse(write(tmp_path / "bars.csv", head + "\n".join(lines) + "\n"), said)


def test_a_separator_at_the_end_of_every_row_is_no_field(tmp_path: Path) -> None:
    lines = vendors.plain(BARS, tmp_path / "bars.csv").read_text().splitlines()
    path = write(tmp_path / "bars.csv", "\n".join([lines[0], *(f"{line}," for line in lines[1:])]) + "\n")
    pd.testing.assert_frame_equal(read(path), BARS, check_exact=True, check_freq=False)


@pytest.mark.parametrize(
    "spell",
    [vendors.parquet_column, vendors.parquet_index, vendors.gzipped, vendors.binance_dump_zip],
    ids=lambda writer: writer.__name__,
)
def test_a_binary_file_with_a_flipped_bit_is_read_or_refused_with_a_reason(
    tmp_path: Path, spell: vendors.Writer
) -> None:
    path = spell(BARS.iloc[:40], tmp_path / "bars")
    data, draw = path.read_bytes(), np.random.default_rng(5)
    refused = 0
    for place in draw.integers(4, len(data), 150):
        spoilt = bytearray(data)
        spoilt[place] ^= 1 << int(draw.integers(8))
        path.write_bytes(spoilt)
        try:
            read(path)
        except DataValidationError as error:
            refused += bool(error.message and error.remedy)
    assert refused > 0


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("flag_bits", 1, "encrypted"), ("compress_type", 98, "compression method")],
)
def test_a_zip_that_only_another_program_can_unpack_says_so(tmp_path: Path, field: str, value: int, said: str) -> None:
    path = vendors.binance_dump_zip(BARS, tmp_path / "bars.zip")
    data = bytearray(path.read_bytes())
    central = data.rfind(b"PK\x01\x02")
    for header in (6, central + 8) if field == "flag_bits" else (8, central + 10):
        data[header] = value
    path.write_bytes(data)
    assert "Unpack it" in refuse(path, said)


@pytest.mark.parametrize("column", ["open", "close", "volume", "timestamp"])
@pytest.mark.parametrize("spell", [vendors.plain, vendors.parquet_column], ids=lambda writer: writer.__name__)
def test_missing_values_are_refused_naming_the_first_rows(tmp_path: Path, spell: vendors.Writer, column: str) -> None:
    frame = BARS.reset_index()
    frame.loc[[4, 9, 10, 11], column] = None
    path = tmp_path / "bars"
    if spell is vendors.parquet_column:
        frame.to_parquet(path)
    else:
        vendors.csv(frame, path)
    refuse(path, rf"'{column}'.*4 data rows, first 5, 10, 11")


@pytest.mark.parametrize("text", ["n/a?", "1,234.5", "12 USD", "--", "1_00", "True"])
def test_text_among_numbers_is_refused_naming_it(tmp_path: Path, text: str) -> None:
    frame = BARS.reset_index().astype({"close": object})
    frame.loc[3, "close"] = text
    message = refuse(vendors.csv(frame, tmp_path / "bars.csv"), "must hold numbers; 1 data row, first 4")
    assert text in message


@pytest.mark.parametrize("value", [True, np.False_, pd.Timestamp("2024-01-01")])
def test_truth_values_and_times_are_no_numbers(tmp_path: Path, value: Any) -> None:
    BARS.reset_index().assign(close=[value] * len(BARS)).to_parquet(tmp_path / "bars")
    refuse(tmp_path / "bars", "'close' must hold numbers; 300 data rows, first 1, 2, 3")


@pytest.mark.parametrize("cell", ["29.100", "7.5", "-.5", "1.5e3"])
def test_a_point_among_decimal_commas_is_refused_naming_cell_and_line(tmp_path: Path, cell: str) -> None:
    lines = vendors.european_spreadsheet(BARS, tmp_path / "bars.csv").read_text("utf-8-sig").splitlines()
    lines[7] = ";".join([lines[7].split(";")[0], cell, *lines[7].split(";")[2:]])
    refuse(write(tmp_path / "bars.csv", "\n".join(lines) + "\n"), f"point of '{cell}' in line 8 may")


def test_dates_with_points_go_with_decimal_commas(tmp_path: Path) -> None:
    out = vendors.table(BARS, vendors.iso(BARS, "%Y.%m.%d %H:%M"), "Date,Open,High,Low,Close,Volume")
    path = vendors.csv(out, tmp_path / "bars.csv", sep=";", decimal=",")
    pd.testing.assert_frame_equal(read(path), BARS, check_exact=True, check_freq=False)


def test_exports_that_overlap_may_be_put_together(tmp_path: Path) -> None:
    path = vendors.plain(pd.concat([BARS.iloc[:100], BARS.iloc[90:]]), tmp_path / "bars.csv")
    pd.testing.assert_frame_equal(read(path), BARS, check_exact=True, check_freq=False)


# ---- rows and times ---------------------------------------------------------------------------------------------


def test_rows_in_no_order_are_refused_naming_the_first_break(tmp_path: Path) -> None:
    shuffled = BARS.iloc[[0, 1, 2, 5, 4, 3, 6, 7, 8, 9, 10]]
    refuse(vendors.plain(shuffled, tmp_path / "bars.csv"), "the order breaks at 2 rows, first 2024-01-01T04:00Z")


def test_an_hour_with_two_different_bars_is_refused(tmp_path: Path) -> None:
    doubled = pd.concat([BARS, BARS.iloc[[7]] * 2]).sort_index(kind="stable")
    refuse(vendors.plain(doubled, tmp_path / "bars.csv"), "two different bars: 2 rows, first 2024-01-01T07:00Z")


@pytest.mark.parametrize(
    ("rule", "said"),
    [("1D", "one day apart"), ("1min", "1 minutes apart"), ("4h", "4 hours apart"), ("7D", "7 days apart")],
)
def test_bars_that_are_not_hourly_are_refused_naming_their_spacing(tmp_path: Path, rule: str, said: str) -> None:
    index = pd.date_range("2024-01-01", periods=len(BARS), freq=rule, tz="UTC", name="timestamp")
    refuse(vendors.plain(BARS.set_index(index), tmp_path / "bars.csv"), said)


@pytest.mark.parametrize(("hours", "n"), [(2, 15), (4, 20), (4, 8), (24, 3), (168, 3)])
def test_a_stretch_of_longer_bars_among_hourly_ones_is_refused_naming_where_it_begins(
    tmp_path: Path, hours: int, n: int
) -> None:
    steps = np.concatenate([np.ones(29), np.full(n, hours), np.ones(270 - n)]).cumsum()
    index = pd.DatetimeIndex(BARS.index[0] + np.append(0, steps) * HOUR, name="timestamp")
    said = f"{n} steps of .* follow 1 row, first 2024-01-02T05:00Z"
    refuse(vendors.plain(BARS.set_index(index), tmp_path / "bars.csv"), said)


def test_gaps_of_any_length_and_hours_without_trades_are_no_other_interval(tmp_path: Path) -> None:
    long_gaps = BARS.set_index(
        pd.DatetimeIndex(BARS.index + np.arange(len(BARS)) // 50 * 1_000 * HOUR, name="timestamp")
    )
    two_equal = without_rows(BARS, *range(10, 40), *range(41, 71))
    market = random_bars(20_000, seed=3)
    thin = market[np.random.default_rng(1).random(len(market)) < 0.55]
    for bars in (long_gaps, two_equal, thin):
        path = vendors.plain(bars, tmp_path / "bars.csv")
        pd.testing.assert_frame_equal(read(path), bars, check_exact=True, check_freq=False)


def test_hours_that_do_not_begin_on_the_hour_are_refused(tmp_path: Path) -> None:
    moved = BARS.set_index(pd.DatetimeIndex(BARS.index + pd.Timedelta(minutes=30), name="timestamp"))
    refuse(vendors.plain(moved, tmp_path / "bars.csv"), "whole hour.*300 rows")


@pytest.mark.parametrize("other", ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S+02:00"], ids=["naive", "offset"])
def test_mixed_time_zones_are_refused_naming_them(tmp_path: Path, other: str) -> None:
    stamps = vendors.iso(BARS.iloc[:100], other).append(vendors.iso(BARS.iloc[100:], "%Y-%m-%dT%H:%M:%SZ"))
    path = vendors.csv(vendors.table(BARS, stamps, "time,open,high,low,close,volume"), tmp_path / "bars.csv")
    message = refuse(path, r"mixes time zones: \+00:00 \(200 rows\)")
    assert "Write all times in UTC" in message


@pytest.mark.parametrize(
    ("stamp", "said"),
    [
        ("soon", "ISO 8601 times or epochs"),
        ("31/01/2024 05:00", "ISO 8601 times or epochs"),
        ("20240131", "epochs in s, ms, µs or ns between 2009 and 2100"),
        ("12", "between 2009 and 2100"),
        ("99999999999999999999999", "between 2009 and 2100"),
        ("1890-01-01T00:00:00Z", "between 2009 and 2100"),
    ],
)
def test_times_that_cannot_be_read_for_certain_are_refused(tmp_path: Path, stamp: str, said: str) -> None:
    path = write(tmp_path / "bars.csv", f"time,open,high,low,close,volume\n{stamp},1,1,1,1,1\n")
    assert stamp in refuse(path, said)


def test_one_unreadable_time_among_good_ones_is_named(tmp_path: Path) -> None:
    lines = vendors.iso_with_offset(BARS, tmp_path / "bars.csv").read_text().splitlines()
    lines[8] = "yesterday:" + lines[8][10:]
    refuse(write(tmp_path / "bars.csv", "\n".join(lines)), "1 data row, first 8|mixes time zones")


# ---- symbols ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["BTC/USD", "btc-usd", "BTCUSDT", "BTC_USDC", "BTC"])
def test_a_symbol_column_in_any_spelling_of_the_pair_is_accepted(tmp_path: Path, spelling: str) -> None:
    path = vendors.csv(BARS.reset_index().assign(symbol=spelling), tmp_path / "bars.csv")
    assert len(read(path)) == len(BARS)


def test_dollars_themselves_go_before_stablecoins(tmp_path: Path) -> None:
    both = pd.concat([(BARS * 2).assign(pair="BTCUSDT"), BARS.assign(pair="BTCUSD")])
    bars = read(vendors.csv(both.reset_index(), tmp_path / "bars.csv"))
    pd.testing.assert_frame_equal(bars, BARS, check_freq=False)


@pytest.mark.parametrize("spelling", ["ETH/USD", "BTC/EUR", "WBTCUSD"])
def test_another_symbol_is_refused_naming_what_the_file_holds(tmp_path: Path, spelling: str) -> None:
    path = vendors.csv(BARS.reset_index().assign(symbol=spelling), tmp_path / "bars.csv")
    with pytest.raises(UnknownSymbolError, match=rf"holds bars of {spelling}, not of BTC/USD"):
        read(path)


def test_a_quote_that_is_not_dollars_has_no_stand_in(tmp_path: Path) -> None:
    path = vendors.csv(BARS.reset_index().assign(symbol="BTCUSDT"), tmp_path / "bars.csv")
    with pytest.raises(UnknownSymbolError):
        read(path, Symbol("BTC", "EUR"))


# ---- ingest of a file -------------------------------------------------------------------------------------------


def test_a_file_that_grows_is_appended_and_one_that_changed_is_refused(tmp_path: Path) -> None:
    path, store = tmp_path / "bars.csv", BarStore(tmp_path / "data")
    source = FileSource(vendors.plain(BARS.iloc[:200], path))
    assert update_bars(source, store, BTC, FIRST, LAST).n_new == 200
    vendors.crypto_data_download(BARS, path)
    assert update_bars(source, store, BTC, FIRST, LAST).n_new == 100
    vendors.plain(BARS * 2, path)
    with pytest.raises(DataValidationError, match="contradicts the stored bars"):
        update_bars(source, store, BTC, FIRST, LAST)
    assert len(update_bars(FileSource(vendors.plain(BARS, path)), store, BTC, FIRST, LAST).bars) == 300


def test_the_file_of_another_span_and_one_with_rows_taken_out_are_refused(tmp_path: Path) -> None:
    path, store = tmp_path / "bars.csv", BarStore(tmp_path / "data")
    source = FileSource(vendors.plain(BARS.iloc[:200], path))
    update_bars(source, store, BTC, FIRST, LAST)
    for other in (BARS.iloc[200:], BARS.iloc[50:], without_rows(BARS, 7)):
        vendors.plain(other, path)
        with pytest.raises(DataValidationError, match="contradicts the stored bars") as caught:
            update_bars(source, store, BTC, FIRST, LAST)
        assert str(store.folder("file", BTC)) in caught.value.remedy


def test_an_invalid_row_of_a_file_is_refused_and_nothing_is_stored(tmp_path: Path) -> None:
    broken = BARS.copy()
    broken.iloc[50, 1] = broken.iloc[50, 2] / 2
    store = BarStore(tmp_path / "data")
    with pytest.raises(DataValidationError, match="2024-01-03T02:00Z"):
        update_bars(FileSource(vendors.plain(broken, tmp_path / "bars.csv")), store, BTC, FIRST, LAST)
    assert store.load("file", BTC) is None


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_table_of_anything_is_either_read_or_refused_with_a_reason(data: st.DataObject) -> None:
    cell = st.one_of(st.none(), st.text(max_size=5), st.floats(), st.integers(), st.just("2024-01-01T00:00:00Z"))
    columns = data.draw(st.lists(st.sampled_from(["time", "open", "high", "low", "close", "volume", "x"]), unique=True))
    n = data.draw(st.integers(0, 3))
    frame = pd.DataFrame(
        {name: np.array(data.draw(st.lists(cell, min_size=n, max_size=n)), object) for name in columns}
    )
    try:
        bars = table_to_bars(frame, BTC)
    except DataValidationError as error:
        explained = bool(error.message and error.remedy)
    else:
        explained = len(bars) <= n
    assert explained

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from algo_pipeline.common.errors import CorruptFileError, DataValidationError, StorageError
from algo_pipeline.common.storage import write_frame
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.ingest import Gap
from algo_pipeline.sources.store import BarStore, StoredBars
from algo_pipeline_tests.market import random_bars, without_rows

BTC = Symbol("BTC", "USD")
BARS = without_rows(random_bars(100, seed=3), 10, 11)
GAP = Gap(pd.Timestamp("2024-01-01T10:00Z"), pd.Timestamp("2024-01-01T11:00Z"))
STORED = StoredBars(BARS, "BTCUSDT", pd.Timestamp("2023-12-01", tz="UTC"), (GAP,))


@pytest.fixture
def store(tmp_path: Path) -> BarStore:
    return BarStore(tmp_path)


def test_what_is_saved_comes_back(store: BarStore) -> None:
    store.save("binance", BTC, STORED)
    loaded = store.load("binance", BTC)
    assert loaded is not None
    pd.testing.assert_frame_equal(loaded.bars, BARS, check_freq=False)
    assert (loaded.venue_symbol, loaded.asked_from, loaded.settled) == ("BTCUSDT", STORED.asked_from, (GAP,))
    assert loaded.gaps == (GAP,)


def test_paths_are_by_source_and_slug(store: BarStore, tmp_path: Path) -> None:
    store.save("binance", BTC, STORED)
    assert (tmp_path / "binance" / "BTC-USD" / "bars.parquet").is_file()
    record = json.loads((tmp_path / "binance" / "BTC-USD" / "_gaps.json").read_text())["content"]
    assert record["gaps"] == [{"start": GAP.start.isoformat(), "end": GAP.end.isoformat(), "bars": 2, "settled": True}]
    assert (record["source"], record["symbol"], record["venue_symbol"]) == ("binance", "BTC/USD", "BTCUSDT")


def test_sources_and_symbols_do_not_see_each_other(store: BarStore) -> None:
    store.save("binance", BTC, STORED)
    assert store.load("alpaca", BTC) is None
    assert store.load("binance", Symbol("ETH", "USD")) is None


def test_a_folder_moved_to_another_source_is_refused(store: BarStore, tmp_path: Path) -> None:
    store.save("binance", BTC, STORED)
    (tmp_path / "alpaca").mkdir()
    (tmp_path / "binance" / "BTC-USD").rename(tmp_path / "alpaca" / "BTC-USD")
    with pytest.raises(StorageError, match="from binance, not of BTC/USD from alpaca"):
        store.load("alpaca", BTC)


def test_invalid_bars_are_never_written(store: BarStore) -> None:
    store.save("binance", BTC, STORED)
    with pytest.raises(DataValidationError):
        store.save("binance", BTC, StoredBars(BARS * -1, "BTCUSDT"))
    loaded = store.load("binance", BTC)
    assert loaded is not None
    pd.testing.assert_frame_equal(loaded.bars, BARS, check_freq=False)


@pytest.mark.parametrize("keep", [0, 1, 100, -1])
def test_a_damaged_file_is_named_with_the_way_out(store: BarStore, tmp_path: Path, keep: int) -> None:
    store.save("binance", BTC, STORED)
    path = tmp_path / "binance" / "BTC-USD" / "bars.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CorruptFileError, match=r"bars\.parquet") as caught:
        store.load("binance", BTC)
    assert "Remove" in caught.value.remedy


def test_a_well_formed_file_of_invalid_bars_is_refused(store: BarStore, tmp_path: Path) -> None:
    write_frame(tmp_path / "binance" / "BTC-USD" / "bars.parquet", BARS * -1)
    with pytest.raises(CorruptFileError, match="invalid bars"):
        store.load("binance", BTC)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"sha256": "0", "content": {}}'])
def test_a_damaged_record_is_an_error(store: BarStore, tmp_path: Path, text: str) -> None:
    store.save("binance", BTC, STORED)
    (tmp_path / "binance" / "BTC-USD" / "_gaps.json").write_text(text)
    with pytest.raises(CorruptFileError, match=r"_gaps\.json"):
        store.load("binance", BTC)


_WRITER = """
import itertools, sys
from pathlib import Path
from algo_pipeline.common.types import Symbol
from algo_pipeline.sources.store import BarStore, StoredBars
from algo_pipeline_tests.market import random_bars
store, bars = BarStore(Path(sys.argv[1])), random_bars(3000)
print("ready", flush=True)
for n in itertools.cycle(range(1000, 3000, 100)):
    store.save("binance", Symbol("BTC", "USD"), StoredBars(bars.iloc[:n], "BTCUSDT"))
    print(n, flush=True)
"""


def test_a_killed_writer_leaves_a_readable_store(store: BarStore, tmp_path: Path) -> None:
    bars = random_bars(3000)
    for kill_after in (1, 2, 4):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for _ in range(1 + kill_after):
            writer.stdout.readline()
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        loaded = store.load("binance", BTC)
        assert loaded is not None
        pd.testing.assert_frame_equal(loaded.bars, bars.iloc[: len(loaded.bars)], check_freq=False)

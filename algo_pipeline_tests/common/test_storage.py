from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common import storage
from algo_pipeline.common.errors import CorruptFileError, StorageError
from algo_pipeline_tests.market import random_bars


def test_a_frame_survives_the_round_trip_and_its_hash_is_the_contents(tmp_path: Path) -> None:
    bars = random_bars(50)
    digest = storage.write_frame(tmp_path / "a" / "bars.parquet", bars)
    loaded = storage.read_frame(tmp_path / "a" / "bars.parquet")
    pd.testing.assert_frame_equal(loaded, bars, check_freq=False)
    assert digest == storage.frame_hash(loaded)


def test_a_write_that_fails_midway_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    storage.write_text(path, "old")

    def fail(file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        storage.atomic_write(path, fail)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def test_every_truncation_of_a_frames_file_is_detected(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    storage.write_frame(path, random_bars(10))
    whole = path.read_bytes()
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CorruptFileError, match=r"bars\.parquet"):
            storage.read_frame(path)


def test_a_foreign_or_altered_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    random_bars(5).to_parquet(path)
    with pytest.raises(CorruptFileError, match="checksum"):
        storage.read_frame(path)


def test_a_missing_file_is_a_storage_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nothing\.parquet"):
        storage.read_frame(tmp_path / "nothing.parquet")


@pytest.mark.parametrize("blocker", ["file-in-the-way"])
def test_an_unwritable_folder_says_what_to_do(tmp_path: Path, blocker: str) -> None:
    (tmp_path / blocker).write_text("")
    with pytest.raises(StorageError, match="ALGO_TRADER_ARTIFACTS_DIR"):
        storage.write_text(tmp_path / blocker / "x.txt", "x")


def test_checked_json_detects_a_changed_value(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    storage.write_checked_json(path, {"equity": 1.5, "symbols": ["BTC/USD"]})
    assert storage.read_checked_json(path) == {"equity": 1.5, "symbols": ["BTC/USD"]}
    path.write_text(path.read_text().replace("1.5", "2.5"))
    with pytest.raises(CorruptFileError, match="checksum"):
        storage.read_checked_json(path)


def test_json_has_no_nan_and_keeps_exact_floats(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    storage.write_json(path, {"nan": float("nan"), "inf": np.inf, "x": 0.1 + 0.2, "n": np.int64(3)})
    assert json.loads(path.read_text()) == {"nan": None, "inf": None, "x": 0.1 + 0.2, "n": 3}


@pytest.mark.parametrize("change", ["value", "name", "row", "index", "order"])
def test_a_frames_hash_changes_with_anything_that_matters(change: str) -> None:
    bars = random_bars(4)
    other = bars.copy()
    if change == "value":
        other.iloc[2, 3] = np.nextafter(other.iloc[2, 3], np.inf)
    elif change == "name":
        other = other.rename(columns={"close": "last"})
    elif change == "row":
        other = other.iloc[:-1]
    elif change == "index":
        other.index = other.index + pd.Timedelta(hours=1)
    else:
        other = other[["high", "open", "low", "close", "volume"]]
    assert storage.frame_hash(other) != storage.frame_hash(bars)


def test_a_frames_hash_ignores_the_memory_layout_and_the_unit_of_its_index() -> None:
    bars = random_bars(4)
    other = pd.DataFrame(np.asfortranarray(bars.to_numpy()), index=bars.index.as_unit("us"), columns=bars.columns)
    assert storage.frame_hash(other) == storage.frame_hash(bars)


def test_written_files_are_readable_by_others(tmp_path: Path) -> None:
    storage.write_text(tmp_path / "x", "x")
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o644

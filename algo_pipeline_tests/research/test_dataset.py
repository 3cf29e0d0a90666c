from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.errors import ConfigValueError, DataValidationError, InsufficientHistoryError
from algo_pipeline.common.storage import read_frame, write_frame
from algo_pipeline.data.features import FEATURE_NAMES, build_features
from algo_pipeline.data.labels import LABEL_NAMES, build_labels, label_spec
from algo_pipeline.research.dataset import Dataset, build_dataset
from algo_pipeline.research.splits import SplitRule, purge_violations, walk_forward
from algo_pipeline_tests.market import random_bars, without_rows
from algo_pipeline_tests.research.samples import planted_dataset

HOUR = label_spec("direction_1h")


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    return random_bars(3000, seed=1)


@pytest.fixture(scope="module")
def features(bars: pd.DataFrame) -> pd.DataFrame:
    return build_features(bars)


@pytest.fixture(scope="module")
def labels(bars: pd.DataFrame) -> pd.DataFrame:
    return build_labels(bars)


def test_it_keeps_exactly_the_bars_that_have_all_features_and_the_label(
    features: pd.DataFrame, labels: pd.DataFrame
) -> None:
    dataset = build_dataset(features, labels, HOUR)
    expected = features.index[features.notna().all(axis=1) & labels["direction_1h"].notna()]
    assert dataset.features.index.equals(expected)
    pd.testing.assert_frame_equal(dataset.features, features.loc[expected], check_freq=False)
    pd.testing.assert_series_equal(dataset.target, labels.loc[expected, "direction_1h"], check_freq=False)


def test_the_last_bars_wait_for_their_label(features: pd.DataFrame, labels: pd.DataFrame) -> None:
    for name in ("direction_1h", "direction_4h", "direction_24h", "triple_barrier_24h"):
        dataset = build_dataset(features, labels, label_spec(name))
        assert dataset.training_end == features.index[-1] + pd.Timedelta(hours=1)


def test_missing_hours_leave_rows_out_and_never_shorten_the_time_between_rows(bars: pd.DataFrame) -> None:
    gapped = without_rows(bars, 2000, 2001, 2500)
    dataset = build_dataset(build_features(gapped), build_labels(gapped), HOUR)
    steps = dataset.timestamps.to_series().diff().dropna() / pd.Timedelta(hours=1)
    assert steps.max() > 2
    assert (steps >= 1).all()
    plan = walk_forward(len(dataset), HOUR, SplitRule(n_folds=2, test_fraction=0.3))
    assert purge_violations(plan, dataset.timestamps) == ()


@pytest.mark.parametrize("name", [name for name in LABEL_NAMES if name.startswith("fwd_return")])
def test_a_label_that_is_not_binary_is_refused_with_the_ones_that_are(
    name: str, features: pd.DataFrame, labels: pd.DataFrame
) -> None:
    with pytest.raises(ConfigValueError, match=r"not binary.*direction_1h, direction_4h") as caught:
        build_dataset(features, labels, label_spec(name))
    assert name in str(caught.value)


def test_too_few_bars_say_how_many_are_needed() -> None:
    short = random_bars(100)
    with pytest.raises(InsufficientHistoryError, match=r"100 bars were given.*needs \d{3}"):
        build_dataset(build_features(short), build_labels(short), HOUR)


def test_features_in_another_order_are_refused(features: pd.DataFrame, labels: pd.DataFrame) -> None:
    with pytest.raises(DataValidationError, match="columns"):
        build_dataset(features[list(FEATURE_NAMES[::-1])], labels, HOUR)


def test_equal_content_has_an_equal_hash_and_any_change_another(features: pd.DataFrame, labels: pd.DataFrame) -> None:
    first = build_dataset(features, labels, HOUR)
    assert build_dataset(features.copy(), labels.copy(), HOUR).content_hash == first.content_hash

    nudged = features.copy()
    nudged.iloc[-10, 5] = np.nextafter(nudged.iloc[-10, 5], np.inf)
    flipped = labels.copy()
    flipped.iloc[-10, flipped.columns.get_loc("direction_1h")] = 1.0 - flipped.iloc[-10]["direction_1h"]
    others = [
        build_dataset(nudged, labels, HOUR),
        build_dataset(features, flipped, HOUR),
        build_dataset(features.iloc[:-5], labels, HOUR),
        build_dataset(features, labels, label_spec("direction_4h")),
    ]
    assert len({first.content_hash, *(other.content_hash for other in others)}) == 5


def test_columns_not_asked_for_do_not_change_the_hash(features: pd.DataFrame, labels: pd.DataFrame) -> None:
    other = labels.assign(direction_24h=np.nan)
    assert build_dataset(features, other, HOUR).content_hash == build_dataset(features, labels, HOUR).content_hash


def test_it_survives_a_round_trip_through_parquet(tmp_path: Path) -> None:
    dataset = planted_dataset(300)
    write_frame(tmp_path / "dataset.parquet", dataset.to_frame())
    again = Dataset.from_frame(read_frame(tmp_path / "dataset.parquet"), HOUR)
    assert again.content_hash == dataset.content_hash
    pd.testing.assert_frame_equal(again.features, dataset.features, check_freq=False)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda frame: frame.iloc[::-1], "ascending"),
        (lambda frame: frame.tz_localize(None), "UTC"),
        (lambda frame: frame.assign(direction_1h=0.5), "other than 0 and 1"),
        (lambda frame: frame.assign(**{FEATURE_NAMES[3]: np.nan}), "missing or infinite"),
    ],
    ids=["reversed", "naive", "not binary", "NaN"],
)
def test_a_frame_that_is_no_dataset_is_refused(spoil: object, problem: str) -> None:
    frame = spoil(planted_dataset(50).to_frame())  # type: ignore[operator]
    with pytest.raises(DataValidationError, match=problem):
        Dataset.from_frame(frame, HOUR)


def test_the_matrix_is_contiguous_and_shares_the_frames_memory() -> None:
    dataset = planted_dataset(50)
    matrix = dataset.matrix()
    assert matrix.flags.c_contiguous
    assert np.shares_memory(matrix, dataset.features.to_numpy())


def test_on_real_bars_every_hour_between_warm_up_and_the_last_label_is_there(real_bars: object) -> None:
    frame = real_bars("BTCUSDT")  # type: ignore[operator]
    dataset = build_dataset(build_features(frame), build_labels(frame), HOUR)
    hours = (dataset.last_bar - dataset.first_bar) / pd.Timedelta(hours=1)
    assert len(dataset) == hours + 1
    assert 0.45 < dataset.target.mean() < 0.55

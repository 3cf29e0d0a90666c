"""A logged training made again is equal, and whatever was changed is named."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from algo_pipeline.backtest.reproduction import Likeness, Reproduction
from algo_pipeline.common.errors import CorruptFileError, RegistryError, StorageError
from algo_pipeline.registry.logged_run import (
    FINGERPRINTS_FILE,
    LINEAGE_FILE,
    PREDICTIONS_FILE,
    RECIPE_FILE,
    REPORT_FILE,
    LoggedRun,
)
from algo_pipeline.registry.reproduce import reproduce
from algo_pipeline_tests.registry.logged import logged_training, some_bars, with_file, with_parameters


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    return some_bars()


@pytest.fixture(scope="module")
def run(bars: pd.DataFrame) -> LoggedRun:
    return logged_training(bars)


def likeness(result: Reproduction) -> dict[str, str]:
    return {stage.name: stage.likeness.value for stage in result.stages}


def stage(result: Reproduction, name: str):
    return next(stage for stage in result.stages if stage.name == name)


def test_a_training_made_again_is_equal_in_every_stage_though_the_store_has_grown(run, bars):
    later = bars.tail(50).set_axis(bars.tail(50).index + pd.Timedelta(hours=50))
    result = reproduce(run, pd.concat([bars, later]))
    assert likeness(result) == dict.fromkeys(
        ["bars", "dataset", "parameters", "predictions", "scores", "report"], "equal"
    )
    assert result.is_equal
    assert result.first_difference is None
    assert result.environment_changes == ()


def test_trees_are_made_again_to_the_bit(bars):
    short = bars.head(2_400)
    assert reproduce(logged_training(short, "boosting"), short).is_equal


def test_a_changed_bar_is_named_by_its_hour_and_everything_after_it_differs(run, bars):
    changed = bars.copy()
    changed.loc[bars.index[700], "close"] = bars["high"].iloc[700]
    result = reproduce(run, changed)
    assert result.first_difference.name == "bars"
    assert f"1 changed ({bars.index[700]:%Y-%m-%d %H:%M})" in result.first_difference.detail
    assert likeness(result)["predictions"] == "different"
    assert 0.0 < stage(result, "predictions").max_difference < 1.0


def test_bars_that_are_gone_or_new_are_told_apart(bars):
    gap = bars.drop(bars.index[[900, 901]])
    result = reproduce(logged_training(gap), bars.drop(bars.index[50]))
    detail = stage(result, "bars").detail
    assert f"1 gone ({bars.index[50]:%Y-%m-%d %H:%M})" in detail
    assert f"2 new ({bars.index[900]:%Y-%m-%d %H:%M}, {bars.index[901]:%Y-%m-%d %H:%M})" in detail
    assert "columns" in stage(result, "dataset").detail


def test_a_changed_probability_is_named_by_row_and_size(run, bars):
    lines = run.files[PREDICTIONS_FILE].decode().splitlines()
    time, probability, *rest = lines[10].split(",")
    lines[10] = ",".join([time, repr(float(probability) + 0.25), *rest])
    result = reproduce(with_file(run, PREDICTIONS_FILE, "\n".join(lines).encode()), bars)
    found = stage(result, "predictions")
    assert (found.likeness, found.n_different) == (Likeness.DIFFERENT, 1)
    assert found.max_difference == pytest.approx(0.25)
    assert time[:10] in found.detail


def test_a_changed_report_is_caught_by_its_tag_and_without_one_by_the_figure(run, bars):
    report = json.loads(run.files[REPORT_FILE])
    report["metrics"]["strategy"]["sharpe"] = 9.0
    changed = with_file(run, REPORT_FILE, json.dumps(report).encode())
    assert stage(reproduce(changed, bars), "report").likeness is Likeness.DIFFERENT
    untagged = LoggedRun(run.run_id, run.parameters, {}, changed.files)
    found = stage(reproduce(untagged, bars), "report")
    assert found.n_different == 1
    assert "metrics.strategy.sharpe: 9.0 then" in found.detail


def test_a_recorded_hash_of_parameters_that_is_another_models_is_found(run, bars):
    document = json.loads(run.files[LINEAGE_FILE])
    document["parameters_hash"] = "0" * 64
    document["environment"]["numpy"] = "1.0"
    from algo_pipeline.common.storage import json_hash

    forged = with_parameters(
        with_file(run, LINEAGE_FILE, json.dumps(document).encode()), {"lineage_hash": json_hash(document)}
    )
    result = reproduce(forged, bars)
    assert result.first_difference.name == "parameters"
    assert any(change.startswith("numpy 1.0 then") for change in result.environment_changes)


def test_an_older_run_without_lineage_is_compared_as_far_as_it_was_recorded(run, bars):
    older = with_parameters(run, {"lineage_hash": None, "bars_hash": None})
    for path in (LINEAGE_FILE, FINGERPRINTS_FILE):
        older = with_file(older, path, None)
    result = reproduce(LoggedRun(older.run_id, older.parameters, {}, older.files), bars)
    assert result.is_equal
    assert result.unknown == ("bars", "parameters")
    assert likeness(result)["report"] == "equal"


@pytest.mark.parametrize("path", [LINEAGE_FILE, RECIPE_FILE])
def test_a_changed_lineage_or_recipe_is_refused_by_name(run, bars, path):
    document = json.loads(run.files[path])
    document["label"] = "direction_4h"
    with pytest.raises(CorruptFileError, match=path):
        reproduce(with_file(run, path, json.dumps(document).encode()), bars)


@pytest.mark.parametrize("path", [LINEAGE_FILE, RECIPE_FILE, PREDICTIONS_FILE])
def test_a_damaged_file_is_refused_by_name(run, bars, path):
    with pytest.raises(CorruptFileError, match=path):
        reproduce(with_file(run, path, b"\xff{"), bars)


def test_a_run_that_is_no_training_says_what_it_lacks(run, bars):
    with pytest.raises(RegistryError, match="does not record symbol, source"):
        reproduce(with_parameters(run, {"symbol": None, "source": None}), bars)


def test_bars_that_are_not_stored_any_more_are_asked_for(run, bars):
    with pytest.raises(StorageError, match="No stored bar of BTC/USD from simulated"):
        reproduce(run, bars.set_axis(bars.index + pd.Timedelta(days=4000)))

"""Each blocking check fails when its data is broken, and what depends on that data is not made."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.storage import read_checked_json, read_frame, write_frame
from algo_pipeline.common.types import Symbol
from algo_pipeline.data import features as data_features
from algo_pipeline.data.features import build_features
from algo_pipeline.definitions import build_definitions
from algo_pipeline.defs import dataset, feature_engineering, ingestion, reporting, training
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.defs.runs import RunOutcome, Scope, run_research
from algo_pipeline.research.splits import Fold, SplitPlan
from algo_pipeline_tests.workshop import UNTIL, Workshop, fingerprints

_BTC = Symbol("BTC", "USD")


@pytest.fixture(scope="module")
def bars(materialized: Workshop) -> pd.DataFrame:
    return read_frame(materialized.artifacts / "data" / "simulated" / "BTC-USD" / "bars.parquet")


@pytest.fixture(scope="module")
def features(materialized: Workshop) -> pd.DataFrame:
    return read_frame(materialized.research("features", "parquet"))


@pytest.fixture(scope="module")
def plan(materialized: Workshop) -> SplitPlan:
    return SplitPlan.from_json(read_checked_json(materialized.research("splits", "json")))


@pytest.fixture(scope="module")
def rows(materialized: Workshop) -> pd.DataFrame:
    return read_frame(materialized.research("dataset", "parquet"))


@pytest.fixture(scope="module")
def oos(materialized: Workshop) -> pd.DataFrame:
    return read_frame(materialized.research("oos_probabilities", "parquet"))


def _with(frame: pd.DataFrame, column: str, position: int, value: float) -> pd.DataFrame:
    changed = frame.copy()
    changed.iloc[position, changed.columns.get_loc(column)] = value
    return changed


def _passed(result: Any) -> bool:
    assert isinstance(result, dg.AssetCheckResult)
    return bool(result.passed)


def test_valid_bars_pass_and_each_kind_of_invalid_ones_fails(bars: pd.DataFrame) -> None:
    check = ingestion.bars_are_valid_and_on_the_hour
    assert _passed(check(bars))
    for broken in (
        _with(bars, "low", 10, -1.0),
        _with(bars, "high", 10, 0.001),
        _with(bars, "close", 10, np.nan),
        _with(bars, "volume", 10, -1.0),
        bars.iloc[[0, 2, 1]],
        bars.set_axis(bars.index + pd.Timedelta(minutes=1)),
        bars.iloc[:0],
    ):
        assert not _passed(check(broken))


def test_features_missing_without_a_reason_fail(bars: pd.DataFrame, features: pd.DataFrame) -> None:
    check = feature_engineering.features_are_finite_after_warm_up
    assert _passed(check(Pipeline(), features, bars))
    assert not _passed(check(Pipeline(), _with(features, "rsi_14", 3_000, np.nan), bars))
    assert not _passed(check(Pipeline(), features.iloc[:-1], bars))


def test_missing_features_beside_a_gap_in_the_bars_are_explained(bars: pd.DataFrame) -> None:
    holed = bars.drop(bars.index[3_000:3_005])
    assert _passed(feature_engineering.features_are_finite_after_warm_up(Pipeline(), build_features(holed), holed))


def test_a_stored_feature_that_was_shifted_by_a_bar_fails(bars: pd.DataFrame, features: pd.DataFrame) -> None:
    check = feature_engineering.features_use_no_later_bar
    assert _passed(check(Pipeline(), features, bars))
    shifted = features.assign(log_return_1=features["log_return_1"].shift(-1))
    failed = check(Pipeline(), shifted, bars)
    assert not _passed(failed)
    assert "log_return_1" in (failed.description or "")  # type: ignore[union-attr]


def _off_by_one(plan: SplitPlan) -> SplitPlan:
    """The first fold's calibration rows reach one row too far into what its test block needs purged."""
    fold = plan.folds[0]
    wider = Fold(fold.base, slice(fold.calibration.start, fold.calibration.stop + 1), fold.test)
    return dataclasses.replace(plan, folds=(wider, *plan.folds[1:]))


def test_a_plan_that_is_off_by_one_row_fails(plan: SplitPlan, rows: pd.DataFrame) -> None:
    check = dataset.training_rows_end_before_what_they_are_tested_on
    assert _passed(check(plan, rows))
    assert not _passed(check(_off_by_one(plan), rows))
    assert not _passed(check(plan, rows.iloc[:-1]))


def test_altered_probabilities_fail(oos: pd.DataFrame, plan: SplitPlan, rows: pd.DataFrame) -> None:
    check = training.probabilities_cover_the_test_blocks_once
    assert _passed(check(oos, plan, rows))
    for broken in (
        _with(oos, "probability", 5, 1.0),
        _with(oos, "probability", 5, np.nan),
        _with(oos, "fold", 0, 1),
        oos.iloc[1:],
        pd.concat([oos, oos.iloc[-1:]]),
        oos.set_axis(oos.index + pd.Timedelta(hours=1)),
    ):
        assert not _passed(check(broken, plan, rows))


def _research(shop: Workshop) -> RunOutcome:
    with shop.active() as settings:
        (outcome,) = run_research(build_definitions(), settings, (_BTC,), Scope(until=UNTIL), quiet=True)
    return outcome


def _leaky(bars: pd.DataFrame) -> pd.DataFrame:
    frame = build_features(bars)
    known = frame["rsi_14"].notna()
    return frame.assign(rsi_14=frame["rsi_14"].shift(-1).fillna(50.0).where(known))


def _stopped(shop: Workshop, made: set[str]) -> RunOutcome:
    """Run, and see that of the stored assets only ``made`` were made anew, and nothing was reported or deployed."""
    before = fingerprints(shop.artifacts)
    outcome = _research(shop)
    after = fingerprints(shop.artifacts)
    changed = {name for name in after if after[name] != before.get(name)}
    kept = tuple(
        name for name in changed if name.startswith(("research/", "backtest/", "reports/", "live/", "registry/"))
    )
    assert {name.split("/")[2] for name in kept} <= made
    return outcome


def test_a_leaking_feature_stops_the_run_before_the_dataset(
    materialized: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_features, "build_features", _leaky)
    outcome = _stopped(materialized.copy(tmp_path / "work"), {"features"})
    assert outcome.error is not None
    assert outcome.error.code == "check_failed"
    assert "A check failed: features use no later bar: " in outcome.error.message


def test_a_plan_off_by_one_stops_the_run_before_the_model(
    materialized: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_folds = dataset.walk_forward
    monkeypatch.setattr(dataset, "walk_forward", lambda *arguments: _off_by_one(plan_folds(*arguments)))
    outcome = _stopped(materialized.copy(tmp_path / "work"), {"splits"})
    assert outcome.error is not None
    assert outcome.error.code == "check_failed"
    assert "A check failed: training rows end before what they are tested on: " in outcome.error.message


def test_altered_probabilities_stop_the_run_before_the_evaluation(
    materialized: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from algo_pipeline.research import train

    stitch = train.stitch_probabilities
    monkeypatch.setattr(train, "stitch_probabilities", lambda *given: _with(stitch(*given), "probability", 3, 1.0))
    outcome = _stopped(materialized.copy(tmp_path / "work"), {"model", "calibrator", "oos_probabilities"})
    assert outcome.error is not None
    assert outcome.error.code == "check_failed"


def test_books_that_do_not_balance_stop_the_run_before_the_promotion(
    materialized: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = materialized.copy(tmp_path / "work")
    shop = Workshop(shop.root, {**shop.environment, "ALGO_TRADER_CHALLENGER": "false"})
    ledger, bundle = shop.artifacts / "registry" / "promotions.jsonl", shop.artifacts / "live"
    before = (ledger.read_bytes(), fingerprints(bundle))
    monkeypatch.setattr(reporting, "identity_error", lambda *_: 1e-6)
    outcome = _research(shop)
    assert outcome.error is not None
    assert outcome.error.code == "check_failed"
    assert (ledger.read_bytes(), fingerprints(bundle)) == before


def test_stored_bars_with_a_negative_price_but_a_valid_checksum_are_refused(
    materialized: Workshop, tmp_path: Path, bars: pd.DataFrame
) -> None:
    shop = materialized.copy(tmp_path / "work")
    path = shop.artifacts / "data" / "simulated" / "BTC-USD" / "bars.parquet"
    write_frame(path, _with(bars, "low", 100, -1.0))
    outcome = _stopped(shop, set())
    assert outcome.error is not None
    assert outcome.error.code == "corrupt_file"
    assert str(path) in outcome.error.message

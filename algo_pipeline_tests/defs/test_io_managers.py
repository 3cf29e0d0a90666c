from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.errors import CorruptFileError, StorageError
from algo_pipeline.common.storage import write_checked_json
from algo_pipeline.data.labels import label_spec
from algo_pipeline.defs.io_managers import (
    Estimators,
    _read_estimators,
    _write_document,
    _write_estimators,
    read_document,
)
from algo_pipeline.defs.promotion import Promotion
from algo_pipeline.models.calibration import TRUSTED_TYPES
from algo_pipeline.registry.records import RegisteredVersion
from algo_pipeline.research.evaluate import Evaluation, evaluate
from algo_pipeline.research.splits import SplitPlan, SplitRule, walk_forward
from algo_pipeline_tests.models.samples import fitted, planted_rows
from algo_pipeline_tests.research.samples import calibrated_forecasts, forecast_frame
from algo_pipeline_tests.workshop import Workshop, workshop

_DOCUMENTS: dict[str, Any] = {
    "splits": walk_forward(3_000, label_spec("direction_4h"), SplitRule(n_folds=3, window_rows=900)),
    "evaluation": evaluate(calibrated_forecasts(600), 30),
    "undefined": evaluate(forecast_frame(np.full(300, 0.6), np.ones(300)), 20),
    "version": RegisteredVersion("algo-pipeline-BTC-USD-direction_1h", "12", "abc", "1"),
    "promotion": Promotion("12", None, False, False, "unchanged", "Δ −0.1 … “no”"),
}


def _same(left: Any, right: Any) -> bool:
    """Equal to the bit, NaN equal to NaN."""
    return repr(left) == repr(right)


@pytest.mark.parametrize("name", _DOCUMENTS)
def test_a_document_comes_back_as_it_was(tmp_path: Path, name: str) -> None:
    document = _DOCUMENTS[name]
    _write_document(tmp_path / "document.json", document)
    found = read_document(tmp_path / "document.json", type(document))
    assert type(found) is type(document)
    assert _same(found, document)


def test_an_undefined_score_stays_undefined(tmp_path: Path) -> None:
    undefined: Evaluation = _DOCUMENTS["undefined"]
    assert math.isnan(undefined.oos.auc)
    _write_document(tmp_path / "document.json", undefined)
    json.loads((tmp_path / "document.json").read_text(), parse_constant=pytest.fail)
    assert math.isnan(read_document(tmp_path / "document.json", Evaluation).oos.auc)


@pytest.mark.parametrize("name", _DOCUMENTS)
def test_a_document_with_an_altered_value_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "document.json"
    _write_document(path, _DOCUMENTS[name])
    text = path.read_text()
    position = max(position for position, sign in enumerate(text) if sign.isdigit())
    path.write_text(text[:position] + str((int(text[position]) + 1) % 10) + text[position + 1 :])
    with pytest.raises(CorruptFileError, match=r"document\.json"):
        read_document(path, type(_DOCUMENTS[name]))


@pytest.mark.parametrize("kind", [SplitPlan, Evaluation, RegisteredVersion, Promotion])
@pytest.mark.parametrize("content", [{}, [], None, {"folds": 3}, "text"])
def test_an_intact_file_that_holds_something_else_is_refused(tmp_path: Path, kind: type, content: Any) -> None:
    path = tmp_path / "document.json"
    write_checked_json(path, content)
    with pytest.raises(CorruptFileError) as caught:
        read_document(path, kind)
    assert str(path) in caught.value.message
    assert "materialize it again" in caught.value.remedy


def test_estimators_come_back_with_identical_probabilities(tmp_path: Path) -> None:
    items = (fitted("logistic", "platt"), fitted("logistic", "isotonic"))
    _write_estimators(tmp_path / "model.skops", Estimators(items, "r", "d"))
    found = _read_estimators(tmp_path / "model.skops", TRUSTED_TYPES)
    features, _ = planted_rows(60, seed=3)
    assert len(found.items) == 2
    for before, after in zip(items, found.items, strict=True):
        assert after.predict_proba(features).tobytes() == before.predict_proba(features).tobytes()
    assert found.production is found.items[-1]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.98])
def test_a_truncated_estimator_file_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "model.skops"
    _write_estimators(path, Estimators((fitted("logistic", "platt"),), "r", "d"))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CorruptFileError) as caught:
        _read_estimators(path, TRUSTED_TYPES)
    assert str(path) in caught.value.message
    assert str(path) in caught.value.remedy


def test_an_estimator_file_with_a_foreign_type_is_refused(tmp_path: Path) -> None:
    import skops.io

    (tmp_path / "model.skops").write_bytes(skops.io.dumps([SimpleNamespace(harm=1)]))
    with pytest.raises(CorruptFileError, match="SimpleNamespace"):
        _read_estimators(tmp_path / "model.skops", TRUSTED_TYPES)


def test_a_missing_file_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nothing"):
        read_document(tmp_path / "nothing.json", Promotion)
    with pytest.raises(StorageError, match="nothing"):
        _read_estimators(tmp_path / "nothing.skops", TRUSTED_TYPES)


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return workshop(tmp_path)


def _round_trip(shop: Workshop, value: Any, kind: Any, key: str) -> tuple[Any, Path]:
    """Through the real IO manager of an asset, in a run of its own."""
    from algo_pipeline.definitions import build_definitions
    from algo_pipeline.defs.partitions import SYMBOLS

    seen: list[Any] = []

    def produce() -> Any:
        return value

    def consume(thing: Any) -> None:
        seen.append(thing)

    produce.__annotations__["return"] = kind
    consume.__annotations__["thing"] = kind
    thing = dg.asset(name="thing", io_manager_key=key, partitions_def=SYMBOLS)(produce)
    reader = dg.asset(name="reader", io_manager_key="frame_io_manager", partitions_def=SYMBOLS, output_required=False)(
        _as_generator(consume)
    )
    with shop.active(), dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("symbols", ["BTC-USD"])
        dg.materialize(
            [thing, reader],
            partition_key="BTC-USD",
            instance=instance,
            resources=dict(build_definitions().resources or {}),
        )
    (path,) = (shop.artifacts / "research" / "simulated" / "thing").iterdir()
    return seen[0], path


def _as_generator(consume: Any) -> Any:
    def reader(thing: Any) -> Any:
        consume(thing)
        yield from ()

    reader.__annotations__["thing"] = consume.__annotations__["thing"]
    return reader


def test_a_frame_lies_under_its_source_and_slug_and_comes_back_to_the_bit(shop: Workshop) -> None:
    index = pd.date_range("2024-01-01", periods=4, freq="h", tz="UTC", name="timestamp", unit="ns")
    frame = pd.DataFrame({"a": [0.1 + 0.2, np.nan, -0.0, 1e-300], "fold": np.arange(4)}, index=index)
    found, path = _round_trip(shop, frame, pd.DataFrame, "frame_io_manager")
    assert path == shop.research("thing", "parquet")
    pd.testing.assert_frame_equal(found, frame, check_exact=True, check_freq=False)
    assert np.signbit(found["a"].iloc[2])


def test_an_input_that_was_never_made_fails_with_what_to_make_and_nothing_else(shop: Workshop) -> None:
    from algo_pipeline.definitions import build_definitions

    definitions = build_definitions()
    with shop.active(), dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("symbols", ["BTC-USD"])
        result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            asset_selection=[dg.AssetKey("evaluation")],
            partition_key="BTC-USD",
            instance=instance,
            raise_on_error=False,
        )
    (failed,) = [event for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
    told = failed.step_failure_data.user_failure_data
    assert told is not None
    assert str(told.description).startswith("oos_probabilities of BTC-USD can't be read: ")
    assert str(told.description).endswith("does not exist. Materialize oos_probabilities of BTC-USD first.")
    assert told.metadata["code"].value == "storage"


def test_a_document_is_read_as_what_the_consumers_annotation_says(shop: Workshop) -> None:
    found, path = _round_trip(shop, _DOCUMENTS["splits"], SplitPlan, "document_io_manager")
    assert path == shop.research("thing", "json")
    assert _same(found, _DOCUMENTS["splits"])

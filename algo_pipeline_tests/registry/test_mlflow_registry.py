from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.errors import CorruptFileError, RegistryError
from algo_pipeline.common.storage import json_hash
from algo_pipeline.data.features import FEATURE_NAMES
from algo_pipeline.models.calibration import TRUSTED_TYPES, CalibratedClassifier
from algo_pipeline.registry.mlflow_registry import CHALLENGER, CHAMPION, MlflowRegistry
from algo_pipeline.registry.model_card import experiment_note
from algo_pipeline.registry.notes import NOTE_TAG, describe_experiment
from algo_pipeline.registry.records import RegisteredVersion, TrainingRecord
from algo_pipeline_tests.models.samples import fitted, planted_rows
from algo_pipeline_tests.registry.samples import BTC, sample_record

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_NAME = "algo-pipeline-BTC-USD-direction_1h"


@dataclass(frozen=True)
class Store:
    """One SQLite store with a logistic version 1 and a boosting version 2."""

    folder: Path
    registry: MlflowRegistry
    client: MlflowClient
    estimators: tuple[CalibratedClassifier, CalibratedClassifier]
    records: tuple[TrainingRecord, TrainingRecord]
    versions: tuple[RegisteredVersion, RegisteredVersion]

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    def run(self, number: int = 0) -> Run:
        return self.client.get_run(self.versions[number].run_id)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    import mlflow

    before = (mlflow.get_tracking_uri(), mlflow.get_registry_uri())
    folder = tmp_path_factory.mktemp("mlruns")
    registry = MlflowRegistry(f"sqlite:///{folder / 'mlflow.db'}")
    estimators = (fitted("logistic", "platt"), fitted("boosting", "isotonic"))
    records = (sample_record(estimators[0]), sample_record(estimators[1], "boosting"))
    versions = (registry.log_training(records[0]), registry.log_training(records[1]))
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}", f"sqlite:///{folder / 'mlflow.db'}")
    yield Store(folder, registry, client, estimators, records, versions)
    mlflow.set_tracking_uri(before[0])
    mlflow.set_registry_uri(before[1])


def test_runs_of_a_symbol_share_an_experiment_whose_artifacts_lie_beside_the_database(store: Store) -> None:
    experiment = store.client.get_experiment_by_name("algo-pipeline/BTC-USD")
    assert experiment is not None
    assert experiment.artifact_location == (store.folder / "artifacts" / "BTC-USD").as_uri()
    assert {version.experiment_id for version in store.versions} == {experiment.experiment_id}
    assert {item.name for item in store.folder.iterdir()} == {"mlflow.db", "artifacts", ".mlflow.lock"}


def test_a_run_is_finished_and_says_what_it_was_made_of(store: Store) -> None:
    run, record = store.run(), store.records[0]
    assert run.info.status == "FINISHED"
    assert run.info.run_name == record.run_name
    assert run.data.params == record.parameters
    assert run.data.params["dataset_hash"] == record.dataset.digest
    assert {name: run.data.metrics[name] for name in record.metrics} == pytest.approx(record.metrics, abs=0)
    assert {key: run.data.tags[key] for key in record.tags} == record.tags
    assert run.data.tags["mlflow.note.content"] == record.description
    assert run.data.tags["mlflow.source.name"] == "algo-pipeline"


def test_scores_of_the_folds_are_steps_the_oldest_first(store: Store) -> None:
    folds = store.records[0].fold_metrics
    assert set(folds) == {"fold_log_loss_skill", "fold_auc", "fold_ece"}
    for name, values in folds.items():
        history = store.client.get_metric_history(store.versions[0].run_id, name)
        assert {each.step: each.value for each in history} == values


def test_experiment_and_registered_model_say_what_they_are_and_how_to_compare(store: Store) -> None:
    experiment = store.client.get_experiment_by_name("algo-pipeline/BTC-USD")
    assert experiment is not None
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    note = experiment.tags["mlflow.note.content"]
    told = [*store.run().data.metrics, "log_loss_minus_traded_recipe", "strategy_total_return"]
    named = ("oos_log_loss_skill", "log_loss_minus_traded_recipe", "fold_log_loss_skill", "oos_ece")
    assert all(f"`{name}`" in note and name in told for name in named)
    model = store.client.get_registered_model(_NAME)
    assert "champion" in model.description
    assert model.tags == {"symbol": "BTC/USD", "label": "direction_1h"}


def test_a_description_that_somebody_wrote_is_left_alone(store: Store) -> None:
    experiment = store.client.get_experiment_by_name("algo-pipeline/BTC-USD")
    assert experiment is not None
    written = {**experiment.tags, NOTE_TAG: "mine"}
    store.client.set_experiment_tag(experiment.experiment_id, NOTE_TAG, "mine")
    describe_experiment(store.client, experiment.experiment_id, written, BTC)
    assert store.client.get_experiment(experiment.experiment_id).tags[NOTE_TAG] == "mine"
    store.client.set_experiment_tag(experiment.experiment_id, NOTE_TAG, experiment_note(BTC))


def test_the_training_data_is_an_input_of_the_run(store: Store) -> None:
    (given,) = store.run().inputs.dataset_inputs
    digest = store.records[0].dataset.digest
    assert given.dataset.name == "BTC-USD direction_1h (file)"
    assert digest.startswith(given.dataset.digest)
    assert [(tag.key, tag.value) for tag in given.tags] == [("mlflow.data.context", "training")]
    rows = json.loads(given.dataset.profile)
    reference = store.records[0].dataset
    assert (rows["num_rows"], rows["first_bar"]) == (reference.n_rows, reference.first_bar)
    columns = json.loads(given.dataset.schema)["mlflow_colspec"]
    assert [column["name"] for column in columns] == list(FEATURE_NAMES)


def test_config_metrics_feature_list_tables_and_plots_lie_beside_the_model(store: Store) -> None:
    folder = Path(store.run().info.artifact_uri.removeprefix("file://"))
    for name, content in store.records[0].files.items():
        assert (folder / name).read_bytes() == content
    assert json.loads((folder / "feature_list.json").read_text()) == list(FEATURE_NAMES)
    assert (folder / "plots" / "roc.png").read_bytes() == b"picture"


def test_versions_of_one_name_count_up_and_carry_card_and_tags(store: Store) -> None:
    assert [(version.model_name, version.version) for version in store.versions] == [(_NAME, "1"), (_NAME, "2")]
    for version, record in zip(store.versions, store.records, strict=True):
        found = store.client.get_model_version(_NAME, version.version)
        assert found.run_id == version.run_id
        assert found.description == record.description
        assert {key: found.tags[key] for key in record.tags} == record.tags


def test_the_signature_is_37_named_doubles_to_two_probabilities(store: Store) -> None:
    import mlflow

    signature = mlflow.models.get_model_info(f"models:/{_NAME}/1").signature
    assert [(column.name, column.type.name) for column in signature.inputs.inputs] == [
        (name, "double") for name in FEATURE_NAMES
    ]
    (output,) = signature.outputs.inputs
    assert (output.type, output.shape) == (np.dtype(np.float64), (-1, 2))


def test_the_model_is_stored_as_skops_without_any_pickle(store: Store) -> None:
    import mlflow

    flavor = mlflow.models.get_model_info(f"models:/{_NAME}/1").flavors["sklearn"]
    assert flavor["serialization_format"] == "skops"
    names = [path.name for path in (store.folder / "artifacts").rglob("*") if path.is_file()]
    assert sum(name.endswith(".skops") for name in names) == 2
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib"))]


@pytest.mark.parametrize("number", [0, 1])
def test_a_loaded_estimator_gives_identical_probabilities(store: Store, number: int) -> None:
    features, _ = planted_rows(200, seed=9)
    loaded = store.registry.load_estimator(store.versions[number], TRUSTED_TYPES)
    expected = store.estimators[number].predict_proba(features)
    assert loaded.predict_proba(features).tobytes() == expected.tobytes()


def test_mlflows_own_loader_predicts_probabilities(store: Store) -> None:
    import mlflow

    features, _ = planted_rows(50, seed=9)
    model = mlflow.pyfunc.load_model(f"models:/{_NAME}/1")
    predicted = np.asarray(model.predict(features))
    # MLflow hands over a frame of another memory layout, for which BLAS may round otherwise.
    np.testing.assert_allclose(predicted, store.estimators[0].predict_proba(features), rtol=0, atol=1e-12)
    with pytest.raises(mlflow.exceptions.MlflowException, match="schema"):
        model.predict(features.drop(columns="rsi_14"))


def test_a_file_with_a_type_that_is_not_on_our_list_is_refused(store: Store) -> None:
    with pytest.raises(CorruptFileError) as caught:
        store.registry.load_estimator(store.versions[0], ("sklearn.dummy.DummyClassifier",))
    assert "CalibratedClassifier" in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("number", [0, 1])
def test_a_version_is_stored_with_what_made_it(store: Store, number: int) -> None:
    version, record = store.versions[number], store.records[number]
    found = store.registry.stored_model(_NAME, version.version)
    assert found.version == version
    assert found.parameters == record.parameters
    assert json_hash(found.recipe_document) == record.parameters["recipe_hash"]
    assert found.feature_names == FEATURE_NAMES


def test_a_version_that_is_not_registered_is_told_beside_those_that_are(store: Store) -> None:
    with pytest.raises(RegistryError, match=r"Version 9 of .* registered: 1, 2"):
        store.registry.stored_model(_NAME, "9")
    with pytest.raises(RegistryError, match="registered: none"):
        store.registry.stored_model("algo-pipeline-XRP-USD-direction_1h", "1")


@pytest.mark.parametrize("content", [None, b"{", b"\xff"], ids=["missing", "no JSON", "no text"])
def test_a_version_whose_record_is_damaged_is_a_registry_error(store: Store, content: bytes | None) -> None:
    path = Path(store.run(1).info.artifact_uri.removeprefix("file://")) / "config.json"
    whole = path.read_bytes()
    try:
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(RegistryError) as caught:
            store.registry.stored_model(_NAME, "2")
        assert caught.value.remedy
    finally:
        path.write_bytes(whole)


def test_aliases_move(store: Store) -> None:
    assert store.registry.alias_version(_NAME, CHAMPION) is None
    store.registry.set_alias(_NAME, CHAMPION, "1")
    store.registry.set_alias(_NAME, CHALLENGER, "2")
    assert store.registry.alias_version(_NAME, CHAMPION) == "1"
    assert store.registry.alias_version(_NAME, CHALLENGER) == "2"
    store.registry.set_alias(_NAME, CHAMPION, "2")
    assert store.registry.alias_version(_NAME, CHAMPION) == "2"
    store.client.delete_registered_model_alias(_NAME, CHAMPION)


def test_an_unknown_model_has_no_alias(store: Store) -> None:
    assert store.registry.alias_version("algo-pipeline-XRP-USD-direction_1h", CHAMPION) is None


def test_an_alias_cant_point_at_a_version_that_does_not_exist(store: Store) -> None:
    with pytest.raises(RegistryError, match="99"):
        store.registry.set_alias(_NAME, CHAMPION, "99")


def test_later_results_join_run_and_version(store: Store) -> None:
    store.registry.log_results(
        store.versions[1], {"strategy_sharpe": -0.1 - 0.2}, {"verdict": "costs win"}, {"backtest/report.md": b"# R"}
    )
    run = store.run(1)
    assert run.data.metrics["strategy_sharpe"] == -0.1 - 0.2
    assert run.data.tags["verdict"] == "costs win"
    assert store.client.get_model_version(_NAME, "2").tags["verdict"] == "costs win"
    assert (Path(run.info.artifact_uri.removeprefix("file://")) / "backtest" / "report.md").read_bytes() == b"# R"
    assert run.info.status == "FINISHED"


def test_a_training_that_fails_half_way_leaves_a_failed_run_and_no_version(store: Store) -> None:

    broken = sample_record(store.estimators[0])
    record = TrainingRecord(**{**{name: getattr(broken, name) for name in broken.__slots__}, "trusted_types": ()})
    with pytest.raises(RegistryError):
        store.registry.log_training(record)
    runs = store.client.search_runs([store.versions[0].experiment_id], "attributes.status = 'FAILED'")
    assert len(runs) == 1
    assert len(store.client.search_model_versions(f"name = '{_NAME}'")) == 2


def test_logging_a_training_says_nothing_on_the_console(store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    store.registry.log_results(store.versions[0], {}, {"seen": "yes"}, {})
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def elsewhere(store: Store) -> Iterator[Callable[[str], MlflowRegistry]]:
    """Registries at other addresses; MLflow remembers the last one globally, so it is put back."""
    import mlflow

    yield MlflowRegistry
    mlflow.set_tracking_uri(store.uri)
    mlflow.set_registry_uri(store.uri)


@pytest.mark.parametrize("scheme", ["http", "postgresql", "nonsense"])
@pytest.mark.parametrize("call", ["alias_version", "log_training"])
def test_a_store_that_cant_be_reached_is_an_error_without_its_password(
    store: Store,
    elsewhere: Callable[[str], MlflowRegistry],
    call: str,
    scheme: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    registry = elsewhere(f"{scheme}://reader:hunter2secret@127.0.0.1:1/store")
    calls: dict[str, Callable[[], object]] = {
        "alias_version": lambda: registry.alias_version(_NAME, CHAMPION),
        "log_training": lambda: registry.log_training(store.records[0]),
    }
    with pytest.raises(RegistryError) as caught:
        calls[call]()
    assert f"{scheme}://reader:**********@127.0.0.1:1/store" in caught.value.message
    assert "hunter2secret" not in "".join(traceback.format_exception(caught.value))
    assert "ALGO_TRADER_MLFLOW_TRACKING_URI" in caught.value.remedy


@pytest.mark.parametrize("content", [b"this is no database", bytes(range(256)) * 16])
def test_a_file_that_is_no_database_is_a_registry_error_and_stays_as_it_is(
    elsewhere: Callable[[str], MlflowRegistry], tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "mlflow.db").write_bytes(content)
    with pytest.raises(RegistryError, match=r"mlflow\.db"):
        elsewhere(f"sqlite:///{tmp_path / 'mlflow.db'}").alias_version(_NAME, CHAMPION)
    assert (tmp_path / "mlflow.db").read_bytes() == content


def test_a_file_in_the_way_of_the_folder_is_a_registry_error(
    elsewhere: Callable[[str], MlflowRegistry], tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(RegistryError, match="taken"):
        elsewhere(f"sqlite:///{tmp_path / 'taken' / 'mlflow.db'}").alias_version(_NAME, CHAMPION)


def test_undefined_scores_are_left_out_of_the_metrics() -> None:
    from algo_pipeline.registry.training_record import metric_values
    from algo_pipeline.research.evaluate import evaluate
    from algo_pipeline_tests.research.samples import forecast_frame

    one_outcome = evaluate(forecast_frame(np.full(300, 0.6), np.ones(300)), 20)
    values = metric_values(one_outcome)
    assert "oos_auc" not in values
    assert pd.Series(values).notna().all()

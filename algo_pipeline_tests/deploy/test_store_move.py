"""MLflow's store of a home machine, moved to a server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from algo_pipeline.common.errors import RegistryError
from algo_pipeline.models.calibration import TRUSTED_TYPES
from algo_pipeline.registry.mlflow_registry import CHAMPION, MlflowRegistry
from algo_pipeline.registry.records import RegisteredVersion
from algo_pipeline.registry.store_move import move_store
from algo_pipeline_tests.deploy.postgres import Postgres
from algo_pipeline_tests.models.samples import fitted, planted_rows
from algo_pipeline_tests.registry.samples import sample_record

pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture
def target(postgres: Postgres) -> str:
    """An MLflow database without work, as a server that was started once leaves it."""
    lines = postgres.service_file("mlflow").read_text().splitlines()[1:]
    password = dict(line.split("=", 1) for line in lines)["password"]
    return f"postgresql+psycopg2://mlflow:{password}@127.0.0.1:{postgres.port}/mlflow"


@pytest.fixture
def at_home(tmp_path: Path, mlflow_template: Path) -> Iterator[tuple[MlflowRegistry, RegisteredVersion]]:
    """A SQLite store with a champion."""
    import mlflow

    before = (mlflow.get_tracking_uri(), mlflow.get_registry_uri())
    (tmp_path / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    registry = MlflowRegistry(f"sqlite:///{tmp_path / 'mlflow.db'}")
    version = registry.log_training(sample_record(fitted("logistic", "platt")))
    registry.set_alias(version.model_name, CHAMPION, version.version)
    yield registry, version
    mlflow.set_tracking_uri(before[0])
    mlflow.set_registry_uri(before[1])


def test_runs_models_aliases_and_files_are_found_again_and_the_store_goes_on(
    at_home: tuple[MlflowRegistry, RegisteredVersion], target: str, tmp_path: Path
) -> None:
    _, version = at_home
    new = MlflowRegistry(target, tmp_path / "moved")
    assert new.alias_version(version.model_name, CHAMPION) is None  # its tables are made by the first touch
    shutil.copytree(tmp_path / "artifacts", tmp_path / "moved", dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "artifacts")
    source = f"sqlite:///{tmp_path / 'mlflow.db'}"
    addresses = ((tmp_path / "artifacts").as_uri(), (tmp_path / "moved").as_uri())
    copied = move_store(source, target, *addresses)
    assert copied["runs"] == copied["model_versions"] == copied["registered_model_aliases"] == 1
    assert new.alias_version(version.model_name, CHAMPION) == version.version
    assert new.stored_model(version.model_name, version.version).version == version
    X, _ = planted_rows(50)
    estimator = fitted("logistic", "platt")
    loaded = new.load_estimator(version, TRUSTED_TYPES)
    np.testing.assert_array_equal(loaded.predict_proba(X), estimator.predict_proba(X))
    following = new.log_training(sample_record(estimator))
    assert (following.version, following.experiment_id) == ("2", version.experiment_id)
    with pytest.raises(RegistryError, match="has runs already"):
        move_store(source, target, *addresses)


def test_a_database_that_is_no_store_of_mlflow_is_told(tmp_path: Path, mlflow_template: Path) -> None:
    with pytest.raises(RegistryError, match="no store of MLflow yet"):
        move_store(f"sqlite:///{mlflow_template}", f"sqlite:///{tmp_path / 'empty.db'}", "a", "b")


def test_an_address_that_does_not_answer_is_told_without_its_password(mlflow_template: Path) -> None:
    target = "postgresql+psycopg2://mlflow:hunter2secret@127.0.0.1:1/mlflow"
    with pytest.raises(RegistryError, match=r"mlflow:\*+@127\.0\.0\.1") as caught:
        move_store(f"sqlite:///{mlflow_template}", target, "a", "b")
    assert "hunter2secret" not in str(caught.value)

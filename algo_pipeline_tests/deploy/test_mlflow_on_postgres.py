"""MLflow's registry in PostgreSQL without a server between, as a set-up without containers has it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from algo_pipeline.common.errors import RegistryError
from algo_pipeline.models.calibration import TRUSTED_TYPES
from algo_pipeline.registry.mlflow_registry import CHAMPION, MlflowRegistry
from algo_pipeline_tests.deploy.postgres import Postgres
from algo_pipeline_tests.models.samples import fitted, planted_rows
from algo_pipeline_tests.registry.samples import sample_record

pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture
def _put_back() -> Iterator[None]:
    """MLflow remembers the last store globally."""
    import mlflow

    before = (mlflow.get_tracking_uri(), mlflow.get_registry_uri())
    yield
    mlflow.set_tracking_uri(before[0])
    mlflow.set_registry_uri(before[1])


def _uri(postgres: Postgres, password: str | None = None) -> str:
    given = dict(line.split("=", 1) for line in postgres.service_file("mlflow").read_text().splitlines()[1:])
    return f"postgresql+psycopg2://mlflow:{password or given['password']}@127.0.0.1:{postgres.port}/mlflow"


@pytest.mark.usefixtures("_put_back")
def test_a_training_is_logged_registered_deployed_and_read_back(postgres: Postgres, tmp_path: Path) -> None:
    registry = MlflowRegistry(_uri(postgres), tmp_path / "mlflow")
    estimator = fitted("logistic", "platt")
    record = sample_record(estimator)
    version = registry.log_training(record)
    assert registry.alias_version(version.model_name, CHAMPION) is None
    registry.set_alias(version.model_name, CHAMPION, version.version)
    assert registry.alias_version(version.model_name, CHAMPION) == version.version
    assert registry.stored_model(version.model_name, version.version).version == version
    assert registry.logged_run(version.run_id).parameters == dict(record.parameters)
    X, _ = planted_rows(50)
    loaded = registry.load_estimator(version, TRUSTED_TYPES)
    np.testing.assert_array_equal(loaded.predict_proba(X), estimator.predict_proba(X))
    assert list((tmp_path / "mlflow" / "BTC-USD").rglob("*.skops"))
    [location] = postgres.query("mlflow", "SELECT DISTINCT artifact_location FROM experiments WHERE experiment_id > 0")
    assert location == (tmp_path / "mlflow" / "BTC-USD").as_uri()


@pytest.mark.usefixtures("_put_back")
def test_a_wrong_password_is_an_error_that_does_not_tell_it(postgres: Postgres, tmp_path: Path) -> None:
    registry = MlflowRegistry(_uri(postgres, "hunter2secret"), tmp_path)
    with pytest.raises(RegistryError, match="authentication failed") as caught:
        registry.alias_version("nothing", CHAMPION)
    assert "hunter2secret" not in "".join(traceback.format_exception(caught.value))
    assert "mlflow:**********@127.0.0.1" in caught.value.message

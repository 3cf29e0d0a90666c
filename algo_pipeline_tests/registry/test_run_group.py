from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from algo_pipeline.common.errors import RegistryError
from algo_pipeline.common.types import Symbol
from algo_pipeline.registry.mlflow_registry import MlflowRegistry
from algo_pipeline.registry.records import RunGroup, RunRecord

_PARENT = RunRecord("all of them", {"split": "2 folds"}, {"n": 2.0}, {"kind": "leaderboard"}, {"table.md": b"| a |"})


def _child(name: str, **parameters: str) -> RunRecord:
    return RunRecord(name, parameters, {"oos_auc": 0.5}, {"kind": "leaderboard"}, {})


@pytest.fixture
def registry(tmp_path: Path, mlflow_template: Path) -> MlflowRegistry:
    shutil.copy(mlflow_template, tmp_path / "mlflow.db")
    return MlflowRegistry(f"sqlite:///{tmp_path / 'mlflow.db'}")


def _runs(tmp_path: Path) -> dict[str, Any]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("algo-pipeline/BTC-USD")
    assert experiment is not None
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def test_a_group_is_a_finished_run_with_its_children_below_it(registry: MlflowRegistry, tmp_path: Path) -> None:
    import mlflow

    children = (_child("one", model="logistic"), _child("two", model="lightgbm"))
    logged = registry.log_group(RunGroup(Symbol("BTC", "USD"), _PARENT, children))
    runs = _runs(tmp_path)
    assert set(runs) == {"all of them", "one", "two"}
    for name, model in (("one", "logistic"), ("two", "lightgbm")):
        run = runs[name]
        assert run.data.tags["mlflow.parentRunId"] == logged.parent_run_id
        assert run.data.params == {"model": model}
        assert run.data.metrics == {"oos_auc": 0.5}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert mlflow.artifacts.load_text(f"runs:/{logged.parent_run_id}/table.md") == "| a |"


def test_a_run_that_cant_be_written_is_marked_as_failed(registry: MlflowRegistry, tmp_path: Path) -> None:
    broken = _child("broken", **{"no such / name * ?": "x"})
    with pytest.raises(RegistryError):
        registry.log_group(RunGroup(Symbol("BTC", "USD"), _PARENT, (broken,)))
    assert {name: run.info.status for name, run in _runs(tmp_path).items()} == {
        "all of them": "FINISHED",
        "broken": "FAILED",
    }

"""The experiment store and model registry: the only module that imports MLflow.

MLflow is never on the path of a live decision: live reads the champion bundle instead.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from algo_pipeline.common.errors import RegistryError
from algo_pipeline.common.types import Symbol
from algo_pipeline.registry.estimator_file import load_estimators, pinned_requirements
from algo_pipeline.registry.logged_run import FILES, OWN_FOLDER, LoggedRun
from algo_pipeline.registry.notes import NOTE_TAG, describe_experiment, describe_model, extend_card
from algo_pipeline.registry.records import (
    DatasetReference,
    LoggedGroup,
    RegisteredVersion,
    RunGroup,
    RunRecord,
    StoredModel,
    TrainingRecord,
    experiment_name,
)
from algo_pipeline.registry.store_address import StoreAddress

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    from algo_pipeline.common.config import Settings

CHAMPION = "champion"
CHALLENGER = "challenger"
_SOURCE_NAME = "algo-pipeline"
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
_ENVIRONMENT = (
    ("MLFLOW_DISABLE_TELEMETRY", "true"),
    ("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false"),
    ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3"),  # seven would keep the caller of a silent server waiting for minutes
)


class MlflowRegistry:
    """Experiments, registered models and aliases of one MLflow store.

    Parameters
    ----------
    tracking_uri : str
        ``sqlite:////absolute/path/mlflow.db``, the URL of another database (``postgresql+psycopg2://…``) or a server's.
    artifacts : Path or None
        Folder for the files of runs of a database; None is ``artifacts`` beside a SQLite file. A server has its own.

    Raises
    ------
    RegistryError
        From any method, if the store can't be reached or refuses.
    """

    def __init__(self, tracking_uri: str, artifacts: Path | None = None) -> None:
        self._address = StoreAddress(tracking_uri, artifacts)
        for name, value in _ENVIRONMENT:  # before MLflow is imported: it looks then
            os.environ.setdefault(name, value)

    @classmethod
    def configured(cls, settings: Settings) -> MlflowRegistry:
        """The store that the settings name."""
        return cls(settings.mlflow_uri(), settings.mlflow_artifacts())

    def log_training(self, record: TrainingRecord) -> RegisteredVersion:
        """Record one training as one run and register its estimator as a new version."""
        import mlflow

        with _translated(self._address):
            client = self._client()
            experiment_id = self._experiment_id(client, record.symbol)
            run = client.create_run(experiment_id, run_name=record.run_name, tags=_run_tags(record))
            run_id = run.info.run_id
            try:
                _log_metrics(client, run_id, record.metrics, record.parameters, record.fold_metrics)
                client.log_inputs(run_id, datasets=[_dataset_input(record.dataset)])
                _log_files(client, run_id, record.files)
                # MLflow tells of new versions on stderr, whatever its log level.
                with redirect_stderr(StringIO()), mlflow.start_run(run_id=run_id, log_system_metrics=False):
                    version = _log_model(record)
            except BaseException:
                client.set_terminated(run_id, "FAILED")
                raise
            describe_model(client, record, version)
            for key, value in record.tags.items():
                client.set_model_version_tag(record.model_name, version, key, value)
            made_from = (record.parameters.get("recipe_hash", ""), record.parameters.get("dataset_hash", ""))
            return RegisteredVersion(record.model_name, version, run_id, experiment_id, *made_from)

    def log_group(self, group: RunGroup) -> LoggedGroup:
        """Record runs that register nothing, the children below their parent."""
        with _translated(self._address):
            client = self._client()
            experiment_id = self._experiment_id(client, group.symbol)
            parent_id = _log_run(client, experiment_id, group.parent, {})
            for child in group.children:
                _log_run(client, experiment_id, child, {"mlflow.parentRunId": parent_id})
        return LoggedGroup(experiment_id, parent_id)

    def log_results(
        self,
        version: RegisteredVersion,
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        files: Mapping[str, bytes],
        sections: Mapping[str, str] | None = None,
    ) -> None:
        """Add later results (a backtest) to the run that made a version; tags and sections of the card go to both."""
        with _translated(self._address):
            client = self._client()
            _log_metrics(client, version.run_id, metrics, {})
            _log_files(client, version.run_id, files)
            for key, value in tags.items():
                client.set_tag(version.run_id, key, value)
                client.set_model_version_tag(version.model_name, version.version, key, value)
            if sections:
                extend_card(client, version, sections)

    def set_alias(self, model_name: str, alias: str, version: str) -> None:
        """Point ``alias`` at ``version``."""
        with _translated(self._address):
            self._client().set_registered_model_alias(model_name, alias, version)

    def alias_version(self, model_name: str, alias: str) -> str | None:
        """The version an alias points at, or None where model or alias doesn't exist."""
        from mlflow.exceptions import MlflowException

        with _translated(self._address):
            try:
                return str(self._client().get_model_version_by_alias(model_name, alias).version)
            except MlflowException as error:
                if _says_that_there_is_none(error):
                    return None
                raise

    def stored_model(self, model_name: str, version: str) -> StoredModel:
        """Read what the run of a registered version recorded.

        Raises
        ------
        RegistryError
            If there is no such version, or its run's files are missing or damaged.
        """
        with _translated(self._address):
            client = self._client()
            run_id = _run_of(client, model_name, version)
            run = client.get_run(run_id)
            recipe, features = (_json_file(run_id, name) for name in ("config.json", "feature_list.json"))
        parameters = dict(run.data.params)
        made_from = (parameters.get("recipe_hash", ""), parameters.get("dataset_hash", ""))
        registered = RegisteredVersion(model_name, version, run_id, str(run.info.experiment_id), *made_from)
        return StoredModel(registered, parameters, recipe, tuple(features))

    def logged_run(self, run_id: str) -> LoggedRun:
        """Parameters, tags and the files of a run from which it can be made again; RegistryError without such a run."""
        with _translated(self._address):
            run = self._client().get_run(run_id)
            own = [item.path for item in self._client().list_artifacts(run_id, OWN_FOLDER) if not item.is_dir]
            files = {name: data for name in (*FILES, *own) if (data := _file(run_id, name)) is not None}
        return LoggedRun(run_id, dict(run.data.params), dict(run.data.tags), files)

    def metrics_where_largest(self, symbol: Symbol, parameters: Mapping[str, str], metric: str) -> dict[str, float]:
        """Metrics of that run of a symbol, with these parameters, whose ``metric`` is the largest; {} if none has it.

        Runs that were deleted count as long as the store still holds them.
        """
        from mlflow.entities import ViewType

        wanted = [f"params.`{name}` = '{value}'" for name, value in parameters.items()]
        with _translated(self._address):
            client = self._client()
            experiment = client.get_experiment_by_name(experiment_name(symbol))
            if experiment is None:
                return {}
            runs = client.search_runs(
                [experiment.experiment_id],
                " and ".join([*wanted, f"metrics.`{metric}` > 0"]),
                ViewType.ALL,
                max_results=1,
                order_by=[f"metrics.`{metric}` DESC"],
            )
        return dict(runs[0].data.metrics) if runs else {}

    def load_estimator(self, version: RegisteredVersion, trusted_types: tuple[str, ...]) -> Any:
        """Load a version's estimator through skops, trusting our own list of types and never the file's.

        Raises
        ------
        CorruptFileError
            If its file is damaged or holds another type.
        """
        import mlflow

        what = f"{version.model_name} version {version.version}"
        with _translated(self._address), tempfile.TemporaryDirectory() as folder:
            uri = self._client().get_model_version_download_uri(version.model_name, version.version)
            local = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder))
            files = sorted(local.rglob("*.skops"))
            if len(files) != 1:
                raise RegistryError(
                    f"{what} holds {len(files)} skops files, expected one.", "Train and register the model again."
                )
            data = files[0].read_bytes()
        return load_estimators(data, what, "Train and register the model again.", trusted_types)

    def _client(self) -> MlflowClient:
        import mlflow

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        uri = self._address.uri
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        if self._address.is_database:
            _require_answer(uri)
        with self._address.opening_alone():
            client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
            client.search_experiments(max_results=1)
            client.search_registered_models(max_results=1)
        return client

    def _experiment_id(self, client: MlflowClient, symbol: Symbol) -> str:
        name, tags = experiment_name(symbol), _EXPERIMENT_TAGS
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            # Given, for an experiment made over HTTP would get a proxied location that direct SQLite clients can't use.
            location = self._address.artifact_location(name)
            experiment_id = str(client.create_experiment(name, artifact_location=location, tags=tags))
        else:
            experiment_id, tags = str(experiment.experiment_id), experiment.tags
        describe_experiment(client, experiment_id, tags, symbol)
        return experiment_id


def _require_answer(uri: str) -> None:
    """Connect once: MLflow itself would try for a minute and a half before it tells of a wrong password or host."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool)
    with engine.connect():
        pass


def _says_that_there_is_none(error: MlflowException) -> bool:
    """Whether model or alias doesn't exist; SQLite's store reports a missing alias as a bad parameter."""
    bad_alias = error.error_code == "INVALID_PARAMETER_VALUE" and "alias" in str(error)
    return bad_alias or error.error_code == "RESOURCE_DOES_NOT_EXIST"


def _run_of(client: MlflowClient, model_name: str, version: str) -> str:
    """The run that made a version; an unknown one is told beside those that there are."""
    found = {str(each.version): each for each in client.search_model_versions(f"name = '{model_name}'")}
    if version not in found:
        known = ", ".join(sorted(found, key=int)) or "none"
        raise RegistryError(
            f"Version {version} of {model_name} is not registered; registered: {known}.",
            "Choose one of them; MLflow's page of the model says how each was made.",
        )
    return str(found[version].run_id)


def _log_run(client: MlflowClient, experiment_id: str, record: RunRecord, tags: Mapping[str, str]) -> str:
    all_tags = {**record.tags, **tags, "mlflow.source.name": _SOURCE_NAME}
    run = client.create_run(experiment_id, run_name=record.run_name, tags=all_tags)
    run_id = str(run.info.run_id)
    try:
        _log_metrics(client, run_id, record.metrics, record.parameters)
        if record.files:
            _log_files(client, run_id, record.files)
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id, "FINISHED")
    return run_id


def _file(run_id: str, path: str) -> bytes | None:
    import mlflow

    folder, _, name = path.rpartition("/")
    listed = mlflow.artifacts.list_artifacts(run_id=run_id, artifact_path=folder or None)
    if all(each.path.rpartition("/")[2] != name for each in listed):
        return None
    return Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path)).read_bytes()


def _json_file(run_id: str, name: str) -> Any:
    import mlflow

    try:
        return json.loads(mlflow.artifacts.load_text(f"runs:/{run_id}/{name}"))
    except ValueError as error:
        raise RegistryError(
            f"{name} of run {run_id} is no valid JSON: {error}.", "Train and register the model again."
        ) from error


def _log_metrics(
    client: MlflowClient,
    run_id: str,
    metrics: Mapping[str, float],
    parameters: Mapping[str, str],
    by_step: Mapping[str, Mapping[int, float]] = MappingProxyType({}),
) -> None:
    import time

    from mlflow.entities import Metric, Param

    now_ms = int(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[
            *(Metric(name, value, now_ms, 0) for name, value in metrics.items()),
            *(Metric(name, value, now_ms, step) for name, at in by_step.items() for step, value in at.items()),
        ],
        params=[Param(name, value) for name, value in parameters.items()],
    )


def _log_files(client: MlflowClient, run_id: str, files: Mapping[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            target = Path(folder) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        client.log_artifacts(run_id, folder)


def _run_tags(record: TrainingRecord) -> dict[str, str]:
    return {**record.tags, NOTE_TAG: record.description, "mlflow.source.name": _SOURCE_NAME}


def _log_model(record: TrainingRecord) -> str:
    import mlflow.sklearn
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    inputs = Schema([ColSpec("double", name) for name in record.dataset.feature_names])
    outputs = Schema([TensorSpec(np.dtype(np.float64), (-1, 2))])
    info = mlflow.sklearn.log_model(
        record.estimator,
        name="model",
        registered_model_name=record.model_name,
        signature=ModelSignature(inputs=inputs, outputs=outputs),
        serialization_format="skops",
        skops_trusted_types=list(record.trusted_types),
        pyfunc_predict_fn="predict_proba",
        pip_requirements=pinned_requirements(),
    )
    return str(info.registered_model_version)


def _dataset_input(reference: DatasetReference) -> Any:
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.types import ColSpec, Schema

    dataset = MetaDataset(  # type: ignore[abstract]
        CodeDatasetSource(tags={"origin": reference.origin}),
        name=reference.name,
        # MLflow keeps at most 36 characters of a digest; the whole hash is among the run's parameters.
        digest=reference.digest[:32],
        schema=Schema([ColSpec("double", name) for name in reference.feature_names]),
    )
    entity = dataset._to_mlflow_entity()  # noqa: SLF001
    rows = {"num_rows": reference.n_rows, "first_bar": reference.first_bar, "last_bar": reference.last_bar}
    described = Dataset(**{**dict(entity), "profile": json.dumps(rows)})
    return DatasetInput(described, tags=[InputTag("mlflow.data.context", "training")])


@contextmanager
def _translated(address: StoreAddress) -> Iterator[None]:
    from alembic.util import CommandError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, CommandError, ImportError, OSError) as error:
        raise address.failure(error) from (None if address.has_password else error)

"""Where MLflow's store is, a SQLite file, another database or a server, and how failures are told."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from algo_pipeline.common.errors import RegistryError
from algo_pipeline.common.locks import file_lock
from algo_pipeline.common.sqlite import sqlite_file
from algo_pipeline.common.urls import masked_url, secrets_of_url, without_passwords

_SERVERS = ("http://", "https://")
_OPENING_S = 120.0
_OTHER_SCHEMA = "out-of-date database schema"
_NO_DRIVER = (
    "Check ALGO_TRADER_MLFLOW_TRACKING_URI: PostgreSQL's is postgresql+psycopg2://USER:PASSWORD@HOST/NAME, and "
    "pip install 'algo-pipeline[server]' brings its driver."
)


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """Where a store is; its URL may hold a password, which is never told.

    Parameters
    ----------
    uri : str
        ``sqlite:////absolute/path/mlflow.db``, ``postgresql+psycopg2://USER:PASSWORD@HOST/NAME`` or ``http://HOST:PORT``.
    artifacts : Path or None
        Folder for the files of runs of a database; None is ``artifacts`` beside a SQLite file. A server has its own.
    """

    uri: str
    artifacts: Path | None = None

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for another database or a server."""
        return sqlite_file(self.uri)

    @property
    def is_database(self) -> bool:
        """Whether it is a database of a server's, which may be out of reach, and not a file of this machine."""
        return self.file is None and not self.uri.startswith(_SERVERS)

    @property
    def has_password(self) -> bool:
        """Whether the URL holds one."""
        return bool(secrets_of_url(self.uri))

    def opening_alone(self) -> AbstractContextManager[None]:
        """Keep other processes out: the first touch of a fresh database makes its tables, and two would collide."""
        artifacts = self._artifacts()
        if artifacts is None:
            return nullcontext()
        folder = artifacts if self.file is None else self.file.parent
        folder.mkdir(parents=True, exist_ok=True)
        return file_lock(folder / ".mlflow.lock", "Another process that opens MLflow's store", _OPENING_S)

    def artifact_location(self, experiment_name: str) -> str | None:
        """The URI of an experiment's files; None leaves it to the server."""
        artifacts = self._artifacts()
        return None if artifacts is None else (artifacts / experiment_name.rpartition("/")[2]).absolute().as_uri()

    def failure(self, error: Exception) -> RegistryError:
        """An error of the store in our words, without the password."""
        if _OTHER_SCHEMA in str(error):
            return RegistryError(
                f"The model registry at {masked_url(self.uri)} was made by another version of MLflow than this one.",
                f"Keep a copy of it, then bring it to this version: mlflow db upgrade {masked_url(self.uri)}",
            )
        first_line = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        message = f"The model registry at {masked_url(self.uri)} failed: {without_passwords(first_line, self.uri)}."
        if isinstance(error, ImportError):
            return RegistryError(message, _NO_DRIVER)
        whole = "" if self.file is None else f", and that {self.file} is whole: if not, move it away"
        return RegistryError(
            message,
            f"Check ALGO_TRADER_MLFLOW_TRACKING_URI, that its folder is writable, or that its server runs{whole}.",
        )

    def _artifacts(self) -> Path | None:
        if self.uri.startswith(_SERVERS):
            return None
        return self.artifacts or (None if self.file is None else self.file.parent / "artifacts")

"""Where MLflow's store is, a SQLite file or a server: what lies beside the file, and how failures are told."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from algo_pipeline.common.errors import RegistryError
from algo_pipeline.common.locks import file_lock
from algo_pipeline.common.logger import MASK

_SQLITE = "sqlite:///"
_OPENING_S = 120.0


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """``sqlite:////absolute/path/mlflow.db`` or a server's URL, which may hold a password: it is never told."""

    uri: str

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for a server."""
        return Path(self.uri.removeprefix(_SQLITE)) if self.uri.startswith(_SQLITE) else None

    @property
    def has_password(self) -> bool:
        """Whether the URL holds one."""
        return bool(self._password)

    def opening_alone(self) -> AbstractContextManager[None]:
        """Keep other processes out: the first touch of a fresh SQLite file makes its tables, and two would collide."""
        if self.file is None:
            return nullcontext()
        self.file.parent.mkdir(parents=True, exist_ok=True)
        return file_lock(self.file.parent / ".mlflow.lock", "Another process that opens MLflow's store", _OPENING_S)

    def artifact_location(self, experiment_name: str) -> str | None:
        """The URI of an experiment's files beside the SQLite file; None leaves it to the server."""
        if self.file is None:
            return None
        return (self.file.parent / "artifacts" / experiment_name.rpartition("/")[2]).absolute().as_uri()

    def failure(self, error: Exception) -> RegistryError:
        """An error of the store in our words, without the password."""
        whole = "" if self.file is None else f", and that {self.file} is whole: if not, move it away"
        return RegistryError(
            f"The model registry at {self._told()} failed: {self._first_line(error)}.",
            f"Check ALGO_TRADER_MLFLOW_TRACKING_URI, that its folder is writable, or that its server runs{whole}.",
        )

    def _first_line(self, error: Exception) -> str:
        text = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        return text.replace(self.uri, self._told()).replace(self._password or self.uri, MASK)

    def _told(self) -> str:
        return self.uri.replace(f":{self._password}@", f":{MASK}@") if self._password else self.uri

    @property
    def _password(self) -> str | None:
        return urlsplit(self.uri).password

"""The Dagster instance: its home under the artifacts folder, with the ``dagster.yaml`` beside this module linked in."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from algo_pipeline.common.config import Settings
from algo_pipeline.common.errors import StorageError
from algo_pipeline.defs.partitions import add_symbols
from algo_pipeline.defs.run_store import quick_store

_INSTANCE_SETTINGS = Path(__file__).with_name("dagster.yaml")
_FILES_REMEDY = (
    "Check free disk space, and ALGO_TRADER_* and dagster.yaml if you changed them; if the store is damaged, "
    "move {home} away: only the history of runs is lost."
)
_DATABASE_REMEDY = (
    "Check that the database of dagster.yaml runs, and that its address and password (PGSERVICEFILE) are right. "
    "An hour that was decided is in the journal all the same."
)


def dagster_home(settings: Settings) -> Path:
    """Where Dagster keeps runs, events and schedules: DAGSTER_HOME, or ``dagster`` under the artifacts folder."""
    return Path(os.environ.get("DAGSTER_HOME") or settings.artifacts_dir / "dagster").absolute()


def prepare_home(settings: Settings) -> Path:
    """Set DAGSTER_HOME (default: ``<artifacts>/dagster``), create it and link ``dagster.yaml`` into it.

    Raises
    ------
    StorageError
        If the folder can't be created.
    """
    home = dagster_home(settings)
    try:
        home.mkdir(parents=True, exist_ok=True)
        link = home / "dagster.yaml"
        if not link.exists() and _INSTANCE_SETTINGS.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(_INSTANCE_SETTINGS)
    except OSError as error:
        raise StorageError(
            f"Dagster's home {home} could not be prepared: {error.strerror or error}.",
            "Make the folder writable, or set ALGO_TRADER_ARTIFACTS_DIR (or DAGSTER_HOME) to another one.",
        ) from error
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "true")
    return home


@contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance that commands and web UI share, with a store that is quick to write to.

    Raises
    ------
    StorageError
        If its home can't be made or its store can't be opened.
    """
    home = prepare_home(settings)
    with quick_store(home), _opened(home) as instance:
        yield instance


def _opened(home: Path) -> dg.DagsterInstance:
    try:
        return dg.DagsterInstance.get()
    except Exception as error:
        raise StorageError(
            f"Dagster's store in {home} could not be opened: {(str(error).splitlines() or [''])[0]}",
            _DATABASE_REMEDY if names_a_store(home) else _FILES_REMEDY.format(home=home),
        ) from error


def names_a_store(home: Path) -> bool:
    """Whether ``dagster.yaml`` names another store than SQLite files in the home, a database on a server for one."""
    path = home / "dagster.yaml"
    return path.exists() and any(
        line.startswith("storage:") for line in path.read_text("utf-8", "replace").splitlines()
    )


def register_symbols(settings: Settings) -> None:
    """Make a partition of every configured symbol, so that the web UI shows them before the first run."""
    with open_instance(settings) as instance:
        add_symbols(instance, settings.parsed_symbols())

"""Dagster's SQLite files, quick to write to while a command of ours runs.

Dagster opens a file anew for each event and waits for the disk at each commit. What it keeps is the history of runs,
no truth of trading: the live journal, the ledgers and every artifact are files of their own that are flushed before
anything relies on them. So its commits need not wait, as SQLite allows for a write-ahead log: a power cut may cost the
newest events and damages nothing, and a killed process loses none.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class _OpenFiles:
    """One idle connection per file, for SQLite empties a write-ahead log (and waits) when the last one closes.

    Parameters
    ----------
    home : Path
        Only files below it are Dagster's: MLflow's and Optuna's connections pass through here too.
    """

    def __init__(self, home: Path) -> None:
        self._home = home.resolve()  # as SQLite names its files
        self._kept: dict[Path, sqlite3.Connection] = {}

    def on_connect(self, connection: object, _record: object) -> None:
        """Called by SQLAlchemy with every new connection of the process."""
        if not isinstance(connection, sqlite3.Connection):
            return
        path = Path(connection.execute("PRAGMA database_list").fetchone()[2])
        if not path.is_relative_to(self._home) or not _has_log(connection):
            return
        connection.execute("PRAGMA synchronous=NORMAL")
        if path not in self._kept:
            self._kept[path] = _idle(path)

    def close(self) -> None:
        """Close what is kept: each file's log is written into it, once."""
        while self._kept:
            self._kept.popitem()[1].close()


@contextmanager
def quick_store(home: Path) -> Iterator[None]:
    """Let commits to the SQLite files below ``home`` return without waiting for the disk, while the block lasts.

    Parameters
    ----------
    home : Path
        Dagster's home, absolute. A store elsewhere (PostgreSQL) is not touched.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    files = _OpenFiles(home)
    event.listen(Engine, "connect", files.on_connect)
    try:
        yield
    finally:
        event.remove(Engine, "connect", files.on_connect)
        files.close()


def _has_log(connection: sqlite3.Connection) -> bool:
    """Whether the file keeps a write-ahead log, as Dagster sets it up; without one, NORMAL would be less than safe."""
    return bool(connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal")


def _idle(path: Path) -> sqlite3.Connection:
    kept = sqlite3.connect(path, check_same_thread=False)
    kept.execute("SELECT count(*) FROM sqlite_master").fetchone()  # a file is opened by the first read
    return kept

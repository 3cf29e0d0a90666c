"""SQLite files behind the URLs that MLflow and others are given, and who holds one for writing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

SQLITE = "sqlite:///"
"""How the URL of a SQLite file begins; a fourth slash makes its path absolute."""

_LOCKED = ("database is locked", "database table is locked")


def sqlite_file(url: str) -> Path | None:
    """The file of a ``sqlite:///`` URL; None for a server's."""
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None


def is_locked(path: Path, wait_s: float = 1.0) -> bool:
    """Whether another process keeps a SQLite file from being written; nothing in it is changed.

    Parameters
    ----------
    path : Path
        An existing file.
    wait_s : float
        For how long the other may finish what it is writing.
    """
    try:
        with closing(sqlite3.connect(path, timeout=wait_s, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        return str(error) in _LOCKED
    except sqlite3.DatabaseError:  # no database, or a damaged one: for others to tell
        return False
    return False

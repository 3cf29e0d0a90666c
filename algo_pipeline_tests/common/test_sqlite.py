"""SQLite files: their URLs, and whether somebody writes to one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from algo_pipeline.common.sqlite import is_locked, sqlite_file


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///mlruns/mlflow.db", Path("mlruns/mlflow.db")),
        ("sqlite:////srv/mlflow.db", Path("/srv/mlflow.db")),
        ("postgresql+psycopg2://user@host/name", None),
        ("http://127.0.0.1:5000", None),
    ],
)
def test_only_a_sqlite_url_has_a_file(url: str, file: Path | None) -> None:
    assert sqlite_file(url) == file


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_writer_keeps_others_out_until_it_is_done(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute(f"PRAGMA journal_mode={mode}")
        writer.execute("CREATE TABLE kept (x)")
        assert not is_locked(path, 0.0)
        writer.execute("BEGIN IMMEDIATE")
        assert is_locked(path, 0.0)
        writer.execute("ROLLBACK")
        assert not is_locked(path, 0.0)


def test_what_is_no_database_is_not_called_locked(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_text("this is no database, and long enough to be told from an empty one " * 20)
    before = path.read_bytes()
    assert not is_locked(path, 0.0)
    assert path.read_bytes() == before

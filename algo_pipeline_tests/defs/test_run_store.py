from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from algo_pipeline.common.config import load_settings
from algo_pipeline.defs.instance import open_instance
from algo_pipeline.defs.run_store import quick_store
from algo_pipeline_tests.workshop import workshop

_NORMAL, _FULL = 1, 2


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def _make(path: Path, journal: str = "wal") -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode={journal}")
        connection.execute("CREATE TABLE facts (value INTEGER)")
    return path


@contextmanager
def _opened(path: Path) -> Iterator[Connection]:
    """As Dagster does it: an engine and a connection for each use."""
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def _synchronous(path: Path) -> int:
    with _opened(path) as connection:
        return int(connection.execute(text("PRAGMA synchronous")).scalar_one())


def _write(path: Path, value: int) -> None:
    with _opened(path) as connection, connection.begin():
        connection.execute(text("INSERT INTO facts VALUES (:value)"), {"value": value})


def _write_then_fail(path: Path) -> None:
    _write(path, 1)
    _write(path.with_name("empty.db"), 2)


def _values(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [value for (value,) in connection.execute("SELECT value FROM facts")]


def test_only_logged_files_below_home_commit_without_waiting_and_only_meanwhile(home: Path, tmp_path: Path) -> None:
    inside, outside = _make(home / "runs.db"), _make(tmp_path / "mlflow.db")
    without_log = _make(home / "plain.db", journal="delete")
    with quick_store(home):
        assert [_synchronous(path) for path in (inside, outside, without_log)] == [_NORMAL, _FULL, _FULL]
    assert _synchronous(inside) == _FULL


def test_a_home_behind_a_link_is_known_as_the_same(home: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(home)
    with quick_store(link):
        assert _synchronous(_make(link / "runs.db")) == _NORMAL


def test_the_log_is_kept_between_writes_and_emptied_at_the_end(home: Path) -> None:
    path = _make(home / "runs.db")
    log = path.with_name("runs.db-wal")
    with quick_store(home):
        for value in range(3):
            _write(path, value)
            assert log.stat().st_size > 0
        assert _values(path) == [0, 1, 2]  # others see each at once
    assert not log.exists()
    assert _values(path) == [0, 1, 2]


def test_a_block_that_fails_leaves_neither_a_log_nor_a_listener(home: Path) -> None:
    path = _make(home / "runs.db")
    with pytest.raises(OperationalError), quick_store(home):
        _write_then_fail(path)
    assert not path.with_name("runs.db-wal").exists()
    assert _synchronous(path) == _FULL


def test_blocks_may_be_nested(home: Path) -> None:
    path = _make(home / "runs.db")
    with quick_store(home):
        with quick_store(home):
            _write(path, 1)
        assert _synchronous(path) == _NORMAL
        _write(path, 2)
    assert _values(path) == [1, 2]


def test_the_instance_of_the_commands_has_a_quick_store(tmp_path: Path) -> None:
    shop = workshop(tmp_path)
    with shop.active():
        settings = load_settings(env_file=None)
        with open_instance(settings) as instance:
            index = Path(instance.root_directory) / "history" / "runs" / "index.db"
            instance.add_dynamic_partitions("symbols", ["BTC-USD"])
            assert _synchronous(index) == _NORMAL
        assert not index.with_name("index.db-wal").exists()

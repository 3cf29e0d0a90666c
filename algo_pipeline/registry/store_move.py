"""Move MLflow's store from one database to another: every row of every table, with the files' new address.

MLflow itself moves no store between databases. Both must be of one version of its schema: then their tables have the
same columns, and rows can be read by the one's description and written by the other's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from algo_pipeline.common.errors import RegistryError
from algo_pipeline.common.urls import masked_url, without_passwords

if TYPE_CHECKING:
    from sqlalchemy import Connection, MetaData, Table

_VERSION = "alembic_version"
_WORK = ("runs", "registered_models")
_BATCH = 1_000


def move_store(source: str, target: str, old_files: str, new_files: str) -> dict[str, int]:
    """Copy all rows of one MLflow database to another one, which must hold no work yet.

    Parameters
    ----------
    source, target : str
        Addresses of databases as SQLAlchemy reads them.
    old_files, new_files : str
        Where the files of runs were, as URI (``file:///home/me/mlruns/artifacts``), and where they are now
        (``mlflow-artifacts:``): every text that begins with the one will begin with the other.

    Returns
    -------
    dict
        Copied rows by table.

    Raises
    ------
    RegistryError
        If a database can't be reached, the two are of different versions of MLflow, or the target holds work.
    """
    import sqlalchemy
    from sqlalchemy.exc import SQLAlchemyError

    address = source
    try:
        with sqlalchemy.create_engine(source).connect() as reading:
            address = target
            with sqlalchemy.create_engine(target).begin() as writing:
                tables = sqlalchemy.MetaData()
                tables.reflect(writing)
                _require_movable(reading, writing, tables)
                return _copy(reading, writing, tables, (old_files.rstrip("/"), new_files.rstrip("/")))
    except SQLAlchemyError as error:
        first_line = without_passwords(str(error).splitlines()[0], address)
        raise RegistryError(
            f"The store {masked_url(address)} could not be moved: {first_line}.",
            "Nothing was changed. Check both addresses.",
        ) from None


def _require_movable(reading: Connection, writing: Connection, tables: MetaData) -> None:
    import sqlalchemy

    if _VERSION not in tables.tables:
        raise RegistryError(
            "The target is no store of MLflow yet.", "Start its MLflow server once: it makes the tables."
        )
    version = sqlalchemy.select(tables.tables[_VERSION].c.version_num)
    old, new = reading.execute(version).scalar(), writing.execute(version).scalar()
    if old != new:
        raise RegistryError(
            f"The two stores are of different versions of MLflow's tables: {old} and {new}.",
            "Upgrade the older one by `mlflow db upgrade ADDRESS` after a back-up.",
        )
    for name in _WORK:
        if writing.execute(sqlalchemy.select(sqlalchemy.func.count()).select_from(tables.tables[name])).scalar():
            raise RegistryError(f"The target has {name} already: rows of two stores can't be mixed.", "Take a new one.")


def _copy(reading: Connection, writing: Connection, tables: MetaData, files: tuple[str, str]) -> dict[str, int]:
    ordered = [table for table in tables.sorted_tables if table.name != _VERSION]
    for table in reversed(ordered):  # what MLflow puts into a new store: the default experiment
        writing.execute(table.delete())
    copied = {}
    for table in ordered:
        copied[table.name] = 0
        for rows in _batches(reading, table, files):
            writing.execute(table.insert(), rows)
            copied[table.name] += len(rows)
        _count_on(writing, table)
    return copied


def _batches(reading: Connection, table: Table, files: tuple[str, str]) -> Iterator[list[dict[str, Any]]]:
    result = reading.execution_options(stream_results=True).execute(table.select()).mappings()
    while rows := result.fetchmany(_BATCH):
        yield [_moved({str(name): value for name, value in row.items()}, files) for row in rows]


def _moved(row: Mapping[str, Any], files: tuple[str, str]) -> dict[str, Any]:
    old, new = files
    return {
        name: new + value.removeprefix(old) if isinstance(value, str) and value.startswith(old) else value
        for name, value in row.items()
    }


def _count_on(writing: Connection, table: Table) -> None:
    """Let PostgreSQL number the next row after the last one that was copied."""
    import sqlalchemy

    column = table.autoincrement_column
    if column is None or writing.dialect.name != "postgresql":
        return
    sequence = sqlalchemy.func.pg_get_serial_sequence(table.name, column.name)
    last = sqlalchemy.select(sqlalchemy.func.max(column)).scalar_subquery()
    writing.execute(sqlalchemy.select(sqlalchemy.func.setval(sequence, last)).where(last.isnot(None)))

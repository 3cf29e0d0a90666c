"""Files that are whole or absent: written aside, fsynced, renamed, and verified by checksum when read.

A Parquet file carries the SHA-256 of its own content in its schema metadata, so that frame and checksum
can't come apart; JSON documents carry theirs in an envelope.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import CorruptFileError, StorageError

_HASH_KEY = b"algo_pipeline.sha256"


def atomic_write(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then fsync and rename it into place.

    A reader sees the old file or the new one, never a part; a crash leaves at most an invisible ``.tmp`` file.

    Raises
    ------
    StorageError
        If the folder can't be created or written.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
        fsync_folder(path.parent)
    except OSError as error:
        raise StorageError(
            f"{path} could not be written: {error.strerror or error}.",
            "Make the folder writable (or free disk space), or set ALGO_TRADER_ARTIFACTS_DIR to another one.",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` atomically."""
    atomic_write(path, lambda file: file.write(data))


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, document: Any) -> None:
    """Write plain JSON atomically; NaN and infinities become null, keys keep their order."""
    write_text(path, to_json(document) + "\n")


def to_json(document: Any) -> str:
    """Render strict JSON (no NaN, which becomes null), indented by two."""
    return json.dumps(_jsonable(document), indent=2, allow_nan=False, ensure_ascii=False)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    StorageError
        If it can't be read.
    CorruptFileError
        If it is no JSON.
    """
    data = read_bytes(path)
    try:
        return json.loads(data)
    except ValueError as error:
        raise CorruptFileError(f"{path} is no valid JSON: {error}.", "Remove the file and run again.") from error


def write_checked_json(path: Path, document: Any) -> None:
    """Write ``document`` in an envelope ``{"sha256": …, "content": …}``, atomically."""
    write_text(path, checked_json(document) + "\n")


def checked_json(document: Any, indent: int | None = 2) -> str:
    """What :func:`write_checked_json` writes, indented by two or, with None, on one line."""
    content = _jsonable(document)
    envelope = {"sha256": plain_json_hash(content), "content": content}
    return json.dumps(envelope, indent=indent, allow_nan=False, ensure_ascii=False)


def read_checked_json(path: Path) -> Any:
    """Read what :func:`write_checked_json` wrote; a wrong checksum raises CorruptFileError."""
    envelope = read_json(path)
    if not isinstance(envelope, dict) or set(envelope) != {"sha256", "content"}:
        raise CorruptFileError(f"{path} is not a checksummed JSON file of ours.", "Remove the file and run again.")
    if json_hash(envelope["content"]) != envelope["sha256"]:
        raise CorruptFileError(f"{path} does not match its checksum.", "Remove the file and run again.")
    return envelope["content"]


def read_bytes(path: Path) -> bytes:
    """Read a file; StorageError if it is missing or unreadable."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(
            f"{path} could not be read: {error.strerror or error}.", "Check the path and its permissions."
        ) from error


def write_frame(path: Path, frame: pd.DataFrame) -> str:
    """Write a frame as Parquet, atomically, with its content hash inside; return that hash."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    digest = frame_hash(frame)
    table = pa.Table.from_pandas(frame)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _HASH_KEY: digest.encode()})
    atomic_write(path, lambda file: pq.write_table(table, file))
    return digest


def read_frame(path: Path) -> pd.DataFrame:
    """Read what :func:`write_frame` wrote and verify it.

    Raises
    ------
    StorageError
        If the file is missing or unreadable.
    CorruptFileError
        If it is truncated, altered or not one of ours.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    remedy = f"Remove {path} and materialize it again."
    try:
        table = pq.read_table(pa.BufferReader(read_bytes(path)))
    except (pa.ArrowInvalid, OSError) as error:
        raise CorruptFileError(f"{path} is no readable Parquet file: {error}.", remedy) from error
    recorded = (table.schema.metadata or {}).get(_HASH_KEY, b"").decode()
    frame: pd.DataFrame = table.to_pandas()
    if frame_hash(frame) != recorded:
        raise CorruptFileError(f"{path} does not match the checksum it carries.", remedy)
    return frame


def frame_hash(frame: pd.DataFrame) -> str:
    """SHA-256 of a frame's index, column names, types and values.

    Equal frames have equal hashes on every machine; NaN payloads and -0.0 count as their bits.
    """
    digest = hashlib.sha256()
    _hash_column(digest, str(frame.index.name), frame.index.to_series())
    for name in frame.columns:
        _hash_column(digest, str(name), frame[name])
    return digest.hexdigest()


def json_hash(document: Any) -> str:
    """SHA-256 of a document's canonical JSON (sorted keys, no blanks)."""
    return plain_json_hash(_jsonable(document))


def plain_json_hash(document: Any) -> str:
    """:func:`json_hash` of plain JSON values, without its walk through them; ValueError for NaN or infinity."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _hash_column(digest: Any, name: str, column: pd.Series) -> None:
    values = column
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        array = values.dt.as_unit("ns").astype("int64").to_numpy()
        kind = f"datetime64[ns, {values.dt.tz}]"
    elif values.dtype == object or isinstance(values.dtype, pd.StringDtype):
        array = np.frombuffer("\x1f".join(map(str, values)).encode(), dtype=np.uint8)
        kind = "text"
    else:
        array = values.to_numpy()
        kind = str(array.dtype)
    digest.update(f"{name}\x1e{kind}\x1e{len(column)}\x1d".encode())
    digest.update(np.ascontiguousarray(array).tobytes())


def _jsonable(value: Any) -> Any:
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, np.ndarray):
        return _jsonable(value.tolist())
    if isinstance(value, np.generic):
        return _jsonable(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    return value


def fsync_folder(folder: Path) -> None:
    """Let a new name in a folder outlive a power cut; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""The few things that the live half does to files, behind one object, so that a test can crash before or after each."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from algo_pipeline.common.errors import StorageError

_MODE = 0o644


class Files(Protocol):
    """What journal, state and alerts need of a disk. Every failure is a StorageError that names the file."""

    def size(self, path: Path) -> int:
        """Bytes in the file; 0 if there is none."""

    def read(self, path: Path, start: int = 0, stop: int | None = None) -> bytes:
        """Bytes ``start`` to ``stop`` (default: the end); empty if there is no file."""

    def append(self, path: Path, data: bytes) -> None:
        """Add all bytes in one write; the file is as before if that fails."""

    def sync(self, path: Path) -> None:
        """Return when the file's content and its name are on the disk."""

    def truncate(self, path: Path, size: int) -> None:
        """Cut the file to its first ``size`` bytes."""

    def replace(self, path: Path, data: bytes) -> None:
        """Let the file hold exactly ``data``: a reader sees the old content or the new one. Not synced."""


class DiskFiles:
    """:class:`Files` of this machine."""

    def __init__(self) -> None:
        self._named: set[Path] = set()

    def size(self, path: Path) -> int:
        """Bytes in the file; 0 if there is none."""
        with _storage_errors(path, "read"):
            try:
                return path.stat().st_size
            except FileNotFoundError:
                return 0

    def read(self, path: Path, start: int = 0, stop: int | None = None) -> bytes:
        """Bytes ``start`` to ``stop`` (default: the end); empty if there is no file."""
        with _storage_errors(path, "read"):
            try:
                file = path.open("rb")
            except FileNotFoundError:
                return b""
            with file:
                file.seek(start)
                return file.read() if stop is None else file.read(stop - start)

    def append(self, path: Path, data: bytes) -> None:
        """Add all bytes in one write; a short write (a full disk) is taken back unless others wrote behind it."""
        with _storage_errors(path, "written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            with _descriptor(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as descriptor:
                before = os.fstat(descriptor).st_size
                if before == 0:
                    self._named.discard(path)
                written = os.write(descriptor, data)
                if written != len(data):
                    if os.fstat(descriptor).st_size == before + written:
                        os.ftruncate(descriptor, before)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def sync(self, path: Path) -> None:
        """Return when the file's content and its name are on the disk."""
        # A name stays where it was synced once; the folder is waited for when this object meets the file.
        with _storage_errors(path, "written"):
            for place in (path,) if path in self._named else (path, path.parent):
                with _descriptor(place, os.O_RDONLY) as descriptor:
                    os.fsync(descriptor)
        self._named.add(path)

    def truncate(self, path: Path, size: int) -> None:
        """Cut the file to its first ``size`` bytes."""
        with _storage_errors(path, "written"):
            os.truncate(path, size)

    def replace(self, path: Path, data: bytes) -> None:
        """Write beside the file, then rename."""
        beside = path.with_name(f".{path.name}.tmp")
        with _storage_errors(path, "written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(data)
            beside.replace(path)


@contextmanager
def _descriptor(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC, _MODE)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _storage_errors(path: Path, verb: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path} could not be {verb}: {error.strerror or error}.",
            "Make the folder writable or free disk space; then run again: nothing is lost.",
        ) from error

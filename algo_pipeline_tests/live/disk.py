"""A disk that dies or refuses where a test wants it to."""

from __future__ import annotations

from pathlib import Path

from algo_pipeline.common.errors import StorageError
from algo_pipeline.live.files import DiskFiles


class SimulatedCrash(BaseException):
    """The process ends here: no ``except Exception`` may hold it up."""


class CrashingFiles(DiskFiles):
    """The real disk; the process dies before or after the n-th call that changes or syncs something.

    Nothing is synced: only a power cut could tell, and it takes milliseconds.
    """

    def __init__(self, at: int | None = None, after: bool = False, torn_bytes: int | None = None) -> None:
        super().__init__()
        self.calls: list[tuple[str, str]] = []
        self.bytes_read = 0
        self._at, self._after, self._torn_bytes = at, after, torn_bytes

    def read(self, path: Path, start: int = 0, stop: int | None = None) -> bytes:
        data = super().read(path, start, stop)
        self.bytes_read += len(data)
        return data

    def append(self, path: Path, data: bytes) -> None:
        dies = len(self.calls) == self._at
        self._step("append", path)
        if dies and self._torn_bytes is not None:
            super().append(path, data[: self._torn_bytes])
            raise SimulatedCrash
        super().append(path, data)
        self._end(dies)

    def sync(self, path: Path) -> None:
        dies = len(self.calls) == self._at
        self._step("sync", path)
        self._end(dies)

    def truncate(self, path: Path, size: int) -> None:
        dies = len(self.calls) == self._at
        self._step("truncate", path)
        super().truncate(path, size)
        self._end(dies)

    def replace(self, path: Path, data: bytes) -> None:
        dies = len(self.calls) == self._at
        self._step("replace", path)
        super().replace(path, data)
        self._end(dies)

    def _step(self, verb: str, path: Path) -> None:
        dies = len(self.calls) == self._at and not self._after and self._torn_bytes is None
        self.calls.append((verb, path.name))
        if dies:
            raise SimulatedCrash

    def _end(self, dies: bool) -> None:
        if dies and self._after:
            raise SimulatedCrash


class RefusingFiles(DiskFiles):
    """The real disk, of which some calls fail."""

    def __init__(self, *verbs: str) -> None:
        super().__init__()
        self.refused = set(verbs)

    def sync(self, path: Path) -> None:
        if "sync" in self.refused:
            raise StorageError(f"{path} could not be written: Input/output error.")
        super().sync(path)

    def truncate(self, path: Path, size: int) -> None:
        if "truncate" in self.refused:
            raise StorageError(f"{path} could not be written: Input/output error.")
        super().truncate(path, size)

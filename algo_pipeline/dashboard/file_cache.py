"""What was made of a file or of values, until they change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar, cast

Made = TypeVar("Made")
Mark = tuple[int, int, int] | None


class FileCache:
    """Values by file and purpose, made again when the file's size, time or identity is another."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Path, str], tuple[Mark, object]] = {}

    def get(self, path: Path, purpose: str, make: Callable[[], Made]) -> Made:
        """What ``make`` makes of the file as it is now; what it raises is not kept."""
        mark = file_mark(path)
        kept = self._kept.get((path, purpose))
        if kept is not None and kept[0] == mark:
            return cast("Made", kept[1])
        made = make()
        self._kept[path, purpose] = (mark, made)
        return made


class Latest(Generic[Made]):
    """The value that was made last, until another is asked for."""

    def __init__(self) -> None:
        self._kept: tuple[object, Made] | None = None

    def get(self, key: object, make: Callable[[], Made]) -> Made:
        """What ``make`` makes, unless ``key`` equals that of the last time."""
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, make())
        return self._kept[1]


def file_mark(path: Path) -> Mark:
    """What tells this content from others that the file may have had; None if there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size

"""What was made of a file, until the file changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

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


def file_mark(path: Path) -> Mark:
    """What tells this content from others that the file may have had; None if there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size

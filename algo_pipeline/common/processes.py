"""Which process holds a lock or listens on a port, where Linux tells; other systems have nothing to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_LISTENING = "0A"


def process_words(pid: int | str) -> str:
    """``process 4711 (algo-pipeline decide)``: a process by its number and command, without its folders."""
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return f"process {pid}"
    named = " ".join(Path(word).name if "/" in word else word for word in words).strip()
    return f"process {pid} ({named})" if named else f"process {pid}"


def lock_holders(paths: Iterable[Path]) -> tuple[int, ...]:
    """Numbers of the processes that hold a lock of any kind on one of these files; none where it can't be told."""
    inodes = {str(path.stat().st_ino) for path in paths if path.exists()}
    rows = (line.split() for line in _lines(_PROC / "locks"))
    # A row of somebody who waits has an arrow in the second place; the inode ends the sixth.
    held = [row for row in rows if len(row) > 5 and row[1] != "->" and row[5].rpartition(":")[2] in inodes]
    return tuple(dict.fromkeys(int(row[4]) for row in held if row[4].isdigit() and row[4] != "0"))


def port_owner(port: int) -> int | None:
    """Number of the process that listens on a TCP port of this machine; None where it can't be told."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not inodes:
        return None
    pids = (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())
    return next((pid for pid in pids if inodes.intersection(_open_files(pid))), None)


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        for line in _lines(_PROC / "net" / table)[1:]:
            cells = line.split()
            if cells[3] == _LISTENING and int(cells[1].rpartition(":")[2], 16) == port:
                yield cells[9]


def _open_files(pid: int) -> Iterator[str]:
    """What a process has open; nothing for one of another user, or one that has just ended."""
    try:
        opened = list((_PROC / str(pid) / "fd").iterdir())
    except OSError:
        return
    for each in opened:
        with suppress(OSError):
            yield str(each.readlink())


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []

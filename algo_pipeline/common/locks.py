"""Locks between processes of one machine, held through a file and released by the system when a process dies."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from algo_pipeline.common.errors import BusyError, StorageError
from algo_pipeline.common.processes import lock_holders, process_words

_POLL_S = 0.2


@contextmanager
def file_lock(path: Path, what: str, wait_s: float) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` (created if absent, never removed) while the context lasts.

    Parameters
    ----------
    path : Path
        The lock's file.
    what : str
        What is locked, for the message: ``another run of BTC/USD``.
    wait_s : float
        How long to wait for whoever holds it; 0 tries once.

    Raises
    ------
    BusyError
        If it is still held after that time.
    StorageError
        If the file can't be opened.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise StorageError(
            f"The lock file {path} could not be opened: {error.strerror or error}.",
            "Make the folder writable, or set ALGO_TRADER_ARTIFACTS_DIR to another one.",
        ) from error
    with file:
        deadline = time.monotonic() + wait_s
        while not _try_lock(file.fileno()):
            if time.monotonic() >= deadline:
                raise BusyError(f"{what} is active (it holds {path}).", "Wait for it to end, then run again.")
            time.sleep(_POLL_S)
        yield


def lock_holder(path: Path) -> str | None:
    """Who holds the lock: ``process 4711 (algo-pipeline decide)`` where the system tells; None if it is free.

    Raises
    ------
    StorageError
        If the file can't be opened.
    """
    try:
        with path.open("rb") as file:
            if _try_lock(file.fileno()):
                return None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(
            f"The lock file {path} could not be opened: {error.strerror or error}.", "Make it readable."
        ) from error
    holders = lock_holders([path])
    return process_words(holders[0]) if holders else "another process"


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

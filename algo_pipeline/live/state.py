"""``state.json``: the fold of the journal up to some line, so that a run need not read years of it.

The journal is the truth and is synced; this file is a shortcut and may be lost, old or damaged at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from algo_pipeline.common.errors import CorruptFileError, StorageError
from algo_pipeline.common.storage import checked_json, read_checked_json
from algo_pipeline.live.files import DiskFiles, Files
from algo_pipeline.live.journal import WAY_OUT, Journal
from algo_pipeline.live.state_fold import NOT_READABLE, apply, fold
from algo_pipeline.live.state_records import BarRecord, DecisionRecord, Intent, LiveState, from_document, to_document

__all__ = ["BarRecord", "DecisionRecord", "Intent", "LiveState", "StateStore", "apply", "fold"]

STATE_FILE = "state.json"
STATE_VERSION = 1


@dataclass(frozen=True, slots=True)
class _Kept:
    """The state that this process wrote last, and the file that it became."""

    mark: tuple[int, int, int] | None
    state: LiveState


class StateStore:
    """``state.json`` in ``folder``: atomic, checksummed, versioned; read only if another has written it."""

    def __init__(self, folder: Path, files: Files | None = None) -> None:
        self._files: Files = files if files is not None else DiskFiles()
        self._path = folder / STATE_FILE
        self._kept: _Kept | None = None

    @property
    def path(self) -> Path:
        """The state's file."""
        return self._path

    def load(self, journal: Journal) -> LiveState:
        """The state after the journal's last line.

        The saved state and the lines after it; all lines where nothing is saved, or where it is damaged, of another
        version or not a state of this journal.

        Raises
        ------
        CorruptFileError
            If the journal is damaged in the part that is read.
        """
        saved = self._saved(journal) or LiveState()
        state = _folded(saved, journal)
        if state.seq != saved.seq:
            journal.sync()  # a saved line is synced; one after it may be the last act of a killed process
        return state

    def save(self, state: LiveState) -> None:
        """Replace the file; a reader sees the old state or the new one. StorageError if the disk refuses."""
        content = {"version": STATE_VERSION, "state": to_document(state)}
        self._files.replace(self._path, (checked_json(content, indent=None) + "\n").encode())
        self._kept = _Kept(self._mark(), state)

    def _saved(self, journal: Journal) -> LiveState | None:
        mark = self._mark()
        if mark is None:
            return None
        state = self._kept.state if self._kept is not None and self._kept.mark == mark else self._read()
        if state is None:
            logger.warning("{} is damaged or of another version; it is made again from the journal.", self._path)
        elif journal.hash_at(state.offset) != state.last_hash:
            logger.warning("{} is no state of the journal beside it; it is made again from that.", self._path)
            return None
        return state

    def _mark(self) -> tuple[int, int, int] | None:
        """What tells this file from every other one that was ever here; None if there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> LiveState | None:
        try:
            content = read_checked_json(self._path)
            return from_document(content["state"]) if content["version"] == STATE_VERSION else None
        except (StorageError, *NOT_READABLE):
            return None


def _folded(state: LiveState, journal: Journal) -> LiveState:
    for line in journal.lines(state.offset):
        try:
            state = apply(state, line)
        except NOT_READABLE as error:
            raise CorruptFileError(
                f"Line {line.seq} of {journal.path} can't be read as a {line.event.value} line: {error!r}.",
                WAY_OUT,
            ) from error
    return state

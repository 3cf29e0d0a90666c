"""The journal as the dashboard keeps it: read once, then only what was added since."""

from __future__ import annotations

from pathlib import Path

from algo_pipeline.common.errors import AlgoPipelineError, CorruptFileError
from algo_pipeline.dashboard.file_cache import Mark, file_mark
from algo_pipeline.dashboard.view import Problem
from algo_pipeline.live.journal import WAY_OUT, Journal
from algo_pipeline.live.state import LiveState, StateStore, apply
from algo_pipeline.live.state_fold import NOT_READABLE
from algo_pipeline.live.tally import JournalTally


class FollowedJournal:
    """Tally and state of a journal that grows, is replaced, or gets damaged while it is watched; writes nothing.

    Parameters
    ----------
    folder : Path
        ``live`` under the artifacts folder.

    Attributes
    ----------
    tally, state
        As of the same line: the newest, or the last one before the damage.
    problem : Problem or None
        The damage.
    """

    def __init__(self, folder: Path) -> None:
        self._journal, self._store = Journal(folder), StateStore(folder)
        self._mark: Mark = None
        self.tally, self.state = JournalTally(), LiveState()
        self.problem: Problem | None = None

    def refresh(self) -> None:
        """Take in what is new since the last time."""
        mark = file_mark(self._journal.path)
        if mark == self._mark:
            return
        self._mark = mark
        try:
            self._follow()
            self.problem = None
        except AlgoPipelineError as error:
            self.problem = Problem("The journal", error.message, error.remedy)
            self._salvage()

    def _follow(self) -> None:
        state = self._store.load(self._journal) if self._mark is not None else LiveState()
        if self.problem is not None or self._journal.hash_at(self.tally.offset) != self.tally.last_hash:
            self.tally = JournalTally()
        for line in self._journal.lines(self.tally.offset):
            if line.end > state.offset:  # written since the state was read: next time
                break
            try:
                self.tally.take(line)
            except NOT_READABLE as error:
                raise CorruptFileError(
                    f"Line {line.seq} of {self._journal.path} can't be read: {error!r}.", WAY_OUT
                ) from error
        self.state = state

    def _salvage(self) -> None:
        """Everything up to the damage, read anew: a line may have been counted in part."""
        self.tally, self.state = JournalTally(), LiveState()
        try:
            for line in self._journal.lines():
                state = apply(self.state, line)
                self.tally.take(line)
                self.state = state
        except (AlgoPipelineError, *NOT_READABLE):
            return

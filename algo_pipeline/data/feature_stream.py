"""Features of bars as they come: each new bar costs the same however long the history is."""

from __future__ import annotations

import pandas as pd

from algo_pipeline.common.errors import DataValidationError
from algo_pipeline.common.schemas import validate_bars
from algo_pipeline.data.feature_registry import MAX_WARMUP_BARS
from algo_pipeline.data.latest import NewestBar, latest_features


class FeatureStream:
    """The features of the newest bar, to the bit what ``build_features`` gives for all bars.

    Bars that were given once can't change: start a new stream where a source has corrected some.

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, 5)
        Valid hourly bars, oldest first; may be empty, hours may be missing.

    Raises
    ------
    DataValidationError
        If ``bars`` break the schema of bars.
    """

    def __init__(self, bars: pd.DataFrame) -> None:
        validate_bars(bars)
        self._bars: pd.DataFrame
        self._newest: NewestBar | None
        self._keep(bars)

    @property
    def n_bars(self) -> int:
        """Bars so far."""
        return len(self._bars) if self._newest is None else self._newest.n_bars

    @property
    def last_at(self) -> pd.Timestamp | None:
        """Open time of the newest bar; None before the first."""
        index = self._bars.index if self._newest is None else self._newest.index
        return index[-1] if len(index) else None

    def append(self, bars: pd.DataFrame) -> None:
        """Take in the bars that follow.

        Raises
        ------
        DataValidationError
            If they break the schema of bars, or do not all lie behind the newest bar; none is taken in then.
        """
        validate_bars(bars)
        last_at = self.last_at
        if last_at is not None and len(bars) and bars.index[0] <= last_at:
            raise DataValidationError(
                f"Bars after {last_at} are expected; the first one found is {bars.index[0]}.",
                "Pass new bars only, or start a new stream where old ones changed.",
            )
        if self._newest is not None:
            self._newest.append(bars)
            return
        self._keep(pd.concat([self._bars, bars]) if len(self._bars) else bars)

    def latest(self) -> pd.DataFrame:
        """:func:`~algo_pipeline.data.latest.latest_features` of all bars; shape (1, 37).

        Raises
        ------
        InsufficientHistoryError
            If there are no bars.
        """
        return latest_features(self._bars) if self._newest is None else self._newest.features()

    def _keep(self, bars: pd.DataFrame) -> None:
        """All bars while a recursive feature could still miss some; then only what they leave behind."""
        is_long = len(bars) >= MAX_WARMUP_BARS
        self._newest = NewestBar(bars) if is_long else None
        self._bars = bars.iloc[:0] if is_long else bars

"""The newest bar's features as live trading wants them, whichever sets they are of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import DataValidationError
from algo_pipeline.common.time import bar_numbers
from algo_pipeline.common.types import FloatArray
from algo_pipeline.data.feature_check import FeatureCheck
from algo_pipeline.data.feature_choice import VOLATILITY
from algo_pipeline.data.feature_sets import FeatureSets, build_own
from algo_pipeline.data.feature_stream import FeatureStream
from algo_pipeline.data.latest import latest_features

_VOLATILITY_BARS = 25


class LiveFeatures:
    """Features of bars as they come: the standard ones cost the same however long the history is, others all of it.

    A user's sets are built from every bar, each time, as research did: a row is then the one that research would have
    made, to the bit, without any more code of the user's.

    Parameters
    ----------
    sets : FeatureSets
        What the model reads.
    check : FeatureCheck, optional
        What the user's features were in training, where the bars are those of the training.
    """

    def __init__(self, sets: FeatureSets, check: FeatureCheck | None = None) -> None:
        self._sets, self._check = sets, check
        self._stream: FeatureStream | None = None
        self._row: FloatArray | None = None
        self._n_bars = 0

    def row(self, n_bars: int, bars_from: Callable[[int], pd.DataFrame]) -> FloatArray:
        """The newest bar's row, shape (n_features,), or one longer: see :func:`live_row`.

        Parameters
        ----------
        n_bars : int
            How many bars there are so far.
        bars_from : callable
            The bars from the so manieth on, of which those of the call before are the first.

        Raises
        ------
        DataValidationError
            If a user's set breaks, or gives other values than the model learnt from.
        """
        if self._row is None or n_bars != self._n_bars:
            standard = self._standard(n_bars, bars_from) if self._sets.has_standard else None
            bars = bars_from(0) if self._sets.own else bars_from(max(0, n_bars - _VOLATILITY_BARS))
            own = _own_features(self._sets, bars)
            self._require_as_learnt(own)
            self._row, self._n_bars = live_row(self._sets, standard, own, bars), n_bars
        return self._row

    def _standard(self, n_bars: int, bars_from: Callable[[int], pd.DataFrame]) -> FloatArray:
        if self._stream is None:
            self._stream = FeatureStream(bars_from(0))
        elif self._stream.n_bars < n_bars:
            self._stream.append(bars_from(self._stream.n_bars))
        return np.asarray(self._stream.latest().to_numpy()[0])

    def _require_as_learnt(self, own: pd.DataFrame | None) -> None:
        other = None if own is None or self._check is None else self._check.difference(own)
        if other:
            raise DataValidationError(
                f"Your own features are not what they were: {other}.",
                "Something that they import has changed, or their bars have: train anew with algo-pipeline research.",
            )


def newest_row(sets: FeatureSets, bars: pd.DataFrame) -> FloatArray:
    """:meth:`LiveFeatures.row` of bars that come once; DataValidationError if a user's set breaks."""
    standard = latest_features(bars).to_numpy()[0] if sets.has_standard else None
    return live_row(sets, standard, _own_features(sets, bars), bars)


def live_row(
    sets: FeatureSets, standard: FloatArray | None, own: pd.DataFrame | None, bars: pd.DataFrame
) -> FloatArray:
    """Standard and own features of the newest bar in one array.

    Where ``realized_vol_24`` is not among the features, it follows behind them: strategies may read it, models do not.
    """
    parts = [] if standard is None else [standard]
    parts += [] if own is None else [own.to_numpy()[-1]]
    if VOLATILITY not in sets.columns:
        parts.append(np.array([_volatility(bars)]))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _own_features(sets: FeatureSets, bars: pd.DataFrame) -> pd.DataFrame | None:
    parts = [build_own(identity, each, bars) for identity, each in sets.own.items()]
    return pd.concat(parts, axis=1) if parts else None


def _volatility(bars: pd.DataFrame) -> float:
    from algo_pipeline.data.labels import daily_volatility

    newest = bars.iloc[-_VOLATILITY_BARS:]
    close = np.ascontiguousarray(newest["close"].to_numpy(dtype=np.float64))
    return float(daily_volatility(close, bar_numbers(pd.DatetimeIndex(newest.index)))[-1])

"""What the live core is given to decide with: the champion, the bars, the clock. Others implement it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from algo_pipeline.common.types import FloatArray, Symbol
from algo_pipeline.interfaces.strategy import Outlook, StrategyInterface

if TYPE_CHECKING:
    from algo_pipeline.data.labels import LabelSpec
    from algo_pipeline.research.drift import Drift

FeatureRow = Any
"""One row of features in whatever form feed and champion agree on; the live core only hands it on."""


class Champion(Protocol):
    """The deployed model of one symbol, verified and ready to score."""

    @property
    def symbol(self) -> Symbol:
        """What it trades."""

    @property
    def source(self) -> str:
        """Where its training bars came from."""

    @property
    def sha256(self) -> str:
        """Identity of its bundle."""

    @property
    def model_version(self) -> str:
        """Version in the model registry."""

    @property
    def strategy(self) -> StrategyInterface:
        """What turns its probabilities into signals and sizes."""

    @property
    def base_rate(self) -> float:
        """Share of ones in the rows that it learnt from."""

    @property
    def trading(self) -> str:
        """``on``; or ``flat``: it records probability and signal, exits any holding and never enters."""

    @property
    def history_start(self) -> pd.Timestamp:
        """Open of the first bar that its features are computed from."""

    @property
    def training_end(self) -> pd.Timestamp:
        """Close of the last bar that any fit or label read."""

    @property
    def simulated(self) -> bool:
        """Whether it learnt from simulated bars: it then trades on loopback only."""

    def probability(self, features: FeatureRow) -> float:
        """P(label = 1) of one row of features; NaN if a feature is NaN."""

    def volatility(self, features: FeatureRow) -> float:
        """``realized_vol_24`` among the features; NaN where it is not known."""


def outlook_of(champion: Champion, features: FeatureRow) -> Outlook:
    """What a champion's strategy is shown of one row of features; NaN where probability or volatility is not known."""
    return Outlook(float(champion.probability(features)), champion.base_rate, float(champion.volatility(features)))


@dataclass(frozen=True, slots=True)
class BarView:
    """The newest closed bars of a symbol, oldest first, the last one at or before the bar that was asked for.

    Parameters
    ----------
    times : pd.DatetimeIndex
        Open times, UTC; at least one.
    closes : ndarray of shape (n,)
        Close per bar, in quote currency.
    """

    times: pd.DatetimeIndex
    closes: FloatArray

    @property
    def last_at(self) -> pd.Timestamp:
        """Open time of the newest bar."""
        last: pd.Timestamp = self.times[-1]
        return last

    @property
    def close(self) -> float:
        """Close of the newest bar."""
        return float(self.closes[-1])

    @property
    def previous_close(self) -> float | None:
        """Close of the bar before the newest one, if there is one."""
        return float(self.closes[-2]) if len(self.closes) > 1 else None

    def bars_after(self, at: pd.Timestamp) -> int:
        """How many of the bars open after ``at``."""
        return len(self.times) - int(self.times.searchsorted(at, side="right"))


@dataclass(frozen=True, slots=True)
class Features:
    """The features of a symbol's newest bar.

    Parameters
    ----------
    row : FeatureRow or None
        None where they can't be computed; ``reason`` then says why.
    exact : bool
        Whether they rest on the bundle's whole history, and so equal a backtest's bit for bit.
    reason : str or None
        Why there is no row, or why it is not exact.
    """

    row: FeatureRow | None
    exact: bool
    reason: str | None = None


class Watch(Protocol):
    """What the watch over probabilities and features asks; it asks for nothing that an hour does not know anyway."""

    def label(self, symbol: Symbol) -> LabelSpec:
        """What the champion's probabilities are of."""

    def outcome(self, symbol: Symbol, bar: pd.Timestamp) -> float:
        """The label of an earlier bar; NaN where a gap hides it for ever."""

    def bins(self, symbol: Symbol, features: FeatureRow) -> str:
        """Where a row of features lies in the training's distribution; empty where that is not recorded."""

    def strangest(self, symbol: Symbol, bins: Sequence[str]) -> Drift | None:
        """The feature furthest towards its limit over these rows; None where that can't be said."""


class BarFeed(Protocol):
    """Closed bars and the features of the newest one."""

    def bars(self, symbol: Symbol, bar: pd.Timestamp) -> BarView | None:
        """The newest closed bars up to and including ``bar``, as many as are known; None if none are.

        The venue is asked again where ``bar`` is not there yet, so that a caller can poll.
        """

    def features(self, symbol: Symbol, bar: pd.Timestamp) -> Features:
        """Features of ``bar``, which :meth:`bars` has shown."""


class Clock(Protocol):
    """Time, injected: the venue's on loopback, this machine's elsewhere."""

    def now(self) -> pd.Timestamp:
        """Now, tz-aware UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class PriceCheck(Protocol):
    """A second opinion on a price."""

    def __call__(self, symbol: Symbol) -> float | None:
        """The present price from another source, in quote currency; None if it does not answer."""

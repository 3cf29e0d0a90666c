"""The 7 labels: what happened after the earliest moment at which an order decided at a bar can fill.

A label at bar t looks from ``open[t+1]`` to ``open[t+1+h]`` and is NaN until that is known.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd
from numba import njit

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.schemas import PRICE_COLUMNS, validate_bars
from algo_pipeline.common.time import bar_numbers
from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.common.user_classes import REFERENCE_KEY, SOURCE_KEY
from algo_pipeline.data.indicators import log_return, realized_volatility

_BARRIER_BARS = 24
_VOLATILITY_RETURNS = 24


class LabelKind(str, Enum):
    """How a label is read from the bars that follow."""

    RETURN = "return"
    DIRECTION = "direction"
    TRIPLE_BARRIER = "triple_barrier"
    OWN = "own"
    """By a user's class."""


@dataclass(frozen=True, slots=True)
class LabelSpec:
    """Definition of one label.

    Parameters
    ----------
    name : str
        Column name.
    horizon_bars : int
        h: the label at t is known once bar t + 1 + h is open (bars t + 1 … t + h closed, for a triple barrier).
        The purge of a split follows from it.
    kind : LabelKind
        How it is computed.
    reference, source_sha256 : str
        The class ``module:Class`` of a user's own label and the digest of its source; empty for the others.
    """

    name: str
    horizon_bars: int
    kind: LabelKind
    reference: str = ""
    source_sha256: str = ""

    @property
    def is_binary(self) -> bool:
        """Whether the label is 0 or 1, and so can be what a classifier learns."""
        return self.kind is not LabelKind.RETURN

    @property
    def last_bar_read(self) -> int:
        """How many bars after t the last one lies that the label at t reads."""
        return self.horizon_bars if self.kind is LabelKind.TRIPLE_BARRIER else self.horizon_bars + 1

    @property
    def is_own(self) -> bool:
        """Whether a user's class computes it."""
        return self.kind is LabelKind.OWN

    def to_document(self) -> dict[str, Any]:
        """Plain JSON: what a recipe's hash covers."""
        own = {REFERENCE_KEY: self.reference, SOURCE_KEY: self.source_sha256} if self.is_own else {}
        return {"name": self.name, "horizon_bars": self.horizon_bars, "kind": self.kind.value, **own}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> LabelSpec:
        """Inverse of :meth:`to_document`; nothing is imported because a document names it.

        Raises
        ------
        ConfigValueError
            If it is no label of a user's, and none of this program's.
        """
        if document.get("kind") != LabelKind.OWN.value:
            return label_spec(str(document["name"]))
        own = (str(document[REFERENCE_KEY]), str(document[SOURCE_KEY]))
        return cls(str(document["name"]), int(document["horizon_bars"]), LabelKind.OWN, *own)


LABELS: tuple[LabelSpec, ...] = (
    *(LabelSpec(f"fwd_return_{bars}h", bars, LabelKind.RETURN) for bars in (1, 4, 24)),
    *(LabelSpec(f"direction_{bars}h", bars, LabelKind.DIRECTION) for bars in (1, 4, 24)),
    LabelSpec(f"triple_barrier_{_BARRIER_BARS}h", _BARRIER_BARS, LabelKind.TRIPLE_BARRIER),
)
LABEL_NAMES: tuple[str, ...] = tuple(spec.name for spec in LABELS)


def label_spec(name: str) -> LabelSpec:
    """Find a label by its name.

    Raises
    ------
    ConfigValueError
        If there is none; the message suggests the nearest name.
    """
    for spec in LABELS:
        if spec.name == name:
            return spec
    nearest = difflib.get_close_matches(name, LABEL_NAMES, n=1, cutoff=0.0)[0]
    raise ConfigValueError(
        f"A label is expected, one of {', '.join(LABEL_NAMES)}; found {name!r}.", f"Did you mean {nearest}?"
    )


def build_labels(bars: pd.DataFrame) -> pd.DataFrame:
    """Compute all labels of every bar from the bars after it.

    ``fwd_return_{h}h`` is ``open[t+1+h] / open[t+1] − 1`` and ``direction_{h}h`` is 1 where that is > 0, else 0.
    ``triple_barrier_24h`` sets barriers at ``open[t+1]·(1 ± σ·√24)`` with σ = ``realized_vol_24`` at t and reads the
    highs and lows of bars t+1 … t+24: 1 if the upper barrier is touched first, else 0 (the lower one wins a tie inside
    a bar; none touched is 0).

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, 5)
        Valid hourly bars; hours may be missing.

    Returns
    -------
    DataFrame of shape (n_bars, 7)
        Columns ``LABEL_NAMES``, float64, same index. NaN where the bars from t to the end of the label's span are not
        all there, and for the triple barrier also where σ is unknown.

    Raises
    ------
    DataValidationError
        If ``bars`` break the schema of bars.

    References
    ----------
    López de Prado (2018), "Advances in financial machine learning", chapter 3 (triple barrier).
    """
    validate_bars(bars)
    numbers = bar_numbers(pd.DatetimeIndex(bars.index))
    columns = {spec.name: _label(spec, bars, numbers) for spec in LABELS}
    return pd.DataFrame(columns, index=bars.index, columns=list(LABEL_NAMES), dtype=np.float64)


def newest_label(spec: LabelSpec, prices: FloatArray, numbers: IntArray) -> float:
    """The label of the bar that lies ``spec.last_bar_read`` bars before the last one: the newest that is known.

    Equal to that of :func:`build_labels`, but that the volatility of a triple barrier is summed over other bars and so
    may differ in its last digits.

    Parameters
    ----------
    spec : LabelSpec
        A binary label.
    prices : ndarray of shape (n, 4)
        Open, high, low and close of consecutive rows of bars, the last one closed.
    numbers : ndarray of shape (n,)
        The numbers of the bars (``common.time.bar_numbers``).

    Returns
    -------
    float
        0, 1, or NaN where an hour of the label's span, or of its volatility, is missing.
    """
    first = max(0, len(prices) - (spec.last_bar_read + 1 + _VOLATILITY_RETURNS))
    open_, high, low, close = (np.ascontiguousarray(prices[first:, place]) for place in range(4))
    numbers = np.ascontiguousarray(numbers[first:])
    if len(numbers) <= spec.last_bar_read:
        return math.nan
    if spec.kind is LabelKind.TRIPLE_BARRIER:
        width = daily_volatility(close, numbers) * math.sqrt(spec.horizon_bars)
        labels = _first_touch(open_, high, low, width, numbers, spec.horizon_bars)
    else:
        forward = _forward_return(open_, numbers, spec.horizon_bars)
        labels = np.where(np.isnan(forward), np.nan, forward > 0.0)
    return float(labels[len(numbers) - 1 - spec.last_bar_read])


def _label(spec: LabelSpec, bars: pd.DataFrame, numbers: IntArray) -> FloatArray:
    if spec.kind is LabelKind.TRIPLE_BARRIER:
        return _triple_barrier(bars, numbers, spec.horizon_bars)
    forward = _forward_return(bars["open"].to_numpy(), numbers, spec.horizon_bars)
    return forward if spec.kind is LabelKind.RETURN else np.where(np.isnan(forward), np.nan, forward > 0.0)


def _forward_return(open_: FloatArray, numbers: IntArray, horizon: int) -> FloatArray:
    out = np.full(open_.size, np.nan)
    span = horizon + 1
    if open_.size > span:
        consecutive = numbers[span:] - numbers[:-span] == span
        out[:-span] = np.where(consecutive, open_[span:] / open_[1:-horizon] - 1.0, np.nan)
    return out


def _triple_barrier(bars: pd.DataFrame, numbers: IntArray, horizon: int) -> FloatArray:
    open_, high, low, close = (np.array(bars[name]) for name in PRICE_COLUMNS)  # contiguous whatever the frame
    width = daily_volatility(close, numbers) * math.sqrt(horizon)
    touched: FloatArray = _first_touch(open_, high, low, width, numbers, horizon)
    return touched


def daily_volatility(close: FloatArray, numbers: IntArray) -> FloatArray:
    """``realized_vol_24``, bit for bit: NaN where its returns are too few or cross a gap.

    Parameters
    ----------
    close, numbers : ndarray of shape (n_bars,)
        Contiguous closes, and the numbers of their bars (``common.time.bar_numbers``).
    """
    returns = _VOLATILITY_RETURNS
    volatility: FloatArray = realized_volatility(log_return(close, 1), (returns,))[0]
    volatility[returns:][numbers[returns:] - numbers[:-returns] != returns] = np.nan
    return volatility


@njit(cache=True)
def _first_touch(
    open_: FloatArray, high: FloatArray, low: FloatArray, width: FloatArray, numbers: IntArray, horizon: int
) -> FloatArray:
    out = np.full(open_.size, np.nan)
    for bar in range(open_.size - horizon):
        if np.isnan(width[bar]) or numbers[bar + horizon] - numbers[bar] != horizon:
            continue
        upper, lower = open_[bar + 1] * (1.0 + width[bar]), open_[bar + 1] * (1.0 - width[bar])
        out[bar] = 0.0
        for later in range(bar + 1, bar + horizon + 1):
            if low[later] <= lower:
                break
            if high[later] >= upper:
                out[bar] = 1.0
                break
    return out

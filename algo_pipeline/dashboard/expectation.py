"""What a backtest leads one to expect of as many hours, and where the session stands in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

import numpy as np
import pandas as pd

from algo_pipeline.common.formatting import count, percent
from algo_pipeline.common.types import FloatArray, IntArray

LEVEL = 0.95
HOURS_THAT_SAY_SOMETHING = 168
N_STRETCHES = 2000
FEWEST_BACKTEST_HOURS = 720
_BLOCK_H = 240
_SEED = 7
_MAX_POINTS = 121


class Standing(str, Enum):
    """Where a session is in the band of what is expected."""

    UNKNOWN = "unknown"
    TOO_EARLY = "too_early"
    BELOW = "below"
    INSIDE = "inside"
    ABOVE = "above"


@dataclass(frozen=True, slots=True)
class Band:
    """Returns since the start that stretches of a backtest as long as the session had.

    Parameters
    ----------
    hours : ndarray of shape (n_points,)
        Whole hours since the start, from 0 on, ascending.
    lower, median, upper : ndarray of shape (n_points,)
        Quantiles at 2.5, 50 and 97.5 % of the returns at that hour, as fractions.
    endings : ndarray of shape (n_stretches,)
        Returns at the last hour, ascending.
    n_backtest_hours : int
        Hours that the stretches are drawn from.
    """

    hours: IntArray
    lower: FloatArray
    median: FloatArray
    upper: FloatArray
    endings: FloatArray
    n_backtest_hours: int

    def share_below(self, total_return: float) -> float:
        """Share of the stretches that ended lower."""
        return float(np.searchsorted(self.endings, total_return) / len(self.endings))


def account_returns(curves: Sequence[pd.Series[float]]) -> FloatArray:
    """Hourly returns of one account that trades several symbols as each one's own backtest did.

    Parameters
    ----------
    curves : sequence of pd.Series
        Equity at close by the bar's open time, a backtest each, every one with the whole account to itself.

    Returns
    -------
    ndarray of shape (n_hours,)
        The sum over the symbols, in the hours that all of them have: each puts its own fraction of equity to work.
    """
    if not curves:
        return np.empty(0)
    returns = pd.concat([curve.pct_change().iloc[1:] for curve in curves], axis=1, join="inner")
    return np.asarray(returns.sum(axis=1), dtype=np.float64)


def expected_band(hourly: FloatArray, n_hours: int) -> Band | None:
    """The band of the returns of ``N_STRETCHES`` stretches, drawn from a backtest's hours with a fixed seed.

    A stretch up to ten days is a part of the backtest as it was; a longer one is several of them end to end (a circular
    block bootstrap), so that hours stay in the company of those around them.

    Parameters
    ----------
    hourly : ndarray of shape (n,)
        Hourly returns of the backtest, above −1.
    n_hours : int
        Length of a stretch, at least 1.

    Returns
    -------
    Band or None
        None for a backtest of less than ``FEWEST_BACKTEST_HOURS``.
    """
    if len(hourly) < FEWEST_BACKTEST_HOURS or n_hours < 1:
        return None
    hours = np.unique(np.linspace(0, n_hours, min(n_hours + 1, _MAX_POINTS)).round().astype(np.int64))
    returns = np.expm1(_stretches(hourly, hours))
    lower, median, upper = np.quantile(returns, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], axis=0)
    return Band(hours, lower, median, upper, np.sort(returns[:, -1]), len(hourly))


def standing_of(band: Band | None, total_return: float, n_hours: int) -> Standing:
    """Where a session's return is in the band of its last hour."""
    if band is None:
        return Standing.UNKNOWN
    if n_hours < HOURS_THAT_SAY_SOMETHING:
        return Standing.TOO_EARLY
    if total_return < band.lower[-1]:
        return Standing.BELOW
    return Standing.ABOVE if total_return > band.upper[-1] else Standing.INSIDE


def standing_words(band: Band | None, total_return: float, n_hours: int) -> str:
    """The same as a paragraph."""
    standing = standing_of(band, total_return, n_hours)
    if band is None:
        return "There is nothing to compare the session with."
    expected = (
        f"In as many hours, {LEVEL:.0%} of {count(N_STRETCHES)} stretches of the backtest ended between "
        f"{percent(band.lower[-1], 2, signed=True)} and {percent(band.upper[-1], 2, signed=True)}, half of them above "
        f"{percent(band.median[-1], 2, signed=True)}; the session stands at {percent(total_return, 2, signed=True)}."
    )
    return f"{expected} {_VERDICTS[standing].format(hours=count(n_hours), days=HOURS_THAT_SAY_SOMETHING // 24)}"


_VERDICTS: Mapping[Standing, str] = MappingProxyType(
    {
        Standing.TOO_EARLY: "{hours} h say nothing yet of whether the model does live what it did "
        "there: look again after {days} days.",
        Standing.INSIDE: "It is inside: what has happened so far is what the backtest leads one to expect.",
        Standing.BELOW: "It is below: the backtest rarely did as badly. Look at slippage and fees, at the watch over "
        "the model, and at whether hours were missed.",
        Standing.ABOVE: "It is above: the backtest rarely did as well. That is more likely luck, or something that was "
        "not taken into account, than skill.",
    }
)


def _stretches(hourly: FloatArray, hours: IntArray) -> FloatArray:
    """Log growth of every stretch at these hours, shape (n_stretches, n_points)."""
    n, length = len(hourly), min(_BLOCK_H, len(hourly))
    logs = np.log1p(hourly)
    sums = np.concatenate([[0.0], np.cumsum(np.concatenate([logs, logs[:length]]))])
    n_blocks = int(hours[-1]) // length + 1
    starts = np.random.default_rng(_SEED).integers(0, n, size=(N_STRETCHES, n_blocks))
    whole = np.cumsum(sums[starts + length] - sums[starts], axis=1)
    before = np.concatenate([np.zeros((N_STRETCHES, 1)), whole], axis=1)
    block, rest = hours // length, hours % length
    first = starts[:, block]
    return np.asarray(before[:, block] + sums[first + rest] - sums[first], dtype=np.float64)

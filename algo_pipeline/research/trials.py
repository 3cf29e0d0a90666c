"""What was tried: distinct configurations that were evaluated for a symbol and label, each with its Sharpe ratio.

A trial is a recipe with a strategy configuration. The same trial on newer data (a retrain, a rerun) is no new one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum


class TrialKind(Enum):
    """What evaluated a trial first."""

    RESEARCH = "research"
    SWEEP = "sweep"
    SEARCH = "search"
    LEADERBOARD = "leaderboard"


@dataclass(frozen=True, slots=True)
class Forecast:
    """Whose out-of-sample probabilities were traded: a recipe's, for a symbol and label, on a source's bars."""

    symbol: str
    label: str
    source: str
    recipe_hash: str


@dataclass(frozen=True, slots=True)
class Trial:
    """One evaluation of a recipe and a strategy configuration.

    Parameters
    ----------
    forecast : Forecast
        The probabilities that it traded.
    strategy_hash : str
        SHA-256 of the choices of the strategy that traded them.
    kind : TrialKind
        What evaluated it.
    daily_sharpe : float
        Sharpe ratio per day (not annualized) of the out-of-sample daily UTC returns after costs, kill switch off; NaN
        if it never traded.
    n_days : int
        Days that it rests on.
    """

    forecast: Forecast
    strategy_hash: str
    kind: TrialKind
    daily_sharpe: float
    n_days: int


@dataclass(frozen=True, slots=True)
class TrialSummary:
    """How much was tried for a symbol, label and source.

    Parameters
    ----------
    n_trials : int
        Distinct trials that traded, as far as they are known.
    variance_of_sharpe : float
        Sample variance (ddof 1) between their Sharpe ratios per day; NaN below two.
    problem : str
        Why there may have been more; empty if the count can be relied on. No edge is claimed while there is one.
    """

    n_trials: int
    variance_of_sharpe: float
    problem: str = ""

    @classmethod
    def unknown(cls, problem: str) -> TrialSummary:
        """What is known where the record of the trials can't be read."""
        return cls(0, math.nan, problem)

    @property
    def is_known(self) -> bool:
        """Whether every trial counts."""
        return not self.problem

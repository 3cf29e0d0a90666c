"""How a probability becomes a signal and a size.

A strategy gives every closed bar a *score*, and says in which *band* a score HOLDs: at or above it the signal is LONG,
at or below it FLAT. So every strategy runs on the same state machine, compiled, in a backtest and live; what it may
add is a limit of its own to the size of an entry. It remembers nothing: equal outlooks give equal assessments.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from algo_pipeline.common.types import FloatArray


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known at the close of a bar.

    Parameters
    ----------
    probability : float
        Calibrated P(label = 1); NaN where there is none.
    base_rate : float
        Share of ones in the rows that the model learnt from: what is known without a model.
    volatility : float
        Sample deviation of the last 24 hourly log returns (``realized_vol_24``); NaN where it is not known.
    """

    probability: float
    base_rate: float = 0.5
    volatility: float = math.nan


class Outlooks(NamedTuple):
    """The outlook of many bars, arrays of shape (n_bars,)."""

    probability: FloatArray
    base_rate: FloatArray
    volatility: FloatArray


class Band(NamedTuple):
    """Scores at or above ``enter`` are LONG, which wins a tie, at or below ``exit`` FLAT, others and NaN HOLD."""

    enter: float
    exit: float


class Assessment(NamedTuple):
    """A bar's score, and the most that an entry may buy, as a fraction of equity; infinity leaves it to the cap."""

    score: float
    size_limit: float


class Assessments(NamedTuple):
    """Scores of shape (n_bars,) and size limits of shape (n_bars,), or (1,) where one stands for every bar."""

    scores: FloatArray
    size_limits: FloatArray


class StrategyInterface(ABC):
    """Assesses closed bars; ``round_trip_cost`` is that of a buy and a sale, as a fraction of the notional.

    The class is made with its :meth:`parameters` as keywords, each with a default where it is the user's own.
    """

    name: ClassVar[str] = ""
    """In settings and records; a class of the user's own is called ``module:Class`` there."""
    reads_conditions: ClassVar[bool] = True
    """Whether it reads more of an outlook than the probability."""

    @abstractmethod
    def band(self, round_trip_cost: float) -> Band:
        """The scores between which it HOLDs."""

    @abstractmethod
    def assess(self, outlook: Outlook, round_trip_cost: float) -> Assessment:
        """Assess one bar; whatever is unknown gives a NaN score."""

    def assess_bars(self, outlooks: Outlooks, round_trip_cost: float) -> Assessments:
        """:meth:`assess` of many bars, bit for bit; where that takes too long, a class does it by arrays."""
        n_bars = len(outlooks.probability)
        if not self.reads_conditions:
            outlooks = Outlooks(outlooks.probability, np.full(n_bars, 0.5), np.full(n_bars, math.nan))
        rows = zip(*(values.tolist() for values in outlooks), strict=True)
        made = [self.assess(Outlook(*row), round_trip_cost) for row in rows]
        scores, size_limits = np.array(made, dtype=np.float64).reshape(n_bars, 2).T
        return Assessments(np.ascontiguousarray(scores), np.ascontiguousarray(size_limits))

    def explain(self, outlook: Outlook, round_trip_cost: float) -> str:
        """Why a bar with a known probability is LONG, FLAT or HOLD, in words."""
        score, band = self.assess(outlook, round_trip_cost).score, self.band(round_trip_cost)
        if score >= band.enter:
            return f"score {score:.6g} >= {band.enter:g}"
        if score <= band.exit:
            return f"score {score:.6g} <= {band.exit:g}"
        return f"score {score:.6g} between {band.exit:g} and {band.enter:g}"

    def figures(self, outlook: Outlook, round_trip_cost: float) -> Mapping[str, float]:
        """What it computed of a bar, for the record: finite numbers; nothing where the probability says it all."""
        score = self.assess(outlook, round_trip_cost).score
        return {"score": score} if math.isfinite(score) else {}

    def describe(self, round_trip_cost: float) -> str:
        """Its rule in one clause: ``Enter at …, exit at …``."""
        band = self.band(round_trip_cost)
        return f"Enter at a score of {band.enter:g} or more, exit at {band.exit:g} or less"

    @abstractmethod
    def parameters(self) -> Mapping[str, float]:
        """The numbers that make it this strategy and no other."""

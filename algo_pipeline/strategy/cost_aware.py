"""Trade only what is expected to pay for itself: edge times move against the cost of a round trip.

The score of a bar is the **expected gain** of being long over the label's horizon, beyond what the market does anyway:

    expected gain = 2 · (P(label = 1) − max(base rate, 1/2)) · expected move
    expected move = σ · √h · √(2/π)

with σ the deviation of hourly log returns and h the horizon in bars. √(2/π) is the mean of the absolute value of a
normal variable in units of its deviation, √h its growth for returns without memory. If what a model knows is the
*sign* of the move and not its size, a rise of the probability by δ turns losses of the mean size into gains of the
mean size: a gain of 2·δ·E|move|. Were it to know the *mean* of a normal return instead, the same δ would be worth
π/2 times as much (μ = σ·√h·√(2π)·δ near one half), so that the rule errs on the side of not trading. Against the base
rate where that is above one half: the market's own drift is no edge of the model's. Against one half where it is below:
of a triple barrier the label tells a touch of the upper one from all else, but not a fall from a market that stands
still, and a probability that rises with the chance of any touch at all promises nothing. So what is not won counts as
lost.

LONG asks for a gain of ``edge_multiple`` round trips; FLAT for none at all, since the cost of getting in is spent and
that of getting out is owed either way. Between them lies a band in which a holding stays and no other begins: the
optimal policy under proportional costs has this shape (Davis & Norman 1990). With nothing to pay the band closes.

The size of an entry is limited to a fraction of the growth-optimal bet on the gain beyond the hurdle,
``kelly_fraction · (gain − hurdle) / (σ²·h)``: more for a larger edge, less in a wilder market, nothing at break-even.
The caps of the account stand above it.

References
----------
.. [1] M. H. A. Davis, A. R. Norman, "Portfolio selection with transaction costs", Math. Oper. Res. 15 (1990).
.. [2] J. L. Kelly, "A new interpretation of information rate", Bell System Tech. J. 35 (1956); for a continuous return
   the bet is its mean over its variance: E. O. Thorp, "The Kelly criterion in blackjack, sports betting and the stock
   market" (2006).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np

from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.trading_rules import is_count, is_number
from algo_pipeline.common.types import FloatArray, Signal
from algo_pipeline.interfaces.strategy import Assessment, Assessments, Band, Outlook, Outlooks, StrategyInterface
from algo_pipeline.strategy.signal_to_trade import signal_from_score

_MEAN_ABSOLUTE_NORMAL = math.sqrt(2.0 / math.pi)
_BPS = 1e4


@compiled
def expected_move(volatility: float, horizon_bars: int) -> float:
    """Mean absolute return over ``horizon_bars`` hours of deviation ``volatility`` each, as a fraction."""
    return volatility * math.sqrt(horizon_bars) * _MEAN_ABSOLUTE_NORMAL


@compiled
def expected_gain(probability: float, base_rate: float, move: float) -> float:
    """What being long is expected to gain, as a fraction; NaN if anything is unknown."""
    neutral = 0.5 if base_rate < 0.5 else base_rate  # NaN stays
    return 2.0 * (probability - neutral) * move


@compiled
def kelly_limit(gain: float, hurdle: float, variance: float, kelly_fraction: float) -> float:
    """Most to buy, as a fraction of equity: a part of the growth-optimal bet on what the gain exceeds the hurdle by.

    0 where it does not, or where there is no variance to divide by: a market that stands still pays nobody.
    """
    if not (gain > hurdle and variance > 0.0):
        return 0.0
    return kelly_fraction * (gain - hurdle) / variance


@compiled
def assess_bar(
    probability: float,
    base_rate: float,
    volatility: float,
    horizon_bars: int,
    hurdle: float,
    kelly_fraction: float,
) -> tuple[float, float]:
    """Score and size limit of one bar: its expected gain, and the bet that this is worth.

    Parameters
    ----------
    probability, base_rate, volatility : float
        As in :class:`Outlook`; a NaN among them gives a NaN score and the limit 0.
    horizon_bars : int
        The label's.
    hurdle : float
        Expected gain at which an entry breaks even.
    kelly_fraction : float
        Part of the growth-optimal bet.
    """
    gain = expected_gain(probability, base_rate, expected_move(volatility, horizon_bars))
    variance = volatility * volatility * horizon_bars
    return gain, kelly_limit(gain, hurdle, variance, kelly_fraction)


@compiled
def _assess_bars(
    probabilities: FloatArray,
    base_rates: FloatArray,
    volatilities: FloatArray,
    horizon_bars: int,
    hurdle: float,
    kelly_fraction: float,
    scores: FloatArray,
    size_limits: FloatArray,
) -> None:
    for t in range(len(probabilities)):
        scores[t], size_limits[t] = assess_bar(
            probabilities[t], base_rates[t], volatilities[t], horizon_bars, hurdle, kelly_fraction
        )


@dataclass(frozen=True, slots=True)
class CostAwareStrategy(StrategyInterface):
    """LONG where the expected gain reaches ``edge_multiple`` round trips, FLAT where none is left, HOLD between.

    Parameters
    ----------
    horizon_bars : int
        Bars that the label looks ahead, >= 1.
    edge_multiple : float
        Round trips that an expected gain must pay for, >= 0. Below 1 it trusts that a holding outlasts its horizon.
    kelly_fraction : float
        Part of the growth-optimal bet that an entry may be, in (0, 1]; less than 1 for the edge is an estimate.

    Raises
    ------
    ConfigValueError
        If a value lies outside its domain.
    """

    name: ClassVar[str] = "cost_aware"
    reads_conditions: ClassVar[bool] = True

    horizon_bars: int
    edge_multiple: float = 1.0
    kelly_fraction: float = 0.5

    def __post_init__(self) -> None:
        for name, holds, expected in (
            ("horizon_bars", is_count(self.horizon_bars, 1), "a whole number >= 1"),
            ("edge_multiple", is_number(self.edge_multiple) and self.edge_multiple >= 0, "a finite number >= 0"),
            ("kelly_fraction", is_number(self.kelly_fraction) and 0 < self.kelly_fraction <= 1, "a number in (0, 1]"),
        ):
            if not holds:
                found = getattr(self, name)
                raise ConfigValueError(f"{name} must be {expected}; it was {found!r}.", f"Correct {name}.")

    def band(self, round_trip_cost: float) -> Band:
        """From no expected gain to the hurdle."""
        return Band(self.edge_multiple * round_trip_cost, 0.0)

    def assess(self, outlook: Outlook, round_trip_cost: float) -> Assessment:
        """Expected gain of one bar, and the bet that it is worth."""
        hurdle = self.band(round_trip_cost).enter
        return Assessment(
            *assess_bar(
                outlook.probability,
                outlook.base_rate,
                outlook.volatility,
                self.horizon_bars,
                hurdle,
                float(self.kelly_fraction),
            )
        )

    def assess_bars(self, outlooks: Outlooks, round_trip_cost: float) -> Assessments:
        """:meth:`assess` of many bars."""
        hurdle = self.band(round_trip_cost).enter
        scores, size_limits = np.empty((2, len(outlooks.probability)))
        _assess_bars(*outlooks, self.horizon_bars, hurdle, float(self.kelly_fraction), scores, size_limits)
        return Assessments(scores, size_limits)

    def explain(self, outlook: Outlook, round_trip_cost: float) -> str:
        """``edge 3.1 bps is below the round trip's 60 bps (expected move 52 bps)``."""
        band, score = self.band(round_trip_cost), self.assess(outlook, round_trip_cost).score
        if math.isnan(score):
            return "the volatility or the base rate is not known"
        hurdle = self._hurdle_words(round_trip_cost)
        verdict = {
            Signal.LONG: f"reaches {hurdle}",
            Signal.FLAT: "leaves nothing to hold for",
            Signal.HOLD: f"is below {hurdle}",
        }[Signal(signal_from_score(score, *band))]
        return f"edge {score * _BPS:.1f} bps {verdict} (expected move {self._move_bps(outlook):.0f} bps)"

    def figures(self, outlook: Outlook, round_trip_cost: float) -> Mapping[str, float]:
        """Expected move, edge and cost in bps, and the base rate; nothing where they are not known."""
        assessment = self.assess(outlook, round_trip_cost)
        if math.isnan(assessment.score):
            return {}
        return {
            "expected_move_bps": self._move_bps(outlook),
            "edge_bps": assessment.score * _BPS,
            "round_trip_cost_bps": round_trip_cost * _BPS,
            "base_rate": outlook.base_rate,
            "size_limit": assessment.size_limit,
        }

    def describe(self, round_trip_cost: float) -> str:
        """Hurdle and size, in words."""
        return (
            f"Enter where the expected gain over {self.horizon_bars} hours, 2 · (probability − max(base rate, ½)) · "
            f"expected move, reaches {self._hurdle_words(round_trip_cost)}, exit where none is left; an entry is at "
            f"most {self.kelly_fraction:g} of the growth-optimal bet"
        )

    def parameters(self) -> Mapping[str, float]:
        """Horizon, multiple and fraction."""
        return asdict(self)

    def _hurdle_words(self, round_trip_cost: float) -> str:
        times = "" if self.edge_multiple == 1 else f"{self.edge_multiple:g} times "
        return f"{times}the round trip's {round_trip_cost * _BPS:g} bps"

    def _move_bps(self, outlook: Outlook) -> float:
        return float(expected_move(outlook.volatility, self.horizon_bars)) * _BPS

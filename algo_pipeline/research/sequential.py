"""Whether probabilities are still calibrated, asked every hour for years: a test that may be looked at at any time.

A test with a fixed sample rejects a true hypothesis sooner or later if it is asked again every hour. Here a gambler
with one coin bets against the probabilities as they are issued. If they are right, no gambler can expect to gain, and
the chance of ever holding 100 coins is at most 1 in 100 (Ville's inequality), however often one looks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from algo_pipeline.common.errors import ConfigValueError

FALSE_ALARM_PROBABILITY = 0.01
"""Of one monitor, over all time."""

_HALF_OF_STARTS_H = 4_380  # half a year: the gambler's prior on when a model breaks
_SMALLEST = 1e-6
_RICHEST = 1e100  # far beyond any alarm; what is won above it is given away, which keeps the wealth finite


@dataclass(frozen=True, slots=True)
class Recalibration:
    """A way in which probabilities may be wrong: ``logit(q) = logit(base) + slope·(logit(p) − logit(base)) + shift``.

    Parameters
    ----------
    words : str
        What it means, to follow "the outcomes look as if".
    slope, shift : float
        1 and 0 leave a probability as it is; slope 0 leaves the base rate, all that a model without knowledge can say.
    """

    words: str
    slope: float
    shift: float = 0.0

    def apply(self, probability: float, base_rate: float) -> float:
        """The probability that would be right."""
        base = _logit(base_rate)
        return _inverse_logit(base + self.slope * (_logit(probability) - base) + self.shift)


ALTERNATIVES: tuple[Recalibration, ...] = (
    Recalibration("the model knew nothing", 0.0),
    Recalibration("the model's opinion were turned around", -1.0),
    Recalibration("the model were twice too sure of itself", 0.5),
    Recalibration("ones had become more frequent than it says", 1.0, 0.1),
    Recalibration("ones had become rarer than it says", 1.0, -0.1),
    Recalibration("the model knew nothing and ones had become more frequent", 0.0, 0.1),
    Recalibration("the model knew nothing and ones had become rarer", 0.0, -0.1),
)
"""What is bet on, in equal parts. A model that is better than it says is none of them."""


@dataclass(frozen=True, slots=True)
class Bettor:
    """A gambler's coins: what is not staked yet, and what was won with each alternative.

    Before every bet ``1 / (start + n + 1)`` of the idle coin is staked, so that a model that breaks after a good year
    is found about as soon as one that never worked: what it earned while it was right costs the gambler only what was
    at stake then. Stakes are a mixture over when the model breaks, with a polynomial prior, and so the wealth stays a
    martingale where the probabilities are right.

    Parameters
    ----------
    start : float
        Bets by which half of the coin has been staked.
    n_bets : int
        Bets so far.
    staked : tuple of float
        Coins on each of ``ALTERNATIVES``; empty before the first bet.
    peak : float
        Largest wealth so far.
    """

    start: float
    n_bets: int = 0
    staked: tuple[float, ...] = ()
    peak: float = 1.0

    @property
    def wealth(self) -> float:
        """Coins in all; 1 before the first bet."""
        return self.start / (self.start + self.n_bets) + sum(self.staked)

    def after(self, ratios: tuple[float, ...]) -> Bettor:
        """After a bet with these likelihood ratios of the alternatives."""
        idle = self.start / (self.start + self.n_bets)
        stake = idle / (self.start + self.n_bets + 1.0) / len(ratios)
        before = self.staked or (0.0,) * len(ratios)
        staked = tuple(min((coins + stake) * ratio, _RICHEST) for coins, ratio in zip(before, ratios, strict=True))
        moved = replace(self, n_bets=self.n_bets + 1, staked=staked)
        return replace(moved, peak=max(self.peak, moved.wealth))


@dataclass(frozen=True, slots=True)
class CalibrationMonitor:
    """The anytime-valid test of one symbol's issued probabilities, whichever models issue them.

    The hypothesis: each probability is that of its label being 1, given everything known when the label's span opens.
    A label of h hours is known when the next h labels have begun, so that the hours are dealt in turn to h gamblers,
    each of whom knows the outcome of his last bet before he makes the next. Their wealths live in different
    filtrations and their average is no martingale (Arnold, Henzi and Ziegel 2023); but each of them ever reaches
    ``c`` with a probability of at most ``1/c``, so that by Markov's inequality at least m of the h ever do with a
    probability of at most ``h / (m·c)``, however they depend on each other (as Rüger's m-th of h p-values).
    With ``m = ⌈h/2⌉`` and ``c = h / (m·α)`` the chance of any false alarm is at most α, over all time.

    Parameters
    ----------
    horizon_bars : int
        h of the label.
    bettors : tuple of Bettor
        One per remainder of the bar's number modulo h; grown by :meth:`after`.

    References
    ----------
    Ville (1939), "Étude critique de la notion de collectif"; Shafer (2021), "Testing by betting", JRSS A 184;
    Waudby-Smith and Ramdas (2024), "Estimating means of bounded random variables by betting", JRSS B 86; Arnold, Henzi
    and Ziegel (2023), "Sequentially valid tests for forecast calibration", Annals of Applied Statistics 17; Rüger
    (1978), "Das maximale Signifikanzniveau des Tests …", Metrika 25.
    """

    horizon_bars: int
    bettors: tuple[Bettor, ...] = ()

    def __post_init__(self) -> None:
        if self.horizon_bars < 1:
            raise ConfigValueError(
                f"A horizon of at least one bar is expected, found {self.horizon_bars}.", "Pass one."
            )
        if not self.bettors:
            first = Bettor(start=_HALF_OF_STARTS_H / self.horizon_bars)
            object.__setattr__(self, "bettors", (first,) * self.horizon_bars)

    @property
    def n_bets(self) -> int:
        """Outcomes seen so far."""
        return sum(bettor.n_bets for bettor in self.bettors)

    @property
    def evidence(self) -> float:
        """Wealth of the gambler who decides over an alarm: the ⌈h/2⌉-th richest, each at his richest."""
        peaks = sorted((bettor.peak for bettor in self.bettors), reverse=True)
        return peaks[self._deciding - 1]

    @property
    def present_evidence(self) -> float:
        """The same of the wealths of today: falls again while the probabilities prove right."""
        return sorted((bettor.wealth for bettor in self.bettors), reverse=True)[self._deciding - 1]

    def threshold(self, false_alarm_probability: float = FALSE_ALARM_PROBABILITY) -> float:
        """Evidence at which to raise the alarm, so that a false one is ever raised with at most this probability."""
        return self.horizon_bars / (self._deciding * false_alarm_probability)

    @property
    def is_alarming(self) -> bool:
        """Whether the evidence has ever reached the threshold."""
        return self.evidence >= self.threshold()

    def suspicion(self) -> Recalibration:
        """The alternative that has won the most so far."""
        totals = [sum(bettor.staked[place] for bettor in self.bettors if bettor.staked) for place in _PLACES]
        return ALTERNATIVES[max(_PLACES, key=totals.__getitem__)]

    def after(self, bar_number: int, probability: float, base_rate: float, outcome: int) -> CalibrationMonitor:
        """After the outcome of the probability issued on a bar.

        Parameters
        ----------
        bar_number : int
            Hours of the bar's open since the epoch.
        probability, base_rate : float
            As issued, in [0, 1]; the base rate of the rows that the issuing model learnt from.
        outcome : int
            0 or 1.
        """
        place = bar_number % self.horizon_bars
        bettor = self.bettors[place].after(likelihood_ratios(probability, base_rate, outcome))
        return replace(self, bettors=(*self.bettors[:place], bettor, *self.bettors[place + 1 :]))

    def to_document(self) -> dict[str, Any]:
        """Plain JSON from which :meth:`from_document` makes an equal monitor."""
        rows = [[each.n_bets, each.peak, *each.staked] for each in self.bettors]
        return {"horizon_bars": self.horizon_bars, "bettors": rows}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> CalibrationMonitor:
        """Inverse of :meth:`to_document`; KeyError, TypeError or ValueError if it describes none."""
        horizon = int(document["horizon_bars"])
        start = _HALF_OF_STARTS_H / horizon
        bettors = tuple(
            Bettor(start, int(n), tuple(map(float, staked)), peak) for n, peak, *staked in document["bettors"]
        )
        if len(bettors) != horizon:
            raise ValueError(f"{horizon} bettors are expected, found {len(bettors)}")
        return cls(horizon, bettors)

    @property
    def _deciding(self) -> int:
        return (self.horizon_bars + 1) // 2


_PLACES = range(len(ALTERNATIVES))


def likelihood_ratios(probability: float, base_rate: float, outcome: int) -> tuple[float, ...]:
    """How much likelier each of ``ALTERNATIVES`` makes the outcome than the probability does.

    Their mean under the probability is 1, each for itself. Probabilities count as at least 1e-6 and at most 1 − 1e-6.
    """
    probability = _inside(probability)
    issued = probability if outcome else 1.0 - probability
    right = (each.apply(probability, base_rate) for each in ALTERNATIVES)
    return tuple((one if outcome else 1.0 - one) / issued for one in right)


def _inside(probability: float) -> float:
    return min(max(probability, _SMALLEST), 1.0 - _SMALLEST)


def _logit(probability: float) -> float:
    inside = _inside(probability)
    return math.log(inside / (1.0 - inside))


def _inverse_logit(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-min(max(value, -700.0), 700.0)))

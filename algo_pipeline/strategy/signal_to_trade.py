"""From a score to a signal, and from a signal to what the account does about it; the strategy of fixed thresholds.

The compiled functions take and return plain numbers, one bar and one symbol at a time, so that a backtest's
kernel and a live decision call the very same code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import ClassVar

import numpy as np

from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.formatting import number
from algo_pipeline.common.types import Signal
from algo_pipeline.interfaces.strategy import Assessment, Assessments, Band, Outlook, Outlooks, StrategyInterface

_HOLD = int(Signal.HOLD)
_LONG = int(Signal.LONG)
_FLAT = int(Signal.FLAT)


class Action(IntEnum):
    """What the account does about a signal after the risk rules have spoken."""

    NOTHING = 0
    ENTER = 1
    EXIT = 2


_NOTHING = int(Action.NOTHING)
_ENTER = int(Action.ENTER)
_EXIT = int(Action.EXIT)


@compiled
def signal_from_score(score: float, enter: float, exit_: float) -> int:
    """Signal of one bar, as the value of a :class:`Signal`.

    Parameters
    ----------
    score : float
        What the strategy makes of the bar, a probability for fixed thresholds; NaN is HOLD.
    enter, exit_ : float
        The strategy's band: at or above the first LONG, which wins where both are reached; at or below the second FLAT.
    """
    unless_long = _FLAT if score <= exit_ else _HOLD
    return _LONG if score >= enter else unless_long


@compiled
def action_for_signal(signal: int, is_flat: bool, entries_allowed: bool, must_exit: bool) -> int:
    """What to do about a signal, as the value of an :class:`Action`.

    LONG while long and FLAT while flat do nothing: a holding is never rebalanced.

    Parameters
    ----------
    signal : int
        Value of a :class:`Signal`.
    is_flat : bool
        Whether the holding counts as none (``position_sizing.counts_as_flat``).
    entries_allowed : bool
        False during a cooldown (``risk.cooldown_has_passed``) or where a person has switched trading to flat.
    must_exit : bool
        True once the kill switch has latched: sell whatever the signal, never enter.
    """
    if is_flat:
        return _ENTER if signal == _LONG and entries_allowed and not must_exit else _NOTHING
    return _EXIT if must_exit or signal == _FLAT else _NOTHING


@dataclass(frozen=True, slots=True)
class ThresholdStrategy(StrategyInterface):
    """LONG at or above one threshold, FLAT at or below another, HOLD between; the score is the probability.

    Raises
    ------
    ConfigValueError
        Unless ``0 <= exit_threshold <= enter_threshold <= 1``.
    """

    name: ClassVar[str] = "thresholds"
    reads_conditions: ClassVar[bool] = False

    enter_threshold: float = 0.55
    exit_threshold: float = 0.45

    def __post_init__(self) -> None:
        if not 0 <= self.exit_threshold <= self.enter_threshold <= 1:
            raise ConfigValueError(
                f"Thresholds must satisfy 0 <= exit <= enter <= 1; they were exit {self.exit_threshold!r} "
                f"and enter {self.enter_threshold!r}.",
                "Correct the thresholds.",
            )

    def band(self, round_trip_cost: float) -> Band:
        """The thresholds, whatever a round trip costs."""
        return Band(float(self.enter_threshold), float(self.exit_threshold))

    def assess(self, outlook: Outlook, round_trip_cost: float) -> Assessment:
        """The probability, of any size."""
        return Assessment(outlook.probability, math.inf)

    def assess_bars(self, outlooks: Outlooks, round_trip_cost: float) -> Assessments:
        """The probabilities themselves, of any size."""
        return Assessments(outlooks.probability, np.full(1, math.inf))

    def explain(self, outlook: Outlook, round_trip_cost: float) -> str:
        """Where the probability lies: ``probability 0.5612 >= 0.55``."""
        found = f"probability {outlook.probability:.4f}"
        if outlook.probability >= self.enter_threshold:
            return f"{found} >= {self.enter_threshold:g}"
        if outlook.probability <= self.exit_threshold:
            return f"{found} <= {self.exit_threshold:g}"
        return f"{found} between {self.exit_threshold:g} and {self.enter_threshold:g}"

    def figures(self, outlook: Outlook, round_trip_cost: float) -> Mapping[str, float]:
        """None: the probability says it all."""
        return {}

    def describe(self, round_trip_cost: float) -> str:
        """Both thresholds, in words."""
        enter, exit_ = number(self.enter_threshold), number(self.exit_threshold)
        return f"Enter at a probability of {enter} or more, exit at {exit_} or less"

    def parameters(self) -> Mapping[str, float]:
        """Both thresholds."""
        return asdict(self)

"""From a probability to a signal, and from a signal to what the account does about it.

The compiled functions take and return plain numbers, one bar and one symbol at a time, so that a backtest's
kernel and a live decision call the very same code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.types import Signal
from algo_pipeline.interfaces.strategy import StrategyInterface

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
def signal_from_probability(probability: float, enter_threshold: float, exit_threshold: float) -> int:
    """Signal of one bar, as the value of a :class:`Signal`.

    Parameters
    ----------
    probability : float
        Calibrated P(label = 1); NaN is HOLD.
    enter_threshold, exit_threshold : float
        At or above the first LONG, which wins where both are reached; at or below the second FLAT.
    """
    unless_long = _FLAT if probability <= exit_threshold else _HOLD
    return _LONG if probability >= enter_threshold else unless_long


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
    """LONG at or above one threshold, FLAT at or below another, HOLD between.

    Raises
    ------
    ConfigValueError
        Unless ``0 <= exit_threshold <= enter_threshold <= 1``.
    """

    enter_threshold: float = 0.55
    exit_threshold: float = 0.45

    def __post_init__(self) -> None:
        if not 0 <= self.exit_threshold <= self.enter_threshold <= 1:
            raise ConfigValueError(
                f"Thresholds must satisfy 0 <= exit <= enter <= 1; they were exit {self.exit_threshold!r} "
                f"and enter {self.enter_threshold!r}.",
                "Correct the thresholds.",
            )

    def signal(self, probability: float) -> Signal:
        """LONG, FLAT or HOLD; a NaN probability is HOLD."""
        if math.isnan(probability):
            return Signal.HOLD
        return Signal(signal_from_probability(probability, self.enter_threshold, self.exit_threshold))

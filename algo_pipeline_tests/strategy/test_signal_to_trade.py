from __future__ import annotations

import math

import pytest

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.types import Signal
from algo_pipeline.interfaces.strategy import Outlook
from algo_pipeline.strategy.signal_to_trade import (
    Action,
    ThresholdStrategy,
    action_for_signal,
    signal_from_score,
)


def _signal(strategy: ThresholdStrategy, probability: float) -> Signal:
    score = strategy.assess(Outlook(probability), round_trip_cost=0.006).score
    return Signal(signal_from_score(score, *strategy.band(0.006)))


@pytest.mark.parametrize(
    ("probability", "signal"),
    [
        (0.55, Signal.LONG),
        (math.nextafter(0.55, 0), Signal.HOLD),
        (0.45, Signal.FLAT),
        (math.nextafter(0.45, 1), Signal.HOLD),
        (0.0, Signal.FLAT),
        (1.0, Signal.LONG),
        (math.nan, Signal.HOLD),
    ],
)
def test_thresholds_are_inclusive_and_nan_holds(probability: float, signal: Signal) -> None:
    assert signal_from_score(probability, 0.55, 0.45) == signal
    assert _signal(ThresholdStrategy(0.55, 0.45), probability) is signal


def test_long_wins_where_both_thresholds_are_reached() -> None:
    assert _signal(ThresholdStrategy(0.5, 0.5), 0.5) is Signal.LONG


@pytest.mark.parametrize(("enter", "exit_"), [(0.4, 0.5), (1.1, 0.5), (0.5, -0.1), (math.nan, 0.1)])
def test_thresholds_out_of_order_are_refused(enter: float, exit_: float) -> None:
    with pytest.raises(ConfigValueError, match="0 <= exit <= enter <= 1"):
        ThresholdStrategy(enter, exit_)


@pytest.mark.parametrize("signal", list(Signal))
@pytest.mark.parametrize("is_flat", [True, False])
@pytest.mark.parametrize("entries_allowed", [True, False])
@pytest.mark.parametrize("must_exit", [True, False])
def test_an_account_enters_only_when_flat_and_allowed_and_exits_only_when_long(
    signal: Signal, is_flat: bool, entries_allowed: bool, must_exit: bool
) -> None:
    action = action_for_signal(int(signal), is_flat, entries_allowed, must_exit)
    enters = is_flat and signal is Signal.LONG and entries_allowed and not must_exit
    exits = not is_flat and (must_exit or signal is Signal.FLAT)
    assert action == (Action.ENTER if enters else Action.EXIT if exits else Action.NOTHING)

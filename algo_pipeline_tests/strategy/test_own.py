from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.types import FloatArray
from algo_pipeline.interfaces.strategy import Assessment, Assessments, Band, Outlook, Outlooks, StrategyInterface
from algo_pipeline.strategy.own import answered, assess_bars, scalar_differences
from algo_pipeline.strategy.signal_to_trade import ThresholdStrategy

COST = 0.006
PROBABILITY = np.array([0.2, math.nan, 0.7])
OUTLOOKS = Outlooks(PROBABILITY, np.full(3, 0.5), np.full(3, 0.01))


class Own(StrategyInterface):
    """Answers as it is told."""

    def __init__(
        self,
        scores: object = None,
        limits: object = None,
        band: object = (0.1, 0.0),
        alone: object = (0.2, 0.5),
        words: object = "because",
        figures: Mapping[str, float] | None = None,
    ) -> None:
        self._scores: object = PROBABILITY - 0.5 if scores is None else scores
        self._limits: object = np.full(1, math.inf) if limits is None else limits
        self._band, self._alone, self._words, self._figures = band, alone, words, figures or {}

    def band(self, round_trip_cost: float) -> Band:
        return self._band  # type: ignore[return-value]

    def assess(self, outlook: Outlook, round_trip_cost: float) -> Assessment:
        return self._alone  # type: ignore[return-value]

    def assess_bars(self, outlooks: Outlooks, round_trip_cost: float) -> Assessments:
        return Assessments(self._scores, self._limits)  # type: ignore[arg-type]

    def explain(self, outlook: Outlook, round_trip_cost: float) -> str:
        return self._words  # type: ignore[return-value]

    def figures(self, outlook: Outlook, round_trip_cost: float) -> Mapping[str, float]:
        return self._figures

    def parameters(self) -> Mapping[str, float]:
        return {}


class Broken(Own):
    def assess(self, outlook: Outlook, round_trip_cost: float) -> Assessment:
        raise ZeroDivisionError("no volume")

    def assess_bars(self, outlooks: Outlooks, round_trip_cost: float) -> Assessments:
        raise ZeroDivisionError("no volume")


class Small(StrategyInterface):
    """What a user has to write, and no more."""

    def band(self, round_trip_cost: float) -> Band:
        return Band(round_trip_cost, 0.0)

    def assess(self, outlook: Outlook, round_trip_cost: float) -> Assessment:
        return Assessment(outlook.probability - outlook.base_rate, 0.1)

    def parameters(self) -> Mapping[str, float]:
        return {}


def _floats(*values: float) -> FloatArray:
    return np.array(values, dtype=np.float64)


def test_sound_answers_are_taken_as_they_are() -> None:
    found = assess_bars(Own(), OUTLOOKS, COST)
    np.testing.assert_array_equal(found.scores, PROBABILITY - 0.5)
    answered(Own(figures={"edge": 0.1}), Outlook(0.7), COST)


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        (Own(scores=[0.1, math.nan, 0.2]), "scores must be a float64 array of shape .3,.; found list"),
        (Own(scores=np.array([0, 0, 1])), "found int64 of shape"),
        (Own(scores=_floats(0.1, math.nan)), "found float64 of shape .2,"),
        (Own(scores=_floats(0.1, 0.2, 0.3)), "without a probability must have the score NaN"),
        (Own(limits=_floats(0.1, 0.2)), "size_limits must be"),
        (Own(limits=_floats(0.1, 0.2, -0.1)), "size limit must be 0 or more"),
        (Own(limits=_floats(0.1, 0.2, math.nan)), "size limit must be 0 or more"),
        (Own(band=(0.0, 0.1)), "exit at or below enter"),
        (Own(band=(1, 0)), "band of two floats"),
        (Own(band=None), "TypeError"),
        (Broken(), r"test_own.py, line \d+: ZeroDivisionError: no volume"),
    ],
)
def test_what_a_backtest_can_t_run_on_is_refused_with_the_name_of_the_class(strategy: Own, told: str) -> None:
    with pytest.raises(ConfigValueError, match=told) as caught:
        assess_bars(strategy, OUTLOOKS, COST)
    assert f"algo_pipeline_tests.strategy.test_own:{type(strategy).__name__}" in str(caught.value)


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        (Own(alone=(1, 0.5)), "must be of type float"),
        (Own(alone=(0.2, -1.0)), "size limit must be 0 or more"),
        (Own(alone=(0.2, math.nan)), "size limit must be 0 or more"),
        (Own(alone=0.2), "TypeError"),
        (Own(band=(0.0, 0.1)), "exit at or below enter"),
        (Own(words=None, alone=(0.2, 0.5)), "explain must return words"),
        (Own(figures={"edge": math.nan}), "figures must be finite numbers"),
        (Broken(), "ZeroDivisionError"),
    ],
)
def test_what_an_hour_can_t_rest_on_is_refused(strategy: Own, told: str) -> None:
    with pytest.raises(ConfigValueError, match=told):
        answered(strategy, Outlook(0.7), COST)


def test_bars_that_are_assessed_otherwise_alone_are_found() -> None:
    assessed = Assessments(_floats(0.2, math.nan, 0.7), _floats(math.inf))
    assert scalar_differences(ThresholdStrategy(), OUTLOOKS, assessed, COST) == ()
    assert scalar_differences(
        ThresholdStrategy(), OUTLOOKS, assessed._replace(scores=_floats(0.2, 0.1, 0.8)), COST
    ) == (2,)
    assert scalar_differences(ThresholdStrategy(), OUTLOOKS, assessed._replace(size_limits=_floats(0.1)), COST) == (
        0,
        2,
    )


def test_three_methods_are_enough_for_a_strategy() -> None:
    strategy = Small()
    found = assess_bars(strategy, OUTLOOKS, COST)
    assert scalar_differences(strategy, OUTLOOKS, found, COST) == ()
    answered(strategy, Outlook(0.7), COST)
    said = [strategy.explain(Outlook(probability), COST) for probability in (0.7, 0.503, 0.4)]
    assert said == ["score 0.2 >= 0.006", "score 0.003 between 0 and 0.006", "score -0.1 <= 0"]
    assert strategy.figures(Outlook(0.7), COST) == {"score": pytest.approx(0.2)}
    assert strategy.figures(Outlook(math.nan), COST) == {}
    assert strategy.describe(COST) == "Enter at a score of 0.006 or more, exit at 0 or less"


def test_a_strategy_that_reads_no_conditions_is_shown_none_among_many_bars() -> None:
    class Blind(Small):
        reads_conditions = False

    without = Outlooks(PROBABILITY, np.empty(0), np.empty(0))
    np.testing.assert_array_equal(assess_bars(Blind(), without, COST).scores, PROBABILITY - 0.5)

"""Tests to inherit for a strategy of your own.

class TestBreakout(StrategyContract):
    def make(self) -> StrategyInterface:
        return Breakout()
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod

import numpy as np

from algo_pipeline.common.types import FloatArray
from algo_pipeline.common.user_classes import user_class_reference
from algo_pipeline.interfaces.strategy import Assessments, Outlook, Outlooks, StrategyInterface
from algo_pipeline.strategy.catalog import strategy_document, strategy_from_document
from algo_pipeline.strategy.own import answered, assess_bars, scalar_differences
from algo_pipeline.testing.parity import live_differences

_COSTS = (0.0, 0.006, 0.05)
_N_BARS = 600
_SEEDS = (1, 2, 3)


class StrategyContract(ABC):
    """What every strategy has to keep, so that live trading does what its backtest did."""

    @abstractmethod
    def make(self) -> StrategyInterface:
        """The strategy to test."""

    def test_its_parameters_make_it_again(self) -> None:
        """Bundles and records keep the parameters alone, as JSON."""
        strategy = self.make()
        document = json.loads(json.dumps(strategy_document(strategy)))
        again = strategy_from_document(document, {user_class_reference(type(strategy))})
        assert strategy_document(again) == document, "parameters() must return what the constructor takes, unchanged"

    def test_its_band_is_in_order_at_any_cost(self) -> None:
        """At or above ``enter`` LONG, at or below ``exit`` FLAT."""
        for cost in _COSTS:
            enter, exit_ = self.make().band(cost)
            assert exit_ <= enter, f"at a cost of {cost} the band's exit {exit_} lies above its enter {enter}"

    def test_one_bar_alone_is_assessed_as_it_is_among_many(self) -> None:
        """A backtest assesses all bars at once, live trading one."""
        for seed in _SEEDS:
            outlooks = _outlooks(seed)
            for cost in _COSTS:
                strategy = self.make()
                found = scalar_differences(strategy, outlooks, self._of_many(outlooks, cost), cost)
                assert not found, (
                    f"assess and assess_bars differ for {_outlook(outlooks, found[0])} at a cost of {cost}"
                )

    def test_without_a_probability_there_is_no_score(self) -> None:
        """NaN is HOLD."""
        unknown = _outlooks(1)._replace(probability=np.full(_N_BARS, math.nan))
        alone = self.make().assess(_outlook(unknown, 0), _COSTS[1]).score
        assert math.isnan(alone), f"assess must give the score NaN without a probability; it gave {alone}"
        assert np.isnan(self._of_many(unknown, _COSTS[1]).scores).all(), "assess_bars must give NaN likewise"

    def test_every_answer_can_be_used(self) -> None:
        """Types, shapes, words and figures, also where volatility or base rate are not known."""
        for seed in _SEEDS:
            outlooks = _outlooks(seed)
            for cost in _COSTS:
                strategy = self.make()
                self._of_many(outlooks, cost)
                for at in np.flatnonzero(~np.isnan(outlooks.probability)):
                    answered(strategy, _outlook(outlooks, int(at)), cost)
                assert strategy.describe(cost), "describe must return words"

    def test_it_remembers_nothing_and_looks_at_no_other_bar(self) -> None:
        """Whatever bars come before and after, and in which order, a bar is assessed alike."""
        outlooks, cost = _outlooks(4), _COSTS[1]
        whole, order = self._of_many(outlooks, cost), np.random.default_rng(4).permutation(_N_BARS)
        strategy = self.make()
        for rows in (np.arange(_N_BARS // 2), np.arange(_N_BARS // 2, _N_BARS), order):
            part = assess_bars(strategy, _shown(strategy, Outlooks(*(values[rows] for values in outlooks))), cost)
            assert np.array_equal(part.scores, whole.scores[rows], equal_nan=True), (
                "the score of a bar depends on which others are shown"
            )
            assert np.array_equal(_limits(part), _limits(whole)[rows], equal_nan=True), (
                "the size limit of a bar depends on which others are shown"
            )

    def test_it_leaves_what_it_is_shown_as_it_is(self) -> None:
        """The arrays are the backtest's own."""
        outlooks = _outlooks(5)
        before = [values.copy() for values in outlooks]
        self._of_many(outlooks, _COSTS[1])
        for name, then, now in zip(Outlooks._fields, before, outlooks, strict=True):
            assert np.array_equal(then, now, equal_nan=True), f"assess_bars has written into {name}"

    def test_live_trading_decides_as_the_backtest_does(self) -> None:
        """Order by order and to the last bit, on simulated markets."""
        for seed in _SEEDS:
            found = live_differences(self.make(), seed)
            assert not found, found[0]

    def _of_many(self, outlooks: Outlooks, cost: float) -> Assessments:
        strategy = self.make()
        return assess_bars(strategy, _shown(strategy, outlooks), cost)


def _shown(strategy: StrategyInterface, outlooks: Outlooks) -> Outlooks:
    """As a backtest shows them: nothing beside the probability to a strategy that reads nothing else."""
    return outlooks if strategy.reads_conditions else Outlooks(outlooks.probability, np.empty(0), np.empty(0))


def _outlooks(seed: int) -> Outlooks:
    """All that can occur: certainty and ignorance, thresholds met exactly, quiet and wild markets, unknown values."""
    rng = np.random.default_rng(seed)
    probability, base_rate = rng.random(_N_BARS), rng.uniform(0.3, 0.7, _N_BARS)
    probability[:200] = rng.choice([0.0, 0.45, 0.5, 0.55, 1.0, math.nan], 200)
    base_rate[:100] = rng.choice([0.0, 0.5, 1.0, math.nan], 100)
    volatility = rng.lognormal(-5.0, 1.0, _N_BARS)
    volatility[50:150] = rng.choice([0.0, 1e-9, 0.5, math.nan], 100)
    return Outlooks(probability, base_rate, volatility)


def _outlook(outlooks: Outlooks, at: int) -> Outlook:
    return Outlook(*(float(values[at]) for values in outlooks))


def _limits(assessments: Assessments) -> FloatArray:
    return np.broadcast_to(assessments.size_limits, len(assessments.scores))

"""The tests that users inherit find what is wrong: for each of them, a part that breaks it and is caught by it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.interfaces.model import ModelInterface
from algo_pipeline.interfaces.strategy import Assessment, Assessments, Band, Outlook, Outlooks, StrategyInterface
from algo_pipeline.testing.model import ModelContract
from algo_pipeline.testing.parity import live_differences
from algo_pipeline.testing.strategy import StrategyContract


class Regression(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Sound; the faulty ones below change one thing."""

    def __init__(self, C: float = 1.0) -> None:
        self.C = C

    def fit(self, X: FloatArray, y: IntArray, sample_weight: FloatArray | None = None) -> Regression:
        self.scale_ = np.asarray(X).std(axis=0) + 1e-12
        self.inner_ = LogisticRegression(C=self.C).fit(X / self.scale_, y, sample_weight)
        self.classes_ = np.array([0, 1])
        return self

    def decision_function(self, X: FloatArray) -> FloatArray:
        return np.asarray(self.inner_.decision_function(X / self.scale_))


class Random(Regression):
    def fit(self, X: FloatArray, y: IntArray, sample_weight: FloatArray | None = None) -> Regression:
        super().fit(X, y, sample_weight)
        self.scale_ = self.scale_ * (1.0 + np.random.random(len(self.scale_)))  # noqa: NPY002
        return self


class Writing(Regression):
    def fit(self, X: FloatArray, y: IntArray, sample_weight: FloatArray | None = None) -> Regression:
        super().fit(X, y, sample_weight)
        X[0, 0] = 0.0
        return self


class Column(Regression):
    def decision_function(self, X: FloatArray) -> FloatArray:
        return super().decision_function(X)[:, None]


class Ranking(Regression):
    def decision_function(self, X: FloatArray) -> FloatArray:
        found = super().decision_function(X)
        return np.asarray(found - found.mean())


class Unweighted(Regression):
    def fit(self, X: FloatArray, y: IntArray, sample_weight: FloatArray | None = None) -> Regression:
        return super().fit(X, y)


class Forgetful(Regression):
    def __getstate__(self) -> dict[str, object]:
        return {**super().__getstate__(), "scale_": np.ones_like(self.scale_)}


class Renaming(Regression):
    def __init__(self, C: float = 1.0) -> None:
        self.C = 2.0 * C


@dataclass(frozen=True)
class Model(ModelInterface):
    """Sound with ``Regression``."""

    C: float = 0.1
    estimator: type[Regression] = field(default=Regression, repr=False)
    declared: tuple[type, ...] | None = field(default=None, repr=False)

    @property
    def parameters(self) -> Mapping[str, float | int | str | bool]:
        return {"C": self.C}

    @property
    def trusted_types(self) -> tuple[str, ...]:
        declared = (self.estimator,) if self.declared is None else self.declared
        return tuple(f"{each.__module__}.{each.__qualname__}" for each in declared)

    def make_estimator(self) -> Regression:
        return self.estimator(self.C)

    def feature_weights(self, estimator: BaseEstimator, X: FloatArray, y: FloatArray) -> FloatArray:
        return np.asarray(estimator.inner_.coef_[0])


class Moody(Model):
    @property
    def parameters(self) -> Mapping[str, float | int | str | bool]:
        return {"C": float(np.random.random())}  # noqa: NPY002


class Deaf(Model):
    def __init__(self, **parameters: float) -> None:
        super().__init__()

    @property
    def parameters(self) -> Mapping[str, float | int | str | bool]:
        return {"C": 0.1}


class Unnamed(Model):
    @property
    def parameters(self) -> Mapping[str, float | int | str | bool]:
        return {"c": self.C}


class Wordless(Model):
    def feature_weights(self, estimator: BaseEstimator, X: FloatArray, y: FloatArray) -> FloatArray:
        return np.array([1.0])


class OfModel(ModelContract):
    def __init__(self, model: ModelInterface) -> None:
        self._model = model

    def make(self) -> ModelInterface:
        return self._model


MODEL_TESTS = sorted(name for name in dir(ModelContract) if name.startswith("test_"))
FAULTY_MODELS: Mapping[str, ModelInterface] = {
    "test_it_says_what_it_is": Moody(),
    "test_its_parameters_make_it_again": Unnamed(),
    "test_a_parameter_that_it_does_not_have_is_refused": Deaf(),
    "test_two_fits_of_the_same_rows_are_equal_to_the_bit": Model(estimator=Random),
    "test_a_fit_leaves_its_rows_as_they_are": Model(estimator=Writing),
    "test_it_gives_log_odds_of_every_row": Model(estimator=Column),
    "test_a_row_alone_is_scored_as_it_is_among_others": Model(estimator=Ranking),
    "test_weights_count": Model(estimator=Unweighted),
    "test_a_stored_estimator_is_read_back_with_the_types_that_it_declares": Model(estimator=Forgetful),
    "test_an_unfitted_estimator_can_be_cloned": Model(estimator=Renaming),
    "test_it_can_be_calibrated": Model(estimator=Column),
    "test_it_tells_what_each_feature_is_worth": Wordless(),
}


@pytest.mark.parametrize("test", MODEL_TESTS)
def test_a_sound_model_passes(test: str) -> None:
    getattr(OfModel(Model()), test)()


@pytest.mark.parametrize("test", MODEL_TESTS)
def test_a_faulty_model_is_caught_by_the_test_of_its_fault(test: str) -> None:
    with pytest.raises((AssertionError, TypeError, ValueError, RuntimeError)):
        getattr(OfModel(FAULTY_MODELS[test]), test)()


@pytest.mark.parametrize("declared", [(), (Regression, Random)], ids=["too_few", "too_many"])
def test_types_that_are_declared_have_to_be_those_that_are_stored(declared: tuple[type, ...]) -> None:
    test = "test_a_stored_estimator_is_read_back_with_the_types_that_it_declares"
    with pytest.raises(AssertionError, match="trusted_types must be what a stored estimator holds"):
        getattr(OfModel(Model(declared=declared)), test)()


@dataclass(frozen=True)
class Edge(StrategyInterface):
    """Sound; the faulty ones below change one thing."""

    enter: float = 0.05
    exit: float = 0.0

    def band(self, round_trip_cost: float) -> Band:
        return Band(self.enter, self.exit)

    def assess(self, outlook: Outlook, round_trip_cost: float) -> Assessment:
        return Assessment(outlook.probability - outlook.base_rate, math.inf)

    def parameters(self) -> Mapping[str, float]:
        return asdict(self)


class Doubled(Edge):
    """Says of many bars other than of one."""

    def assess_bars(self, outlooks: Outlooks, round_trip_cost: float) -> Assessments:
        return Assessments(2.0 * (outlooks.probability - outlooks.base_rate), np.full(1, math.inf))


class Inverted(Edge):
    def band(self, round_trip_cost: float) -> Band:
        return Band(0.0, 0.1)


class Certain(Edge):
    """Has a score without a probability."""

    def assess(self, outlook: Outlook, round_trip_cost: float) -> Assessment:
        known = 0.5 if math.isnan(outlook.probability) else outlook.probability
        return Assessment(known - outlook.base_rate, math.inf)


class Coarse(Edge):
    """Answers with whole numbers."""

    def assess(self, outlook: Outlook, round_trip_cost: float) -> Assessment:
        return Assessment(1 if outlook.probability > 0.5 else 0, 1)


class Relative(Edge):
    """Looks at the other bars."""

    def assess_bars(self, outlooks: Outlooks, round_trip_cost: float) -> Assessments:
        scores = outlooks.probability - np.nanmean(outlooks.probability)
        return Assessments(scores, np.full(1, math.inf))


class Scribbling(Edge):
    def assess_bars(self, outlooks: Outlooks, round_trip_cost: float) -> Assessments:
        outlooks.probability[0] = math.nan
        return super().assess_bars(outlooks, round_trip_cost)


class Stubborn(Edge):
    """Does not return what it was made with."""

    def parameters(self) -> Mapping[str, float]:
        return {"enter": 2.0 * self.enter, "exit": self.exit}


class OfStrategy(StrategyContract):
    def __init__(self, strategy: StrategyInterface) -> None:
        self._strategy = strategy

    def make(self) -> StrategyInterface:
        return self._strategy


STRATEGY_TESTS = sorted(name for name in dir(StrategyContract) if name.startswith("test_"))
FAULTY_STRATEGIES: Mapping[str, StrategyInterface] = {
    "test_its_parameters_make_it_again": Stubborn(),
    "test_its_band_is_in_order_at_any_cost": Inverted(),
    "test_one_bar_alone_is_assessed_as_it_is_among_many": Doubled(),
    "test_without_a_probability_there_is_no_score": Certain(),
    "test_every_answer_can_be_used": Coarse(),
    "test_it_remembers_nothing_and_looks_at_no_other_bar": Relative(),
    "test_it_leaves_what_it_is_shown_as_it_is": Scribbling(),
    "test_live_trading_decides_as_the_backtest_does": Doubled(),
}


@pytest.mark.parametrize("test", STRATEGY_TESTS)
def test_a_sound_strategy_passes(test: str) -> None:
    getattr(OfStrategy(Edge()), test)()


@pytest.mark.parametrize("test", STRATEGY_TESTS)
def test_a_faulty_strategy_is_caught_by_the_test_of_its_fault(test: str) -> None:
    with pytest.raises((AssertionError, ConfigValueError)):
        getattr(OfStrategy(FAULTY_STRATEGIES[test]), test)()


def test_a_difference_between_live_and_backtest_names_the_bar_and_both_orders() -> None:
    assert live_differences(Edge(), 1) == ()
    found = live_differences(Doubled(), 1)
    assert any("live decides nothing, the backtest buy" in each for each in found)
    assert all(each.startswith("at 2024-01-") for each in found)

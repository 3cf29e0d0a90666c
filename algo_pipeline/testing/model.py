"""Tests to inherit for a model of your own.

class TestMomentum(ModelContract):
    def make(self) -> ModelInterface:
        return Momentum()
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from algo_pipeline.common.types import FloatArray, IntArray, Symbol
from algo_pipeline.data.features import build_features
from algo_pipeline.data.labels import build_labels
from algo_pipeline.data.simulation import simulate_bars
from algo_pipeline.interfaces.model import ModelInterface
from algo_pipeline.models.calibration import TRUSTED_TYPES, CalibratedClassifier, PlattCalibrator
from algo_pipeline.models.parameter_hash import parameter_hash
from algo_pipeline.models.threads import single_threaded
from algo_pipeline.registry.estimator_file import dump_estimators, load_estimators

_START = pd.Timestamp("2024-01-01", tz="UTC")
_N_BARS = 2_200
_CALIBRATION_ROWS = 300
_TOLERANCE = 1e-12


class ModelContract(ABC):
    """What every model has to keep, so that a training can be made again and its model be stored and trusted."""

    @abstractmethod
    def make(self) -> ModelInterface:
        """The model to test."""

    def rows(self) -> tuple[pd.DataFrame, IntArray]:
        """Features of shape (n, n_features) and outcomes 0 or 1; override it for a model of other features."""
        bars = simulate_bars(
            Symbol("BTC", "USD"), _START, _START + pd.Timedelta(hours=_N_BARS), seed=1, signal_strength=0.5
        )
        features, outcome = build_features(bars), build_labels(bars)["direction_1h"]
        known = features.notna().all(axis=1) & outcome.notna()
        return features[known], outcome[known].to_numpy(dtype=np.int64)

    def test_it_says_what_it_is(self) -> None:
        """Kind and parameters are the recipe's identity: plain values, the same every time."""
        one, other = self.make(), self.make()
        assert one.kind == other.kind, f"kind must stay the same; it was {one.kind!r}, then {other.kind!r}"
        assert dict(one.parameters) == dict(other.parameters), "parameters must stay the same"
        assert json.loads(json.dumps(dict(one.parameters))) == dict(one.parameters), (
            f"parameters must be numbers, words, True and False; they were {dict(one.parameters)!r}"
        )

    def test_its_parameters_make_it_again(self) -> None:
        """Records keep the parameters alone."""
        model = self.make()
        again = type(model)(**model.parameters)
        assert dict(again.parameters) == dict(model.parameters), "the constructor must take what parameters returns"

    def test_a_parameter_that_it_does_not_have_is_refused(self) -> None:
        """A misspelt one must not silently leave a default in force."""
        make: Callable[..., ModelInterface] = type(self.make())
        try:
            make(no_such_parameter_of_a_model=1)
        except Exception:
            return
        raise AssertionError("a parameter that it does not have must raise an error")

    def test_two_fits_of_the_same_rows_are_equal_to_the_bit(self) -> None:
        """Whatever was fitted before, and however the random numbers of the process stand."""
        features, y = self.rows()
        model, X = self.make(), features.to_numpy()
        first = _scores(_fitted(model, X, y), X)
        np.random.seed(7)  # noqa: NPY002 - what a careless fit would draw from
        _fitted(model, X[::2], y[::2])
        assert np.array_equal(first, _scores(_fitted(model, X, y), X)), "a second fit of the same rows differs"

    def test_a_fit_leaves_its_rows_as_they_are(self) -> None:
        """Other folds learn from the same arrays."""
        features, y = self.rows()
        X, outcomes = features.to_numpy(copy=True), y.copy()
        _fitted(self.make(), X, outcomes, np.full(len(y), 0.5))
        assert np.array_equal(X, features.to_numpy()), "fit has written into its features"
        assert np.array_equal(outcomes, y), "fit has written into its outcomes"

    def test_it_gives_log_odds_of_every_row(self) -> None:
        """A finite float64 for each, by classes 0 and 1."""
        features, y = self.rows()
        estimator = _fitted(self.make(), features.to_numpy(), y)
        found = estimator.decision_function(features.to_numpy())
        assert found.dtype == np.float64, f"decision_function must give float64; it gave {found.dtype}"
        assert found.shape == (len(y),), f"decision_function must give shape ({len(y)},); it gave {found.shape}"
        assert np.isfinite(found).all(), "decision_function must give finite numbers"
        assert list(estimator.classes_) == [0, 1], f"classes_ must be 0 and 1; they were {list(estimator.classes_)}"

    def test_a_row_alone_is_scored_as_it_is_among_others(self) -> None:
        """Research scores many rows, live trading one."""
        features, y = self.rows()
        X = features.to_numpy()
        estimator = _fitted(self.make(), X, y)
        alone = np.concatenate([_scores(estimator, X[at : at + 1]) for at in range(50)])
        apart = np.abs(alone - _scores(estimator, X)[:50]).max()
        assert apart <= _TOLERANCE, f"rows scored alone differ by {apart:.3g} from rows scored together"

    def test_weights_count(self) -> None:
        """Rows are weighted by how much of their label is their own."""
        features, y = self.rows()
        model, X = self.make(), features.to_numpy()
        uneven = np.where(np.arange(len(y)) < len(y) // 2, 0.1, 1.0)
        plain, even = (_scores(_fitted(model, X, y, weights), X) for weights in (None, np.ones(len(y))))
        assert np.allclose(plain, even, rtol=0.0, atol=1e-6), "weights that are all 1 must change nothing"
        assert not np.array_equal(plain, _scores(_fitted(model, X, y, uneven), X)), "unequal weights change nothing"

    def test_a_stored_estimator_is_read_back_with_the_types_that_it_declares(self) -> None:
        """Bundles hold it as a file without code; what the model does not declare in ``trusted_types`` is refused."""
        import skops.io

        features, y = self.rows()
        model = self.make()
        before = self._calibrated(model, features, y)
        data = dump_estimators(before)
        needed = set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED_TYPES)
        assert needed == set(model.trusted_types), (
            f"trusted_types must be what a stored estimator holds, and no more: {sorted(needed)}; "
            f"they were {sorted(model.trusted_types)}"
        )
        after = load_estimators(data, "The stored estimator", trusted_types=(*TRUSTED_TYPES, *model.trusted_types))
        then, now = (each.predict_proba(features) for each in (before, after))
        assert np.array_equal(then, now), "the estimator that is read back says other than the one that was stored"
        assert parameter_hash(before) == parameter_hash(after), "what it has learnt is not all stored"

    def test_an_unfitted_estimator_can_be_cloned(self) -> None:
        """As scikit-learn does it: the constructor's arguments are its attributes."""
        features, y = self.rows()
        estimator = self.make().make_estimator()
        with single_threaded():
            copies = [each.fit(features.to_numpy(), y) for each in (clone(estimator), estimator)]
        one, other = (_scores(each, features.to_numpy()) for each in copies)
        assert np.array_equal(one, other), "a clone learns other than the estimator itself"

    def test_it_can_be_calibrated(self) -> None:
        """A calibrator finds it fitted, and gives probabilities."""
        features, y = self.rows()
        probability = self._calibrated(self.make(), features, y).predict_proba(features)[:, 1]
        assert ((probability > 0.0) & (probability < 1.0)).all(), "a probability is not strictly between 0 and 1"

    def test_it_tells_what_each_feature_is_worth(self) -> None:
        """A finite number for each."""
        features, y = self.rows()
        model, X = self.make(), features.to_numpy()
        weights = model.feature_weights(_fitted(model, X, y), X[-200:], y[-200:].astype(np.float64))
        shape = (features.shape[1],)
        assert weights.shape == shape, f"feature_weights must have shape {shape}; it was {weights.shape}"
        assert np.isfinite(weights).all(), "feature_weights must be finite"

    def _calibrated(self, model: ModelInterface, features: pd.DataFrame, y: IntArray) -> CalibratedClassifier:
        base, tail = slice(None, -_CALIBRATION_ROWS), slice(-_CALIBRATION_ROWS, None)
        estimator = _fitted(model, features.to_numpy()[base], y[base])
        return CalibratedClassifier(estimator, PlattCalibrator()).fit(features.iloc[tail], y[tail])


def _fitted(model: ModelInterface, X: FloatArray, y: IntArray, weights: FloatArray | None = None) -> Any:
    with single_threaded():
        return model.fit(X, y, weights)


def _scores(estimator: Any, X: FloatArray) -> FloatArray:
    with single_threaded():
        return np.asarray(estimator.decision_function(X), dtype=np.float64)

from __future__ import annotations

import warnings

import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from skops.io.exceptions import UntrustedTypesFoundException

from algo_pipeline.common.errors import DataValidationError
from algo_pipeline.models.calibration import (
    TRUSTED_TYPES,
    CalibratedClassifier,
    IsotonicCalibrator,
    PlattCalibrator,
)
from algo_pipeline.models.catalog import make_model
from algo_pipeline_tests.models.samples import fitted, planted_rows

KINDS = [
    *(("logistic", "platt"), ("logistic", "isotonic"), ("boosting", "platt"), ("boosting", "isotonic")),
    *(("lightgbm", "platt"), ("lightgbm", "isotonic"), ("scaled_logistic", "shrunk")),
    *(("logistic", "shrunk"), ("ensemble", "shrunk")),
]


def scores_and_outcomes(n: int, seed: int, slope: float, intercept: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=n)
    chance = 1.0 / (1.0 + np.exp(-(slope * scores + intercept)))
    return scores, (rng.random(n) < chance).astype(np.int64)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("strength", [0.05, 0.5, 3.0])
def test_platt_is_what_scikit_learn_fits(seed: int, strength: float) -> None:
    base, base_outcomes = planted_rows(1500, seed, strength)
    tail, tail_outcomes = planted_rows(2000, seed + 100, strength)
    model = make_model("logistic").make_estimator().fit(base.to_numpy(), base_outcomes)
    ours = CalibratedClassifier(model, PlattCalibrator()).fit(tail.to_numpy(), tail_outcomes)
    reference = CalibratedClassifierCV(FrozenEstimator(model), method="sigmoid", ensemble=False)
    reference.fit(tail.to_numpy(), tail_outcomes)
    fresh = planted_rows(500, seed + 200, strength)[0].to_numpy()
    unclipped = ours.calibrator_.mapping().probability(model.decision_function(fresh))
    np.testing.assert_allclose(unclipped, reference.predict_proba(fresh)[:, 1], rtol=0, atol=1e-8)


def test_platt_minimizes_the_log_loss_of_smoothed_targets() -> None:
    scores, outcomes = scores_and_outcomes(400, 3, 0.7, -0.2)
    calibrator = PlattCalibrator().fit(scores, outcomes)
    ones = int(outcomes.sum())
    targets = np.where(outcomes == 1, (ones + 1) / (ones + 2), 1 / (400 - ones + 2))
    errors = calibrator.mapping().probability(scores) - targets
    assert abs(errors.sum()) < 1e-8
    assert abs((errors * scores).sum()) < 1e-8


def test_platt_finds_the_true_slope_and_intercept() -> None:
    scores, outcomes = scores_and_outcomes(400_000, 7, 0.8, -0.3)
    calibrator = PlattCalibrator().fit(scores, outcomes)
    assert calibrator.slope_ == pytest.approx(0.8, abs=0.02)
    assert calibrator.intercept_ == pytest.approx(-0.3, abs=0.02)


def test_platt_on_two_scores_reproduces_the_smoothed_rates() -> None:
    # 3 of 4 rows at score 1 and 1 of 4 at score -1 are ones: targets 5/6 and 1/6 average to 2/3 and 1/3.
    scores = np.array([1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0])
    outcomes = np.array([1, 1, 1, 0, 1, 0, 0, 0])
    calibrator = PlattCalibrator().fit(scores, outcomes)
    assert calibrator.slope_ == pytest.approx(np.log(2.0), abs=1e-9)
    assert calibrator.intercept_ == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    scale=st.sampled_from([1e-6, 1e-2, 1.0, 1e4]),
    shift=st.floats(-50.0, 50.0),
)
def test_platt_does_not_depend_on_the_units_of_the_scores(seed: int, scale: float, shift: float) -> None:
    scores, outcomes = scores_and_outcomes(300, seed, 1.0, 0.1)
    plain = PlattCalibrator().fit(scores, outcomes).mapping().probability(scores)
    moved = scores * scale + shift * scale
    other = PlattCalibrator().fit(moved, outcomes).mapping().probability(moved)
    np.testing.assert_allclose(other, plain, atol=1e-7)


@pytest.mark.parametrize("value", [0.0, 0.37, -1e5])
def test_platt_on_constant_scores_gives_the_smoothed_base_rate(value: float) -> None:
    outcomes = np.array([1, 1, 1, 0])
    calibrator = PlattCalibrator().fit(np.full(4, value), outcomes)
    expected = (3 * (4 / 5) + 1 * (1 / 3)) / 4
    np.testing.assert_allclose(calibrator.mapping().probability(np.array([value, 9.0])), expected, atol=1e-12)


def test_platt_stays_finite_when_scores_separate_the_outcomes() -> None:
    scores = np.linspace(-1.0, 1.0, 200)
    calibrator = PlattCalibrator().fit(scores, (scores > 0).astype(np.int64))
    probability = calibrator.mapping().probability(np.array([-1.0, 1.0]))
    assert np.isfinite([calibrator.slope_, calibrator.intercept_]).all()
    assert 0.0 < probability[0] < 0.02
    assert 0.98 < probability[1] < 1.0


def test_isotonic_is_what_scikit_learn_fits() -> None:
    scores, outcomes = scores_and_outcomes(1000, 5, 0.5, 0.0)
    ours = IsotonicCalibrator().fit(scores, outcomes).mapping()
    reference = IsotonicRegression(out_of_bounds="clip").fit(scores, outcomes)
    fresh = np.random.default_rng(1).normal(scale=2.0, size=5000)
    np.testing.assert_allclose(ours.probability(fresh), reference.predict(fresh), atol=1e-12)


def test_isotonic_pools_the_rows_that_fall() -> None:
    calibrator = IsotonicCalibrator().fit(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 1, 0, 1]))
    np.testing.assert_allclose(
        calibrator.mapping().probability(np.array([0.0, 1.0, 1.5, 2.0, 3.0, 3.5, 9.0])),
        [0.0, 0.0, 0.25, 0.5, 0.5, 0.75, 1.0],
    )


def test_isotonic_on_constant_scores_gives_the_rate() -> None:
    calibrator = IsotonicCalibrator().fit(np.full(4, 0.2), np.array([1, 0, 0, 0]))
    np.testing.assert_allclose(calibrator.mapping().probability(np.array([-1.0, 0.2, 5.0])), 0.25)


@pytest.mark.parametrize("calibrator", [PlattCalibrator(), IsotonicCalibrator()], ids=["platt", "isotonic"])
@pytest.mark.parametrize("outcome", [0, 1])
def test_one_outcome_only_is_a_clear_error(calibrator: PlattCalibrator | IsotonicCalibrator, outcome: int) -> None:
    with pytest.raises(DataValidationError, match=rf"found only \[{outcome}\]"):
        clone(calibrator).fit(np.arange(5.0), np.full(5, outcome))


@pytest.mark.parametrize("calibrator", [PlattCalibrator(), IsotonicCalibrator()], ids=["platt", "isotonic"])
def test_a_calibrator_gives_no_map_before_it_is_fitted(calibrator: PlattCalibrator | IsotonicCalibrator) -> None:
    with pytest.raises(NotFittedError):
        clone(calibrator).mapping()


@pytest.mark.parametrize(("model", "calibrator"), KINDS)
def test_probabilities_never_leave_their_bounds(model: str, calibrator: str) -> None:
    estimator = fitted(model, calibrator, strength=20.0)
    wild = planted_rows(2000, 9)[0] * 100.0
    probability = estimator.predict_proba(wild)
    assert estimator.n_calibration_rows_ == 800
    assert probability.min() >= 1 / 802 - 1e-15
    assert probability.max() <= 1 - 1 / 802 + 1e-15
    np.testing.assert_allclose(probability.sum(axis=1), 1.0, atol=1e-15)


def test_the_bounds_are_reached() -> None:
    estimator = fitted("logistic", "isotonic", strength=20.0)
    probability = estimator.predict_proba(planted_rows(2000, 9, 20.0)[0])[:, 1]
    assert probability.min() == 1 / 802
    assert probability.max() == 1 - 1 / 802


def parameters_of(estimator: BaseEstimator) -> dict[str, bytes]:
    return {
        name: np.asarray(getattr(step, name)).tobytes()
        for _, step in estimator.steps
        for name in ("mean_", "scale_", "coef_", "intercept_")
        if hasattr(step, name)
    }


def test_fitting_the_calibrator_leaves_the_model_and_the_given_calibrator_alone() -> None:
    base, outcomes = planted_rows(1500)
    model = make_model("logistic").make_estimator().fit(base.to_numpy(), outcomes)
    before, given_calibrator = parameters_of(model), PlattCalibrator()
    estimator = CalibratedClassifier(model, given_calibrator).fit(*planted_rows(800, 1))
    assert parameters_of(model) == before
    assert estimator.model is model
    assert not hasattr(given_calibrator, "slope_")


def test_a_model_that_is_not_fitted_is_refused() -> None:
    rows, outcomes = planted_rows(100)
    with pytest.raises(NotFittedError):
        CalibratedClassifier(make_model("logistic").make_estimator(), PlattCalibrator()).fit(rows, outcomes)


def test_it_predicts_nothing_before_it_is_fitted() -> None:
    with pytest.raises(NotFittedError):
        CalibratedClassifier(fitted("logistic", "platt").model, PlattCalibrator()).predict_proba(planted_rows(5)[0])


def test_the_constructor_stores_what_it_is_given_and_a_frozen_model_survives_cloning() -> None:
    model, calibrator = FrozenEstimator(fitted("logistic", "platt").model), IsotonicCalibrator()
    estimator = CalibratedClassifier(model, calibrator)
    assert estimator.get_params(deep=False) == {"model": model, "calibrator": calibrator}
    rows, outcomes = planted_rows(800, 1)
    copy = clone(estimator).fit(rows, outcomes)
    np.testing.assert_array_equal(copy.predict_proba(rows), estimator.fit(rows, outcomes).predict_proba(rows))


@pytest.mark.parametrize(("model", "calibrator"), KINDS)
def test_frames_and_arrays_give_the_same_probabilities_without_a_warning(model: str, calibrator: str) -> None:
    rows, outcomes = planted_rows(300, 4)
    estimator = fitted(model, calibrator)
    on_array = CalibratedClassifier(estimator.model, estimator.calibrator).fit(rows.to_numpy(), outcomes)
    on_frame = CalibratedClassifier(estimator.model, estimator.calibrator).fit(rows, outcomes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(on_frame.predict_proba(rows), on_array.predict_proba(rows.to_numpy()))
    assert list(on_frame.feature_names_in_) == list(rows.columns)
    assert set(on_frame.predict(rows)) <= {0, 1}


def test_a_frame_with_other_columns_is_refused() -> None:
    rows = planted_rows(10)[0]
    with pytest.raises(ValueError, match="feature names"):
        fitted("logistic", "platt").predict_proba(rows[rows.columns[::-1]])
    with pytest.raises(ValueError, match="feature"):
        fitted("logistic", "platt").predict_proba(rows.iloc[:, :36])


def test_a_row_with_a_missing_feature_is_refused() -> None:
    rows = planted_rows(10)[0]
    rows.iloc[3, 3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        fitted("logistic", "platt").predict_proba(rows)


@pytest.mark.parametrize(("model", "calibrator"), KINDS)
def test_it_survives_a_round_trip_through_skops_with_the_reviewed_types_only(model: str, calibrator: str) -> None:
    estimator, rows = fitted(model, calibrator), planted_rows(500, 8)[0]
    data = skops.io.dumps(estimator)
    assert set(skops.io.get_untrusted_types(data=data)) <= set(TRUSTED_TYPES)
    again = skops.io.loads(data, trusted=list(TRUSTED_TYPES))
    np.testing.assert_array_equal(again.predict_proba(rows), estimator.predict_proba(rows))


class Stranger(BaseEstimator):
    """An estimator that nobody reviewed."""

    def fit(self, scores: np.ndarray, y: np.ndarray) -> Stranger:
        self.slope_ = 1.0
        return self


def test_a_file_with_a_type_that_was_not_reviewed_is_refused() -> None:
    estimator = fitted("logistic", "platt")
    estimator.calibrator_ = Stranger().fit(np.zeros(2), np.zeros(2))
    with pytest.raises(UntrustedTypesFoundException, match="Stranger"):
        skops.io.loads(skops.io.dumps(estimator), trusted=list(TRUSTED_TYPES))

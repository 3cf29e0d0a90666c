from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.models.calibration import CalibratedClassifier, PlattCalibrator
from algo_pipeline.models.catalog import make_model
from algo_pipeline.models.linear_scorer import expit
from algo_pipeline.models.shrinkage import ShrunkPlattCalibrator, TrainFacts
from algo_pipeline_tests.models.samples import planted_rows

HALF = TrainFacts(0.5, 0.5)


def drawn(n: int, seed: int, slope: float, intercept: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.normal(0.0, 0.2, n)
    return scores, (rng.random(n) < expit(slope * scores + intercept)).astype(np.int64)


def log_loss(calibrator: ShrunkPlattCalibrator | PlattCalibrator, scores: np.ndarray, y: np.ndarray) -> float:
    probability = calibrator.mapping().probability(scores)
    return float(-np.mean(np.log(np.where(y == 1, probability, 1.0 - probability))))


def test_without_evidence_the_prior_speaks() -> None:
    scores, y = drawn(500, 0, 1.0)
    found = ShrunkPlattCalibrator().fit(scores, y, np.full(500, 1e-9), TrainFacts(0.5, 0.6))
    assert found.slope_ == pytest.approx(0.5, abs=1e-6)
    assert found.intercept_ == pytest.approx(np.log(0.6 / 0.4), abs=1e-6)


def test_the_scores_of_a_model_without_signal_give_the_rate_of_the_train_part() -> None:
    # Constant log-odds of the base rows' rate: what a fully penalized model says.
    base = np.log(0.3 / 0.7)
    found = ShrunkPlattCalibrator().fit(np.full(50, base), np.arange(50) % 2, np.full(50, 1e-9), TrainFacts(0.3, 0.35))
    assert found.mapping().probability(np.array([base]))[0] == pytest.approx(0.35, abs=1e-6)


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0, 2.0])
def test_with_much_evidence_it_is_the_logistic_fit(slope: float) -> None:
    scores, y = drawn(400_000, 1, slope, 0.15)
    found, free = ShrunkPlattCalibrator().fit(scores, y, facts=HALF), PlattCalibrator().fit(scores, y)
    assert found.slope_ == pytest.approx(max(free.slope_, 0.0), abs=0.01)
    assert found.intercept_ == pytest.approx(free.intercept_, abs=0.002)


@pytest.mark.parametrize("seed", range(5))
def test_a_slope_that_contradicts_the_model_becomes_zero(seed: int) -> None:
    scores, y = drawn(30_000, seed, -1.0)
    found = ShrunkPlattCalibrator().fit(scores, y, facts=HALF)
    assert found.slope_ == 0.0
    assert np.ptp(found.mapping().probability(scores)) == 0.0


def test_a_calibrated_classifier_hands_on_weights_and_rates() -> None:
    model = make_model("logistic").make_estimator().fit(planted_rows(600)[0].to_numpy(), planted_rows(600)[1])
    rows, y = planted_rows(400, 1)
    weights, rates = np.linspace(0.01, 0.1, 400), TrainFacts(0.4, 0.7)
    expected = ShrunkPlattCalibrator().fit(model.decision_function(rows.to_numpy()), y, weights, rates)
    found = CalibratedClassifier(model, ShrunkPlattCalibrator()).fit(rows, y, weights, rates).calibrator_
    assert (found.slope_, found.intercept_) == (expected.slope_, expected.intercept_)


def test_the_mode_has_no_gradient() -> None:
    scores, y = drawn(700, 3, 0.7, 0.2)
    rates, weights = TrainFacts(0.45, 0.55, 4), np.linspace(0.1, 1.0, 700)
    found = ShrunkPlattCalibrator().fit(scores, y, weights, rates)
    centre, offset = np.log(0.45 / 0.55), np.log(0.55 / 0.45)
    shift = found.intercept_ - offset + found.slope_ * centre
    residual = weights * (y - found.mapping().probability(scores))
    assert residual.sum() == pytest.approx(shift / (0.03**2 * 4), abs=1e-6)
    assert residual @ (scores - centre) == pytest.approx((found.slope_ - 0.5) / 0.5**2, abs=1e-6)


def test_on_few_rows_it_loses_less_than_a_free_fit() -> None:
    fresh_scores, fresh = drawn(20_000, 99, 1.0)
    shrunk, free = (
        [log_loss(fit.fit(*drawn(150, seed, 1.0), facts=HALF), fresh_scores, fresh) for seed in range(60)]
        for fit in (ShrunkPlattCalibrator(), PlattCalibrator())
    )
    assert np.mean(shrunk) < np.mean(free) - 0.003


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, 300),
    seed=st.integers(0, 1000),
    spread=st.floats(0.0, 50.0),
    rate=st.floats(0.01, 0.99),
    weight=st.floats(1e-3, 10.0),
)
def test_any_scores_give_finite_numbers_and_a_rising_map(
    n: int, seed: int, spread: float, rate: float, weight: float
) -> None:
    rng = np.random.default_rng(seed)
    scores, y = rng.normal(0.0, 1.0, n) * spread, rng.integers(0, 2, n)
    found = ShrunkPlattCalibrator().fit(scores, y, np.full(n, weight), TrainFacts(rate, rate))
    assert np.isfinite(found.slope_)
    assert np.isfinite(found.intercept_)
    assert found.slope_ >= 0.0

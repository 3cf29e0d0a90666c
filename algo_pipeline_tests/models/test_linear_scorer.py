from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.types import FloatArray
from algo_pipeline.data.features import FEATURE_NAMES
from algo_pipeline.models.calibration import CalibratedClassifier, PlattCalibrator
from algo_pipeline.models.linear_scorer import IsotonicMap, LinearScorer, PlattMap, expit, is_linear
from algo_pipeline_tests.models.samples import fitted, planted_rows

KINDS = [("logistic", "platt"), ("logistic", "isotonic"), ("logistic", "shrunk"), ("scaled_logistic", "shrunk")]


@pytest.fixture(scope="module", params=KINDS, ids="+".join)
def estimator(request: pytest.FixtureRequest) -> CalibratedClassifier:
    return fitted(*request.param)


@pytest.fixture(scope="module")
def scorer(estimator: CalibratedClassifier) -> LinearScorer:
    return LinearScorer.from_estimator(estimator)


def two_feature_scorer() -> LinearScorer:
    return LinearScorer(
        feature_names=("a", "b"),
        mean=(1.0, 2.0),
        scale=(2.0, 4.0),
        weights=(0.5, -1.0),
        intercept=0.25,
        calibration=PlattMap(2.0, -0.5),
        lowest=0.1,
        highest=0.9,
    )


def test_a_worked_example() -> None:
    # Row (3, 6): (3-1)/2·0.5 - (6-2)/4·1 + 0.25 = -0.25; 2·(-0.25) - 0.5 = -1; 1/(1+e).
    scorer = two_feature_scorer()
    np.testing.assert_allclose(scorer.log_odds(np.array([[3.0, 6.0]])), [-0.25])
    np.testing.assert_allclose(scorer.predict_proba(np.array([[3.0, 6.0]])), [1 / (1 + np.e)], rtol=1e-15)


def test_probabilities_are_clipped_to_its_bounds() -> None:
    extreme = np.array([[1e6, 2.0], [-1e6, 2.0]])
    np.testing.assert_array_equal(two_feature_scorer().predict_proba(extreme), [0.9, 0.1])


def test_it_equals_the_estimator_to_1e_12(estimator: CalibratedClassifier, scorer: LinearScorer) -> None:
    rows = planted_rows(20_000, 3)[0]
    np.testing.assert_allclose(
        scorer.predict_proba(rows.to_numpy()), estimator.predict_proba(rows)[:, 1], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("n", [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 127, 129, 1000, 4097])
def test_rows_scored_together_and_one_by_one_are_equal_bit_for_bit(n: int, scorer: LinearScorer) -> None:
    rows = planted_rows(n, n)[0].to_numpy()
    together = scorer.predict_proba(rows)
    alone = np.concatenate([scorer.predict_proba(rows[i : i + 1]) for i in range(n)])
    assert together.tobytes() == alone.tobytes()


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 300),
    start=st.integers(0, 50),
    step=st.integers(1, 5),
    order=st.sampled_from(["C", "F"]),
    kind=st.sampled_from(KINDS),
)
def test_slices_strides_and_memory_order_change_no_bit(
    n: int, start: int, step: int, order: str, kind: tuple[str, str]
) -> None:
    scorer = LinearScorer.from_estimator(_FITTED[kind])
    rows = np.array(_ROWS[:n], order=order)  # type: ignore[call-overload]
    together = scorer.predict_proba(np.ascontiguousarray(rows))
    assert scorer.predict_proba(rows).tobytes() == together.tobytes()
    part = scorer.predict_proba(rows[start::step])
    assert part.tobytes() == together[start::step].tobytes()


def test_the_library_exponential_is_used_for_extreme_log_odds_without_overflow() -> None:
    np.testing.assert_array_equal(expit(np.array([-1e4, 0.0, 1e4])), [0.0, 0.5, 1.0])
    values = np.linspace(-30, 30, 1001)
    np.testing.assert_allclose(expit(values), 1.0 / (1.0 + np.exp(-values)), rtol=1e-14)


def test_a_missing_feature_gives_a_missing_probability_in_its_row_only(scorer: LinearScorer) -> None:
    rows = planted_rows(10)[0].to_numpy()
    clean = scorer.predict_proba(rows)
    rows[4, 7] = np.nan
    spoilt = scorer.predict_proba(rows)
    assert np.isnan(spoilt[4])
    np.testing.assert_array_equal(np.delete(spoilt, 4), np.delete(clean, 4))


def test_no_rows_give_no_probabilities(scorer: LinearScorer) -> None:
    assert scorer.predict_proba(np.empty((0, 37))).shape == (0,)


def test_it_survives_a_round_trip_through_json_exactly(scorer: LinearScorer) -> None:
    again = LinearScorer.from_document(json.loads(json.dumps(scorer.to_document())))
    assert again == scorer
    rows = planted_rows(200)[0].to_numpy()
    assert again.predict_proba(rows).tobytes() == scorer.predict_proba(rows).tobytes()


@pytest.mark.parametrize("change", [{"format": 3}, {"calibrator": "beta"}], ids=str)
def test_a_document_of_another_format_is_refused(change: dict[str, object], scorer: LinearScorer) -> None:
    with pytest.raises(ConfigValueError, match="format"):
        LinearScorer.from_document({**scorer.to_document(), **change})


def test_a_document_from_before_there_was_a_basis_is_read() -> None:
    scorer = two_feature_scorer()
    old = {name: value for name, value in scorer.to_document().items() if name != "basis"} | {"format": 1}
    assert LinearScorer.from_document(old) == scorer


def test_the_names_are_those_of_the_37_features_in_their_order(scorer: LinearScorer) -> None:
    assert scorer.feature_names == FEATURE_NAMES


@pytest.mark.parametrize("shape", [(5, 36), (37,)], ids=str)
def test_rows_of_another_shape_are_refused(shape: tuple[int, ...], scorer: LinearScorer) -> None:
    with pytest.raises(ConfigValueError, match="shape"):
        scorer.predict_proba(np.zeros(shape))


def test_unequal_numbers_of_coefficients_are_refused() -> None:
    with pytest.raises(ConfigValueError, match="equally many"):
        LinearScorer(("a",), (0.0, 1.0), (1.0,), (1.0,), 0.0, PlattMap(1.0, 0.0), 0.0, 1.0)


def test_a_model_of_trees_has_no_linear_scorer() -> None:
    trees = fitted("boosting", "platt")
    assert not is_linear(trees)
    with pytest.raises(ConfigValueError, match="linear"):
        LinearScorer.from_estimator(trees)


class _Doubling(LogisticRegression):  # type: ignore[misc]
    """Has coefficients, and does not say what they give."""

    def decision_function(self, X: FloatArray) -> FloatArray:
        return 2.0 * np.asarray(super().decision_function(X))


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(PCA(n_components=5), LogisticRegression()),
        make_pipeline(StandardScaler(with_mean=False), LogisticRegression()),
        make_pipeline(StandardScaler(with_std=False), LogisticRegression()),
        make_pipeline(StandardScaler(), _Doubling()),
        make_pipeline(MinMaxScaler(), StandardScaler(), LogisticRegression()),
    ],
    ids=["other_scaler", "no_mean", "no_deviation", "other_classifier", "two_scalers"],
)
def test_what_only_looks_linear_is_scored_by_itself(model: Pipeline) -> None:
    rows, outcomes = planted_rows(600)
    model.fit(rows.to_numpy(), outcomes)
    calibrated = CalibratedClassifier(model, PlattCalibrator()).fit(rows, outcomes)
    assert not is_linear(calibrated)


def test_an_estimator_that_does_not_know_its_features_is_refused(estimator: CalibratedClassifier) -> None:
    rows, outcomes = planted_rows(300)
    nameless = CalibratedClassifier(estimator.model, PlattCalibrator()).fit(rows.to_numpy(), outcomes)
    with pytest.raises(ConfigValueError, match="feature names"):
        LinearScorer.from_estimator(nameless)


def test_an_isotonic_map_is_linear_between_its_knots_and_constant_outside() -> None:
    knots = IsotonicMap((-1.0, 0.0, 2.0), (0.2, 0.4, 0.5))
    np.testing.assert_allclose(
        knots.probability(np.array([-5.0, -1.0, -0.5, 0.0, 1.0, 2.0, 7.0])), [0.2, 0.2, 0.3, 0.4, 0.45, 0.5, 0.5]
    )
    single = IsotonicMap((0.0,), (0.3,)).probability(np.array([-1.0, np.nan]))
    np.testing.assert_array_equal(single, [0.3, np.nan])


def test_importing_it_loads_neither_scikit_learn_nor_skops_nor_pandas() -> None:
    code = (
        "import sys, algo_pipeline.models.linear_scorer;"
        "print([name for name in ('sklearn', 'skops', 'scipy', 'numba', 'pandas') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


_FITTED = {kind: fitted(*kind) for kind in KINDS}
_ROWS = planted_rows(300, 77)[0].to_numpy()

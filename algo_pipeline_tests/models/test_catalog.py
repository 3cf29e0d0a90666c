from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.models.catalog import CALIBRATOR_KINDS, MODEL_KINDS, make_calibrator, make_model
from algo_pipeline_tests.models.samples import planted_rows


@pytest.mark.parametrize("kind", MODEL_KINDS)
def test_a_model_names_itself_as_the_catalog_does(kind: str) -> None:
    assert make_model(kind).kind == kind


@pytest.mark.parametrize("kind", MODEL_KINDS)
def test_its_parameters_are_those_of_its_estimator(kind: str) -> None:
    model = make_model(kind)
    estimator = model.make_estimator()
    classifier = estimator[-1] if hasattr(estimator, "steps") else estimator
    found = classifier.get_params()
    assert {name: found[name] for name in model.parameters} == dict(model.parameters)


@pytest.mark.parametrize("kind", MODEL_KINDS)
def test_fits_of_equal_rows_are_equal_on_one_thread_and_on_two(kind: str) -> None:
    rows, outcomes = planted_rows(3000)
    fits = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            fits.append(make_model(kind).make_estimator().fit(rows.to_numpy(), outcomes))
    np.testing.assert_allclose(*(fit.decision_function(rows.to_numpy()) for fit in fits), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", MODEL_KINDS)
def test_it_finds_a_planted_signal_and_weighs_its_features_most(kind: str) -> None:
    rows, outcomes = planted_rows(6000, strength=1.0)
    model = make_model(kind)
    estimator = model.make_estimator().fit(rows.to_numpy(), outcomes)
    fresh, fresh_outcomes = planted_rows(3000, 9, strength=1.0)
    scores = estimator.decision_function(fresh.to_numpy())
    assert scores[fresh_outcomes == 1].mean() > scores[fresh_outcomes == 0].mean() + 0.3
    weights = model.feature_weights(estimator, fresh.to_numpy(), fresh_outcomes)
    assert weights.shape == (37,)
    assert set(np.argsort(-np.abs(weights))[:2]) == {0, 1}


def test_logistic_weights_carry_the_sign_and_do_not_depend_on_units() -> None:
    rows, outcomes = planted_rows(6000, strength=1.0)
    model = make_model("logistic")
    weights = model.feature_weights(model.make_estimator().fit(rows.to_numpy(), outcomes), rows.to_numpy(), outcomes)
    assert weights[0] > 0 > weights[1]
    assert weights[0] == pytest.approx(-weights[1], rel=0.2)


def test_boosting_keeps_no_random_rows_aside() -> None:
    rows, outcomes = planted_rows(2000)
    estimator = make_model("boosting").make_estimator().fit(rows.to_numpy(), outcomes)
    assert not estimator.do_early_stopping_
    assert estimator.n_iter_ == estimator.max_iter


@pytest.mark.parametrize(
    ("make", "kinds", "misspelt", "meant"),
    [(make_model, MODEL_KINDS, "logistics", "logistic"), (make_calibrator, CALIBRATOR_KINDS, "isotone", "isotonic")],
    ids=["model", "calibrator"],
)
def test_an_unknown_name_is_answered_with_the_nearest_one(
    make: object, kinds: tuple[str, ...], misspelt: str, meant: str
) -> None:
    with pytest.raises(ConfigValueError, match=f"Did you mean '{meant}'") as caught:
        make(misspelt)  # type: ignore[operator]
    assert all(kind in str(caught.value) for kind in kinds)

"""Our Newton fits against scikit-learn's own."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from algo_pipeline.models.catalog import make_model
from algo_pipeline.models.newton import fit_pipeline
from algo_pipeline.registry.estimator_file import dump_estimators, load_estimators
from algo_pipeline_tests.models.samples import planted_rows

KINDS = ("logistic", "scaled_logistic")


def rows(n: int = 3_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    frame, outcomes = planted_rows(n, 5)
    return frame.to_numpy(), outcomes, np.random.default_rng(1).uniform(0.05, 1.0, n)


def by_scikit_learn(pipeline: Pipeline, X: np.ndarray, y: np.ndarray, weights: np.ndarray | None) -> Pipeline:
    return pipeline.fit(X, y, classifier__sample_weight=weights)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("C", [0.001, 1.0, 100.0])
def test_coefficients_and_steps_are_those_of_scikit_learn(kind: str, is_weighted: bool, C: float) -> None:
    X, y, some = rows()
    weights, model = some if is_weighted else None, make_model(kind, {"C": C})
    ours, theirs = model.fit(X, y, weights), by_scikit_learn(model.make_estimator(), X, y, weights)
    np.testing.assert_allclose(ours[-1].coef_, theirs[-1].coef_, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours[-1].intercept_, theirs[-1].intercept_, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(ours[-1].n_iter_, theirs[-1].n_iter_)
    assert type(ours[-1]) is LogisticRegression


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_leaves_behind_what_scikit_learns_own_leaves(kind: str) -> None:
    X, y, weights = rows(500)
    ours, theirs = (
        make_model(kind).fit(X, y, weights),
        by_scikit_learn(make_model(kind).make_estimator(), X, y, weights),
    )
    for (_, left), (_, right) in zip(ours.steps, theirs.steps, strict=True):
        assert set(vars(left)) == set(vars(right))
        for name, value in vars(right).items():
            found = vars(left)[name]
            assert (type(found), np.shape(found)) == (type(value), np.shape(value)), name
            if isinstance(value, np.ndarray):
                assert found.dtype == value.dtype, name


@pytest.mark.parametrize("kind", KINDS)
def test_a_fitted_pipeline_survives_its_file(kind: str) -> None:
    X, y, weights = rows(500)
    model = make_model(kind).fit(X, y, weights)
    again = load_estimators(dump_estimators(model), "the file")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_equal_rows_give_equal_bits() -> None:
    X, y, weights = rows()
    once, twice = (make_model("scaled_logistic").fit(X.copy(), y.copy(), weights.copy()) for _ in range(2))
    assert once[-1].coef_.tobytes() == twice[-1].coef_.tobytes()


def test_the_gradient_vanishes_at_the_optimum() -> None:
    # Of C · Σ w·loss + ½‖β‖²: β = C · Σ w·(y − p)·z.
    X, y, weights = rows()
    model = make_model("logistic", {"C": 0.5, "tol": 1e-10}).fit(X, y, weights)
    errors = weights * (y - model.predict_proba(X)[:, 1])
    np.testing.assert_allclose(model[-1].coef_[0], 0.5 * errors @ model[0].transform(X), atol=1e-5)
    assert abs(errors.sum()) < 1e-5


@pytest.mark.parametrize("changes", [{"solver": "lbfgs"}, {"C": np.inf}, {"max_iter": 1}])
def test_what_newtons_full_steps_do_not_solve_is_left_to_scikit_learn(changes: dict[str, float | str]) -> None:
    X, y, _ = rows(500)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    classifier = LogisticRegression(**{"solver": "newton-cholesky", "tol": 1e-8} | changes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one step is too few, and says so
        ours = fit_pipeline(Pipeline([("classifier", classifier)]), Z, y)[-1]
        theirs = LogisticRegression(**classifier.get_params()).fit(Z, y)
    np.testing.assert_array_equal(ours.coef_, theirs.coef_)

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from algo_pipeline.models.lightgbm_trees import LightGbmClassifier, LightGbmTrees
from algo_pipeline_tests.models.samples import planted_rows


@pytest.fixture(scope="module")
def fitted_trees() -> LightGbmClassifier:
    rows, outcomes = planted_rows(3000)
    return LightGbmTrees().make_estimator().fit(rows.to_numpy(), outcomes)


def test_equal_rows_give_equal_trees(fitted_trees: LightGbmClassifier) -> None:
    rows, outcomes = planted_rows(3000)
    assert clone(fitted_trees).fit(rows.to_numpy(), outcomes).model_text_ == fitted_trees.model_text_


def test_rows_scored_together_and_one_by_one_are_equal_bit_for_bit(fitted_trees: LightGbmClassifier) -> None:
    rows = planted_rows(100, 5)[0].to_numpy()
    single = np.concatenate([fitted_trees.decision_function(row[np.newaxis]) for row in rows])
    assert single.tobytes() == fitted_trees.decision_function(rows).tobytes()


def test_what_is_saved_holds_no_handle_of_the_library(fitted_trees: LightGbmClassifier) -> None:
    rows = planted_rows(10, 5)[0].to_numpy()
    expected = fitted_trees.decision_function(rows)
    state = fitted_trees.__getstate__()
    assert state["_booster"] is None
    again = LightGbmClassifier()
    again.__dict__.update(state)
    np.testing.assert_array_equal(again.decision_function(rows), expected)


def test_every_leaf_holds_the_rows_it_must() -> None:
    rows, outcomes = planted_rows(3000)
    trees = LightGbmTrees(min_rows_per_leaf=900).make_estimator().fit(rows.to_numpy(), outcomes)
    counts = [line for line in trees.model_text_.splitlines() if line.startswith("leaf_count=")]
    assert len(counts) == 100
    assert min(int(count) for line in counts for count in line.removeprefix("leaf_count=").split()) >= 900


def test_heavier_rows_count_more() -> None:
    rows, outcomes = planted_rows(3000)
    scores = [
        LightGbmTrees().make_estimator().fit(rows.to_numpy(), outcomes, weight).decision_function(rows.to_numpy())
        for weight in (np.where(outcomes == 1, 3.0, 1.0), np.ones(3000))
    ]
    assert scores[0].mean() > scores[1].mean() + 0.5


def test_scores_are_log_odds(fitted_trees: LightGbmClassifier) -> None:
    rows, outcomes = planted_rows(3000)
    probability = fitted_trees.predict_proba(rows.to_numpy())
    assert probability[:, 1].mean() == pytest.approx(outcomes.mean(), abs=0.02)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)


def test_no_rows_give_no_scores_and_an_unfitted_model_none() -> None:
    rows, outcomes = planted_rows(600)
    trees = LightGbmTrees(n_trees=2).make_estimator()
    with pytest.raises(NotFittedError):
        trees.decision_function(rows.to_numpy())
    assert trees.fit(rows.to_numpy(), outcomes).decision_function(np.empty((0, 37))).shape == (0,)

"""What a shuffled column costs."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.inspection import permutation_importance

from algo_pipeline.models.catalog import make_model
from algo_pipeline.models.importance import permutation_weights
from algo_pipeline_tests.models.samples import planted_rows


@pytest.mark.parametrize("kind", ["scaled_logistic", "boosting"])
def test_the_rise_of_the_loss_is_the_one_that_scikit_learn_finds(kind: str) -> None:
    frame, outcomes = planted_rows(1_500, 3)
    X, y = frame.to_numpy(), outcomes.astype(np.float64)
    model = make_model(kind).fit(X, outcomes)
    theirs = permutation_importance(model, X, y, scoring="neg_log_loss", n_repeats=2, random_state=0)
    np.testing.assert_allclose(permutation_weights(model, X, y), theirs.importances_mean, rtol=0, atol=1e-13)


def test_the_planted_features_weigh_most_and_the_rows_are_left_as_they_were() -> None:
    frame, outcomes = planted_rows(3_000, 3, strength=1.0)
    X = frame.to_numpy()
    before = X.copy()
    weights = permutation_weights(make_model("scaled_logistic").fit(X, outcomes), X, outcomes.astype(np.float64))
    assert set(np.argsort(weights)[-2:]) == {0, 1}
    np.testing.assert_array_equal(X, before)

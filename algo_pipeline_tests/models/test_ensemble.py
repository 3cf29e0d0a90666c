from __future__ import annotations

import numpy as np

from algo_pipeline.models.ensemble import Ensemble
from algo_pipeline.models.lightgbm_trees import LightGbmTrees
from algo_pipeline.models.scaled_logistic import ScaledLogistic
from algo_pipeline_tests.models.samples import planted_rows


def test_its_log_odds_are_the_mean_of_what_its_members_say_alone() -> None:
    frame, outcomes = planted_rows(2000)
    rows, weights = frame.to_numpy(), np.linspace(0.2, 1.0, 2000)
    alone = [
        model.fit(rows, outcomes, weights).decision_function(rows) for model in (ScaledLogistic(), LightGbmTrees())
    ]
    found = Ensemble().fit(rows, outcomes, weights).decision_function(rows)
    np.testing.assert_allclose(found, np.mean(alone, axis=0), rtol=0, atol=1e-15)


def test_overrides_reach_the_member_they_are_meant_for() -> None:
    frame, outcomes = planted_rows(1000)
    ensemble = Ensemble(C=0.5, n_trees=7).fit(frame.to_numpy(), outcomes)
    linear, trees = ensemble.members_
    assert linear.named_steps["classifier"].C == 0.5
    assert trees.n_trees == 7

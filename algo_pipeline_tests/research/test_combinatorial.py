from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.data.features import build_features
from algo_pipeline.data.labels import build_labels, label_spec
from algo_pipeline.models.calibration import CalibratedClassifier
from algo_pipeline.models.catalog import make_calibrator
from algo_pipeline.research.combinatorial import PathScores, evaluate_paths, path_probabilities
from algo_pipeline.research.combinatorial_splits import (
    CombinatorialPlan,
    CombinatorialRule,
    combinatorial_splits,
    combinatorial_violations,
    rows_of,
)
from algo_pipeline.research.dataset import Dataset, build_dataset
from algo_pipeline.research.evaluate import evaluate
from algo_pipeline.research.recipe import Recipe
from algo_pipeline_tests.research.samples import planted_dataset

RECIPE = Recipe()
N_ROWS = 5_000


def planned(dataset: Dataset, **rule: int) -> CombinatorialPlan:
    return combinatorial_splits(len(dataset), dataset.label, CombinatorialRule(**rule))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return planted_dataset(N_ROWS, seed=1, strength=0.6)


@pytest.fixture(scope="module")
def paths(dataset: Dataset) -> tuple[pd.DataFrame, ...]:
    return path_probabilities(dataset, planned(dataset), RECIPE)


def test_every_path_predicts_every_row_once_by_the_split_that_tests_it(
    dataset: Dataset, paths: tuple[pd.DataFrame, ...]
) -> None:
    plan = planned(dataset)
    assert len(paths) == 5
    for path, splits in zip(paths, plan.paths, strict=True):
        assert path.index.equals(dataset.features.index)
        np.testing.assert_array_equal(path["outcome"], dataset.target)
        np.testing.assert_array_equal(
            path["fold"], np.repeat(splits, np.diff([*(g.start for g in plan.groups), N_ROWS]))
        )


def test_a_split_is_what_its_model_and_calibrator_give_by_hand(
    dataset: Dataset, paths: tuple[pd.DataFrame, ...]
) -> None:
    plan, split = planned(dataset), planned(dataset).splits[7]
    X, y = dataset.matrix(), dataset.outcomes()
    base, calibration = rows_of(split.base), rows_of(split.calibration)
    model = RECIPE.make_model().make_estimator().fit(X[base], y[base])
    by_hand = CalibratedClassifier(model, make_calibrator(RECIPE.calibrator))
    by_hand.fit(dataset.features.iloc[calibration], y[calibration])
    group = plan.groups[split.test_groups[1]]
    path = next(p for p, splits in zip(paths, plan.paths, strict=True) if splits[split.test_groups[1]] == 7)
    np.testing.assert_allclose(
        path["probability"].iloc[group], by_hand.predict_proba(dataset.features.iloc[group])[:, 1], rtol=1e-9
    )
    assert path["base_rate"].iloc[group].unique() == pytest.approx([y[np.concatenate([base, calibration])].mean()])


def test_scores_are_those_of_each_path_alone(dataset: Dataset, paths: tuple[pd.DataFrame, ...]) -> None:
    scores = evaluate_paths(dataset, planned(dataset), RECIPE)
    alone = [evaluate(path, n_resamples=2).oos for path in paths]
    np.testing.assert_allclose(scores.log_loss_skill, [each.log_loss_skill for each in alone])
    np.testing.assert_allclose(scores.auc, [each.auc for each in alone])
    assert (scores.n_rows, scores.n_models) == (N_ROWS, 15)


def test_a_planted_signal_has_skill_on_every_path(dataset: Dataset) -> None:
    scores = evaluate_paths(dataset, planned(dataset), RECIPE)
    assert scores.share_with_skill == 1.0
    assert scores.auc.min() > 0.6


def test_noise_has_no_skill_on_any_path() -> None:
    noise = planted_dataset(N_ROWS, seed=2, strength=0.0)
    scores = evaluate_paths(noise, planned(noise), RECIPE)
    assert scores.log_loss_skill.max() < 0.002
    assert scores.auc == pytest.approx(0.5, abs=0.03)


def test_the_share_with_skill_counts_paths_above_the_base_rate() -> None:
    assert PathScores(np.array([0.01, -0.01, 0.0, 0.02]), np.full(4, 0.5), 10, 6).share_with_skill == 0.5


@pytest.mark.parametrize("other", ["label", "rows"])
def test_a_plan_of_another_dataset_is_refused(dataset: Dataset, other: str) -> None:
    label = label_spec("direction_24h") if other == "label" else dataset.label
    plan = combinatorial_splits(N_ROWS + (other == "rows"), label, CombinatorialRule())
    with pytest.raises(ConfigValueError, match="rows of the plan"):
        path_probabilities(dataset, plan, RECIPE)


def test_real_bars_leak_nothing_and_every_path_is_scored(real_bars) -> None:  # type: ignore[no-untyped-def]
    bars = real_bars("BTCUSDT").iloc[-8_000:]
    dataset = build_dataset(build_features(bars), build_labels(bars), label_spec("direction_1h"))
    plan = planned(dataset, n_groups=5, n_test_groups=1)
    assert combinatorial_violations(plan, dataset.timestamps) == ()
    scores = evaluate_paths(dataset, plan, RECIPE)
    assert scores.log_loss_skill.shape == (1,)
    assert np.isfinite([*scores.log_loss_skill, *scores.auc]).all()

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.errors import ConfigValueError, DataValidationError
from algo_pipeline.data.labels import label_spec
from algo_pipeline.models.calibration import CalibratedClassifier
from algo_pipeline.models.linear_scorer import LinearScorer
from algo_pipeline.models.shrinkage import ShrunkPlattCalibrator, TrainFacts
from algo_pipeline.research.dataset import Dataset
from algo_pipeline.research.splits import Fold, SplitPlan, SplitRule, walk_forward
from algo_pipeline.research.train import Recipe, fit_calibrators, fit_models, predict, stitch_probabilities
from algo_pipeline_tests.research.samples import planted_dataset

RULE = SplitRule(n_folds=3)
RECIPE = Recipe(split=RULE)
KINDS = [("logistic", "platt"), ("logistic", "isotonic"), ("boosting", "platt")]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return planted_dataset(2500, seed=5)


@pytest.fixture(scope="module")
def plan(dataset: Dataset) -> SplitPlan:
    return walk_forward(len(dataset), dataset.label, RULE)


def train(dataset: Dataset, plan: SplitPlan, recipe: Recipe = RECIPE) -> tuple[CalibratedClassifier, ...]:
    return fit_calibrators(dataset, plan, recipe, fit_models(dataset, plan, recipe))


def poisoned(dataset: Dataset, rows: slice | np.ndarray) -> Dataset:
    """The same dataset with other features and flipped outcomes in these rows."""
    frame = dataset.to_frame()
    values = frame.to_numpy().copy()
    noise = np.random.default_rng(99).normal(50.0, 30.0, values[rows].shape)
    noise[:, -1] = 1.0 - values[rows][:, -1]
    values[rows] = noise
    return Dataset.from_frame(pd.DataFrame(values, index=frame.index, columns=frame.columns), dataset.label)


def fingerprint(estimator: CalibratedClassifier) -> tuple[Any, ...]:
    """Everything that was fitted, as exact values."""
    probes = np.random.default_rng(3).normal(size=(50, 37))
    scores = estimator.model.decision_function(probes)
    return scores.tobytes(), estimator.calibrator_.mapping(), estimator.n_calibration_rows_


@pytest.mark.parametrize(("model", "calibrator"), KINDS)
def test_nothing_from_the_purge_on_touches_a_folds_model_or_calibrator(
    model: str, calibrator: str, dataset: Dataset, plan: SplitPlan
) -> None:
    recipe = replace(RECIPE, model_kind=model, calibrator=calibrator)
    clean = train(dataset, plan, recipe)
    for number, fold in list(enumerate(plan.folds))[:2]:
        spoilt = train(poisoned(dataset, slice(fold.calibration.stop, None)), plan, recipe)
        assert [fingerprint(e) for e in spoilt[: number + 1]] == [fingerprint(e) for e in clean[: number + 1]]
        assert fingerprint(spoilt[-1]) != fingerprint(clean[-1])


def test_rows_after_the_base_do_not_touch_the_model_but_do_touch_the_calibrator(
    dataset: Dataset, plan: SplitPlan
) -> None:
    fold = plan.folds[1]
    clean = train(dataset, plan)[1]
    spoilt = train(poisoned(dataset, slice(fold.base.stop, None)), plan)[1]
    probes = dataset.matrix()[:100]
    np.testing.assert_array_equal(spoilt.model.decision_function(probes), clean.model.decision_function(probes))
    assert spoilt.calibrator_.mapping() != clean.calibrator_.mapping()


def test_rows_between_base_and_calibrator_are_used_by_neither(dataset: Dataset, plan: SplitPlan) -> None:
    fold = plan.folds[0]
    purged = np.r_[fold.base.stop : fold.calibration.start, fold.calibration.stop : fold.test.start]
    spoilt = train(poisoned(dataset, purged), plan)[0]
    assert fingerprint(spoilt) == fingerprint(train(dataset, plan)[0])


def test_the_scaler_knows_the_base_rows_only(dataset: Dataset, plan: SplitPlan) -> None:
    for estimator, fold in zip(fit_models(dataset, plan, RECIPE), plan.all_folds, strict=True):
        base = dataset.matrix()[fold.base]
        np.testing.assert_allclose(estimator["scaler"].mean_, base.mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(estimator["scaler"].scale_, base.std(axis=0), rtol=1e-10)


def test_each_calibrator_holds_its_own_folds_model_and_its_rows(dataset: Dataset, plan: SplitPlan) -> None:
    models = fit_models(dataset, plan, RECIPE)
    calibrated = fit_calibrators(dataset, plan, RECIPE, models)
    assert len(calibrated) == len(plan.folds) + 1
    for estimator, model, fold in zip(calibrated, models, plan.all_folds, strict=True):
        assert estimator.model is model
        assert estimator.n_calibration_rows_ == fold.calibration.stop - fold.calibration.start


def test_the_production_model_is_calibrated_on_the_newest_rows(dataset: Dataset, plan: SplitPlan) -> None:
    assert plan.production.calibration.stop == len(dataset)
    spoilt = train(poisoned(dataset, slice(len(dataset) - 1, None)), plan)
    clean = train(dataset, plan)
    assert fingerprint(spoilt[-1]) != fingerprint(clean[-1])
    assert [fingerprint(e) for e in spoilt[:-1]] == [fingerprint(e) for e in clean[:-1]]


def test_the_same_inputs_give_the_same_bits(dataset: Dataset, plan: SplitPlan) -> None:
    first, second = train(dataset, plan), train(dataset, plan)
    assert [fingerprint(e) for e in first] == [fingerprint(e) for e in second]


@pytest.mark.parametrize(("model", "calibrator"), KINDS)
def test_stitched_rows_are_the_test_rows_each_scored_by_its_own_fold(
    model: str, calibrator: str, dataset: Dataset, plan: SplitPlan
) -> None:
    calibrated = train(dataset, plan, replace(RECIPE, model_kind=model, calibrator=calibrator))
    oos = stitch_probabilities(dataset, plan, calibrated)
    assert oos.index.equals(dataset.features.index[plan.folds[0].test.start :])
    assert list(oos.columns) == ["probability", "outcome", "base_rate", "fold"]
    assert oos["fold"].dtype == np.int64
    np.testing.assert_array_equal(oos["outcome"], dataset.target[oos.index])
    for number, (fold, estimator) in enumerate(zip(plan.folds, calibrated, strict=False)):
        block = oos[oos["fold"] == number]
        assert block.index.equals(dataset.features.index[fold.test])
        expected = estimator.predict_proba(dataset.features.iloc[fold.test])[:, 1]
        np.testing.assert_allclose(block["probability"], expected, rtol=0, atol=1e-12)


def test_the_base_rate_is_that_of_the_train_part_and_never_of_the_test_block(dataset: Dataset, plan: SplitPlan) -> None:
    calibrated = train(dataset, plan)
    oos = stitch_probabilities(dataset, plan, calibrated)
    target = dataset.target.to_numpy()
    for number, fold in enumerate(plan.folds):
        expected = target[fold.base.start : fold.calibration.stop].mean()
        assert set(oos.loc[oos["fold"] == number, "base_rate"]) == {expected}
    flipped = stitch_probabilities(poisoned(dataset, plan.folds[0].test), plan, calibrated)
    first = oos["fold"] == 0
    np.testing.assert_array_equal(flipped.loc[first, "base_rate"], oos.loc[first, "base_rate"])


def test_linear_models_are_scored_by_the_scorer_that_trades(dataset: Dataset, plan: SplitPlan) -> None:
    estimator = train(dataset, plan)[-1]
    expected = LinearScorer.from_estimator(estimator).predict_proba(dataset.matrix())
    assert predict(estimator, dataset.features).tobytes() == expected.tobytes()


def test_a_planted_signal_is_found_and_calibrated(dataset: Dataset, plan: SplitPlan) -> None:
    oos = stitch_probabilities(dataset, plan, train(dataset, plan))
    high, low = oos[oos["probability"] > 0.6], oos[oos["probability"] < 0.4]
    assert high["outcome"].mean() > 0.55
    assert low["outcome"].mean() < 0.45


def with_outcomes(dataset: Dataset, rows: slice, value: float) -> Dataset:
    frame = dataset.to_frame()
    frame.iloc[rows, -1] = value
    return Dataset.from_frame(frame, dataset.label)


def test_base_rows_of_one_outcome_only_are_named(dataset: Dataset, plan: SplitPlan) -> None:
    with pytest.raises(DataValidationError, match="base rows of fold 0 all have outcome 1"):
        train(with_outcomes(dataset, plan.folds[0].base, 1.0), plan)


def test_calibration_rows_of_one_outcome_only_are_named(dataset: Dataset, plan: SplitPlan) -> None:
    with pytest.raises(DataValidationError, match="calibration rows of fold 1 all have outcome 0"):
        train(with_outcomes(dataset, plan.folds[1].calibration, 0.0), plan)


def test_a_plan_for_another_label_is_refused(dataset: Dataset) -> None:
    other = walk_forward(len(dataset), label_spec("direction_24h"), RULE)
    with pytest.raises(ConfigValueError, match="label of the plan"):
        fit_models(dataset, other, RECIPE)


def test_a_plan_for_another_number_of_rows_is_refused(dataset: Dataset) -> None:
    other = walk_forward(len(dataset) + 1, dataset.label, RULE)
    with pytest.raises(ConfigValueError, match="rows of the plan"):
        fit_models(dataset, other, RECIPE)


def test_models_of_another_plan_are_refused(dataset: Dataset, plan: SplitPlan) -> None:
    models = fit_models(dataset, plan, RECIPE)
    with pytest.raises(ConfigValueError, match="4 models are expected"):
        fit_calibrators(dataset, plan, RECIPE, models[:-1])


def test_recipes_are_the_same_exactly_if_everything_but_the_data_is() -> None:
    recipes = [
        Recipe(),
        Recipe(calibrator="isotonic"),
        Recipe(model_kind="boosting"),
        Recipe(label="direction_4h"),
        Recipe(split=SplitRule(n_folds=4)),
        Recipe(split=SplitRule(window_rows=5000)),
        Recipe(parameters={"C": 0.01}),
        Recipe(sample_weight="uniqueness"),
    ]
    assert len({recipe.hash for recipe in recipes}) == len(recipes)
    assert Recipe().hash == Recipe("logistic", "platt", "direction_1h", SplitRule()).hash


def test_a_recipe_says_what_it_is() -> None:
    assert Recipe("boosting", "isotonic").describe() == "boosting+isotonic"
    document = Recipe().to_document()
    assert document["model"]["parameters"]["C"] == 0.001
    assert len(document["features"]) == 37


@pytest.mark.parametrize(
    "change",
    [
        {"model_kind": "forest"},
        {"calibrator": "beta"},
        {"label": "direction_2h"},
        {"parameters": {"c": 0.1}},
        {"parameters": {"C": "0.1"}},
        {"sample_weight": "size"},
    ],
    ids=str,
)
def test_a_recipe_of_unknown_parts_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigValueError):
        Recipe(**change)  # type: ignore[arg-type]


def test_an_override_equal_to_the_default_is_none() -> None:
    assert Recipe(parameters={"C": 0.001}) == Recipe()
    assert Recipe(parameters={"C": 1}).hash == Recipe(parameters={"C": 1.0}).hash
    assert Recipe(parameters={"C": 1}).describe() == "logistic+platt (C=1.0)"


def test_a_recipe_without_weights_reads_as_before_there_were_any() -> None:
    assert set(Recipe().to_document()) == {"features", "label", "model", "calibrator", "split"}
    assert Recipe(sample_weight="recency").to_document()["sample_weight"] == "recency"


@pytest.mark.parametrize(
    "recipe",
    [
        RECIPE,
        Recipe("boosting", "isotonic", "direction_24h", parameters={"max_depth": 2, "learning_rate": 0.1}),
        Recipe(sample_weight="uniqueness+recency", split=SplitRule(window_rows=5000)),
    ],
    ids=Recipe.describe,
)
def test_a_recipe_can_be_read_back_from_its_document(recipe: Recipe) -> None:
    again = Recipe.from_document(json.loads(json.dumps(recipe.to_document())))
    assert again == recipe
    assert hash(again) == hash(recipe)


def test_the_parameters_of_a_recipe_reach_its_models(dataset: Dataset, plan: SplitPlan) -> None:
    strict, loose = (
        fit_models(dataset, plan, replace(RECIPE, parameters={"C": C}))[0].named_steps["classifier"].coef_
        for C in (1e-6, 1.0)
    )
    assert np.abs(strict).max() < 0.1 * np.abs(loose).max()


def test_weights_reach_model_and_calibrator(dataset: Dataset, plan: SplitPlan) -> None:
    plain, weighted = train(dataset, plan, RECIPE)[0], train(dataset, plan, replace(RECIPE, sample_weight="recency"))[0]
    assert plain.model.named_steps["classifier"].intercept_ != weighted.model.named_steps["classifier"].intercept_
    assert plain.calibrator_.intercept_ != weighted.calibrator_.intercept_


@pytest.mark.parametrize("kind", ["scaled_logistic", "boosting"])
def test_labels_that_share_no_bar_count_as_if_no_weights_were_asked_for(
    kind: str, dataset: Dataset, plan: SplitPlan
) -> None:
    plain = Recipe(kind, split=plan.rule, parameters={"max_iter": 5} if kind == "boosting" else {})
    models = [fit_models(dataset, plan, recipe)[0] for recipe in (plain, replace(plain, sample_weight="uniqueness"))]
    scores = [model.decision_function(dataset.matrix()) for model in models]
    np.testing.assert_array_equal(*scores)


def test_a_shrinking_calibrator_starts_from_the_rate_of_the_train_part(dataset: Dataset, plan: SplitPlan) -> None:
    recipe = replace(RECIPE, calibrator="shrunk")
    fold, y = plan.folds[0], dataset.outcomes()
    rates = TrainFacts(float(y[fold.base].mean()), float(y[fold.train].mean()))
    model = fit_models(dataset, plan, recipe)[0]
    scores = model.decision_function(dataset.matrix()[fold.calibration])
    expected = ShrunkPlattCalibrator().fit(scores, y[fold.calibration], None, rates)
    assert train(dataset, plan, recipe)[0].calibrator_.intercept_ == expected.intercept_


def test_the_train_part_spans_base_purge_and_calibrator() -> None:
    assert Fold(slice(3, 10), slice(12, 20), slice(22, 30)).train == slice(3, 20)


@pytest.mark.parametrize("module", ["train", "evaluate", "promotion", "splits", "dataset"])
def test_importing_what_the_code_location_names_loads_no_heavy_package(module: str) -> None:
    code = (
        f"import sys, algo_pipeline.research.{module};"
        "print([name for name in ('sklearn', 'skops', 'scipy', 'numba', 'talib') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from algo_pipeline.common.errors import StaleInputError
from algo_pipeline.defs.consistency import require_own_evaluation, require_own_probabilities, require_own_version
from algo_pipeline.defs.io_managers import Estimators
from algo_pipeline.registry.records import RegisteredVersion
from algo_pipeline.research.pipeline import ResearchResult, run_research
from algo_pipeline.research.splits import SplitRule
from algo_pipeline.research.train import Recipe
from algo_pipeline_tests.market import random_bars

RECIPE = Recipe(split=SplitRule(n_folds=2))
OTHER = dataclasses.replace(RECIPE, calibrator="isotonic")


@pytest.fixture(scope="module")
def result() -> ResearchResult:
    return run_research(random_bars(3_000, seed=5), RECIPE, n_resamples=10)


@pytest.fixture(scope="module")
def calibrator(result: ResearchResult) -> Estimators:
    return Estimators(result.calibrated, RECIPE.hash, result.dataset.content_hash)


def test_what_belongs_together_passes(result: ResearchResult, calibrator: Estimators) -> None:
    version = RegisteredVersion("m", "1", "r", "e", RECIPE.hash, result.dataset.content_hash)
    require_own_probabilities(RECIPE, result.dataset, result.plan, calibrator, result.oos)
    require_own_evaluation(result.evaluation, result.oos)
    require_own_version(version, RECIPE, result.dataset)


def test_models_of_another_recipe_are_refused(result: ResearchResult, calibrator: Estimators) -> None:
    with pytest.raises(StaleInputError, match=r"not made by logistic\+isotonic"):
        require_own_probabilities(OTHER, result.dataset, result.plan, calibrator, result.oos)


def test_models_of_another_dataset_are_refused(result: ResearchResult, calibrator: Estimators) -> None:
    other = dataclasses.replace(calibrator, dataset_hash="0")
    with pytest.raises(StaleInputError, match="Materialize model"):
        require_own_probabilities(RECIPE, result.dataset, result.plan, other, result.oos)


def test_a_probability_that_the_models_do_not_give_is_refused(result: ResearchResult, calibrator: Estimators) -> None:
    altered: pd.DataFrame = result.oos.copy()
    altered.iloc[7, 0] += 1e-12
    with pytest.raises(StaleInputError, match="Materialize oos_probabilities"):
        require_own_probabilities(RECIPE, result.dataset, result.plan, calibrator, altered)


def test_an_evaluation_of_other_probabilities_is_refused(result: ResearchResult) -> None:
    with pytest.raises(StaleInputError, match="Materialize evaluation"):
        require_own_evaluation(result.evaluation, result.oos.iloc[:-1])


def test_a_version_of_another_recipe_is_refused(result: ResearchResult) -> None:
    version = RegisteredVersion("m", "1", "r", "e", OTHER.hash, result.dataset.content_hash)
    with pytest.raises(StaleInputError, match="Materialize registered_model"):
        require_own_version(version, RECIPE, result.dataset)

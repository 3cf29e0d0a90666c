"""Do stored inputs belong together? Assets can be materialized one by one, after settings have changed."""

import pandas as pd

from algo_pipeline.common.errors import StaleInputError
from algo_pipeline.defs.io_managers import Estimators
from algo_pipeline.registry.records import RegisteredVersion
from algo_pipeline.research.dataset import Dataset
from algo_pipeline.research.evaluate import Evaluation, evaluate
from algo_pipeline.research.splits import SplitPlan
from algo_pipeline.research.train import Recipe, stitch_probabilities

_FEWEST_RESAMPLES = 2


def require_own_probabilities(
    recipe: Recipe, dataset: Dataset, splits: SplitPlan, calibrator: Estimators, oos: pd.DataFrame
) -> None:
    """Refuse out-of-sample probabilities that the run's own calibrated models do not give, bit for bit.

    Raises
    ------
    StaleInputError
        If models or probabilities are another recipe's or another dataset's.
    """
    calibrator.require(recipe, dataset)
    if not stitch_probabilities(dataset, splits, calibrator.items).equals(oos):
        raise StaleInputError(
            "The stored out-of-sample probabilities are not those of the stored models.",
            "Materialize oos_probabilities and what follows again, or the whole graph.",
        )


def require_own_evaluation(evaluation: Evaluation, oos: pd.DataFrame) -> None:
    """Refuse scores of other probabilities."""
    if repr(evaluate(oos, _FEWEST_RESAMPLES).oos) != repr(evaluation.oos):
        raise StaleInputError(
            "The stored evaluation scores other probabilities than the stored ones.",
            "Materialize evaluation and what follows again, or the whole graph.",
        )


def require_own_version(version: RegisteredVersion, recipe: Recipe, dataset: Dataset) -> None:
    """Refuse a registered version of another recipe or dataset."""
    if (version.recipe_hash, version.dataset_hash) != (recipe.hash, dataset.content_hash):
        raise StaleInputError(
            f"{version.model_name} version {version.version} was not made by {recipe.describe()} from the dataset.",
            "Materialize registered_model again, or the whole graph.",
        )

"""The research path of one symbol as one pure function: from bars to evaluated out-of-sample probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from algo_pipeline.data.features import build_features
from algo_pipeline.data.labels import build_labels
from algo_pipeline.models.calibration import CalibratedClassifier
from algo_pipeline.research.dataset import Dataset, build_dataset
from algo_pipeline.research.evaluate import Evaluation, evaluate
from algo_pipeline.research.splits import SplitPlan, walk_forward
from algo_pipeline.research.statistics import N_RESAMPLES
from algo_pipeline.research.train import Recipe, fit_calibrators, fit_models, stitch_probabilities


@dataclass(frozen=True, slots=True, eq=False)
class ResearchResult:
    """Everything the research path makes; per-fold tuples have the production fold last."""

    dataset: Dataset
    plan: SplitPlan
    models: tuple[Any, ...]
    calibrated: tuple[CalibratedClassifier, ...]
    oos: pd.DataFrame
    evaluation: Evaluation

    @property
    def production(self) -> CalibratedClassifier:
        """The calibrated model for the hours to come."""
        return self.calibrated[-1]


def run_research(bars: pd.DataFrame, recipe: Recipe, n_resamples: int = N_RESAMPLES) -> ResearchResult:
    """Features, labels, dataset, splits, models, calibrators, stitched probabilities, evaluation.

    Parameters
    ----------
    bars : pd.DataFrame
        Valid hourly bars of one symbol.
    recipe : Recipe
        What to train.
    n_resamples : int
        Bootstrap resamples behind the evaluation's intervals.

    Raises
    ------
    InsufficientHistoryError
        If the bars are too few for the recipe's folds.
    """
    dataset = build_dataset(build_features(bars), build_labels(bars), recipe.label_spec)
    plan = walk_forward(len(dataset), dataset.label, recipe.split)
    models = fit_models(dataset, plan, recipe)
    calibrated = fit_calibrators(dataset, plan, recipe, models)
    oos = stitch_probabilities(dataset, plan, calibrated)
    return ResearchResult(dataset, plan, models, calibrated, oos, evaluate(oos, n_resamples))

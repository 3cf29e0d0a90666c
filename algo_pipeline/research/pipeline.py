"""The research path of one symbol as one pure function: from bars to evaluated out-of-sample probabilities."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pandas as pd

from algo_pipeline.data.feature_sets import recorded_features
from algo_pipeline.data.own_label import all_labels, recorded_label
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


def run_research(
    bars: pd.DataFrame, recipe: Recipe, n_resamples: int = N_RESAMPLES, own: Collection[str] = ()
) -> ResearchResult:
    """Features, labels, dataset, splits, models, calibrators, stitched probabilities, evaluation.

    Parameters
    ----------
    bars : pd.DataFrame
        Valid hourly bars of one symbol.
    recipe : Recipe
        What to train.
    n_resamples : int
        Bootstrap resamples behind the evaluation's intervals.
    own : collection of str
        The user's own classes that the settings of this machine name: no other is loaded.

    Raises
    ------
    InsufficientHistoryError
        If the bars are too few for the recipe's folds.
    OtherCodeError
        If the recipe is made of a class of the user's own that is not at hand as it was.
    """
    sets, label = recorded_features(recipe.features, own), recorded_label(recipe.label_spec, own)
    features, labels = sets.build(bars), all_labels(bars, label)
    dataset = build_dataset(features, labels, recipe.label_spec, sets.columns, sets.warmup_bars)
    plan = walk_forward(len(dataset), dataset.label, recipe.split)
    models = fit_models(dataset, plan, recipe)
    calibrated = fit_calibrators(dataset, plan, recipe, models)
    oos = stitch_probabilities(dataset, plan, calibrated)
    return ResearchResult(dataset, plan, models, calibrated, oos, evaluate(oos, n_resamples))

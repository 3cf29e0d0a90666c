"""A recipe along the paths of combinatorial purged cross-validation: how much its skill hangs on what it trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.types import FloatArray
from algo_pipeline.research.combinatorial_splits import CombinatorialPlan, CombinatorialSplit, rows_of
from algo_pipeline.research.dataset import Dataset
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.splits import Fold, SplitPlan
from algo_pipeline.research.train import OOS_COLUMNS, fit_calibrators, fit_models, score_rows


@dataclass(frozen=True, slots=True, eq=False)
class PathScores:
    """Scores of each path; all of them rest on the same rows, so they are no independent samples.

    Attributes
    ----------
    log_loss_skill, auc : ndarray of shape (n_paths,)
        As in :class:`~algo_pipeline.research.evaluate.Score`.
    n_rows, n_models : int
        Rows on each path, and models that were fitted for all of them.
    """

    log_loss_skill: FloatArray
    auc: FloatArray
    n_rows: int
    n_models: int

    @property
    def share_with_skill(self) -> float:
        """Share of the paths on which the recipe is better than the base rate."""
        return float((self.log_loss_skill > 0.0).mean())


def evaluate_paths(dataset: Dataset, plan: CombinatorialPlan, recipe: Recipe) -> PathScores:
    """Fit a recipe for every split and score it along every path.

    Parameters
    ----------
    dataset : Dataset
        All rows.
    plan : CombinatorialPlan
        Of that dataset and the recipe's label; the recipe's own walk-forward rule is not read.
    recipe : Recipe
        What to train.

    Returns
    -------
    PathScores
        On the same test rows, so that the spread between paths is what the choice of training years alone changes.

    Raises
    ------
    ConfigValueError
        If dataset, plan and recipe do not belong together.
    DataValidationError
        If rows of a split hold only one outcome.
    """
    from algo_pipeline.research.scoring import Forecasts, score

    tables = []
    for path in path_probabilities(dataset, plan, recipe):
        columns = (path[name].to_numpy(dtype=np.float64) for name in OOS_COLUMNS[:3])
        tables.append(score(Forecasts.of(*columns)).scores)
    skill, auc = (np.array([float(table[name][0]) for table in tables]) for name in ("log_loss_skill", "auc"))
    return PathScores(skill, auc, len(dataset), len(plan.splits))


def path_probabilities(dataset: Dataset, plan: CombinatorialPlan, recipe: Recipe) -> tuple[pd.DataFrame, ...]:
    """Out-of-sample probabilities along each path; parameters and errors as in :func:`evaluate_paths`.

    Returns
    -------
    tuple of pd.DataFrame
        For each path all rows in order of time, columns as of ``train.stitch_probabilities``; ``fold`` is the number of
        the split whose model predicted the row.
    """
    _require_matching(dataset, plan, recipe)
    pieces = {
        (number, group): rows
        for number, split in enumerate(plan.splits)
        for group, rows in _predict_split(dataset, plan, number, split, recipe)
    }
    return tuple(
        pd.concat([pieces[number, group] for group, number in enumerate(splits)]) for splits in plan.paths.tolist()
    )


def _predict_split(
    dataset: Dataset, plan: CombinatorialPlan, number: int, split: CombinatorialSplit, recipe: Recipe
) -> Iterator[tuple[int, pd.DataFrame]]:
    """Each tested group with its rows' probabilities, by one model of the split's train rows."""
    train, tail = _train_part(dataset, split, recipe)
    (estimator,) = fit_calibrators(train, tail, recipe, fit_models(train, tail, recipe))
    base_rate = float(train.target.mean())
    for group in split.test_groups:
        yield group, score_rows(dataset, plan.groups[group], number, estimator, base_rate)


def _train_part(dataset: Dataset, split: CombinatorialSplit, recipe: Recipe) -> tuple[Dataset, SplitPlan]:
    """The split's train rows alone, and the one fold on them whose test block lies elsewhere."""
    base, calibration = rows_of(split.base), rows_of(split.calibration)
    rows = np.concatenate([base, calibration])
    train = Dataset(dataset.features.iloc[rows], dataset.target.iloc[rows], dataset.label)
    n_base, n = len(base), len(rows)
    fold = Fold(slice(0, n_base), slice(n_base, n), slice(n, n))
    return train, SplitPlan((), fold, dataset.label, recipe.split, n)


def _require_matching(dataset: Dataset, plan: CombinatorialPlan, recipe: Recipe) -> None:
    found = (dataset.label.name, plan.label.name, plan.n_rows)
    expected = (recipe.label, recipe.label, len(dataset))
    if found != expected:
        raise ConfigValueError(
            f"Label of the dataset, label of the plan and rows of the plan must be {expected}; they were {found}.",
            "Make dataset and plan anew.",
        )

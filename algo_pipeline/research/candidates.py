"""Candidates of a comparison: combinations of label, model and calibrator, trained and scored on identical folds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product
from typing import TYPE_CHECKING

import pandas as pd

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.data.feature_choice import STANDARD_CHOICE, FeatureChoice
from algo_pipeline.data.labels import LABELS
from algo_pipeline.models.catalog import CALIBRATOR_KINDS, MODEL_KINDS, make_model
from algo_pipeline.research.dataset import build_dataset
from algo_pipeline.research.evaluate import Evaluation, evaluate
from algo_pipeline.research.leaderboard import baseline_recipe
from algo_pipeline.research.recipe import Recipe, leads_with
from algo_pipeline.research.splits import SplitRule, walk_forward
from algo_pipeline.research.statistics import signal_shuffle_p_value
from algo_pipeline.research.train import fit_calibrators, fit_models, stitch_probabilities

if TYPE_CHECKING:
    from algo_pipeline.data.labels import LabelSpec

BINARY_LABELS = tuple(spec.name for spec in LABELS if spec.is_binary)


@dataclass(frozen=True, slots=True, eq=False)
class EvaluatedRecipe:
    """A recipe's out-of-sample probabilities and their scores.

    Attributes
    ----------
    recipe : Recipe
        What was trained.
    dataset_hash : str
        Content hash of the dataset it was trained on.
    oos : pd.DataFrame
        Stitched out-of-sample frame.
    evaluation : Evaluation
        Its scores.
    shuffle_p_value : float
        Of predictive skill, by signal shuffling.
    seconds : float
        Fits of all folds, calibration and prediction; fits that calibrators share count for each of them.
    """

    recipe: Recipe
    dataset_hash: str
    oos: pd.DataFrame
    evaluation: Evaluation
    shuffle_p_value: float
    seconds: float


def line_up(
    labels: Sequence[str] = BINARY_LABELS,
    models: Sequence[str] = MODEL_KINDS,
    calibrators: Sequence[str] = CALIBRATOR_KINDS,
    split: SplitRule | None = None,
    guests: Iterable[Recipe] = (),
    features: FeatureChoice = STANDARD_CHOICE,
    own_label: LabelSpec | None = None,
) -> tuple[Recipe, ...]:
    """Every combination, each label's baseline first; each distinct recipe once.

    Parameters
    ----------
    labels, models, calibrators : sequence of str
        Names; a label must be binary.
    split : SplitRule, optional
        The folds, for all of them.
    guests : iterable of Recipe
        Further candidates with folds of the same rule, for example the traded recipe with parameters of its own.
    features : FeatureChoice
        What all of them learn from.
    own_label : LabelSpec, optional
        The user's own label, if it is among ``labels``.

    Raises
    ------
    ConfigValueError
        If a label is not binary or unknown, or a kind of model or calibrator is.
    """
    rule = split or SplitRule()
    known = (*BINARY_LABELS, *([] if own_label is None else [own_label.name]))
    for label in labels:
        if label not in known:
            raise ConfigValueError(f"A binary label is expected, one of {', '.join(known)}; found {label!r}.")
    recipes = [
        Recipe(model, calibrator, label, rule, features=features, own_label=own_label)
        for label, model, calibrator in product(labels, models, calibrators)
    ]
    baselines = [baseline_recipe(label, rule, features, own_label) for label in labels]
    invited = {recipe.hash: recipe for recipe in (*baselines, *recipes, *guests) if recipe.label in labels}
    fits = [_fit_key(recipe) for recipe in invited.values()]
    return tuple(
        sorted(invited.values(), key=lambda recipe: (labels.index(recipe.label), fits.index(_fit_key(recipe))))
    )


def kinds_for(features: FeatureChoice) -> tuple[str, ...]:
    """The kinds of models that can learn from these features: some read the standard ones by their place."""
    return tuple(kind for kind in MODEL_KINDS if leads_with(features.columns, make_model(kind).leading_features))


def evaluate_recipes(
    features: pd.DataFrame, labels: pd.DataFrame, recipes: Iterable[Recipe], clock: Callable[[], float] = lambda: 0.0
) -> Iterator[EvaluatedRecipe]:
    """Train and score each recipe by its stitched out-of-sample probabilities.

    Parameters
    ----------
    features, labels : pd.DataFrame
        Of one symbol, on the same index.
    recipes : iterable of Recipe
        As :func:`line_up` orders them: neighbours that differ in nothing but their calibrator share fits.
    clock : callable
        Seconds, for timing; none is read by default.

    Yields
    ------
    EvaluatedRecipe
        In the order of ``recipes``.

    Raises
    ------
    InsufficientHistoryError
        If the rows are too few for the folds of a label.
    """
    for (label, choice), of_label in groupby(recipes, key=lambda recipe: (recipe.label_spec, recipe.features)):
        dataset = build_dataset(features, labels, label, choice.columns)
        for _, sharing in groupby(of_label, key=_fit_key):
            first, *others = sharing
            started = clock()
            plan = walk_forward(len(dataset), label, first.split)
            models = fit_models(dataset, plan, first)
            fit_seconds = clock() - started
            for recipe in (first, *others):
                started = clock()
                oos = stitch_probabilities(dataset, plan, fit_calibrators(dataset, plan, recipe, models))
                seconds = fit_seconds + clock() - started
                scores = (evaluate(oos), signal_shuffle_p_value(oos))
                yield EvaluatedRecipe(recipe, dataset.content_hash, oos, *scores, seconds)


def _fit_key(recipe: Recipe) -> str:
    """Equal for recipes whose models are fitted alike."""
    return replace(recipe, calibrator=CALIBRATOR_KINDS[0]).hash

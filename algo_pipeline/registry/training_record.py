"""From a finished training to what the experiment store keeps of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from algo_pipeline.common.storage import to_json
from algo_pipeline.common.types import Symbol
from algo_pipeline.registry.model_card import model_card
from algo_pipeline.registry.records import DatasetReference, TrainingRecord
from algo_pipeline.research.report import SCORE_FIELDS, evaluation_document, fold_table

if TYPE_CHECKING:
    from algo_pipeline.models.calibration import CalibratedClassifier
    from algo_pipeline.research.comparisons import CorrectedComparison
    from algo_pipeline.research.dataset import Dataset
    from algo_pipeline.research.evaluate import Evaluation
    from algo_pipeline.research.promotion import GateDecision
    from algo_pipeline.research.statistics import PairedComparison
    from algo_pipeline.research.train import Recipe

_FOLD_SCORES = ("log_loss_skill", "auc", "ece")


@dataclass(frozen=True, slots=True)
class Training:
    """What one recipe made of one symbol's dataset.

    Attributes
    ----------
    symbol, source, venue_symbol : Symbol, str, str
        Whose bars.
    dataset, recipe : Dataset, Recipe
        What was learnt from, and how.
    estimator : CalibratedClassifier
        The production model.
    oos : pd.DataFrame
        Stitched out-of-sample probabilities.
    evaluation : Evaluation
        Their scores.
    weights : pd.Series
        Importance of each feature in the production model.
    history_start : pd.Timestamp
        Open of the first bar that its features were computed from.
    """

    symbol: Symbol
    source: str
    venue_symbol: str
    dataset: Dataset
    recipe: Recipe
    estimator: CalibratedClassifier
    oos: pd.DataFrame
    evaluation: Evaluation
    weights: pd.Series[float]
    history_start: pd.Timestamp


def training_record(
    training: Training,
    plots: Mapping[str, bytes],
    tags: Mapping[str, str],
    trusted_types: tuple[str, ...],
    dagster_run_url: str | None = None,
) -> TrainingRecord:
    """Collect parameters, metrics, tables, plots and the model card of a training.

    Parameters
    ----------
    training : Training
        What was trained.
    plots : mapping of str to bytes
        PNG pictures by file name.
    tags : mapping of str to str
        Further tags, for example the Dagster run.
    trusted_types : tuple of str
        What the estimator's file may hold.
    dagster_run_url : str, optional
        Page of the Dagster run, for the card.
    """
    dataset, recipe = training.dataset, training.recipe
    return TrainingRecord(
        symbol=training.symbol,
        label=recipe.label,
        # The recipe first: the list of runs cuts names off.
        run_name=f"{recipe.describe()} {recipe.label} to {dataset.last_bar:%Y-%m-%d}",
        description=model_card(training, dagster_run_url),
        parameters=_parameters(training),
        metrics=metric_values(training.evaluation),
        fold_metrics=fold_metric_values(training.evaluation),
        tags={"source": training.source, "recipe_hash": recipe.hash, "model_kind": recipe.model_kind, **tags},
        dataset=DatasetReference(
            name=f"{training.symbol.slug} {recipe.label} ({training.source})",
            digest=dataset.content_hash,
            n_rows=len(dataset),
            first_bar=dataset.first_bar.isoformat(),
            last_bar=dataset.last_bar.isoformat(),
            feature_names=tuple(dataset.features.columns),
            origin=f"{training.source}:{training.venue_symbol}",
        ),
        estimator=training.estimator,
        trusted_types=trusted_types,
        files=_files(training, plots),
    )


def metric_values(evaluation: Evaluation) -> dict[str, float]:
    """Pooled scores and the bounds of their intervals, by names that sort together in the compare view."""
    # The compare view opens with the first metric it was given.
    names = sorted(SCORE_FIELDS, key=lambda name: (name != "log_loss_skill", name == "n"))
    values = {f"oos_{name}": float(getattr(evaluation.oos, name)) for name in names}
    for name, interval in evaluation.intervals.items():
        values[f"oos_{name}_lower"], values[f"oos_{name}_upper"] = interval.lower, interval.upper
    return {name: value for name, value in values.items() if math.isfinite(value)}


def fold_metric_values(evaluation: Evaluation) -> dict[str, dict[int, float]]:
    """Finite scores by fold, the oldest first, so that a chart of two runs shows where one is better."""
    return {
        f"fold_{name}": {
            number: float(getattr(fold, name))
            for number, fold in enumerate(evaluation.folds)
            if math.isfinite(getattr(fold, name))
        }
        for name in _FOLD_SCORES
    }


def comparison_values(comparison: CorrectedComparison, other: str) -> dict[str, float]:
    """A paired difference of the log loss, in nats per row, under names that say against what; NaN if unknown."""
    corrected = {f"log_loss_minus_{other}_corrected_p": comparison.adjusted_p_value}
    return {**difference_values(comparison.paired, other), **corrected}


def difference_values(paired: PairedComparison, other: str) -> dict[str, float]:
    """A mean difference of the log loss, in nats per row, with the bounds of its interval."""
    name, interval = f"log_loss_minus_{other}", paired.interval
    return {name: paired.mean_difference, f"{name}_lower": interval.lower, f"{name}_upper": interval.upper}


def gate_values(decision: GateDecision) -> dict[str, float]:
    """The finite figures behind a decision of the gate, named ``gate_…``."""
    figures = {name: value for name, value in decision.figures.items() if not isinstance(value, str)}
    return {f"gate_{name}": float(value) for name, value in figures.items() if math.isfinite(value)}


def recipe_parameters(recipe: Recipe) -> dict[str, str]:
    """A recipe as parameters that can be compared between runs."""
    document = recipe.to_document()
    return {
        "label": recipe.label,
        "horizon_bars": str(recipe.label_spec.horizon_bars),
        "recipe": recipe.describe(),
        "model": recipe.model_kind,
        **{f"model.{name}": str(value) for name, value in document["model"]["parameters"].items()},
        "calibrator": recipe.calibrator,
        "sample_weight": recipe.sample_weight,
        **{f"split.{name}": str(value) for name, value in document["split"].items()},
        "recipe_hash": recipe.hash,
    }


def _parameters(training: Training) -> dict[str, str]:
    dataset = training.dataset
    return {
        "symbol": str(training.symbol),
        "source": training.source,
        "venue_symbol": training.venue_symbol,
        **recipe_parameters(training.recipe),
        "n_features": str(len(dataset.features.columns)),
        "n_rows": str(len(dataset)),
        "history_start": training.history_start.isoformat(),
        "first_bar": dataset.first_bar.isoformat(),
        "last_bar": dataset.last_bar.isoformat(),
        "training_end": dataset.training_end.isoformat(),
        "dataset_hash": dataset.content_hash,
        "base_rate": repr(float(dataset.target.mean())),
    }


def _files(training: Training, plots: Mapping[str, bytes]) -> dict[str, bytes]:
    documents: dict[str, Any] = {
        "config.json": training.recipe.to_document(),
        "metrics.json": evaluation_document(training.evaluation),
        "feature_list.json": list(training.dataset.features.columns),
    }
    tables = {
        "tables/oos_probabilities.csv": training.oos.to_csv(date_format="%Y-%m-%dT%H:%M:%SZ"),
        "tables/feature_weights.csv": training.weights.rename_axis("feature").rename("weight").to_csv(),
        "tables/folds.md": fold_table(training.evaluation),
    }
    return {
        **{name: to_json(document).encode() for name, document in documents.items()},
        **{name: text.encode() for name, text in tables.items()},
        **{f"plots/{name}": png for name, png in plots.items()},
    }

"""From a finished training to what the experiment store keeps of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from algo_pipeline.common.formatting import percent
from algo_pipeline.common.storage import to_json
from algo_pipeline.common.types import Symbol
from algo_pipeline.registry.records import DatasetReference, TrainingRecord
from algo_pipeline.research.report import SCORE_FIELDS, evaluation_document, fold_table, overall_table

if TYPE_CHECKING:
    from algo_pipeline.models.calibration import CalibratedClassifier
    from algo_pipeline.research.comparisons import CorrectedComparison
    from algo_pipeline.research.dataset import Dataset
    from algo_pipeline.research.evaluate import Evaluation
    from algo_pipeline.research.train import Recipe


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
    training: Training, plots: Mapping[str, bytes], tags: Mapping[str, str], trusted_types: tuple[str, ...]
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
    """
    dataset, recipe = training.dataset, training.recipe
    return TrainingRecord(
        symbol=training.symbol,
        label=recipe.label,
        run_name=f"{recipe.label} {recipe.describe()} to {dataset.last_bar:%Y-%m-%d}",
        description=model_card(training),
        parameters=_parameters(training),
        metrics=metric_values(training.evaluation),
        tags={"source": training.source, "recipe_hash": recipe.hash, "model_kind": recipe.model_kind, **tags},
        dataset=DatasetReference(
            name=f"{training.symbol.slug} {recipe.label} ({training.source})",
            digest=dataset.content_hash,
            n_rows=len(dataset),
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


def comparison_values(comparison: CorrectedComparison, other: str) -> dict[str, float]:
    """A paired difference of the log loss, in nats per row, under names that say against what; NaN if unknown."""
    name, paired = f"log_loss_minus_{other}", comparison.paired
    return {
        name: paired.mean_difference,
        f"{name}_lower": paired.interval.lower,
        f"{name}_upper": paired.interval.upper,
        f"{name}_corrected_p": comparison.adjusted_p_value,
    }


def model_card(training: Training) -> str:
    """What the model is, what it was learnt from, how well it did and what it must not be used for."""
    dataset, recipe, spec = training.dataset, training.recipe, training.recipe.label_spec
    simulated = "\n> **Simulated bars.** No market produced them.\n" if training.source == "simulated" else ""
    return f"""# {training.symbol}: P({recipe.label} = 1)
{simulated}
- **Recipe**: {recipe.describe()}
- **Label**: `{spec.name}`, from the open after the decision, {spec.horizon_bars} h ahead.
- **Data**: {len(dataset):,} hourly rows, {dataset.first_bar:%Y-%m-%d} to {dataset.last_bar:%Y-%m-%d}, source
  {training.source} ({training.venue_symbol}); training ends at {dataset.training_end:%Y-%m-%d %H:%M} UTC.
- **Base rate**: {percent(float(dataset.target.mean()), 2)} of the rows are 1.
- **Model**: base on the head of the data, calibrator on its purged last {recipe.split.calibration_fraction:.0%};
  no refit afterwards. Inputs: the 37 features by name. Output: calibrated probability.
- **Split**: {recipe.split.describe()}, purge {spec.horizon_bars + 1} rows.

## Out of sample, walk-forward

{overall_table(training.evaluation)}

{fold_table(training.evaluation)}

## Limits

Probabilities hold for closed hourly bars of this symbol from this source. Skill does not imply profit: see the
backtest after costs. Past markets say little about the next one.
"""


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

"""Logging a training in MLflow, for the traded model and its challenger alike."""

from typing import TYPE_CHECKING

import dagster as dg
import numpy as np
import pandas as pd

from algo_pipeline.defs.partitions import partition_symbol
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.registry.records import RegisteredVersion
from algo_pipeline.registry.training_record import Training, training_record
from algo_pipeline.research.dataset import Dataset
from algo_pipeline.research.evaluate import Evaluation
from algo_pipeline.research.splits import walk_forward

if TYPE_CHECKING:
    from algo_pipeline.models.calibration import CalibratedClassifier
    from algo_pipeline.research.train import Recipe

_IMPORTANCE_ROWS = 2_000


def register(
    context: dg.AssetExecutionContext,
    pipeline: Pipeline,
    dataset: Dataset,
    recipe: "Recipe",
    estimator: "CalibratedClassifier",
    oos: pd.DataFrame,
    evaluation: Evaluation,
    bars: pd.DataFrame,
) -> RegisteredVersion:
    """Log the run with scores and backtest metrics, register the estimator, and show both in the asset's metadata."""
    from algo_pipeline.defs.evidence import run_variants_of
    from algo_pipeline.defs.trials import record_trial
    from algo_pipeline.registry.run_lineage import with_lineage, with_own_sources

    symbol, source = partition_symbol(context.partition_key), pipeline.settings().data_source
    weights = feature_importance(dataset, recipe, estimator)
    venue_symbol = pipeline.market_data().venue_symbol(symbol)
    training = Training(
        symbol, source, venue_symbol, dataset, recipe, estimator, oos, evaluation, weights, history_start=bars.index[0]
    )
    plots = _plots(training)
    run_id, run_url = context.run.run_id, pipeline.dagster_run_url(context.run.run_id)
    record = training_record(training, plots, {"dagster_run_id": run_id}, pipeline.trusted_types(), run_url)
    rules = (pipeline.settings().backtest_config(), pipeline.strategy())
    whole = with_own_sources(with_lineage(record, training, bars, *rules), pipeline.settings().own_classes())
    version = pipeline.registry().log_training(whole)
    backtests = run_variants_of(pipeline, bars, oos)
    record_trial(context, pipeline, symbol, recipe, backtests.strategy)
    pipeline.registry().log_results(version, backtests.metric_values(), {}, {})
    context.add_output_metadata(_metadata(version, pipeline, plots, weights))
    return version


def feature_importance(dataset: Dataset, recipe: "Recipe", estimator: "CalibratedClassifier") -> "pd.Series[float]":
    """How much each feature counts in the production model."""
    # What a permuted feature costs is asked on the newest rows of those that the base model was not fitted on.
    unseen = walk_forward(len(dataset), dataset.label, recipe.split).production.calibration
    tail = slice(max(unseen.start, unseen.stop - _IMPORTANCE_ROWS), unseen.stop)
    weights = recipe.make_model().feature_weights(
        estimator.model, dataset.matrix()[tail], np.asarray(dataset.target, dtype=np.float64)[tail]
    )
    return pd.Series(weights, index=dataset.features.columns, name="weight")


def _plots(training: Training) -> dict[str, bytes]:
    from algo_pipeline.research import plots

    return {
        "reliability.png": plots.reliability_diagram(training.evaluation),
        "roc.png": plots.roc_curve(training.evaluation),
        "feature_weights.png": plots.feature_weights(training.weights),
        "probabilities.png": plots.probability_histogram(training.oos["probability"]),
    }


def _metadata(
    version: RegisteredVersion, pipeline: Pipeline, plots: dict[str, bytes], weights: "pd.Series[float]"
) -> dict[str, dg.MetadataValue]:
    from algo_pipeline.defs.shown import facts, glance, picture
    from algo_pipeline.research import miniatures

    return {
        **glance(miniatures.weights(weights)),
        "feature_weights": picture(plots["feature_weights.png"], "feature weights"),
        "mlflow_run": dg.MetadataValue.url(pipeline.mlflow_run_url(version.experiment_id, version.run_id)),
        **facts(
            {
                "model_name": version.model_name,
                "model_version": version.version,
                "mlflow_run_id": version.run_id,
            }
        ),
    }

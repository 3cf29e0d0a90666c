"""Models, calibrators, their out-of-sample probabilities, scores and registration."""

from types import MappingProxyType

import dagster as dg
import pandas as pd

from algo_pipeline.common.storage import write_json, write_text
from algo_pipeline.defs.dataset import load_dataset
from algo_pipeline.defs.io_managers import Estimators
from algo_pipeline.defs.partitions import SYMBOLS, partition_symbol
from algo_pipeline.defs.registration import register
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.defs.shown import columns, facts, finding_result, glance, picture, span_metadata, table
from algo_pipeline.defs.stage import stage
from algo_pipeline.registry.records import RegisteredVersion
from algo_pipeline.research.evaluate import Evaluation, evaluate
from algo_pipeline.research.splits import SplitPlan

OOS_MEANING = MappingProxyType(
    {
        "probability": "Calibrated chance that the label is 1, by a model fitted on earlier bars only.",
        "outcome": "What the label turned out to be.",
        "base_rate": "Share of ones in the train part of the row's fold: the forecast to beat.",
        "fold": "The fold whose test block holds the row.",
    }
)


@dg.asset(
    partitions_def=SYMBOLS,
    io_manager_key="estimators_io_manager",
    group_name="training",
    kinds={"sklearn", "skops"},
    code_version="1",
    description="One base model per walk-forward fold, each fitted on its own base rows only, and last the production "
    "model, whose test block is the future.",
)
def model(
    context: dg.AssetExecutionContext, pipeline: Pipeline, dataset: pd.DataFrame, splits: SplitPlan
) -> Estimators:
    """Fit the base models."""
    with stage(context):
        from algo_pipeline.research import miniatures
        from algo_pipeline.research.fold_weights import fold_weights
        from algo_pipeline.research.plots_of_models import weights_by_fold
        from algo_pipeline.research.train import fit_models

        recipe = pipeline.recipe()
        data = load_dataset(dataset, pipeline)
        models = fit_models(data, splits, recipe)
        weights = fold_weights(data, splits, recipe, models)
        context.add_output_metadata(
            {
                **glance(miniatures.weights(weights["production"])),
                "weights": picture(weights_by_fold(weights), "feature weights in every fold"),
                **facts(
                    {
                        "models": len(models),
                        "kind": recipe.model_kind,
                        "recipe": recipe.describe(),
                        "recipe_hash": recipe.hash,
                        "production_base_rows": splits.production.base.stop - splits.production.base.start,
                    }
                ),
            }
        )
        return Estimators(models, recipe.hash, data.content_hash)


@dg.asset(
    partitions_def=SYMBOLS,
    io_manager_key="estimators_io_manager",
    group_name="training",
    kinds={"sklearn", "skops"},
    code_version="1",
    description="Each model with the calibrator fitted on the purged tail of its train part, which it did not see.",
)
def calibrator(
    context: dg.AssetExecutionContext,
    pipeline: Pipeline,
    dataset: pd.DataFrame,
    splits: SplitPlan,
    model: Estimators,
) -> Estimators:
    """Fit the calibrators."""
    with stage(context):
        from algo_pipeline.research import miniatures
        from algo_pipeline.research.calibration_maps import calibration_maps_of
        from algo_pipeline.research.plots_of_models import calibration_maps
        from algo_pipeline.research.train import fit_calibrators

        recipe = pipeline.recipe()
        data = load_dataset(dataset, pipeline)
        model.require(recipe, data)
        calibrated = fit_calibrators(data, splits, recipe, model.items)
        maps = calibration_maps_of(data, splits, calibrated)
        context.add_output_metadata(
            {
                **glance(miniatures.calibration(*maps[-1])),
                "maps": picture(calibration_maps(maps), "calibrated against raw probability"),
                **facts(
                    {
                        "calibrators": len(calibrated),
                        "kind": recipe.calibrator,
                        "production_calibration_rows": len(maps[-1][0]),
                        "lowest_probability": float(maps[-1][1].min()),
                        "highest_probability": float(maps[-1][1].max()),
                    }
                ),
            }
        )
        return Estimators(calibrated, recipe.hash, data.content_hash)


@dg.asset(
    partitions_def=SYMBOLS,
    io_manager_key="frame_io_manager",
    group_name="training",
    kinds={"parquet", "sklearn"},
    code_version="1",
    description="Calibrated probabilities of every test block, end to end, each from a model fitted on earlier bars "
    "only. These, and no others, are evaluated and backtested.",
)
def oos_probabilities(
    context: dg.AssetExecutionContext,
    pipeline: Pipeline,
    dataset: pd.DataFrame,
    splits: SplitPlan,
    calibrator: Estimators,
) -> pd.DataFrame:
    """Stitch the folds' probabilities."""
    with stage(context):
        from algo_pipeline.research import miniatures
        from algo_pipeline.research.plots import probability_histogram
        from algo_pipeline.research.train import stitch_probabilities

        data = load_dataset(dataset, pipeline)
        calibrator.require(pipeline.recipe(), data)
        oos = stitch_probabilities(data, splits, calibrator.items)
        settings, probability = pipeline.settings(), oos["probability"]
        thresholds = (settings.enter_threshold, settings.exit_threshold)
        context.add_output_metadata(
            {
                **glance(miniatures.histogram(probability)),
                "histogram": picture(probability_histogram(probability, thresholds), "probabilities and thresholds"),
                **span_metadata(oos),
                **columns(oos, OOS_MEANING),
                **facts(
                    {
                        "mean_probability": float(probability.mean()),
                        "share_at_or_above_enter_threshold": float((probability >= thresholds[0]).mean()),
                    }
                ),
            }
        )
        return oos


@dg.asset_check(
    asset=oos_probabilities,
    blocking=True,
    partitions_def=SYMBOLS,
    additional_ins={"splits": dg.AssetIn("splits"), "dataset": dg.AssetIn("dataset")},
)
def probabilities_cover_the_test_blocks_once(
    oos_probabilities: pd.DataFrame, splits: SplitPlan, dataset: pd.DataFrame
) -> dg.AssetCheckResult:
    """Every test row has exactly one probability, strictly between 0 and 1, from the fold whose test block holds it."""
    from algo_pipeline.research.leakage import judge_coverage

    finding = judge_coverage(oos_probabilities, splits, pd.DatetimeIndex(dataset.index))
    probability = oos_probabilities["probability"]
    lowest, highest = float(probability.min()), float(probability.max())
    return finding_result(finding, rows=len(oos_probabilities), lowest=lowest, highest=highest)


@dg.asset(
    partitions_def=SYMBOLS,
    io_manager_key="document_io_manager",
    group_name="training",
    kinds={"json", "numba"},
    code_version="1",
    description="Log loss, Brier, AUC and calibration of the out-of-sample probabilities, per fold and overall, with "
    "block-bootstrap intervals, against each fold's own base rate.",
)
def evaluation(context: dg.AssetExecutionContext, oos_probabilities: pd.DataFrame) -> Evaluation:
    """Score the probabilities."""
    with stage(context):
        from algo_pipeline.research import miniatures
        from algo_pipeline.research.plots import reliability_diagram, roc_curve

        scores = evaluate(oos_probabilities)
        folds = pd.DataFrame(
            [(fold.n, fold.auc, fold.log_loss_skill, fold.ece) for fold in scores.folds],
            columns=["rows", "AUC", "log-loss skill", "ECE"],
            index=pd.RangeIndex(len(scores.folds), name="fold"),
        )
        context.add_output_metadata(
            {
                **glance(miniatures.reliability(scores)),
                "reliability": picture(reliability_diagram(scores), "reliability"),
                "roc": picture(roc_curve(scores), "ROC"),
                "folds": table(folds),
                **facts(
                    {
                        "auc": scores.oos.auc,
                        "log_loss_skill": scores.oos.log_loss_skill,
                        "log_loss_skill_lower": scores.intervals["log_loss_skill"].lower,
                        "log_loss_skill_upper": scores.intervals["log_loss_skill"].upper,
                        "brier_skill": scores.oos.brier_skill,
                        "ece": scores.oos.ece,
                        "hours": scores.oos.n,
                    }
                ),
            }
        )
        return scores


@dg.asset(
    partitions_def=SYMBOLS,
    io_manager_key="document_io_manager",
    group_name="training",
    kinds={"mlflow", "sklearn"},
    code_version="1",
    description="The production model as ONE estimator (scaler, model, calibrator) in MLflow's registry, with the run "
    "that holds its parameters, scores, plots, tables and data lineage.",
)
def registered_model(
    context: dg.AssetExecutionContext,
    pipeline: Pipeline,
    dataset: pd.DataFrame,
    calibrator: Estimators,
    oos_probabilities: pd.DataFrame,
    evaluation: Evaluation,
    raw_ohlcv: pd.DataFrame,
    splits: SplitPlan,
) -> RegisteredVersion:
    """Log the training run and register the production model."""
    with stage(context):
        from algo_pipeline.defs.consistency import require_own_evaluation, require_own_probabilities
        from algo_pipeline.research.report import metrics_document, metrics_markdown

        symbol, settings, recipe = partition_symbol(context.partition_key), pipeline.settings(), pipeline.recipe()
        data = load_dataset(dataset, pipeline)
        require_own_probabilities(recipe, data, splits, calibrator, oos_probabilities)
        require_own_evaluation(evaluation, oos_probabilities)
        version = register(
            context, pipeline, data, recipe, calibrator.production, oos_probabilities, evaluation, raw_ohlcv
        )
        name = f"{version.model_name} version {version.version}"
        facts = (symbol, recipe.label, settings.data_source, name, evaluation)
        folder = settings.artifacts_dir / "reports" / symbol.slug
        write_json(folder / "metrics.json", metrics_document(*facts))
        write_text(folder / "metrics.md", metrics_markdown(*facts))
        return version

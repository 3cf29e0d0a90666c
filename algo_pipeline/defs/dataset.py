"""The dataset and its walk-forward splits."""

import dagster as dg
import pandas as pd

from algo_pipeline.defs.partitions import SYMBOLS
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.defs.shown import facts, finding_result, glance, picture, span_metadata, table
from algo_pipeline.defs.stage import stage
from algo_pipeline.research.dataset import Dataset, build_dataset
from algo_pipeline.research.splits import SplitPlan, walk_forward


@dg.asset(
    partitions_def=SYMBOLS,
    io_manager_key="frame_io_manager",
    group_name="dataset",
    kinds={"parquet", "pandas"},
    code_version="1",
    description="Features joined with the traded label, on the rows where both exist, with the hash of its content.",
)
def dataset(
    context: dg.AssetExecutionContext, pipeline: Pipeline, features: pd.DataFrame, labels: pd.DataFrame
) -> pd.DataFrame:
    """Join features and label."""
    with stage(context):
        from algo_pipeline.research import miniatures
        from algo_pipeline.research.plots_of_data import label_balance

        sets = pipeline.feature_sets()
        joined = build_dataset(features, labels, pipeline.recipe().label_spec, sets.columns, sets.warmup_bars)
        frame = joined.to_frame()
        context.add_output_metadata(
            {
                **glance(miniatures.balance(joined.target)),
                "balance": picture(label_balance(joined.target.to_frame()), "share of ones and rows by month"),
                **span_metadata(frame),
                **facts(
                    {
                        "label": joined.label.name,
                        "base_rate": float(joined.target.mean()),
                        "training_end": f"{joined.training_end:%Y-%m-%d %H:%M} UTC",
                        "content_hash": joined.content_hash,
                    }
                ),
            }
        )
        return frame


@dg.asset(
    partitions_def=SYMBOLS,
    io_manager_key="document_io_manager",
    group_name="dataset",
    kinds={"json"},
    code_version="1",
    description="Walk-forward folds: train on the past, calibrate on its purged tail, test on the block after. The "
    "purge follows from the label's horizon and can't be set.",
)
def splits(context: dg.AssetExecutionContext, pipeline: Pipeline, dataset: pd.DataFrame) -> SplitPlan:
    """Plan the folds."""
    with stage(context):
        from algo_pipeline.research import miniatures
        from algo_pipeline.research.plots import fold_timeline

        recipe = pipeline.recipe()
        plan = walk_forward(len(dataset), recipe.label_spec, recipe.split)
        rows = [
            (
                *(f"{part.start}–{part.stop - 1}" for part in (fold.base, fold.calibration)),
                fold.test.stop - fold.test.start,
            )
            for fold in plan.folds
        ]
        folds = pd.DataFrame(
            rows, columns=["base", "calibration", "test rows"], index=pd.RangeIndex(len(rows), name="fold")
        )
        timestamps = pd.DatetimeIndex(dataset.index)
        context.add_output_metadata(
            {
                **glance(miniatures.folds(plan, timestamps)),
                "timeline": picture(fold_timeline(plan, timestamps), "folds"),
                **facts(
                    {
                        "rule": recipe.split.describe(),
                        "purge_rows": recipe.label_spec.horizon_bars + 1,
                        "test_rows": sum(fold.test.stop - fold.test.start for fold in plan.folds),
                    }
                ),
                "folds": table(folds),
            }
        )
        return plan


@dg.asset_check(asset=splits, blocking=True, partitions_def=SYMBOLS, additional_ins={"dataset": dg.AssetIn("dataset")})
def training_rows_end_before_what_they_are_tested_on(splits: SplitPlan, dataset: pd.DataFrame) -> dg.AssetCheckResult:
    """In every fold, no label of a base row reaches the calibration rows, and none of either reaches the test block."""
    from algo_pipeline.research.leakage import judge_purge

    finding = judge_purge(splits, pd.DatetimeIndex(dataset.index))
    return finding_result(finding, folds=len(splits.all_folds))


def load_dataset(frame: pd.DataFrame, pipeline: Pipeline) -> Dataset:
    """The stored dataset as its own type; refuses one that was made for another label."""
    recipe = pipeline.recipe()
    return Dataset.from_frame(frame, recipe.label_spec, recipe.features.columns)

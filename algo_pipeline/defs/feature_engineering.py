"""Features and labels of one symbol's bars, with the proof that features see no future."""

import dagster as dg
import pandas as pd

from algo_pipeline.defs.partitions import SYMBOLS
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.defs.shown import columns, facts, finding_result, glance, picture, span_metadata, table
from algo_pipeline.defs.stage import stage


@dg.asset(
    partitions_def=SYMBOLS,
    io_manager_key="frame_io_manager",
    group_name="features",
    kinds={"parquet", "numba", "talib"},
    code_version="1",
    description="37 scale-free technical features of each closed bar, and any of your own, computed from bars up to it "
    "only; NaN until a feature's certified warm-up has passed and where its window crosses a gap.",
)
def features(context: dg.AssetExecutionContext, pipeline: Pipeline, raw_ohlcv: pd.DataFrame) -> pd.DataFrame:
    """Compute the features."""
    with stage(context):
        from algo_pipeline.research import miniatures
        from algo_pipeline.research.plots import feature_correlation

        sets = pipeline.feature_sets()
        frame = sets.build(raw_ohlcv)
        specs = pd.DataFrame(
            [(spec.formula, spec.source, spec.window_bars, spec.warmup_bars) for spec in sets.specs],
            columns=["formula", "source", "window", "warm-up"],
            index=pd.Index(sets.columns, name="feature"),
        )
        context.add_output_metadata(
            {
                **glance(miniatures.completeness(frame)),
                "correlation": picture(feature_correlation(frame), "correlation"),
                **span_metadata(frame),
                "complete_rows": int(frame.notna().all(axis=1).sum()),
                "registry": table(specs),
            }
        )
        return frame


@dg.asset(
    partitions_def=SYMBOLS,
    io_manager_key="frame_io_manager",
    group_name="features",
    kinds={"parquet", "numba"},
    code_version="1",
    description="Seven labels of each bar t, and one of your own, from open[t+1], where an order decided at t can "
    "fill, to the end of the label's horizon; NaN where that is not yet known or crosses a gap.",
)
def labels(context: dg.AssetExecutionContext, pipeline: Pipeline, raw_ohlcv: pd.DataFrame) -> pd.DataFrame:
    """Compute the labels."""
    with stage(context):
        from algo_pipeline.data.labels import LABELS
        from algo_pipeline.data.own_label import all_labels
        from algo_pipeline.research import miniatures
        from algo_pipeline.research.plots_of_data import label_balance

        own = pipeline.own_label()
        frame = all_labels(raw_ohlcv, own)
        specs = (*LABELS, *([] if own is None else [own.spec]))
        known = pd.DataFrame(
            [(spec.horizon_bars, int(frame[spec.name].count()), float(frame[spec.name].mean())) for spec in specs],
            columns=["horizon", "known", "mean"],
            index=pd.Index([spec.name for spec in specs], name="label"),
        )
        traded = pipeline.recipe().label_spec.name
        context.add_output_metadata(
            {
                **glance(miniatures.balance(frame[traded])),
                "balance": picture(label_balance(frame), "share of ones by month"),
                **span_metadata(frame),
                **columns(frame, {spec.name: f"Looks {spec.horizon_bars} h ahead." for spec in specs}),
                **facts({f"{traded}_mean": float(frame[traded].mean())}),
                "labels": table(known),
            }
        )
        return frame


@dg.asset_check(
    asset=features, blocking=True, partitions_def=SYMBOLS, additional_ins={"raw_ohlcv": dg.AssetIn("raw_ohlcv")}
)
def features_are_finite_after_warm_up(
    pipeline: Pipeline, features: pd.DataFrame, raw_ohlcv: pd.DataFrame
) -> dg.AssetCheckResult:
    """Once every warm-up has passed, a row lacks a feature only where a gap in the bars explains it."""
    sets = pipeline.feature_sets()
    if not features.index.equals(raw_ohlcv.index):
        return dg.AssetCheckResult(
            passed=False, description=f"{len(features):,} rows of features do not match {len(raw_ohlcv):,} bars."
        )
    steps = raw_ohlcv.index.to_series().diff() != pd.Timedelta(hours=1)
    near_gap = steps.rolling(sets.window_bars, min_periods=1).max().astype(bool).to_numpy()
    incomplete = features.isna().any(axis=1).to_numpy()
    unexplained = incomplete & ~near_gap
    unexplained[: sets.warmup_bars - 1] = False
    first = f" First: {features.index[unexplained][0]}." if unexplained.any() else ""
    return dg.AssetCheckResult(
        passed=not unexplained.any(),
        description=f"{int(unexplained.sum())} rows lack a feature without a reason.{first}",
        metadata={"incomplete_rows": int(incomplete.sum()), "unexplained_rows": int(unexplained.sum())},
    )


@dg.asset_check(
    asset=features, blocking=True, partitions_def=SYMBOLS, additional_ins={"raw_ohlcv": dg.AssetIn("raw_ohlcv")}
)
def features_use_no_later_bar(
    pipeline: Pipeline, features: pd.DataFrame, raw_ohlcv: pd.DataFrame
) -> dg.AssetCheckResult:
    """Cutting off later bars, or replacing them by noise, changes no bit of any feature."""
    from algo_pipeline.research.leakage import judge_causality

    sets = pipeline.feature_sets()
    anew = (lambda: sets.anew().build) if sets.own else None
    return finding_result(judge_causality(sets.build, raw_ohlcv, features, sets.warmup_bars, anew))

"""The proof that nothing leaks, on every materialization: one blocking check for each claim about an artifact.

Claims about features as they are made, folds and coverage are checked beside their assets; these judge what was stored.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd

from algo_pipeline.defs.backtesting import backtest_report
from algo_pipeline.defs.dataset import dataset, load_dataset
from algo_pipeline.defs.feature_engineering import features, labels
from algo_pipeline.defs.io_managers import Estimators
from algo_pipeline.defs.partitions import SYMBOLS
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.defs.shown import finding_result
from algo_pipeline.defs.training import calibrator, model, oos_probabilities
from algo_pipeline.research import claims
from algo_pipeline.research.claims import Claim
from algo_pipeline.research.splits import SplitPlan

if TYPE_CHECKING:
    from algo_pipeline.backtest.leakage import Trade

_Checked = Callable[[Callable[..., dg.AssetCheckResult]], dg.AssetChecksDefinition]


def _check(claim: Claim, asset: dg.AssetsDefinition, *others: str) -> _Checked:
    """A blocking check of a claim about ``asset``, which also reads the other assets."""
    return dg.asset_check(
        asset=asset,
        name=claim.name,
        description=claim.statement,
        blocking=True,
        partitions_def=SYMBOLS,
        additional_ins={name: dg.AssetIn(name) for name in others},
    )


@_check(claims.FEATURES_ARE_THE_CODES, features, "raw_ohlcv")
def features_equal_a_recomputation(
    pipeline: Pipeline, features: pd.DataFrame, raw_ohlcv: pd.DataFrame
) -> dg.AssetCheckResult:
    """Compute all features again."""
    from algo_pipeline.research.leakage import judge_recomputation

    return finding_result(judge_recomputation(pipeline.feature_sets().build, raw_ohlcv, features))


@_check(claims.FEATURES_KEEP_GAPS, features, "raw_ohlcv")
def features_are_missing_across_gaps(
    pipeline: Pipeline, features: pd.DataFrame, raw_ohlcv: pd.DataFrame
) -> dg.AssetCheckResult:
    """Find windows that cross gaps from the times of the bars alone."""
    from algo_pipeline.research.leakage import judge_gaps

    return finding_result(judge_gaps(features, raw_ohlcv, pipeline.feature_sets().specs))


@_check(claims.LABELS_LOOK_AHEAD_EXACTLY, labels, "raw_ohlcv")
def labels_equal_a_second_computation(
    pipeline: Pipeline, labels: pd.DataFrame, raw_ohlcv: pd.DataFrame
) -> dg.AssetCheckResult:
    """Compute all labels by other means."""
    from algo_pipeline.research.leakage import judge_labels

    return finding_result(judge_labels(labels, raw_ohlcv, pipeline.own_label()))


@_check(claims.ROWS_ARE_THE_JOIN, dataset, "features", "labels")
def dataset_rows_are_features_joined_with_the_label(
    dataset: pd.DataFrame, features: pd.DataFrame, labels: pd.DataFrame
) -> dg.AssetCheckResult:
    """Join features and label again."""
    from algo_pipeline.research.leakage import judge_join

    return finding_result(judge_join(dataset, features, labels))


@_check(claims.SCALERS_KEEP_TO_THEIR_ROWS, model, "dataset", "splits")
def scalers_know_their_own_base_rows_only(
    pipeline: Pipeline,
    model: Estimators,
    dataset: pd.DataFrame,
    splits: SplitPlan,
) -> dg.AssetCheckResult:
    """Fit every scaler again."""
    from algo_pipeline.research.leakage import judge_scalers

    data = load_dataset(dataset, pipeline)
    model.require(pipeline.recipe(), data)
    return finding_result(judge_scalers(data, splits, model.items))


@_check(claims.MODELS_KEEP_TO_THEIR_ROWS, model, "dataset", "splits")
def models_learnt_from_their_own_base_rows_only(
    pipeline: Pipeline,
    model: Estimators,
    dataset: pd.DataFrame,
    splits: SplitPlan,
) -> dg.AssetCheckResult:
    """Fit models again among noise."""
    from algo_pipeline.research import train
    from algo_pipeline.research.leakage import judge_models

    data, recipe = load_dataset(dataset, pipeline), pipeline.recipe()
    model.require(recipe, data)
    return finding_result(judge_models(train.fit_models, data, splits, recipe, model.items))


@_check(claims.CALIBRATORS_KEEP_TO_THEIR_ROWS, calibrator, "dataset", "splits", "model")
def calibrators_learnt_from_their_own_rows_only(
    pipeline: Pipeline,
    calibrator: Estimators,
    dataset: pd.DataFrame,
    splits: SplitPlan,
    model: Estimators,
) -> dg.AssetCheckResult:
    """Fit every calibrator again among noise."""
    from algo_pipeline.research import train
    from algo_pipeline.research.leakage import judge_calibrators

    data, recipe = load_dataset(dataset, pipeline), pipeline.recipe()
    calibrator.require(recipe, data)
    judged = judge_calibrators(train.fit_calibrators, data, splits, recipe, model.items, calibrator.items)
    return finding_result(judged)


@_check(claims.MODELS_ARE_KEPT, calibrator, "dataset", "splits", "model")
def calibrated_models_are_those_of_their_folds(
    pipeline: Pipeline,
    calibrator: Estimators,
    dataset: pd.DataFrame,
    splits: SplitPlan,
    model: Estimators,
) -> dg.AssetCheckResult:
    """Let every model score the same rows before and after calibration."""
    from algo_pipeline.research.leakage import judge_kept_models

    return finding_result(judge_kept_models(load_dataset(dataset, pipeline), splits, model.items, calibrator.items))


@_check(claims.PROBABILITIES_ARE_THE_FOLDS, oos_probabilities, "dataset", "splits", "calibrator")
def probabilities_come_from_their_own_folds_model(
    pipeline: Pipeline,
    oos_probabilities: pd.DataFrame,
    dataset: pd.DataFrame,
    splits: SplitPlan,
    calibrator: Estimators,
) -> dg.AssetCheckResult:
    """Let every fold's model score its test block again."""
    from algo_pipeline.research.leakage import judge_own_fold

    data = load_dataset(dataset, pipeline)
    calibrator.require(pipeline.recipe(), data)
    return finding_result(judge_own_fold(oos_probabilities, data, splits, calibrator.items))


@_check(claims.MODELS_CAME_BEFORE, oos_probabilities, "dataset", "splits")
def models_were_fitted_before_the_bars_they_judge(
    oos_probabilities: pd.DataFrame, dataset: pd.DataFrame, splits: SplitPlan
) -> dg.AssetCheckResult:
    """Compare when labels were known with what their fold judges."""
    from algo_pipeline.research.leakage import judge_fitted_before

    return finding_result(judge_fitted_before(oos_probabilities, splits, pd.DatetimeIndex(dataset.index)))


@_check(claims.OUTCOMES_ARE_THE_DATASETS, oos_probabilities, "dataset", "splits")
def outcomes_and_base_rates_are_those_of_the_dataset(
    pipeline: Pipeline,
    oos_probabilities: pd.DataFrame,
    dataset: pd.DataFrame,
    splits: SplitPlan,
) -> dg.AssetCheckResult:
    """Look outcomes up again, and count base rates again."""
    from algo_pipeline.research.leakage import judge_outcomes

    return finding_result(judge_outcomes(oos_probabilities, load_dataset(dataset, pipeline), splits))


@_check(claims.TRADES_KEEP_TO_THE_RULES, backtest_report, "raw_ohlcv", "oos_probabilities")
def trades_follow_the_configured_rules(
    pipeline: Pipeline, backtest_report: pd.DataFrame, raw_ohlcv: pd.DataFrame, oos_probabilities: pd.DataFrame
) -> dg.AssetCheckResult:
    """Trade again by the settings, and ask the strategy about one bar at a time."""
    from algo_pipeline.backtest.leakage import judge_rules

    rules = (pipeline.strategy(), pipeline.settings().backtest_config())
    return finding_result(judge_rules(_strategy(pipeline), raw_ohlcv, oos_probabilities, backtest_report, *rules))


@_check(claims.TRADES_SEE_NO_FUTURE, backtest_report, "raw_ohlcv", "oos_probabilities")
def trades_use_no_later_bar(
    pipeline: Pipeline, backtest_report: pd.DataFrame, raw_ohlcv: pd.DataFrame, oos_probabilities: pd.DataFrame
) -> dg.AssetCheckResult:
    """Trade again without the later bars."""
    from algo_pipeline.backtest.leakage import judge_trades

    return finding_result(judge_trades(_strategy(pipeline), raw_ohlcv, oos_probabilities, backtest_report))


def _strategy(pipeline: Pipeline) -> "Trade":
    """The strategy's curve under the settings, as a function of bars and probabilities."""
    from algo_pipeline.defs.evidence import run_variants_of

    return lambda bars, oos: run_variants_of(pipeline, bars, oos).strategy.curve

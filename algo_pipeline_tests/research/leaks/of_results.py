"""Leaks of stitched probabilities and of trades. Each function injects one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from algo_pipeline.models.calibration import CalibratedClassifier
from algo_pipeline.research.dataset import Dataset
from algo_pipeline.research.splits import SplitPlan
from algo_pipeline.research.train import stitch_probabilities
from algo_pipeline_tests.research.leaks.stages import RULES, Stages, trade_by


def in_sample_stitching(stages: Stages) -> Stages:
    """All test blocks judged by the production model, which was fitted on them."""
    return _estimators(stages, lambda calibrated: (calibrated[-1],) * len(calibrated))


def stitched_from_the_next_fold(stages: Stages) -> Stages:
    """Each test block judged by the model of the fold after, whose train part holds the block."""
    return _estimators(stages, lambda calibrated: (*calibrated[1:], calibrated[-1]))


def fold_numbers_of_the_next_fold(stages: Stages) -> Stages:
    """Right probabilities under the number of a model that was fitted later than the bar."""
    return _frame(stages, lambda oos, dataset: oos.assign(fold=np.minimum(oos["fold"] + 1, oos["fold"].max())))


def probability_shifted_one_bar_early(stages: Stages) -> Stages:
    """Each bar gets the probability of the bar after it."""
    return _frame(stages, lambda oos, dataset: oos.assign(probability=oos["probability"].shift(-1).ffill()))


def probability_smoothed_over_later_bars(stages: Stages) -> Stages:
    """Probabilities averaged over a window around the bar."""
    return _frame(
        stages,
        lambda oos, dataset: oos.assign(probability=oos["probability"].rolling(5, center=True, min_periods=1).mean()),
    )


def probability_rescaled_over_all_test_rows(stages: Stages) -> Stages:
    """Probabilities moved so that their mean is the rate that the test rows turned out to have."""
    return _frame(
        stages,
        lambda oos, dataset: oos.assign(
            probability=(oos["probability"] + oos["outcome"].mean() - oos["probability"].mean()).clip(0.01, 0.99)
        ),
    )


def worst_hours_left_out(stages: Stages) -> Stages:
    """Test rows on which the forecast was far off dropped before scoring."""
    return _frame(
        stages,
        lambda oos, dataset: oos[(oos["probability"] - oos["outcome"]).abs() <= 0.52],
    )


def base_rate_of_the_test_rows(stages: Stages) -> Stages:
    """Skill measured against a rate that was known only afterwards."""
    return _frame(
        stages,
        lambda oos, dataset: oos.assign(base_rate=oos.groupby("fold")["outcome"].transform("mean")),
    )


def outcomes_one_bar_late(stages: Stages) -> Stages:
    """Forecasts scored by what happened a bar before."""
    return _frame(stages, lambda oos, dataset: oos.assign(outcome=oos["outcome"].shift(1).bfill()))


def thresholds_picked_on_the_test_rows(stages: Stages) -> Stages:
    """The thresholds with the best final equity of the very hours that are reported, among deciles of theirs."""

    def trade(bars: pd.DataFrame, oos: pd.DataFrame) -> pd.DataFrame:
        deciles = oos["probability"].quantile(np.linspace(0.2, 0.8, 7))
        tried = [trade_by(replace(RULES, enter_threshold=each, exit_threshold=each))(bars, oos) for each in deciles]
        return max(tried, key=lambda curve: float(curve["equity"].iloc[-1]))

    return replace(stages, trade=trade)


def thresholds_at_quantiles_of_all_probabilities(stages: Stages) -> Stages:
    """Thresholds at quantiles of probabilities that were not yet there."""

    def trade(bars: pd.DataFrame, oos: pd.DataFrame) -> pd.DataFrame:
        low, high = oos["probability"].quantile([0.4, 0.6])
        return trade_by(replace(RULES, enter_threshold=float(high), exit_threshold=float(low)))(bars, oos)

    return replace(stages, trade=trade)


def fills_at_the_close_that_was_decided_on(stages: Stages) -> Stages:
    """Orders filled one bar early, by probabilities that are stamped a bar back on their way to the backtest."""
    honest = stages.trade

    def trade(bars: pd.DataFrame, oos: pd.DataFrame) -> pd.DataFrame:
        return honest(bars, oos.assign(probability=oos["probability"].shift(-1)))

    return replace(stages, trade=trade)


def _estimators(
    stages: Stages, choose: Callable[[tuple[CalibratedClassifier, ...]], tuple[CalibratedClassifier, ...]]
) -> Stages:
    return replace(stages, stitch=lambda dataset, plan, calibrated: stages.stitch(dataset, plan, choose(calibrated)))


def _frame(stages: Stages, change: Callable[[pd.DataFrame, Dataset], pd.DataFrame]) -> Stages:
    def stitch(dataset: Dataset, plan: SplitPlan, calibrated: tuple[CalibratedClassifier, ...]) -> pd.DataFrame:
        return change(stitch_probabilities(dataset, plan, calibrated), dataset)

    return replace(stages, stitch=stitch)

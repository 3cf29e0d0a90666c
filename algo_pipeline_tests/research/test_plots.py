from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.plotting import DEPLOYED, GAIN, HOLD, LOSS, STRATEGY
from algo_pipeline.data.labels import label_spec
from algo_pipeline.research import plots
from algo_pipeline.research.splits import SplitRule, walk_forward
from algo_pipeline_tests.backtest.report_samples import NO_EVALUATION, sample_inputs
from algo_pipeline_tests.png import has_colour, pixels


@pytest.mark.parametrize("draw", [plots.reliability_diagram, plots.roc_curve])
def test_an_evaluation_is_drawn_and_an_empty_one_too(draw: object) -> None:
    assert callable(draw)
    png = draw(sample_inputs().evaluation)
    assert pixels(png).shape[:2] == (360, 640)
    assert has_colour(png, STRATEGY)
    assert pixels(draw(NO_EVALUATION)).shape[:2] == (360, 640)


def test_the_timeline_shows_model_calibrator_and_test_rows() -> None:
    plan = walk_forward(4_000, label_spec("direction_1h"), SplitRule(n_folds=3))
    png = plots.fold_timeline(plan, pd.date_range("2024-01-01", periods=4_000, freq="h", tz="UTC"))
    shown = pixels(png)[:, :, :3]
    assert all(has_colour(png, colour, 1_000) for colour in (HOLD, DEPLOYED, STRATEGY))
    assert shown.shape[:2] == (360, 640)


def test_the_largest_weights_are_drawn_by_sign() -> None:
    weights = pd.Series(np.linspace(-1.0, 2.0, 37), [f"feature_{k}" for k in range(37)])
    png = plots.feature_weights(weights)
    assert has_colour(png, GAIN, 500)
    assert has_colour(png, LOSS, 500)
    assert not has_colour(plots.feature_weights(weights, top=5), LOSS, 500)


def test_probabilities_are_counted_with_their_thresholds() -> None:
    probability = pd.Series([0.4, 0.5, np.nan, 0.6] * 50)
    assert has_colour(plots.probability_histogram(probability, (0.45, 0.55)), DEPLOYED)
    assert not has_colour(plots.probability_histogram(probability), DEPLOYED)


def test_correlation_is_dark_where_features_agree_and_skips_rows_with_nan() -> None:
    x = np.random.default_rng(0).normal(size=3_000)
    features = pd.DataFrame({"a": x, "b": np.exp(x), "c": -x})
    features.iloc[:100, 0] = np.nan
    png = plots.feature_correlation(features)
    assert pixels(png).shape[:2] == (640, 640)
    assert has_colour(png, "#053061", 40_000)
    assert has_colour(png, "#67001f", 20_000)

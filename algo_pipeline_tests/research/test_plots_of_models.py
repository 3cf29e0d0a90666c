from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.plotting import DEPLOYED, GAIN, HOLD, LOSS, STRATEGY
from algo_pipeline.data.labels import label_spec
from algo_pipeline.models.price_action import TERM_NAMES
from algo_pipeline.research import plots_of_data, plots_of_models
from algo_pipeline.research.calibration_maps import calibration_maps_of
from algo_pipeline.research.dataset import Dataset, build_dataset
from algo_pipeline.research.fold_weights import fold_weights
from algo_pipeline.research.plots_of_models import Difference
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.splits import SplitPlan, SplitRule, walk_forward
from algo_pipeline.research.train import fit_calibrators, fit_models
from algo_pipeline_tests.png import has_colour, pixels

_HOURS = pd.date_range("2022-01-01", periods=3_000, freq="h", tz="UTC")


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    from algo_pipeline.data.features import build_features
    from algo_pipeline.data.labels import build_labels
    from algo_pipeline_tests.market import random_bars

    bars = random_bars(3_000)
    return build_dataset(build_features(bars), build_labels(bars), label_spec("direction_1h"))


@pytest.fixture(scope="module")
def plan(dataset: Dataset) -> SplitPlan:
    return walk_forward(len(dataset), dataset.label, SplitRule(n_folds=2))


def _oos(probability: float) -> pd.DataFrame:
    outcome = np.arange(3_000) % 2
    return pd.DataFrame(
        {"probability": probability, "outcome": outcome.astype(float), "base_rate": 0.5, "fold": 0}, _HOURS
    )


def test_every_fold_has_a_column_of_weights_and_a_linear_model_a_row_per_term(
    dataset: Dataset, plan: SplitPlan
) -> None:
    recipe = Recipe("scaled_logistic", "platt", "direction_1h", plan.rule)
    weights = fold_weights(dataset, plan, recipe, fit_models(dataset, plan, recipe))
    assert list(weights.columns) == ["0", "1", "production"]
    assert list(weights.index) == list(TERM_NAMES)
    assert np.isfinite(weights.to_numpy()).all()
    assert pixels(plots_of_models.weights_by_fold(weights)).shape[1] == 640


def test_a_plain_logistic_models_rows_are_the_features(dataset: Dataset, plan: SplitPlan) -> None:
    recipe = Recipe("logistic", "platt", "direction_1h", plan.rule)
    models = fit_models(dataset, plan, recipe)
    weights = fold_weights(dataset, plan, recipe, models)
    assert list(weights.index) == list(dataset.features.columns)
    np.testing.assert_array_equal(weights["production"], models[-1].steps[-1][1].coef_[0])


def test_a_model_without_coefficients_shows_the_importance_of_its_features(dataset: Dataset, plan: SplitPlan) -> None:
    recipe = Recipe("boosting", "platt", "direction_1h", plan.rule)
    weights = fold_weights(dataset, plan, recipe, fit_models(dataset, plan, recipe))
    assert weights.shape == (37, 3)


def test_a_calibration_map_holds_what_each_calibrator_learnt_from(dataset: Dataset, plan: SplitPlan) -> None:
    recipe = Recipe("logistic", "platt", "direction_1h", plan.rule)
    calibrated = fit_calibrators(dataset, plan, recipe, fit_models(dataset, plan, recipe))
    maps = calibration_maps_of(dataset, plan, calibrated)
    for fold, classifier, (before, after) in zip(plan.all_folds, calibrated, maps, strict=True):
        rows = dataset.features.iloc[fold.calibration]
        np.testing.assert_allclose(before, classifier.model.predict_proba(rows.to_numpy())[:, 1], atol=1e-12)
        np.testing.assert_array_equal(after, classifier.predict_proba(rows)[:, 1])
    assert has_colour(plots_of_models.calibration_maps(maps), STRATEGY)


def test_the_running_difference_falls_while_the_first_forecast_is_better() -> None:
    better, worse = _oos(0.5), _oos(0.8)
    falling = plots_of_models.running_difference(better, worse)
    assert falling.iloc[-1] == pytest.approx(3_000 * (np.log(2) + 0.5 * (np.log(0.8) + np.log(0.2))))
    assert has_colour(plots_of_models.loss_difference(better, worse, ("a", "b"), "a less b"), STRATEGY)


def test_an_interval_is_coloured_by_the_side_of_nought_that_it_lies_on() -> None:
    def shown(lower: float, upper: float) -> bytes:
        return plots_of_models.intervals([Difference("x", (lower + upper) / 2, lower, upper)], "Gate")

    for bounds, colour in (((-2.0, -1.0), GAIN), ((1.0, 2.0), LOSS), ((-1.0, 1.0), DEPLOYED)):
        assert has_colour(shown(*bounds), colour)
    assert pixels(plots_of_models.intervals((), "Nothing")).shape[1] == 640


def test_the_gates_figures_become_differences_where_they_have_an_interval() -> None:
    figures = {"rule": "first", "log_loss_minus_base_rate": -0.1, "hours_against_base_rate": 9}
    bounds = {"log_loss_minus_base_rate_lower": -0.2, "log_loss_minus_base_rate_upper": -0.05}
    assert plots_of_models.differences_in(figures) == ()
    assert plots_of_models.differences_in(figures | bounds) == (Difference("against base rate", -0.1, -0.2, -0.05),)


def test_only_binary_labels_have_a_balance() -> None:
    labels = pd.DataFrame({"up": np.arange(3_000) % 4 == 0, "size": np.arange(3_000) * 0.5}, _HOURS).astype(float)
    labels.iloc[:10] = np.nan
    rates, counts = plots_of_data.monthly_balance(labels)
    assert list(rates.columns) == ["up"]
    assert rates["up"].tolist() == pytest.approx([0.25] * len(rates), abs=0.01)
    assert counts.sum() == 2_990
    assert has_colour(plots_of_data.label_balance(labels), HOLD)
    assert pixels(plots_of_data.label_balance(labels[["size"]])).shape[:2] == (360, 640)

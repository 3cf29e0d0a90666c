from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.config import load_settings
from algo_pipeline.common.errors import InsufficientHistoryError
from algo_pipeline.common.storage import to_json
from algo_pipeline.models.catalog import MODEL_KINDS
from algo_pipeline.research.dataset import Dataset
from algo_pipeline.research.evaluate import evaluate
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.search import (
    Judged,
    SearchOutcome,
    SearchPlan,
    SearchTrial,
    conclude,
    fold_by_fold,
    judge_on_outer_folds,
    plan_search,
    pooled_skill,
)
from algo_pipeline.research.search_report import best_trials, search_document, search_picture, trials_markdown
from algo_pipeline.research.search_space import point_of, recipe_at, search_space, settings_lines
from algo_pipeline.research.splits import SplitRule, purge_violations, walk_forward
from algo_pipeline.research.train import fit_calibrators, fit_models, stitch_probabilities
from algo_pipeline_tests.png import pixels
from algo_pipeline_tests.research.samples import planted_dataset

_SPLIT = SplitRule(n_folds=4)
_RECIPE = Recipe("logistic", "platt", "direction_24h", _SPLIT)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return planted_dataset(6_000, seed=1, label="direction_24h")


@pytest.fixture(scope="module")
def plan(data: Dataset) -> SearchPlan:
    return plan_search(data, _SPLIT, n_inner_folds=2)


class TestRows:
    def test_the_last_half_of_the_test_blocks_is_set_aside(self, data: Dataset, plan: SearchPlan) -> None:
        whole = walk_forward(len(data), data.label, _SPLIT)
        assert plan.outer.folds == whole.folds[2:]
        assert plan.judged_rows == slice(4_200, 6_000)

    def test_every_label_that_the_search_sees_is_known_before_the_first_judged_row_opens(
        self, data: Dataset, plan: SearchPlan
    ) -> None:
        # Row i with i + 1 + 24 < 4,200: the last is 4,174.
        assert len(plan.seen) == 4_175
        last, first = plan.seen.timestamps[-1], data.timestamps[plan.judged_rows.start]
        assert last + pd.Timedelta(hours=1 + 24) < first
        assert plan.inner.n_rows == len(plan.seen)
        assert purge_violations(plan.inner, plan.seen.timestamps) == ()

    def test_what_comes_after_changes_no_score_of_a_trial(self, data: Dataset, plan: SearchPlan) -> None:
        noise = np.random.default_rng(9).normal(size=(len(data) - 4_175, data.features.shape[1]))
        features, target = data.features.copy(), data.target.copy()
        features.iloc[4_175:], target.iloc[4_175:] = noise, 1.0 - target.iloc[4_175:]
        poisoned = plan_search(Dataset(features, target, data.label), _SPLIT, n_inner_folds=2)
        for one, other in zip(fold_by_fold(plan, _RECIPE), fold_by_fold(poisoned, _RECIPE), strict=True):
            pd.testing.assert_frame_equal(one, other, rtol=1e-12)
        assert poisoned.seen.content_hash == plan.seen.content_hash

    def test_a_single_test_block_is_set_aside_itself(self, data: Dataset) -> None:
        assert len(plan_search(data, SplitRule(n_folds=1), 1).outer.folds) == 1

    def test_too_short_a_history_is_told(self) -> None:
        with pytest.raises(InsufficientHistoryError, match="rows"):
            plan_search(planted_dataset(1_800), SplitRule(n_folds=2))


class TestTrials:
    def test_fold_by_fold_gives_what_all_folds_at_once_give(self, plan: SearchPlan) -> None:
        inner = dataclasses.replace(_RECIPE, split=plan.inner.rule)
        calibrated = fit_calibrators(plan.seen, plan.inner, inner, fit_models(plan.seen, plan.inner, inner))
        expected = stitch_probabilities(plan.seen, plan.inner, calibrated)
        parts = list(fold_by_fold(plan, _RECIPE))
        pd.testing.assert_frame_equal(pd.concat(parts), expected, check_exact=True)
        assert pooled_skill(parts) == pytest.approx(evaluate(expected, n_resamples=10).oos.log_loss_skill, abs=1e-12)

    @pytest.mark.parametrize("kind", MODEL_KINDS)
    def test_every_kind_has_a_space_that_holds_its_defaults(self, kind: str) -> None:
        base = Recipe(kind, "isotonic", sample_weight="recency")
        point = point_of(base)
        assert point is not None
        assert set(point) == set(search_space(kind)) > {"calibrator", "sample_weight"}
        assert recipe_at(base, point) == base

    def test_drawn_numbers_are_rounded_and_own_ones_kept(self) -> None:
        base = Recipe("logistic", parameters={"C": 0.001234567})
        at = {"calibrator": "platt", "sample_weight": "none"}
        assert recipe_at(base, {**at, "C": 0.00345678}).parameters == {"C": 0.003457}
        assert recipe_at(base, {**at, "C": 0.001234567}).parameters == {"C": 0.001234567}

    def test_a_recipe_outside_the_space_is_no_point_of_it(self) -> None:
        assert point_of(Recipe("logistic", parameters={"C": 50.0})) is None

    def test_the_offered_settings_give_the_recipe(self, monkeypatch: pytest.MonkeyPatch) -> None:
        recipe = Recipe(
            "lightgbm", "shrunk", parameters={"n_trees": 50, "learning_rate": 0.01}, sample_weight="recency"
        )
        for line in settings_lines(recipe):
            name, _, value = line.partition("=")
            monkeypatch.setenv(name, value.strip("'"))
        found = load_settings(None)
        assert (
            Recipe(
                found.model, found.calibrator, found.label, recipe.split, found.model_parameters, found.sample_weight
            )
            == recipe
        )


def _outcome(data: Dataset, plan: SearchPlan, winner: Recipe, n: int = 1) -> SearchOutcome:
    trials = (
        SearchTrial(0, {"C": 0.001, "calibrator": "platt"}, 0.02, 2, pruned=False),
        SearchTrial(1, {"C": 0.1, "calibrator": "isotonic"}, 0.5, 1, pruned=True),
        SearchTrial(2, {"C": 0.01, "calibrator": "platt"}, 0.03, 2, pruned=False),
    )
    judged = [judge_on_outer_folds(data, plan, recipe) for recipe in (winner, _RECIPE)]
    return conclude(plan, trials, *judged, n)


class TestJudgement:
    def test_the_winner_is_judged_on_the_folds_set_aside_as_the_traded_recipe_is(
        self, data: Dataset, plan: SearchPlan
    ) -> None:
        judged = judge_on_outer_folds(data, plan, _RECIPE)
        whole = walk_forward(len(data), data.label, _SPLIT)
        calibrated = fit_calibrators(data, whole, _RECIPE, fit_models(data, whole, _RECIPE))
        expected = stitch_probabilities(data, whole, calibrated).iloc[-1_800:]
        np.testing.assert_array_equal(judged.oos["probability"], expected["probability"])
        assert judged.oos.index.equals(expected.index)

    def test_a_better_winner_is_called_so_and_offered(self, data: Dataset, plan: SearchPlan) -> None:
        truth = judge_on_outer_folds(data, plan, _RECIPE)
        worse = truth.oos.assign(probability=truth.oos["base_rate"])
        recipe = dataclasses.replace(_RECIPE, parameters={"C": 0.5})
        better, poor = Judged(recipe, truth.oos, truth.evaluation), Judged(_RECIPE, worse, evaluate(worse, 50))
        outcome = conclude(plan, (), better, poor, 1)
        assert outcome.comparison is not None
        assert outcome.comparison.paired.is_better
        assert "is better than the traded" in outcome.describe()
        assert "put these lines into .env" in outcome.advice()

    def test_the_same_recipe_is_compared_with_nothing(self, data: Dataset, plan: SearchPlan) -> None:
        outcome = _outcome(data, plan, _RECIPE)
        assert outcome.comparison is None
        assert "the traded recipe is the best" in outcome.describe()

    def test_each_further_recipe_judged_on_such_hours_widens_the_interval(
        self, data: Dataset, plan: SearchPlan
    ) -> None:
        recipe = dataclasses.replace(_RECIPE, parameters={"C": 0.002})
        once, often = (_outcome(data, plan, recipe, n).comparison for n in (1, 5))
        assert once is not None
        assert often is not None
        assert often.paired.interval.level == pytest.approx(0.99)
        assert often.paired.interval.upper > once.paired.interval.upper
        assert often.adjusted_p_value == pytest.approx(min(1.0, 5 * once.p_value))

    def test_the_facts_are_all_there(self, data: Dataset, plan: SearchPlan) -> None:
        outcome = _outcome(data, plan, dataclasses.replace(_RECIPE, parameters={"C": 0.002}), n=3)
        document = json.loads(to_json(search_document(outcome)))
        assert (document["n_seen"], document["n_judged"], outcome.n_pruned) == (4_175, 1_800, 1)
        assert pd.Timestamp(document["seen_until"]) == plan.seen.timestamps[-1]
        assert pd.Timestamp(document["judged_from"]) == data.timestamps[4_200]
        assert "3 trials of logistic for direction_24h (1 pruned), on 4,175 hours" in document["finding"]
        assert "corrected for 3 recipes" in document["finding"]

    def test_the_best_trials_are_completed_ones(self, data: Dataset, plan: SearchPlan) -> None:
        outcome = _outcome(data, plan, _RECIPE)
        assert [trial.number for trial in best_trials(outcome)] == [2, 0]
        assert trials_markdown(outcome).count("\n") == 3
        assert pixels(search_picture(outcome)).shape[:2] == (360, 640)

from __future__ import annotations

import dataclasses
import itertools
import json

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.plotting import LOSS
from algo_pipeline.common.storage import to_json
from algo_pipeline.data.feature_choice import STANDARD_CHOICE
from algo_pipeline.data.feature_sets import configured_features
from algo_pipeline.data.features import build_features
from algo_pipeline.data.labels import build_labels
from algo_pipeline.data.own_label import all_labels, configured_own_label
from algo_pipeline.models.catalog import CALIBRATOR_KINDS, MODEL_KINDS
from algo_pipeline.research.candidates import BINARY_LABELS, EvaluatedRecipe, evaluate_recipes, kinds_for, line_up
from algo_pipeline.research.evaluate import evaluate
from algo_pipeline.research.leaderboard import Leaderboard, Standing, baseline_recipe, build_leaderboard
from algo_pipeline.research.leaderboard_report import (
    HEADER,
    SHORT_HEADER,
    leaderboard_document,
    leaderboard_markdown,
    leaderboard_picture,
    leaderboard_summary,
    row_cells,
    short_cells,
)
from algo_pipeline.research.pipeline import run_research
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.splits import SplitRule
from algo_pipeline_tests.market import random_bars
from algo_pipeline_tests.own_parts import Small, UpInThree, reference
from algo_pipeline_tests.png import has_colour, pixels
from algo_pipeline_tests.research.samples import forecast_frame

_SPLIT = SplitRule(n_folds=2)
_N = 4_000


def candidate(recipe: Recipe, oos: pd.DataFrame) -> EvaluatedRecipe:
    return EvaluatedRecipe(recipe, "dataset", oos, evaluate(oos, n_resamples=50), 0.5, 1.25)


def forecasts(weight: float, noise: float, seed: int = 1) -> pd.DataFrame:
    """Forecasts that use so much of the truth, and add so much error; outcomes are the same for all."""
    rng = np.random.default_rng(7)
    truth = rng.normal(0.0, 0.5, _N)
    outcome = rng.random(_N) < 1.0 / (1.0 + np.exp(-truth))
    error = np.random.default_rng(seed).normal(0.0, noise, _N)
    return forecast_frame(1.0 / (1.0 + np.exp(-(weight * truth + error))), outcome)


@pytest.fixture(scope="module")
def board() -> Leaderboard:
    """A baseline that knows a part, one that knows all, one that is as good, one that is off."""
    label = "direction_1h"
    return build_leaderboard(
        [
            candidate(Recipe("logistic", "isotonic", label, _SPLIT), forecasts(0.5, 0.9)),
            candidate(Recipe("boosting", "platt", label, _SPLIT), forecasts(0.5, 0.1, seed=3)),
            candidate(baseline_recipe(label, _SPLIT), forecasts(0.5, 0.1, seed=2)),
            candidate(Recipe("lightgbm", "platt", label, _SPLIT), forecasts(1.0, 0.0)),
        ]
    )


def test_those_better_come_first_then_the_baseline_then_those_not_told_apart_then_those_worse(
    board: Leaderboard,
) -> None:
    assert [(row.model, row.calibrator, row.standing) for row in board.rows] == [
        ("lightgbm", "platt", Standing.BETTER),
        ("logistic", "platt", Standing.BASELINE),
        ("boosting", "platt", Standing.OPEN),
        ("logistic", "isotonic", Standing.WORSE),
    ]
    assert board.n_comparisons == 3
    assert {row.n_rows for row in board.rows} == {_N}


def test_a_skill_above_the_baselines_alone_makes_none_better(board: Leaderboard) -> None:
    by_model = {row.model: row for row in board.rows if row.calibrator == "platt"}
    assert by_model["boosting"].log_loss_skill > by_model["logistic"].log_loss_skill
    assert by_model["boosting"].standing is Standing.OPEN


def test_labels_keep_their_order_and_their_own_baseline() -> None:
    made = [
        candidate(Recipe(model, "platt", label, _SPLIT), forecasts(weight, 0.0))
        for label, model, weight in (
            ("direction_24h", "logistic", 0.2),
            ("direction_24h", "boosting", 1.0),
            ("direction_1h", "logistic", 1.0),
            ("direction_1h", "boosting", 1.0),
        )
    ]
    rows = build_leaderboard(made).rows
    assert [(row.label, row.model, row.standing) for row in rows] == [
        ("direction_24h", "boosting", Standing.BETTER),
        ("direction_24h", "logistic", Standing.BASELINE),
        ("direction_1h", "logistic", Standing.BASELINE),
        ("direction_1h", "boosting", Standing.OPEN),
    ]


def test_without_a_baseline_or_on_other_rows_nothing_is_compared() -> None:
    other = candidate(Recipe("boosting", "platt", "direction_1h", _SPLIT), forecasts(1.0, 0.0).iloc[1:])
    with pytest.raises(ConfigValueError, match="baseline of direction_1h"):
        build_leaderboard([other])
    with pytest.raises(ConfigValueError, match="identical rows"):
        build_leaderboard([other, candidate(baseline_recipe("direction_1h", _SPLIT), forecasts(0.5, 0.0))])
    with pytest.raises(ConfigValueError, match="at least one"):
        build_leaderboard([])


def test_the_line_up_is_every_combination_once_with_each_labels_baseline() -> None:
    recipes = line_up()
    assert len({recipe.hash for recipe in recipes}) == len(recipes)
    assert {(each.label, each.model_kind, each.calibrator) for each in recipes} == set(
        itertools.product(BINARY_LABELS, MODEL_KINDS, CALIBRATOR_KINDS)
    )
    few = line_up(("direction_4h",), ("boosting",), ("isotonic",), _SPLIT)
    assert [each.describe() for each in few] == ["logistic+platt", "boosting+isotonic"]


def test_a_guest_is_lined_up_once_and_only_for_its_label() -> None:
    tuned = Recipe("logistic", "platt", "direction_1h", _SPLIT, {"C": 0.5})
    assert tuned in line_up(("direction_1h",), ("logistic",), ("platt",), _SPLIT, (tuned, tuned))
    assert tuned not in line_up(("direction_4h",), ("logistic",), ("platt",), _SPLIT, (tuned,))


def test_own_features_and_an_own_label_take_part_with_the_models_that_can_read_them() -> None:
    features, own = configured_features((reference(Small),)), configured_own_label(reference(UpInThree))
    assert own is not None
    kinds = kinds_for(features.choice)
    assert kinds == ("logistic", "boosting", "lightgbm")
    assert kinds_for(STANDARD_CHOICE) == MODEL_KINDS
    labels = ("up_in_three", "direction_1h")
    recipes = line_up(labels, ("logistic",), ("platt", "shrunk"), _SPLIT, (), features.choice, own.spec)
    assert [(each.label, each.calibrator) for each in recipes] == list(itertools.product(labels, ("platt", "shrunk")))
    bars = random_bars(2_400, seed=4)
    found = list(evaluate_recipes(features.build(bars), all_labels(bars, own), recipes))
    board = build_leaderboard(found)
    assert {row.label for row in board.rows if row.standing is Standing.BASELINE} == set(labels)


def test_a_label_that_no_classifier_learns_is_refused() -> None:
    with pytest.raises(ConfigValueError, match="binary label"):
        line_up(("fwd_return_1h",))


def test_each_candidate_gets_what_the_research_path_gives_it() -> None:
    bars = random_bars(2_400, seed=4)
    recipes = line_up(("direction_4h", "direction_1h"), ("logistic", "lightgbm"), ("platt", "isotonic"), _SPLIT)
    ticks = itertools.count()
    found = list(evaluate_recipes(build_features(bars), build_labels(bars), recipes, lambda: float(next(ticks))))
    assert [each.recipe for each in found] == list(recipes)
    for each in found:
        expected = run_research(bars, each.recipe, n_resamples=10)
        pd.testing.assert_frame_equal(each.oos, expected.oos, check_exact=True)
        assert each.dataset_hash == expected.dataset.content_hash
        assert each.seconds == 2.0  # one tick for the shared fits, one for its own part
    assert build_leaderboard(found).n_comparisons == 6


def test_the_table_has_a_row_per_candidate_and_says_how_many_were_compared(board: Leaderboard) -> None:
    text = leaderboard_markdown(board)
    assert text.startswith(leaderboard_summary(board))
    assert "direction_1h 4,000" in text
    assert "3 paired comparisons" in text
    assert "1 better, 1 worse, 1 not told apart" in text
    assert text.count("\n| ") == 2 + len(board.rows)
    for row in board.rows:
        assert len(row_cells(row)) == len(HEADER)
        assert len(short_cells(row)) == len(SHORT_HEADER)
        assert short_cells(row)[-1] == row.standing.value


def test_the_baseline_is_compared_with_nothing(board: Leaderboard) -> None:
    baseline = next(row for row in board.rows if row.standing is Standing.BASELINE)
    assert row_cells(baseline)[7:10] == ("–", "–", "–")


def test_the_document_is_plain_json_with_every_standing(board: Leaderboard) -> None:
    document = json.loads(to_json(leaderboard_document(board)))
    assert [row["standing"] for row in document["rows"]] == ["better", "the baseline", "not told apart", "worse"]
    assert document["rows"][0]["against_baseline"]["n_comparisons"] == 3


def test_the_picture_grows_with_the_candidates_and_colours_their_standing(board: Leaderboard) -> None:
    whole, part = leaderboard_picture(board), leaderboard_picture(dataclasses.replace(board, rows=board.rows[:2]))
    assert pixels(whole).shape[0] == pixels(part).shape[0] + 2 * 17
    assert has_colour(whole, LOSS)
    assert not has_colour(part, LOSS)

"""What the gate is told of a champion whose recipe is not the candidate's."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from algo_pipeline.backtest import evidence
from algo_pipeline.defs.gate import _on_these_folds
from algo_pipeline.research.promotion import EVIDENCE_LEVEL
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.splits import SplitRule

CANDIDATE = Recipe("logistic", "platt", "direction_1h", SplitRule(n_folds=4))


def stored(recipe: Recipe, **changes: Any) -> dict[str, Any]:
    """A recipe's document as a bundle holds it."""
    return json.loads(json.dumps({**recipe.to_document(), **changes}))


@pytest.mark.parametrize(
    "recipe",
    [
        CANDIDATE,
        replace(CANDIDATE, model_kind="boosting"),
        replace(CANDIDATE, calibrator="isotonic"),
        replace(CANDIDATE, sample_weight="uniqueness"),
        replace(CANDIDATE, model_kind="boosting", parameters={"max_iter": 17}),
    ],
)
def test_a_champions_recipe_is_run_on_the_candidates_folds_as_it_was(recipe: Recipe) -> None:
    other_folds = replace(recipe, split=SplitRule(n_folds=9))
    assert _on_these_folds(stored(other_folds), CANDIDATE) == recipe


@pytest.mark.parametrize(
    "document",
    [
        stored(CANDIDATE, model={"kind": "of another version", "parameters": {}}),
        stored(CANDIDATE, calibrator="of another version"),
        stored(CANDIDATE, sample_weight="of another version"),
        stored(CANDIDATE, model={"kind": "logistic", "parameters": {"of another version": 1.0}}),
        stored(CANDIDATE, features=["of another version"]),
        stored(CANDIDATE, split={"n_folds": 4, "of another version": 1}),
        stored(CANDIDATE, label={"of another version": "direction_1h"}),
    ],
    ids=["kind", "calibrator", "weights", "parameter", "features", "split", "label"],
)
def test_a_recipe_that_this_program_cannot_run_as_it_was_is_not_run(document: dict[str, Any]) -> None:
    assert _on_these_folds(document, CANDIDATE) is None


def test_the_gate_names_the_level_that_the_evidence_is_held_to() -> None:
    assert EVIDENCE_LEVEL == evidence.LEVEL

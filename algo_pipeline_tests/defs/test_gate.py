"""What the gate is told of a champion whose recipe is not the candidate's."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from algo_pipeline.backtest import evidence
from algo_pipeline.common.config import Settings, load_settings
from algo_pipeline.data.feature_sets import configured_features
from algo_pipeline.defs.gate import _on_these_folds, occupant
from algo_pipeline.registry.bundle import BundleStore, ChampionBundle
from algo_pipeline.research.promotion import EVIDENCE_LEVEL
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.splits import SplitRule
from algo_pipeline_tests.own_parts import Small, reference
from algo_pipeline_tests.registry.samples import sample_bundle

SMALL = reference(Small)
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


def _standard_and_own() -> Recipe:
    return replace(CANDIDATE, features=configured_features(("standard", SMALL)).choice)


@dataclass(frozen=True)
class _Pipeline:
    """What the gate asks of a run: its settings, and what it trains."""

    candidate: Recipe
    features: str

    def settings(self) -> Settings:
        return load_settings(env_file=None, data_source="simulated", features=self.features)

    def recipe(self) -> Recipe:
        return self.candidate

    def bundles(self) -> BundleStore:
        return BundleStore(Path("artifacts"))


def _occupied(bundle: ChampionBundle, candidate: Recipe, features: str) -> str | None:
    in_place = replace(bundle, source="simulated")
    return occupant(in_place, cast(Any, _Pipeline(candidate, features)))


def test_a_champion_of_fewer_features_is_compared_by_those_that_it_reads() -> None:
    assert _occupied(sample_bundle(), _standard_and_own(), f"standard,{SMALL}") is None


def test_a_champion_of_features_that_are_not_computed_any_more_can_not_be_compared() -> None:
    own_alone = replace(CANDIDATE, features=configured_features((SMALL,)).choice)
    assert "learnt from other features and can't be compared" in str(_occupied(sample_bundle(), own_alone, SMALL))


def test_a_champion_whose_own_code_is_not_at_hand_makes_room_by_itself() -> None:
    document = _standard_and_own().to_document()
    champion = replace(sample_bundle(), recipe_document=document, feature_names=tuple(document["features"]))
    assert _occupied(champion, CANDIDATE, "standard") is None


def test_the_gate_names_the_level_that_the_evidence_is_held_to() -> None:
    assert EVIDENCE_LEVEL == evidence.LEVEL

"""What makes a recipe that recipe, and no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from algo_pipeline.common.config import load_settings
from algo_pipeline.common.errors import ConfigValueError, OtherCodeError, SettingsError
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.models.catalog import recorded_trusted_types
from algo_pipeline.research.own_classes import load_own_classes
from algo_pipeline.research.recipe import Recipe, configured_recipe
from algo_pipeline.strategy.catalog import (
    configured_strategy,
    shown_document,
    strategy_document,
    strategy_from_document,
)
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline.strategy.identity import strategy_hash
from algo_pipeline_tests.example_parts import MODEL, OWN, STRATEGY, change, own_modules_forgotten, working_in

KNOWN_HASHES = {
    "logistic": "3d9ff7ceca7ac1b7a4e5cd4bbece176b6cf8534e49183b4a2fb7f6c4082bf5cb",
    "scaled_logistic": "5df80094412d85a4a629789482208cd842bc955934eefbab6f9aa48cfd20a6be",
    "boosting": "0286f20e1dddf8e0b70c60e95fb5f62b6c7f727d8856024bf60c7e2deff7370d",
    "lightgbm": "23de62d15ef9dca4e8ac89b8a18e0172da68387822d31cbd44816466f67dcf83",
    "ensemble": "80d83309c1d2a2fc192cf49f2d5d727075184d79ecceaf1f0f101828d7118ea6",
}
"""Champions and trials in the world are told by these: a change would make strangers of them."""


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Path]:
    with working_in(tmp_path) as folder:
        yield folder


@pytest.mark.parametrize("kind", KNOWN_HASHES)
def test_recipes_of_what_is_built_in_keep_the_hashes_that_they_had(kind: str) -> None:
    assert Recipe(kind, "shrunk", sample_weight="uniqueness").hash == KNOWN_HASHES[kind]


def test_the_default_settings_ask_for_the_recipe_that_they_always_asked_for() -> None:
    assert configured_recipe(load_settings(env_file=None)).hash == KNOWN_HASHES["scaled_logistic"]
    assert Recipe().hash == "8ce6003d788d438fc411b4f1df4bbe7213f98cbf69f82b7d92fe63812458169e"


def test_strategies_that_are_built_in_keep_the_hashes_that_they_had() -> None:
    plain, cost_aware = strategy_hash(BacktestConfig()), strategy_hash(BacktestConfig(), CostAwareStrategy(24))
    assert plain == "0f38b767fd5fbde2948fde900a4b93b342dcfebd03aadb48a898f5066eb74ce4"
    assert cost_aware == "48d004e3c0f761ef9fc4bb933173b4f0939bd3820b542936e7a6ef86fa4a9e2c"


def test_a_recipe_of_the_users_own_model_survives_its_document(parts: Path) -> None:
    recipe = Recipe(MODEL, parameters={"squash": 3.0})
    document = json.loads(json.dumps(recipe.to_document()))
    assert document["model"]["kind"] == MODEL
    assert document["model"]["parameters"] == {"squash": 3.0, "C": 0.01}
    assert Recipe.from_document(document, OWN) == recipe
    assert recipe.describe() == "momentum_model:Momentum+platt (squash=3.0)"
    assert recorded_trusted_types(document["model"], OWN) == ("momentum_model.MomentumClassifier",)


def test_a_changed_file_is_another_recipe_and_is_refused_as_the_recorded_one(parts: Path) -> None:
    document = Recipe(MODEL).to_document()
    before = Recipe(MODEL).hash
    change(parts, "momentum_model")
    assert Recipe(MODEL).hash == before, "this process still runs what it has loaded"
    with own_modules_forgotten():
        assert Recipe(MODEL).hash != before
        with pytest.raises(OtherCodeError, match="changed since"):
            Recipe.from_document(document, OWN)


def test_a_recipe_in_a_file_leads_to_no_code_that_settings_do_not_name(parts: Path) -> None:
    document = Recipe(MODEL).to_document()
    with own_modules_forgotten():
        (parts / "momentum_model.py").write_text("raise SystemExit('imported')")
        with pytest.raises(OtherCodeError, match="do not name"):
            Recipe.from_document(document)


def test_a_strategy_of_the_users_own_survives_its_document_and_counts_as_a_trial_of_its_own(parts: Path) -> None:
    rules = BacktestConfig()
    facts = {"horizon_bars": 1, "edge_multiple": 1.0, "kelly_fraction": 0.5}
    made = configured_strategy(STRATEGY, rules, **facts, parameters={"enter_edge": 0.05})  # type: ignore[arg-type]
    document = json.loads(json.dumps(strategy_document(made)))
    assert (document["name"], document["enter_edge"]) == (STRATEGY, 0.05)
    assert shown_document(document)["source"] == document["source_sha256"][:12]
    assert strategy_from_document(document, OWN) == made
    before = strategy_hash(rules, made)
    assert before != strategy_hash(rules)
    change(parts, "breakout_strategy")
    with own_modules_forgotten():
        again = configured_strategy(STRATEGY, rules, **facts, parameters={"enter_edge": 0.05})  # type: ignore[arg-type]
        assert strategy_hash(rules, again) != before
        with pytest.raises(OtherCodeError, match="changed since"):
            strategy_from_document(document, OWN)
    with pytest.raises(OtherCodeError, match="do not name"):
        strategy_from_document(document)


@pytest.mark.parametrize(
    ("name", "value", "error", "told"),
    [
        ("MODEL", "momentum_model:Momentun", SettingsError, "Did you mean 'Momentum'"),
        ("STRATEGY", "momentum_model:Momentum", SettingsError, "is no StrategyInterface"),
        ("MODEL_PARAMETERS", '{"squas": 1}', ConfigValueError, "can't be made with squas=1: TypeError"),
        ("STRATEGY_PARAMETERS", '{"enter": 1}', ConfigValueError, "can't be made with enter=1"),
    ],
)
def test_what_settings_name_is_loaded_before_work_begins(
    parts: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, error: type[Exception], told: str
) -> None:
    monkeypatch.setenv("ALGO_TRADER_MODEL", MODEL)
    monkeypatch.setenv("ALGO_TRADER_STRATEGY", STRATEGY)
    assert [file.name for file in load_own_classes(load_settings())] == ["breakout_strategy.py", "momentum_model.py"]
    monkeypatch.setenv(f"ALGO_TRADER_{name}", value)
    with pytest.raises(error, match=told):
        load_own_classes(load_settings())


def test_nothing_is_loaded_where_settings_name_nothing_of_the_users_own() -> None:
    assert load_own_classes(load_settings(env_file=None)) == ()

"""Features and a label of the user's own on the graph: what looks ahead is stopped by name, before anything learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from algo_pipeline.common.types import Symbol
from algo_pipeline.definitions import build_definitions
from algo_pipeline.defs.runs import RunOutcome, Scope, run_research
from algo_pipeline_tests.own_parts import Blind, Farsighted, Hasty, Peeking, reference
from algo_pipeline_tests.workshop import UNTIL, Workshop, fingerprints


def _research(shop: Workshop, **changes: str) -> tuple[RunOutcome, set[str]]:
    """What became of a run with other settings, and the assets that it made anew."""
    changed = replace(shop, environment={**shop.environment, **changes})
    before = fingerprints(shop.artifacts / "research")
    with changed.active() as settings:
        (outcome,) = run_research(
            build_definitions(), settings, (Symbol("BTC", "USD"),), Scope(until=UNTIL), quiet=True
        )
    after = fingerprints(shop.artifacts / "research")
    return outcome, {name.split("/")[1] for name in after if after[name] != before.get(name)}


@pytest.mark.parametrize(
    ("cls", "check", "words"),
    [
        (Peeking, "features use no later bar", "range_6 at "),
        (Blind, "features are missing across gaps", "is known at "),
    ],
)
def test_features_that_see_the_future_or_fill_gaps_stop_the_run(
    materialized: Workshop, tmp_path: Path, cls: type, check: str, words: str
) -> None:
    shop = materialized.copy(tmp_path / "work")
    outcome, made = _research(shop, ALGO_TRADER_FEATURES=f"standard,{reference(cls)}")
    assert outcome.error is not None
    assert check in outcome.error.message
    assert words in outcome.error.message
    assert made <= {"features", "labels"}


@pytest.mark.parametrize(("cls", "words"), [(Farsighted, "changes with bars after its horizon"), (Hasty, "is known")])
def test_a_label_that_looks_further_than_it_says_stops_the_run(
    materialized: Workshop, tmp_path: Path, cls: type, words: str
) -> None:
    shop = materialized.copy(tmp_path / "work")
    outcome, made = _research(shop, ALGO_TRADER_LABEL=reference(cls))
    assert outcome.error is not None
    assert "labels equal a second computation" in outcome.error.message
    assert words in outcome.error.message
    assert made <= {"features", "labels"}


def test_a_class_that_is_not_there_is_told_without_a_traceback(materialized: Workshop, tmp_path: Path) -> None:
    shop = materialized.copy(tmp_path / "work")
    done = shop.run("research", "--until", UNTIL, ALGO_TRADER_FEATURES="standard,no_such_module:Features")
    assert done.returncode == 1
    assert "ALGO_TRADER_FEATURES names the module 'no_such_module'" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout

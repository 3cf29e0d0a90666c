"""A model of the user's own in the gate and in comparisons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest

from algo_pipeline.common.config import Settings, load_settings
from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.defs.gate import champion_of
from algo_pipeline.defs.leaderboard_run import Wish
from algo_pipeline.defs.search_run import SearchWish
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.search_space import point_of, search_space
from algo_pipeline.research.splits import SplitRule
from algo_pipeline_tests.example_parts import MODEL, working_in
from algo_pipeline_tests.registry.samples import sample_bundle

OTHER = "never_imported:Model"


@dataclass(frozen=True)
class _Pipeline:
    def settings(self) -> Settings:
        return load_settings(env_file=None)


@pytest.fixture
def traded(tmp_path: Path) -> Iterator[Recipe]:
    with working_in(tmp_path):
        yield Recipe(MODEL, "shrunk", "direction_1h", SplitRule(n_folds=3), {"squash": 1.0})


def test_a_champion_whose_code_is_not_at_hand_is_no_champion_to_compare_with() -> None:
    bundle = sample_bundle()
    document = {**bundle.recipe_document, "model": {"kind": OTHER, "parameters": {}, "source_sha256": "0" * 64}}
    left = replace(bundle, recipe_document=document)
    nothing = cast(Any, None)
    assert champion_of(left, cast(Any, _Pipeline()), nothing, nothing, pd.DataFrame()) is None


def test_the_configured_model_takes_part_in_a_leaderboard_by_name_and_as_a_guest(traded: Recipe) -> None:
    named = Wish(("direction_1h",), (MODEL,), ("platt",)).line_up(traded)
    assert [recipe.describe() for recipe in named] == [
        "logistic+platt",
        "momentum_model:Momentum+platt",
        "momentum_model:Momentum+shrunk (squash=1.0)",
    ]
    guest = Wish(("direction_1h",), ("logistic",), ("platt",)).line_up(traded)
    assert guest[-1].model_kind == MODEL


def test_a_comparison_imports_no_class_that_settings_do_not_name(traded: Recipe) -> None:
    with pytest.raises(ConfigValueError, match="takes part where the settings name it"):
        Wish((), (OTHER,)).line_up(traded)
    with pytest.raises(ConfigValueError, match="Set ALGO_TRADER_MODEL=never_imported:Model"):
        SearchWish(OTHER, 10, 0).base(traded)


def test_a_search_of_the_users_own_model_varies_what_the_program_knows(traded: Recipe) -> None:
    assert set(search_space(MODEL)) == {"calibrator", "sample_weight"}
    assert SearchWish(MODEL, 10, 0).base(traded) == traded
    assert point_of(traded) == {"calibrator": "shrunk", "sample_weight": "none"}

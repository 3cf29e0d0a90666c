"""A label of the user's own: loaded, held to its horizon, and refused by name where it looks further."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.config import load_settings
from algo_pipeline.common.errors import ConfigValueError, DataValidationError, OtherCodeError, SettingsError
from algo_pipeline.data.label_name import label_name
from algo_pipeline.data.labels import LABEL_NAMES, LabelSpec, build_labels, label_spec
from algo_pipeline.data.own_label import (
    OwnLabel,
    all_labels,
    configured_label_spec,
    configured_own_label,
    recorded_label,
)
from algo_pipeline.research.leakage import judge_labels
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.splits import SplitPlan, SplitRule, walk_forward
from algo_pipeline_tests.market import random_bars, without_rows
from algo_pipeline_tests.own_parts import Farsighted, Hasty, LastHour, NamedLikeOurs, Return, UpInThree, reference

UP = reference(UpInThree)
BARS = without_rows(random_bars(900, seed=6), 500, 501, 640)


def own(cls: type = UpInThree) -> OwnLabel:
    found = configured_own_label(reference(cls))
    assert found is not None
    return found


def _violations(cls: type) -> str:
    label = own(cls)
    finding = judge_labels(all_labels(BARS, label), BARS, label)
    return "; ".join(finding.violations)


class TestDefinition:
    def test_settings_lead_to_it_and_to_its_name(self) -> None:
        spec = configured_label_spec(UP)
        assert (spec.name, spec.horizon_bars, spec.is_binary, spec.last_bar_read) == ("up_in_three", 3, True, 4)
        assert (spec.reference, len(spec.source_sha256)) == (UP, 64)
        assert label_name(UP) == "up_in_three"

    def test_a_built_in_label_is_as_before(self) -> None:
        assert configured_own_label("direction_1h") is None
        assert configured_label_spec("direction_1h") == label_spec("direction_1h")
        assert label_name("direction_4h") == "direction_4h"
        assert label_spec("direction_1h").to_document() == {
            "name": "direction_1h",
            "horizon_bars": 1,
            "kind": "direction",
        }

    def test_a_name_of_ours_is_refused(self) -> None:
        with pytest.raises(ConfigValueError, match="name of the label 'direction_1h' of this program"):
            own(NamedLikeOurs)

    @pytest.mark.parametrize(("name", "horizon"), [("up/down", 3), ("", 3), ("up", 0), ("up", 2.5)])
    def test_names_and_horizons_that_cant_be_are_refused(self, name: str, horizon: int) -> None:
        code = UpInThree()
        code.name, code.horizon_bars = name, horizon
        with pytest.raises(ConfigValueError, match=r"must be named by|needs a horizon of at least one bar"):
            OwnLabel.of(code, UP, "")

    def test_settings_suggest_the_nearest_label(self) -> None:
        with pytest.raises(SettingsError, match=r"ALGO_TRADER_LABEL.*did you mean 'direction_4h'"):
            load_settings(env_file=None, label="direction_4")

    def test_a_record_leads_to_code_only_where_settings_name_it_unchanged(self) -> None:
        spec = own().spec
        assert recorded_label(LabelSpec.from_document(spec.to_document()), {UP}) is not None
        assert recorded_label(label_spec("direction_1h"), ()) is None
        with pytest.raises(OtherCodeError, match="do not name"):
            recorded_label(spec, ())
        with pytest.raises(OtherCodeError, match="has changed since"):
            recorded_label(LabelSpec.from_document(spec.to_document() | {"source_sha256": "0" * 64}), {UP})


class TestLabels:
    def test_it_is_the_last_column_beside_ours_to_the_bit(self) -> None:
        found = all_labels(BARS, own())
        assert list(found.columns) == [*LABEL_NAMES, "up_in_three"]
        pd.testing.assert_frame_equal(found[list(LABEL_NAMES)], build_labels(BARS), check_exact=True)

    def test_anything_but_outcomes_is_refused(self) -> None:
        with pytest.raises(DataValidationError, match="0, 1 and NaN are expected, not"):
            own(Return).build(BARS)

    def test_one_bar_s_label_is_that_of_all(self) -> None:
        label, whole = own(), own().build(BARS)
        for row in (100, 300, 497, 505):
            found = label.of_bar(BARS.iloc[: row + 5], BARS.index[row])
            assert found == whole[row] or (np.isnan(found) and np.isnan(whole[row]))


class TestJudgement:
    def test_one_that_keeps_to_its_horizon_holds_and_says_what_was_tried(self) -> None:
        finding = judge_labels(all_labels(BARS, own()), BARS, own())
        assert finding.holds, finding.describe()
        assert "up_in_three keeps to its horizon in" in finding.describe()

    def test_one_that_looks_further_is_named(self) -> None:
        assert "farsighted at" in _violations(Farsighted)
        assert "changes with bars after its horizon of 1 h" in _violations(Farsighted)

    def test_one_that_answers_too_early_or_across_a_gap_is_named(self) -> None:
        found = _violations(Hasty)
        assert "is known although its horizon of 3 h misses a bar" in found
        assert "is known before its horizon of 3 h has closed" in found

    def test_one_of_the_past_leaks_nothing(self) -> None:
        assert _violations(LastHour) == ""  # useless, but no leak: the tests to inherit refuse it

    def test_a_stored_value_that_was_changed_is_named(self) -> None:
        stored = all_labels(BARS, own())
        stored.iloc[200, -1] = 1.0 - stored["up_in_three"].iloc[200]
        found = judge_labels(stored, BARS, own())
        assert f"up_in_three at {BARS.index[200]} is not what the bars give (1 such rows)" in found.violations

    def test_a_frame_without_it_is_named(self) -> None:
        assert not judge_labels(build_labels(BARS), BARS, own()).holds


class TestRecipe:
    def test_the_default_recipe_has_the_hash_it_always_had(self) -> None:
        assert Recipe().hash == "8ce6003d788d438fc411b4f1df4bbe7213f98cbf69f82b7d92fe63812458169e"

    def test_reference_and_source_are_part_of_its_identity(self) -> None:
        spec = own().spec
        one = Recipe(label=spec.name, own_label=spec)
        other = Recipe(label=spec.name, own_label=LabelSpec.from_document(spec.to_document() | {"source_sha256": "0"}))
        assert one.hash != other.hash
        assert Recipe.from_document(one.to_document(), {UP}) == one
        with pytest.raises(OtherCodeError):
            Recipe.from_document(one.to_document())

    def test_its_horizon_is_the_purge_and_plans_survive_their_documents(self) -> None:
        plan = walk_forward(3_000, own().spec, SplitRule(2))
        fold = plan.folds[0]
        assert fold.test.start - fold.calibration.stop == 4
        assert SplitPlan.from_json(plan.to_json()) == plan

"""Sets of features that settings name: joined in order, told apart by their source, and held to what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.config import load_settings
from algo_pipeline.common.errors import ConfigValueError, DataValidationError, OtherCodeError, SettingsError
from algo_pipeline.data.causality import differs
from algo_pipeline.data.feature_check import FeatureCheck
from algo_pipeline.data.feature_choice import STANDARD_CHOICE, FeatureChoice, SetIdentity, volatility_of
from algo_pipeline.data.feature_registry import FEATURE_NAMES, MAX_WARMUP_BARS
from algo_pipeline.data.feature_sets import STANDARD_SETS, FeatureSets, configured_features, recorded_features
from algo_pipeline.data.features import build_features
from algo_pipeline.data.live_features import LiveFeatures, newest_row
from algo_pipeline.interfaces.features import FeatureSpec
from algo_pipeline.research.leakage import judge_causality
from algo_pipeline_tests.market import random_bars, without_rows
from algo_pipeline_tests.own_parts import (
    Blind,
    Broken,
    HalfPrecision,
    LikeTheLabel,
    Misnamed,
    Moody,
    Other,
    Remembering,
    Scribbler,
    Small,
    reference,
)

SMALL = reference(Small)
BARS = without_rows(random_bars(900, seed=5), 700)


def sets(*classes: type) -> FeatureSets:
    return configured_features(("standard", *(reference(each) for each in classes)))


class TestMemory:
    def test_what_a_module_remembers_is_not_there_anew_and_the_used_one_stays(self) -> None:
        used = configured_features((reference(Remembering),))
        first = used.build(BARS)
        assert differs(used.build(BARS.iloc[:500]).to_numpy(), first.iloc[:500].to_numpy()).sum() == 0
        anew = used.anew()
        assert differs(anew.build(BARS.iloc[:500]).to_numpy()[-1], first.to_numpy()[499]).any()
        assert used.anew().choice == used.choice
        assert type(next(iter(used.own.values()))) is Remembering

    def test_a_feature_that_hides_a_look_ahead_in_its_memory_is_found_by_a_module_that_has_just_begun(self) -> None:
        used = configured_features((reference(Remembering),))
        features = used.build(BARS)
        warmup = used.warmup_bars
        assert judge_causality(used.build, BARS, features, warmup, lambda: used.anew().build).violations
        honest = configured_features((SMALL,))
        finding = judge_causality(honest.build, BARS, honest.build(BARS), warmup, lambda: honest.anew().build)
        assert not finding.violations


class TestJoining:
    def test_the_default_is_the_37_to_the_bit(self) -> None:
        assert configured_features(load_settings(env_file=None).features) is STANDARD_SETS
        pd.testing.assert_frame_equal(STANDARD_SETS.build(BARS), build_features(BARS), check_exact=True)
        assert STANDARD_SETS.warmup_bars == MAX_WARMUP_BARS
        assert STANDARD_SETS.choice == STANDARD_CHOICE

    def test_own_columns_follow_the_standard_ones_wherever_settings_name_them(self) -> None:
        for names in (("standard", SMALL), (SMALL, "standard")):
            made = configured_features(names).build(BARS)
            assert tuple(made.columns) == (*FEATURE_NAMES, "range_6", "ema_gap_4")
            pd.testing.assert_frame_equal(made[list(FEATURE_NAMES)], build_features(BARS), check_exact=True)

    def test_own_features_may_stand_alone(self) -> None:
        alone = configured_features((SMALL,))
        assert alone.columns == ("range_6", "ema_gap_4")
        assert (alone.warmup_bars, alone.window_bars) == (60, 6)
        assert not alone.has_standard

    def test_two_features_of_one_name_name_both_sets(self) -> None:
        with pytest.raises(ConfigValueError, match=r"own_parts:Small and .*own_parts:Other both have .*'range_6'"):
            sets(Small, Other)

    @pytest.mark.parametrize(
        ("specs", "problem"),
        [
            ((), "at least one FeatureSpec"),
            ((Small.specs[0], Small.specs[0]), "'range_6' twice"),
            ((replace(Small.specs[0], name="range 6"),), "letters, digits and _"),
            ((replace(Small.specs[0], warmup_bars=5),), "1 <= window_bars <= warmup_bars; found 6 and 5"),
        ],
    )
    def test_definitions_that_cant_be_are_refused(self, specs: tuple[FeatureSpec, ...], problem: str) -> None:
        class Odd(Small):
            pass

        Odd.specs = specs  # type: ignore[assignment]
        with pytest.raises(ConfigValueError, match=problem):
            FeatureSets({SetIdentity("odd:Odd"): Odd()})

    @pytest.mark.parametrize("value", ["standard,standard", "strandard", "", "my_module:", "a:B,a:B"])
    def test_settings_take_standard_and_references_each_once(self, value: str) -> None:
        with pytest.raises(SettingsError, match="ALGO_TRADER_FEATURES"):
            load_settings(env_file=None, features=value)


class TestOwnCode:
    @pytest.mark.parametrize(
        ("cls", "problem"),
        [
            (Broken, "can't be computed: .*own_parts.py, line .*KeyError: 'clsoe'"),
            (HalfPrecision, "float64 is expected; range_6 is float32"),
            (Misnamed, "columns range_6, ema_gap_4 are expected, not range_7, ema_gap_4"),
        ],
    )
    def test_what_breaks_or_returns_something_else_is_told_with_its_place(self, cls: type, problem: str) -> None:
        with pytest.raises(DataValidationError, match=problem):
            sets(cls).build(BARS)

    def test_writing_into_the_bars_harms_nobody_else(self) -> None:
        bars = BARS.copy()
        made = sets(Scribbler).build(bars)
        pd.testing.assert_frame_equal(bars, BARS, check_exact=True)
        pd.testing.assert_frame_equal(made[list(FEATURE_NAMES)], build_features(BARS), check_exact=True)

    def test_the_mask_hides_warm_up_and_gaps_and_nothing_else(self) -> None:
        made = configured_features((SMALL,)).build(BARS)
        assert list(np.flatnonzero(made["range_6"].isna())) == [*range(5), *range(700, 705)]
        assert list(np.flatnonzero(made["ema_gap_4"].isna())) == [*range(59), *range(700, 703)]


class TestRecords:
    def test_a_choice_survives_its_document_and_the_standard_one_is_as_before(self) -> None:
        choice = sets(Small).choice
        assert FeatureChoice.from_document(choice.to_document()) == choice
        assert STANDARD_CHOICE.to_document() == {"features": list(FEATURE_NAMES)}

    def test_a_record_leads_to_code_only_where_settings_name_it(self) -> None:
        choice = sets(Small).choice
        assert recorded_features(choice, {SMALL}).choice == choice
        with pytest.raises(OtherCodeError, match="settings of this machine do not name"):
            recorded_features(choice, {reference(Blind)})

    def test_a_record_of_another_source_is_refused(self) -> None:
        choice = sets(Small).choice
        older = replace(choice, sets=(choice.sets[0], SetIdentity(SMALL, "0" * 64)))
        with pytest.raises(OtherCodeError, match="has changed since"):
            recorded_features(older, {SMALL})

    def test_a_record_of_other_columns_is_refused(self) -> None:
        choice = sets(Small).choice
        with pytest.raises(OtherCodeError, match="other features"):
            recorded_features(replace(choice, columns=choice.columns[:-1]), {SMALL})

    def test_a_feature_named_like_the_label_is_refused(self) -> None:
        from algo_pipeline.research.recipe import Recipe

        with pytest.raises(ConfigValueError, match="name of the label 'direction_1h'"):
            Recipe(features=configured_features((reference(LikeTheLabel),)).choice)


class TestLive:
    @pytest.mark.parametrize("names", [("standard", SMALL), (SMALL,), ("standard",)])
    def test_hour_after_hour_the_row_is_research_s_to_the_bit(self, names: tuple[str, ...]) -> None:
        chosen = configured_features(names)
        batch, live = chosen.build(BARS), LiveFeatures(chosen)
        volatility = build_features(BARS)["realized_vol_24"].to_numpy()
        for n in (800, 801, 805, 806, len(BARS)):
            row = live.row(n, lambda first, n=n: BARS.iloc[first:n])  # type: ignore[misc]
            assert not differs(row[: len(chosen.columns)], batch.to_numpy()[n - 1]).any()
            assert volatility_of(chosen.columns, row) == volatility[n - 1]
            assert not differs(row, newest_row(chosen, BARS.iloc[:n])).any()

    def test_features_that_are_not_what_they_were_in_training_are_refused(self) -> None:
        chosen = sets(Moody)
        learnt = FeatureCheck.of(chosen.build(BARS.iloc[:850]), ("range_6", "ema_gap_4"))
        LiveFeatures(chosen, learnt).row(len(BARS), lambda first: BARS.iloc[first:])  # within 1e-9
        moved = BARS.assign(high=BARS["high"] * 1.001)
        with pytest.raises(DataValidationError, match=r"range_6 of .* UTC is .*, and was .* when the model learnt it"):
            LiveFeatures(chosen, learnt).row(len(BARS), lambda first: moved.iloc[first:])

    def test_a_check_survives_its_document_and_says_nothing_of_bars_that_are_not_there(self) -> None:
        made = configured_features((SMALL,)).build(BARS)
        check = FeatureCheck.of(made.iloc[:500], ("range_6",))
        assert FeatureCheck.from_document(check.to_document()) == check
        assert check.difference(made) is None
        assert check.difference(made.iloc[600:] + 1.0) is None
        assert check.difference(made + 1e-6) is not None

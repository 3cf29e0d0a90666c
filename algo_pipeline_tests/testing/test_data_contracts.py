"""The tests that users inherit find what they are there for: each is broken by a part that is wrong in its way."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from algo_pipeline.interfaces.features import FeatureSetInterface
from algo_pipeline.interfaces.label import LabelInterface
from algo_pipeline.testing.features import FeatureSetContract
from algo_pipeline.testing.label import LabelContract
from algo_pipeline_tests import own_parts

_SET = FeatureSetContract
_LABEL = LabelContract


class TestSmall(FeatureSetContract):
    def make(self) -> FeatureSetInterface:
        return own_parts.Small()


class TestUpInThree(LabelContract):
    def make(self) -> LabelInterface:
        return own_parts.UpInThree()


def _of_set(cls: type[FeatureSetInterface]) -> FeatureSetContract:
    class Inherited(FeatureSetContract):
        def make(self) -> FeatureSetInterface:
            return cls()

    return Inherited()


def _of_label(cls: type[LabelInterface]) -> LabelContract:
    class Inherited(LabelContract):
        def make(self) -> LabelInterface:
            return cls()

    return Inherited()


@pytest.mark.parametrize(
    ("test", "cls", "words"),
    [
        (_SET.test_its_definitions_can_be_used, own_parts.Misnumbered, "window_bars <= warmup_bars"),
        (_SET.test_it_gives_float64_columns_on_the_bars_own_index, own_parts.HalfPrecision, "float64 is expected"),
        (_SET.test_equal_bars_give_equal_features, own_parts.Moody, "range_6 changes when it is computed again"),
        (_SET.test_later_bars_change_nothing, own_parts.Peeking, "range_6 at"),
        (_SET.test_more_history_than_the_warm_up_changes_nothing_that_matters, own_parts.ShortWarmup, "ema_gap_4"),
        (_SET.test_features_are_missing_in_warm_up_and_across_gaps_and_nowhere_else, own_parts.Blind, "is known at"),
        (_SET.test_a_market_that_stands_still_has_features_too, own_parts.PerVolume, "per_volume is missing"),
        (_SET.test_a_live_hour_has_the_row_of_the_backtest, own_parts.Moody, "differs live"),
    ],
)
def test_a_set_that_is_wrong_fails(
    test: Callable[[FeatureSetContract], None], cls: type[FeatureSetInterface], words: str
) -> None:
    with pytest.raises(Exception, match=words):
        test(_of_set(cls))


@pytest.mark.parametrize(
    ("test", "cls", "words"),
    [
        (_LABEL.test_its_definition_can_be_used, own_parts.NamedLikeOurs, "of this program"),
        (_LABEL.test_it_gives_0_1_and_nan_on_the_bars_own_index, own_parts.Return, "0, 1 and NaN are expected"),
        (_LABEL.test_equal_bars_give_equal_labels, own_parts.Fickle, "changes when it is computed again"),
        (_LABEL.test_it_keeps_to_its_horizon, own_parts.Farsighted, "after its horizon of 1 h"),
        (_LABEL.test_both_outcomes_occur_and_most_bars_have_one, own_parts.Never, "both outcomes"),
        (_LABEL.test_it_depends_on_what_follows, own_parts.LastHour, "whatever followed"),
        (_LABEL.test_a_live_hour_has_the_label_of_the_backtest, own_parts.Farsighted, "live, and"),
    ],
)
def test_a_label_that_is_wrong_fails(
    test: Callable[[LabelContract], None], cls: type[LabelInterface], words: str
) -> None:
    with pytest.raises(Exception, match=words):
        test(_of_label(cls))

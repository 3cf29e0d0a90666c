from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import ConfigValueError, InsufficientHistoryError
from algo_pipeline.data.labels import LABELS, LabelSpec, label_spec
from algo_pipeline.research.combinatorial_splits import (
    CombinatorialPlan,
    CombinatorialRule,
    CombinatorialSplit,
    combinatorial_splits,
    combinatorial_violations,
    rows_of,
)
from algo_pipeline_tests.research.samples import hourly_index

HOUR, DAY = label_spec("direction_1h"), label_spec("direction_24h")

rules = st.builds(
    CombinatorialRule,
    n_groups=st.integers(4, 8),
    n_test_groups=st.integers(1, 3),
    embargo_bars=st.integers(168, 400),
    calibration_fraction=st.floats(0.1, 0.5),
)


def plan_or_reject(n_rows: int, label: LabelSpec, rule: CombinatorialRule) -> CombinatorialPlan:
    try:
        return combinatorial_splits(n_rows, label, rule)
    except InsufficientHistoryError:
        reject()


def test_splits_of_6000_rows_and_a_one_hour_label_are_these() -> None:
    plan = combinatorial_splits(6_000, HOUR, CombinatorialRule())
    assert plan.groups == tuple(slice(1_000 * g, 1_000 * (g + 1)) for g in range(6))
    # Groups 0 and 2 are tested: 2 rows purged before a block, 2 + 168 left out after it. Of 3,658 rows 732 calibrate.
    assert plan.splits[1] == CombinatorialSplit(
        (0, 2), (slice(1_170, 1_998), slice(3_170, 5_266)), (slice(5_268, 6_000),)
    )
    # Groups 0 and 5: 3,828 rows from 1,170 to 4,997, of which the last 766 calibrate.
    assert plan.splits[4] == CombinatorialSplit((0, 5), (slice(1_170, 4_230),), (slice(4_232, 4_998),))


def test_paths_of_six_groups_two_at_a_time_are_those_of_the_book() -> None:
    plan = combinatorial_splits(6_000, HOUR, CombinatorialRule())
    assert (plan.rule.n_splits, plan.rule.n_paths) == (15, 5)
    assert plan.paths.tolist() == [
        [0, 0, 1, 2, 3, 4],
        [1, 5, 5, 6, 7, 8],
        [2, 6, 9, 9, 10, 11],
        [3, 7, 10, 12, 12, 13],
        [4, 8, 11, 13, 14, 14],
    ]


def test_calibration_may_begin_in_an_earlier_part_and_go_on_in_a_later_one() -> None:
    split = combinatorial_splits(6_000, HOUR, CombinatorialRule(n_test_groups=1, calibration_fraction=0.3)).splits[4]
    assert split.test_groups == (4,)
    # 3,998 rows before the test, 830 after it; the last 1,448 calibrate: 618 before and 830 after.
    assert split.calibration == (slice(3_380, 3_998), slice(5_170, 6_000))
    assert split.base == (slice(0, 3_378),)


@settings(max_examples=80, deadline=None)
@given(n_rows=st.integers(4_000, 12_000), label=st.sampled_from(LABELS), rule=rules)
def test_a_row_trains_exactly_if_no_test_row_is_too_near(
    n_rows: int, label: LabelSpec, rule: CombinatorialRule
) -> None:
    plan = plan_or_reject(n_rows, label, rule)
    purge = 1 + label.horizon_bars
    for split in plan.splits[:: max(1, len(plan.splits) // 5)]:
        tested = rows_of(tuple(plan.groups[g] for g in split.test_groups))
        allowed = np.ones(n_rows, dtype=bool)
        for row in tested:
            allowed[max(0, row - purge) : row + purge + rule.embargo_bars + 1] = False
        train = np.flatnonzero(allowed)
        n_calibration = round(rule.calibration_fraction * len(train))
        np.testing.assert_array_equal(rows_of(split.calibration), train[len(train) - n_calibration :])
        base = train[: len(train) - n_calibration]
        np.testing.assert_array_equal(rows_of(split.base), base[base + purge < train[len(train) - n_calibration]])


@settings(max_examples=80, deadline=None)
@given(n_rows=st.integers(4_000, 12_000), label=st.sampled_from(LABELS), rule=rules)
def test_every_path_covers_all_rows_once_and_nothing_leaks(
    n_rows: int, label: LabelSpec, rule: CombinatorialRule
) -> None:
    plan = plan_or_reject(n_rows, label, rule)
    assert combinatorial_violations(plan, hourly_index(n_rows)) == ()
    np.testing.assert_array_equal(rows_of(plan.groups), np.arange(n_rows))
    assert len(plan.splits) == rule.n_splits == math.comb(rule.n_groups, rule.n_test_groups)
    assert plan.paths.shape == (rule.n_paths, rule.n_groups)
    for path, group in itertools.product(range(rule.n_paths), range(rule.n_groups)):
        assert group in plan.splits[plan.paths[path, group]].test_groups
    used = [(int(split), group) for path in plan.paths for group, split in enumerate(path)]
    assert len(set(used)) == len(used) == rule.n_splits * rule.n_test_groups


def tampered(plan: CombinatorialPlan, number: int, **parts: tuple[slice, ...]) -> CombinatorialPlan:
    splits = list(plan.splits)
    splits[number] = dataclasses.replace(splits[number], **parts)
    return dataclasses.replace(plan, splits=tuple(splits))


@pytest.mark.parametrize("label", [HOUR, DAY])
class TestViolations:
    def plan(self, label: LabelSpec) -> CombinatorialPlan:
        return combinatorial_splits(6_000, label, CombinatorialRule())

    def test_a_purge_one_row_short_is_named(self, label: LabelSpec) -> None:
        plan = self.plan(label)
        first, second = plan.splits[1].base
        found = combinatorial_violations(tampered(plan, 1, base=(slice(first.start, first.stop + 1), second)))
        assert [(each.fold, each.earlier, each.later) for each in found] == [(1, "base", "test")]

    def test_an_embargo_one_row_short_is_named(self, label: LabelSpec) -> None:
        plan = self.plan(label)
        first, second = plan.splits[1].base
        found = combinatorial_violations(tampered(plan, 1, base=(first, slice(second.start - 1, second.stop))))
        assert [(each.fold, each.earlier, each.later) for each in found] == [(1, "test", "base")]

    def test_a_gap_to_the_calibrator_one_row_short_is_named(self, label: LabelSpec) -> None:
        plan = self.plan(label)
        first, second = plan.splits[1].base
        found = combinatorial_violations(tampered(plan, 1, base=(first, slice(second.start, second.stop + 1))))
        assert [(each.fold, each.earlier, each.later) for each in found] == [(1, "base", "calibration")]

    def test_training_on_tested_rows_is_named(self, label: LabelSpec) -> None:
        plan = self.plan(label)
        whole = dataclasses.replace(plan.splits[0], base=(slice(0, 5_000),))
        assert combinatorial_violations(dataclasses.replace(plan, splits=(whole,)))

    def test_hours_that_are_nearer_than_their_rows_are_named(self, label: LabelSpec) -> None:
        plan = self.plan(label)
        denser = pd.date_range("2022-01-01", periods=6_000, freq="30min", tz="UTC")
        assert combinatorial_violations(plan) == ()
        assert {each.later for each in combinatorial_violations(plan, denser)} == {"test", "base", "calibration"}

    def test_missing_hours_only_widen_the_distance(self, label: LabelSpec) -> None:
        assert combinatorial_violations(self.plan(label), hourly_index(6_000, tuple(range(990, 1_200)))) == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_groups", 1),
        ("n_test_groups", 0),
        ("n_test_groups", 6),
        ("embargo_bars", 167),
        ("calibration_fraction", 0.0),
        ("calibration_fraction", 1.0),
    ],
)
def test_a_rule_that_could_leak_or_test_nothing_is_refused(field: str, value: float) -> None:
    with pytest.raises(ConfigValueError, match=field):
        CombinatorialRule(**{field: value})  # type: ignore[arg-type]


def test_more_models_than_anyone_would_fit_are_refused() -> None:
    with pytest.raises(ConfigValueError, match="splits"):
        CombinatorialRule(n_groups=20, n_test_groups=10)


def test_too_few_rows_are_refused_by_the_split_that_lacks_them() -> None:
    with pytest.raises(InsufficientHistoryError, match=r"tests groups \(\d, \d\)"):
        combinatorial_splits(1_200, HOUR, CombinatorialRule())

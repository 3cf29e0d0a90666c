from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import ConfigValueError, InsufficientHistoryError
from algo_pipeline.data.labels import LABELS, LabelSpec, label_spec
from algo_pipeline.research.splits import (
    MIN_BASE_ROWS,
    MIN_CALIBRATION_ROWS,
    Fold,
    SplitPlan,
    SplitRule,
    purge_violations,
    rows_needed,
    walk_forward,
)
from algo_pipeline_tests.research.samples import hourly_index

HOUR, DAY = label_spec("direction_1h"), label_spec("direction_24h")

rules = st.builds(
    SplitRule,
    n_folds=st.integers(1, 12),
    test_fraction=st.floats(0.05, 0.9),
    window_rows=st.none() | st.integers(700, 6000),
    calibration_fraction=st.floats(0.1, 0.5),
)


def plan_or_reject(n_rows: int, label: LabelSpec, rule: SplitRule) -> SplitPlan:
    try:
        return walk_forward(n_rows, label, rule)
    except (InsufficientHistoryError, ConfigValueError):
        reject()


def test_folds_of_2000_rows_and_a_one_hour_label_are_these() -> None:
    plan = walk_forward(2000, HOUR, SplitRule())
    assert plan.folds[0] == Fold(slice(0, 636), slice(638, 798), slice(800, 950))
    assert plan.folds[1] == Fold(slice(0, 756), slice(758, 948), slice(950, 1100))
    assert plan.folds[7] == Fold(slice(0, 1476), slice(1478, 1848), slice(1850, 2000))
    assert plan.production == Fold(slice(0, 1598), slice(1600, 2000), slice(2000, 2000))


def test_folds_of_2000_rows_and_a_24_hour_label_leave_25_rows_between_their_parts() -> None:
    plan = walk_forward(2000, DAY, SplitRule(n_folds=2))
    assert plan.folds == (
        Fold(slice(0, 595), slice(620, 775), slice(800, 1400)),
        Fold(slice(0, 1075), slice(1100, 1375), slice(1400, 2000)),
    )
    assert plan.production == Fold(slice(0, 1575), slice(1600, 2000), slice(2000, 2000))


def test_rolling_folds_keep_the_last_window_rows_of_the_expanding_ones() -> None:
    plan = walk_forward(2000, HOUR, SplitRule(n_folds=3, window_rows=1000))
    assert plan.folds == (
        Fold(slice(0, 636), slice(638, 798), slice(800, 1200)),
        Fold(slice(198, 996), slice(998, 1198), slice(1200, 1600)),
        Fold(slice(598, 1396), slice(1398, 1598), slice(1600, 2000)),
    )
    assert plan.production == Fold(slice(1000, 1798), slice(1800, 2000), slice(2000, 2000))


def test_a_remainder_is_spread_so_that_test_blocks_differ_by_one_row() -> None:
    plan = walk_forward(2003, HOUR, SplitRule(n_folds=8))
    sizes = [fold.test.stop - fold.test.start for fold in plan.folds]
    assert sum(sizes) == round(0.6 * 2003)
    assert set(sizes) == {150, 151}


@settings(max_examples=150, deadline=None)
@given(n_rows=st.integers(1500, 20_000), label=st.sampled_from(LABELS), rule=rules)
def test_the_purge_is_kept_in_every_fold_and_mode(n_rows: int, label: LabelSpec, rule: SplitRule) -> None:
    plan = plan_or_reject(n_rows, label, rule)
    horizon = label.horizon_bars
    for fold in plan.all_folds:
        assert fold.base.stop - 1 + 1 + horizon < fold.calibration.start
        if fold is not plan.production:
            assert fold.calibration.stop - 1 + 1 + horizon < fold.test.start
    assert purge_violations(plan) == ()


@settings(max_examples=100, deadline=None)
@given(n_rows=st.integers(1500, 20_000), label=st.sampled_from(LABELS), rule=rules)
def test_no_more_than_the_purge_is_given_away(n_rows: int, label: LabelSpec, rule: SplitRule) -> None:
    plan = plan_or_reject(n_rows, label, rule)
    for fold in plan.all_folds:
        assert fold.calibration.start - fold.base.stop == label.horizon_bars + 1
    for fold in plan.folds:
        assert fold.test.start - fold.calibration.stop == label.horizon_bars + 1
    assert plan.production.calibration.stop == n_rows


@settings(max_examples=100, deadline=None)
@given(n_rows=st.integers(1500, 20_000), label=st.sampled_from(LABELS), rule=rules)
def test_test_blocks_are_contiguous_equal_and_end_with_the_last_row(
    n_rows: int, label: LabelSpec, rule: SplitRule
) -> None:
    plan = plan_or_reject(n_rows, label, rule)
    blocks = [fold.test for fold in plan.folds]
    assert [block.stop for block in blocks[:-1]] == [block.start for block in blocks[1:]]
    assert blocks[-1].stop == n_rows
    assert n_rows - blocks[0].start == round(rule.test_fraction * n_rows)
    sizes = {block.stop - block.start for block in blocks}
    assert max(sizes) - min(sizes) <= 1


@settings(max_examples=60, deadline=None)
@given(n_rows=st.integers(1500, 20_000), label=st.sampled_from(LABELS), rule=rules)
def test_a_fold_does_not_depend_on_rows_that_come_after_its_test_block(
    n_rows: int, label: LabelSpec, rule: SplitRule
) -> None:
    plan = plan_or_reject(n_rows, label, replace(rule, window_rows=None))
    for fold in plan.all_folds:
        assert fold.base.start == 0
        train_stop = fold.calibration.stop
        assert fold.calibration.stop - fold.calibration.start == round(rule.calibration_fraction * train_stop)


@settings(max_examples=60, deadline=None)
@given(label=st.sampled_from(LABELS), rule=rules)
def test_rows_needed_is_enough_and_one_row_less_is_not(label: LabelSpec, rule: SplitRule) -> None:
    try:
        needed = rows_needed(label, rule)
    except ConfigValueError:
        reject()
    assert walk_forward(needed, label, rule).n_rows == needed
    with pytest.raises(InsufficientHistoryError, match=f"at least {needed} rows"):
        walk_forward(needed - 1, label, rule)


def test_every_fold_has_rows_enough_to_fit_and_to_calibrate() -> None:
    plan = walk_forward(rows_needed(DAY, SplitRule()), DAY, SplitRule())
    for fold in plan.all_folds:
        assert fold.base.stop - fold.base.start >= MIN_BASE_ROWS
        assert fold.calibration.stop - fold.calibration.start >= MIN_CALIBRATION_ROWS


def test_a_rolling_window_that_no_history_can_fill_is_refused_by_name() -> None:
    with pytest.raises(ConfigValueError, match="rolling window of 300 rows"):
        walk_forward(100_000, HOUR, SplitRule(window_rows=300))


def test_the_rule_has_no_field_for_a_purge() -> None:
    assert {field.name for field in fields(SplitRule)} == {
        "n_folds",
        "test_fraction",
        "window_rows",
        "calibration_fraction",
    }


@pytest.mark.parametrize(
    "values",
    [
        {"n_folds": 0},
        {"n_folds": True},
        {"test_fraction": 0.0},
        {"test_fraction": 1.0},
        {"calibration_fraction": -0.1},
        {"window_rows": 0},
        {"window_rows": 12.5},
    ],
    ids=str,
)
def test_an_impossible_rule_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigValueError, match=next(iter(values))):
        SplitRule(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", [SplitRule(), SplitRule(n_folds=3, window_rows=1000)], ids=["expanding", "rolling"])
def test_a_plan_survives_a_round_trip_through_json(rule: SplitRule) -> None:
    plan = walk_forward(3000, DAY, rule)
    assert SplitPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def broken(plan: SplitPlan, **parts: slice) -> SplitPlan:
    return replace(plan, folds=(replace(plan.folds[0], **parts), *plan.folds[1:]))


@pytest.mark.parametrize("label", [HOUR, DAY], ids=lambda label: label.name)
def test_a_purge_one_row_short_is_found_in_either_gap(label: LabelSpec) -> None:
    plan = walk_forward(3000, label, SplitRule())
    fold = plan.folds[0]
    late_base = broken(plan, base=slice(0, fold.base.stop + 1))
    late_tail = broken(plan, calibration=slice(fold.calibration.start, fold.calibration.stop + 1))
    assert [(v.fold, v.earlier, v.later) for v in purge_violations(late_base)] == [(0, "base", "calibration")]
    assert [(v.fold, v.earlier, v.later) for v in purge_violations(late_tail)] == [(0, "calibration", "test")]


def test_training_after_the_test_block_is_a_violation() -> None:
    plan = walk_forward(3000, HOUR, SplitRule())
    later = broken(plan, base=slice(2000, 2500), calibration=slice(2502, 2600))
    found = {(v.earlier, v.later) for v in purge_violations(later)}
    assert found == {("base", "test"), ("calibration", "test")}


def test_the_production_fold_is_checked_too() -> None:
    plan = walk_forward(3000, HOUR, SplitRule())
    fold = replace(plan.production, base=slice(0, plan.production.calibration.start))
    assert [v.fold for v in purge_violations(replace(plan, production=fold))] == [8]


@settings(max_examples=60, deadline=None)
@given(missing=st.sets(st.integers(1, 3000), max_size=200), label=st.sampled_from(LABELS))
def test_with_hours_missing_the_rule_holds_in_time_as_well(missing: set[int], label: LabelSpec) -> None:
    plan = walk_forward(3001, label, SplitRule())
    index = hourly_index(3001, tuple(sorted(missing)))
    assert purge_violations(plan, index) == ()
    for fold in plan.folds:
        gap = index[fold.test.start] - index[fold.calibration.stop - 1]
        assert gap.total_seconds() / 3600 > 1 + label.horizon_bars


def test_a_label_that_ends_just_as_the_test_block_opens_is_found_in_time() -> None:
    plan = walk_forward(3000, HOUR, SplitRule())
    first = plan.folds[0].test.start
    stamps = hourly_index(3000).tz_localize(None).to_numpy().copy()
    stamps[first:] -= np.timedelta64(1, "h")
    found = purge_violations(plan, pd.DatetimeIndex(stamps, tz="UTC"))
    assert [(v.fold, v.earlier, v.later) for v in found] == [(0, "calibration", "test")]


def test_rows_outside_the_dataset_are_a_violation() -> None:
    plan = walk_forward(3000, HOUR, SplitRule())
    found = purge_violations(replace(plan, n_rows=2900), hourly_index(2900))
    assert found
    assert "outside the 2900 rows" in str(found[0])

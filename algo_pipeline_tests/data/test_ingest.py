from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.schemas import empty_bars, validate_bars
from algo_pipeline.data.ingest import (
    Gap,
    Span,
    closed_within,
    conflicting_rows,
    contradicted_rows,
    find_gaps,
    merge_bars,
    spans_to_fetch,
)
from algo_pipeline_tests.market import random_bars, without_rows

HOUR = pd.Timedelta(hours=1)
START = pd.Timestamp("2024-01-01", tz="UTC")


def at(hour: int) -> pd.Timestamp:
    return START + hour * HOUR


def span(first: int, end: int) -> Span:
    return Span(at(first), at(end))


def test_gaps_are_named_by_their_first_and_last_missing_bar() -> None:
    bars = without_rows(random_bars(10), 3, 6, 7)
    gaps = find_gaps(bars)
    assert gaps == (Gap(at(3), at(3)), Gap(at(6), at(7)))
    assert [gap.n_bars for gap in gaps] == [1, 2]
    assert str(gaps[1]) == "2 hours from 2024-01-01T06:00Z"


@pytest.mark.parametrize("n", [0, 1, 5])
def test_an_unbroken_history_has_no_gap(n: int) -> None:
    assert find_gaps(random_bars(max(n, 1)).iloc[:n]) == ()


@settings(deadline=None, max_examples=50)
@given(present=st.sets(st.integers(0, 40), min_size=2))
def test_gaps_and_bars_together_are_every_hour_once(present: set[int]) -> None:
    hours = sorted(present)
    gaps = find_gaps(random_bars(41).iloc[hours])
    missing = [hour for gap in gaps for hour in pd.date_range(gap.start, gap.end, freq="h")]
    assert missing == [at(hour) for hour in range(hours[0], hours[-1]) if hour not in present]


def test_where_old_and_new_overlap_the_old_bar_stays() -> None:
    old, new = random_bars(6, seed=1).iloc[:4], random_bars(6, seed=2).iloc[2:]
    merged = merge_bars(old, new)
    pd.testing.assert_frame_equal(merged.iloc[:4], old, check_freq=False)
    pd.testing.assert_frame_equal(merged.iloc[4:], new.iloc[2:], check_freq=False)


@settings(deadline=None, max_examples=50)
@given(old=st.sets(st.integers(0, 30)), new=st.sets(st.integers(0, 30)))
def test_merging_is_the_union_in_order_and_merging_again_changes_nothing(old: set[int], new: set[int]) -> None:
    bars = random_bars(31)
    before, after = bars.iloc[sorted(old)], bars.iloc[sorted(new)]
    merged = merge_bars(before, after)
    pd.testing.assert_frame_equal(merged, bars.iloc[sorted(old | new)], check_freq=False)
    pd.testing.assert_frame_equal(merge_bars(merged, after), merged, check_freq=False)
    validate_bars(merged)


def test_conflicts_are_the_shared_hours_with_other_values() -> None:
    old = random_bars(5)
    new = old.iloc[1:].copy()
    new.iloc[0, 3] += 1e-9
    new.iloc[2, 4] = np.nan
    assert conflicting_rows(old, new).tolist() == [True, False, True, False]
    assert conflicting_rows(new, new).tolist() == [False] * 4
    assert conflicting_rows(empty_bars(), new).tolist() == [False] * 4
    assert conflicting_rows(old, empty_bars()).tolist() == []


def test_a_bar_is_kept_only_if_it_is_closed_at_the_end() -> None:
    bars = random_bars(5)
    kept = closed_within(bars, at(1), at(4) - pd.Timedelta(seconds=1))
    assert list(kept.index) == [at(1), at(2)]
    assert list(closed_within(bars, at(1), at(4)).index) == [at(1), at(2), at(3)]


def test_rows_lacking_or_changed_in_a_whole_answer_are_contradicted() -> None:
    market = random_bars(9)
    stored = market.iloc[:6]
    changed = without_rows(stored, 2).copy()
    changed.loc[at(4), "close"] *= 1.01
    assert np.flatnonzero(contradicted_rows(stored, changed, at(0))).tolist() == [2, 4]
    assert np.flatnonzero(contradicted_rows(stored, changed, at(3))).tolist() == [4]
    assert not contradicted_rows(stored, market, at(0)).any()


def test_an_answer_without_any_stored_row_contradicts_all_however_old_they_are() -> None:
    market = random_bars(9)
    assert contradicted_rows(market.iloc[:4], market.iloc[4:], at(6)).tolist() == [True] * 4
    assert contradicted_rows(market.iloc[:4], market.iloc[3:], at(6)).tolist() == [False] * 4
    assert contradicted_rows(empty_bars(), market, at(0)).tolist() == []


def test_chunks_cover_a_span_in_order_without_overlap() -> None:
    assert list(span(0, 7).chunks(3)) == [span(0, 3), span(3, 6), span(6, 7)]
    assert list(span(3, 3).chunks(3)) == []
    with pytest.raises(ConfigValueError):
        list(span(0, 7).chunks(0))


def test_with_nothing_stored_everything_is_fetched() -> None:
    assert spans_to_fetch(empty_bars(), span(0, 9), None, ()) == (span(0, 9),)


def test_head_gaps_and_tail_are_fetched_oldest_first() -> None:
    bars = without_rows(random_bars(10), 0, 1, 5)
    assert spans_to_fetch(bars, span(0, 20), None, ()) == (span(0, 2), span(5, 6), span(10, 20))


def test_what_was_asked_before_and_gaps_that_are_settled_are_not_asked_again() -> None:
    bars = without_rows(random_bars(10), 0, 1, 5)
    assert spans_to_fetch(bars, span(0, 20), at(0), find_gaps(bars)) == (span(10, 20),)
    assert spans_to_fetch(bars, span(-5, 10), at(0), find_gaps(bars)) == (span(-5, 2),)
    assert spans_to_fetch(bars, span(0, 10), at(0), find_gaps(bars)) == ()


@settings(deadline=None, max_examples=100)
@given(
    present=st.sets(st.integers(0, 30)),
    first=st.integers(-10, 20),
    n=st.integers(1, 40),
)
def test_what_is_fetched_and_what_is_stored_cover_what_is_wanted(present: set[int], first: int, n: int) -> None:
    market = random_bars(90, start="2023-12-31")
    bars = random_bars(31).iloc[sorted(present)]
    wanted = span(first, first + n)
    for _ in range(2):
        for piece in spans_to_fetch(bars, wanted, None, ()):
            bars = merge_bars(bars, closed_within(market, piece.start, piece.end))
    covered = closed_within(bars, wanted.start, wanted.end)
    assert len(covered) == n
    assert find_gaps(bars) == ()

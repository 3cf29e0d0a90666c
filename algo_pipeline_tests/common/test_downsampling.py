from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.common.downsampling import extreme_positions


def test_no_row_is_dropped_while_all_fit() -> None:
    assert extreme_positions(np.zeros((5, 1)), 5).tolist() == [0, 1, 2, 3, 4]


def test_each_bucket_keeps_its_lowest_and_highest_row_and_the_ends_stay() -> None:
    values = np.array([5.0, 1.0, 9.0, 5.0, 5.0, 2.0, 5.0, 8.0, 5.0, 5.0])
    assert extreme_positions(values[:, None], 6).tolist() == [0, 1, 2, 5, 7, 9]


@settings(max_examples=60, deadline=None)
@given(
    n_rows=st.integers(1, 3_000), n_columns=st.integers(1, 4), extra=st.integers(0, 400), seed=st.integers(0, 2**32 - 1)
)
def test_every_extreme_survives_within_the_bound(n_rows: int, n_columns: int, extra: int, seed: int) -> None:
    columns = np.random.default_rng(seed).normal(size=(n_rows, n_columns)).cumsum(axis=0)
    limit = 2 * n_columns + 2 + extra
    kept = extreme_positions(columns, limit)
    assert len(kept) <= limit
    assert (np.diff(kept) > 0).all()
    assert kept[0] == 0
    assert kept[-1] == n_rows - 1
    np.testing.assert_array_equal(columns[kept].min(axis=0), columns.min(axis=0))
    np.testing.assert_array_equal(columns[kept].max(axis=0), columns.max(axis=0))


@pytest.mark.parametrize("n_rows", [999, 1_000, 1_001])
def test_undefined_values_hide_no_extreme(n_rows: int) -> None:
    values = np.full(n_rows, np.nan)
    values[137], values[700] = -3.0, 4.0
    kept = extreme_positions(values[:, None], 20)
    assert {137, 700} <= set(kept.tolist())

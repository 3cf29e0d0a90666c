from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from scipy.stats import t as student

from algo_pipeline.research.comparisons import corrected_comparisons, holm
from algo_pipeline.research.statistics import bootstrap_means


def noise(n: int, seed: int, mean: float = 0.0, memory: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shocks = rng.normal(size=n)
    values = np.empty(n)
    values[0] = shocks[0]
    for row in range(1, n):
        values[row] = memory * values[row - 1] + math.sqrt(1.0 - memory**2) * shocks[row]
    return mean + values


def test_holm_multiplies_by_the_hypotheses_left_and_never_falls() -> None:
    # 4·.005, 3·.01, 2·.03, 1·.04, the last raised to the one before.
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_array_equal(holm(np.array([0.9, 0.8])), [1.0, 1.0])
    assert holm(np.array([])).shape == (0,)


def test_the_p_value_is_students_of_the_bootstrapped_standard_error() -> None:
    values = noise(400, seed=3, mean=0.12)
    (found,) = corrected_comparisons([values], n_resamples=199, seed=5)
    error = bootstrap_means(values, 199, 5).std(ddof=1)
    freedom = 400 / 25 - 1  # blocks of the shortest mean length, less one
    assert found.p_value == pytest.approx(2 * student.sf(values.mean() / error, freedom))
    assert found.adjusted_p_value == found.p_value
    margin = student.ppf(0.975, freedom) * error
    assert found.paired.interval.lower == pytest.approx(values.mean() - margin)
    assert found.paired.interval.upper == pytest.approx(values.mean() + margin)
    assert (found.paired.n, found.n_comparisons) == (400, 1)


@settings(max_examples=60, deadline=None)
@given(
    means=st.lists(st.floats(-0.3, 0.3), min_size=1, max_size=8),
    seed=st.integers(0, 2**16),
)
def test_an_interval_leaves_out_zero_exactly_where_the_corrected_p_value_is_small(
    means: list[float], seed: int
) -> None:
    differences = [noise(300, seed + number, mean) for number, mean in enumerate(means)]
    for found in corrected_comparisons(differences, n_resamples=999, seed=seed):
        assert (found.paired.is_better or found.paired.is_worse) == (found.adjusted_p_value < 0.05)
        assert found.paired.interval.lower <= found.paired.interval.upper
        assert found.p_value <= found.adjusted_p_value


def test_a_candidate_equal_to_its_reference_is_told_apart_by_nothing() -> None:
    (found,) = corrected_comparisons([np.zeros(200)], n_resamples=99)
    assert (found.p_value, found.adjusted_p_value) == (1.0, 1.0)
    assert (found.paired.interval.lower, found.paired.interval.upper) == (0.0, 0.0)
    assert not found.paired.is_better
    assert not found.paired.is_worse


def test_one_finding_among_many_needs_more_than_alone() -> None:
    strong, others = noise(500, seed=1, mean=-0.08), [noise(500, seed) for seed in range(2, 12)]
    (alone,) = corrected_comparisons([strong])
    among = corrected_comparisons([strong, *others])[0]
    assert alone.paired.is_better
    assert among.p_value == alone.p_value
    assert not among.paired.is_better
    assert among.paired.interval.level == pytest.approx(1.0 - 0.05 / 11)


def test_a_constant_difference_needs_no_resamples_to_count() -> None:
    (found,) = corrected_comparisons([np.full(200, -0.25)], n_resamples=99)
    assert found.p_value == 0.0
    assert found.paired.interval.lower == pytest.approx(-0.25)
    assert found.paired.is_better


def test_on_equal_candidates_any_is_told_apart_in_about_five_percent_of_boards() -> None:
    boards, false = 120, 0
    for board in range(boards):
        differences = [noise(1_500, 1_000 * board + number, memory=0.5) for number in range(8)]
        found = corrected_comparisons(differences, n_resamples=500, seed=board)
        false += any(each.paired.is_better or each.paired.is_worse for each in found)
    assert 1 <= false <= binom.ppf(0.99, boards, 0.05)

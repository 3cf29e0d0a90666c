"""Window kernels: worked examples, slow twins, independence of what lies outside the window."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from algo_pipeline.data.rolling import window_mean_deviation, window_moments, window_sum, zero_run

LENGTHS = np.array([2, 3, 6])
values = hnp.arrays(np.float64, st.integers(0, 60), elements=st.floats(-1e6, 1e6, allow_subnormal=False))


def test_moments_of_a_worked_example():
    offsets, squares = window_moments(np.array([1.0, 2.0, 6.0]), np.array([2, 3]))
    np.testing.assert_array_equal(offsets, [[np.nan, -0.5, -2.0], [np.nan, np.nan, -3.0]])
    np.testing.assert_array_equal(squares, [[np.nan, 0.5, 8.0], [np.nan, np.nan, 14.0]])


def test_sum_and_mean_deviation_of_a_worked_example():
    x = np.array([1.0, 2.0, 6.0, 3.0])
    np.testing.assert_array_equal(window_sum(x, 3), [np.nan, np.nan, 9.0, 11.0])
    offsets, deviations = window_mean_deviation(x, 3)
    np.testing.assert_allclose(offsets, [np.nan, np.nan, -3.0, 2.0 / 3.0])
    np.testing.assert_allclose(deviations, [np.nan, np.nan, 2.0, 14.0 / 9.0])


def test_zero_run_counts_unbroken_zeros():
    np.testing.assert_array_equal(zero_run(np.array([np.nan, 0.0, -0.0, 1.0, 0.0])), [0, 1, 2, 0, 1])


@given(values)
@settings(max_examples=60, deadline=None)
def test_moments_equal_exact_arithmetic(x):
    offsets, squares = window_moments(x, LENGTHS)
    for k, length in enumerate(LENGTHS):
        assert np.isnan(offsets[k, : length - 1]).all()
        for row in range(length - 1, x.size):
            window = [Fraction(value) for value in x[row + 1 - length : row + 1]]
            mean = sum(window) / length
            scale = float(max(abs(value - window[-1]) for value in window))
            assert offsets[k, row] == pytest.approx(float(mean - window[-1]), abs=1e-14 * scale)
            assert squares[k, row] == pytest.approx(float(sum((v - mean) ** 2 for v in window)), rel=1e-13)


@pytest.mark.parametrize("n", [0, 1, 5, 167, 168, 511, 512, 513, 1500])
def test_every_size_around_a_block_equals_pandas(n):
    x = np.random.default_rng(n).normal(size=n)
    offsets, squares = window_moments(x, np.array([20, 168]))
    for k, length in enumerate((20, 168)):
        rolling = pd.Series(x, dtype=float).rolling(length)
        np.testing.assert_allclose(offsets[k] + x, rolling.mean(), atol=1e-12)
        np.testing.assert_allclose(np.sqrt(squares[k] / length), rolling.std(ddof=0), atol=1e-12)
    np.testing.assert_allclose(window_sum(x, 20), pd.Series(x, dtype=float).rolling(20).sum(), atol=1e-12)
    deviations = window_mean_deviation(x, 20)[1]
    slow = pd.Series(x, dtype=float).rolling(20).apply(lambda w: np.abs(w - w.mean()).mean(), raw=True)
    np.testing.assert_allclose(deviations, slow, atol=1e-12)


@pytest.mark.parametrize("start", [1, 3, 255, 700])
def test_a_window_gives_the_same_bits_wherever_the_history_starts(start):
    x = np.random.default_rng(1).lognormal(size=2000)
    for kernel in (
        lambda v: window_moments(v, np.array([24, 168]))[0][1],
        lambda v: window_moments(v, np.array([24, 168]))[1][0],
        lambda v: window_sum(v, 24),
        lambda v: window_mean_deviation(v, 20)[1],
    ):
        np.testing.assert_array_equal(kernel(x[start:])[200:], kernel(x)[start + 200 :])


@pytest.mark.parametrize("spike", [1e12, 1e300, np.nan])
def test_a_spike_is_gone_when_its_window_is(spike):
    x = np.random.default_rng(2).lognormal(size=1200)
    spiked = x.copy()
    spiked[600] = spike
    np.testing.assert_array_equal(
        window_moments(spiked, np.array([168]))[1][0, 768:], window_moments(x, np.array([168]))[1][0, 768:]
    )
    np.testing.assert_array_equal(window_sum(spiked, 24)[624:], window_sum(x, 24)[624:])
    np.testing.assert_array_equal(window_mean_deviation(spiked, 20)[1][620:], window_mean_deviation(x, 20)[1][620:])


@pytest.mark.parametrize("level", [0.1, 7189.43, 1e-8, 1e12])
def test_a_flat_window_has_no_deviation_at_all(level):
    x = np.full(300, level)
    offsets, squares = window_moments(x, np.array([168]))
    assert set(offsets[0, 167:]) == {0.0}
    assert set(squares[0, 167:]) == {0.0}
    assert set(window_mean_deviation(x, 20)[1][19:]) == {0.0}


@pytest.mark.parametrize("where", [0, 84, 167])
def test_an_outlier_costs_at_most_a_factor_n_of_precision(where):
    x = np.full(168, 3.0)
    x[where] = 1e15
    exact = (1e15 - 3.0) ** 2 * 167 / 168
    assert window_moments(x, np.array([168]))[1][0, -1] == pytest.approx(exact, rel=168**2 * np.finfo(float).eps)

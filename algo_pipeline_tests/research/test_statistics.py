from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from algo_pipeline.common.errors import ConfigValueError, InsufficientHistoryError
from algo_pipeline.research.resampling import draw_blocks
from algo_pipeline.research.statistics import (
    bootstrap_means,
    compare_log_loss,
    compare_with_base_rate,
    log_losses,
    mean_block_bars,
    mean_interval,
    percentile_interval,
)
from algo_pipeline_tests.research.samples import calibrated_forecasts, forecast_frame


def autoregressive(rng: np.random.Generator, n: int, memory: float) -> np.ndarray:
    """A stationary series with mean zero, unit innovations and the given lag-one correlation."""
    innovations = rng.normal(size=n)
    innovations[0] /= np.sqrt(1 - memory**2)
    return lfilter([1.0], [1.0, -memory], innovations)


def blocks_of(n: int, mean_block: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    starts, lengths = np.empty(n, np.int64), np.empty(n, np.int64)
    count = draw_blocks(np.random.default_rng(seed), mean_block, starts, lengths)
    return starts[:count], lengths[:count]


@settings(max_examples=100, deadline=None)
@given(n=st.integers(1, 500), mean_block=st.integers(1, 200), seed=st.integers(0, 10_000))
def test_blocks_cover_exactly_n_rows_and_start_inside_them(n: int, mean_block: int, seed: int) -> None:
    starts, lengths = blocks_of(n, mean_block, seed)
    assert lengths.sum() == n
    assert lengths.min() >= 1
    assert 0 <= starts.min() <= starts.max() < n


def test_block_lengths_are_geometric_and_starts_uniform() -> None:
    starts, lengths = blocks_of(2_000_000, 50, 1)
    assert lengths.mean() == pytest.approx(50.0, rel=0.03)
    assert (lengths == 1).mean() == pytest.approx(1 / 50, rel=0.1)
    assert lengths.std() == pytest.approx(np.sqrt(50 * 49), rel=0.05)
    assert starts.mean() == pytest.approx(1_000_000, rel=0.03)


def slow_means(values: np.ndarray, n_resamples: int, seed: int, mean_block: int) -> np.ndarray:
    """The stationary bootstrap, row by row."""
    n, rng, means = len(values), np.random.default_rng(seed), []
    for _ in range(n_resamples):
        rows: list[int] = []
        while len(rows) < n:
            start, length = int(rng.integers(0, n)), int(rng.geometric(1.0 / mean_block))
            rows.extend((start + k) % n for k in range(min(length, n - len(rows))))
        means.append(values[rows].mean())
    return np.array(means)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 200), mean_block=st.integers(1, 60), seed=st.integers(0, 10_000))
def test_the_compiled_bootstrap_equals_the_obvious_one(n: int, mean_block: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(5.0, 2.0, n)
    np.testing.assert_allclose(
        bootstrap_means(values, 20, seed, mean_block), slow_means(values, 20, seed, mean_block), atol=1e-12
    )


def test_equal_seeds_give_equal_resamples_and_others_do_not() -> None:
    values = np.random.default_rng(0).normal(size=500)
    np.testing.assert_array_equal(bootstrap_means(values, 50, 1), bootstrap_means(values, 50, 1))
    assert not np.array_equal(bootstrap_means(values, 50, 1), bootstrap_means(values, 50, 2))


def test_blocks_of_one_row_give_the_textbook_standard_error() -> None:
    values = np.random.default_rng(4).normal(size=2000)
    assert bootstrap_means(values, 4000, 0, mean_block=1).std() == pytest.approx(values.std() / np.sqrt(2000), rel=0.05)


def coverage(memory: float, mean_block: int | None, n_series: int, n: int = 4000) -> float:
    rng = np.random.default_rng(2024)
    hits = 0
    for seed in range(n_series):
        means = bootstrap_means(autoregressive(rng, n, memory), 300, seed, mean_block)
        interval = percentile_interval(means)
        hits += interval.lower <= 0.0 <= interval.upper
    return hits / n_series


def test_intervals_of_autocorrelated_means_cover_the_truth_nearly_as_often_as_they_say() -> None:
    # 300 series: Monte-Carlo error 0.013 at 0.95. With 24 blocks a percentile interval is known to be a little short.
    assert 0.89 <= coverage(0.8, None, n_series=300) <= 0.985


def test_intervals_that_ignore_autocorrelation_cover_it_far_too_rarely() -> None:
    assert coverage(0.8, 1, n_series=60, n=1000) < 0.75


def test_the_mean_block_is_a_week_or_a_twentieth_of_a_short_sample_but_spans_every_label() -> None:
    assert [mean_block_bars(n) for n in (100, 500, 1000, 3359, 3360, 22_000)] == [25, 25, 50, 167, 168, 168]


def test_log_loss_of_a_row_is_minus_the_log_of_what_its_outcome_was_given() -> None:
    losses = log_losses(np.array([0.8, 0.8, 0.5]), np.array([1.0, 0.0, 1.0]))
    np.testing.assert_allclose(losses, [-np.log(0.8), -np.log(0.2), np.log(2.0)])


def test_a_comparison_is_the_mean_of_paired_differences() -> None:
    outcome = np.array([1.0, 0.0, 1.0, 0.0])
    candidate = forecast_frame(np.array([0.8, 0.2, 0.8, 0.2]), outcome)
    paired = compare_log_loss(candidate, forecast_frame(np.full(4, 0.5), outcome))
    assert paired.mean_difference == pytest.approx(np.log(0.5) - np.log(0.8))
    assert paired.n == 4
    assert paired.is_better
    assert not paired.is_worse
    assert paired.interval.lower == pytest.approx(paired.mean_difference)


def test_swapping_candidate_and_reference_turns_the_sign_and_the_interval() -> None:
    candidate = calibrated_forecasts(2000, seed=1)
    reference = candidate.assign(probability=0.5)
    there, back = compare_log_loss(candidate, reference), compare_log_loss(reference, candidate)
    assert back.mean_difference == pytest.approx(-there.mean_difference)
    assert back.interval.lower == pytest.approx(-there.interval.upper)
    assert back.is_worse == there.is_better


def test_true_chances_beat_the_base_rate_and_noise_does_not() -> None:
    assert compare_with_base_rate(calibrated_forecasts(5000, seed=2)).is_better
    noise = calibrated_forecasts(5000, seed=3)
    noise["outcome"] = (np.random.default_rng(8).random(5000) < 0.5).astype(float)
    assert compare_with_base_rate(noise).is_worse


def test_equal_forecasts_are_neither_better_nor_worse() -> None:
    frame = calibrated_forecasts(1000)
    paired = compare_log_loss(frame, frame)
    assert (paired.mean_difference, paired.interval.lower, paired.interval.upper) == (0.0, 0.0, 0.0)
    assert not paired.is_better
    assert not paired.is_worse


def test_equally_good_forecasts_are_called_better_in_at_most_a_twentieth_of_trials() -> None:
    rng = np.random.default_rng(11)
    called = 0
    for seed in range(200):
        truth = rng.normal(0.0, 0.3, 1500)
        outcome = rng.random(1500) < 1 / (1 + np.exp(-truth))
        noisy = [1 / (1 + np.exp(-(truth + rng.normal(0.0, 0.2, 1500)))) for _ in range(2)]
        called += compare_log_loss(*(forecast_frame(p, outcome) for p in noisy), seed=seed).is_better
    assert called <= 17  # nominally 2.5 % of 200; the 97.5 % bound of an exact 5 % test


def test_forecasts_of_other_hours_or_outcomes_are_refused() -> None:
    frame = calibrated_forecasts(100)
    for other in (frame.iloc[1:], frame.assign(outcome=1.0 - frame["outcome"]), frame.shift(freq="h")):
        with pytest.raises(ConfigValueError, match="identical rows"):
            compare_log_loss(frame, other)


def test_one_row_is_too_few_to_compare() -> None:
    frame = calibrated_forecasts(1)
    with pytest.raises(InsufficientHistoryError, match="At least 2"):
        compare_log_loss(frame, frame)


def test_an_interval_of_a_constant_is_that_constant() -> None:
    interval = mean_interval(np.full(100, 0.1))
    assert interval.lower == pytest.approx(0.1)
    assert interval.upper == pytest.approx(0.1)
    assert interval.level == 0.95


def test_it_is_the_public_home_of_the_statistics_of_overfitting() -> None:
    from algo_pipeline.research import statistics

    names = ("probabilistic_sharpe_ratio", "deflated_sharpe_ratio", "expected_maximum_sharpe")
    names += ("minimum_track_record_length", "probability_of_backtest_overfitting", "signal_shuffle_p_value")
    assert set(names) <= set(statistics.__all__)
    assert all(hasattr(statistics, name) for name in statistics.__all__)

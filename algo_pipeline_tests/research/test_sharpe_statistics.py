"""The papers' own examples, and simulations whose truth is known."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from algo_pipeline.research.sharpe_statistics import (
    SharpeEstimate,
    deflated_sharpe_ratio,
    effective_number_of_trials,
    expected_maximum_sharpe,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
)

NAN = math.nan


class TestDeflatedSharpePaper:
    """Bailey & López de Prado (2014), "A numerical example": 5 years of 250 days, Sharpe 2.5 a year, 100 trials."""

    BEST = SharpeEstimate(2.5 / math.sqrt(250), 1250, skewness=-3.0, kurtosis=10.0)
    VARIANCE = 0.5 / 250

    def test_the_best_of_a_hundred_without_edge(self) -> None:
        assert expected_maximum_sharpe(100, self.VARIANCE) == pytest.approx(0.1132, abs=5e-5)

    def test_it_is_no_discovery_after_a_hundred_trials(self) -> None:
        assert deflated_sharpe_ratio(self.BEST, 100, self.VARIANCE) == pytest.approx(0.9004, abs=5e-5)

    def test_it_would_have_been_one_after_forty_six(self) -> None:
        assert deflated_sharpe_ratio(self.BEST, 46, self.VARIANCE) == pytest.approx(0.9505, abs=5e-5)

    def test_with_normal_returns_eighty_eight_would_have_been_allowed(self) -> None:
        normal = dataclasses.replace(self.BEST, skewness=0.0, kurtosis=3.0)
        assert deflated_sharpe_ratio(normal, 88, self.VARIANCE) == pytest.approx(0.9505, abs=5e-5)


class TestEfficientFrontierPaper:
    """Bailey & López de Prado (2012): two years of months, Sharpe 0.458 a month; and track records by frequency."""

    def test_normal_returns_would_show_skill(self) -> None:
        assert probabilistic_sharpe_ratio(SharpeEstimate(0.458, 24)) == pytest.approx(0.982, abs=5e-4)

    def test_skewed_and_fat_tailed_ones_do_not(self) -> None:
        fund = SharpeEstimate(0.458, 24, skewness=-2.448, kurtosis=10.164)
        assert probabilistic_sharpe_ratio(fund) == pytest.approx(0.913, abs=5e-4)

    @pytest.mark.parametrize(("per_year", "years"), [(252, 2.73), (52, 2.83), (12, 3.24)])
    def test_years_until_a_sharpe_ratio_of_two_counts_as_above_one(self, per_year: int, years: float) -> None:
        estimate = SharpeEstimate(2.0 / math.sqrt(per_year), 2)
        needed = minimum_track_record_length(estimate, 1.0 / math.sqrt(per_year))
        assert needed / per_year == pytest.approx(years, abs=5e-3)

    def test_years_with_the_moments_of_hedge_funds(self) -> None:
        estimate = SharpeEstimate(2.0 / math.sqrt(12), 2, skewness=-0.72, kurtosis=5.78)
        assert minimum_track_record_length(estimate, 1.0 / math.sqrt(12)) / 12 == pytest.approx(4.99, abs=5e-3)


def test_an_estimate_has_the_moments_of_its_returns() -> None:
    returns = np.random.default_rng(1).exponential(0.01, 300) - 0.008
    estimate = SharpeEstimate.of(returns)
    assert estimate.n_days == 300
    assert estimate.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1))
    assert estimate.skewness == pytest.approx(stats.skew(returns))
    assert estimate.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False))


def test_a_hand_worked_estimate() -> None:
    # Mean 0.01, deviations −0.02, 0, 0.02: variance (n − 1) 4e-4, (n) 8e-4/3, no skew, kurtosis 3.2e-7/3 / (8e-4/3)².
    estimate = SharpeEstimate.of(np.array([-0.01, 0.01, 0.03]))
    assert dataclasses.astuple(estimate) == pytest.approx((0.5, 3, 0.0, 1.5))
    assert estimate.error == pytest.approx(math.sqrt((1 + 0.5 / 4 * 0.25) / 2))


def test_the_chance_of_luck_is_uniform_where_there_is_no_edge() -> None:
    rng = np.random.default_rng(2)
    draws = (SharpeEstimate.of(rng.standard_t(5, 300) * 0.01) for _ in range(600))
    luck = 1.0 - np.array([probabilistic_sharpe_ratio(estimate) for estimate in draws])
    assert abs(luck.mean() - 0.5) < 0.04
    assert abs((luck < 0.05).mean() - 0.05) < 0.03


@pytest.mark.parametrize("returns", [[], [0.01], [0.01, 0.02], [0.01] * 50, [0.0] * 50])
def test_without_days_or_variance_everything_is_undefined(returns: list[float]) -> None:
    estimate = SharpeEstimate.of(np.array(returns))
    assert math.isnan(estimate.sharpe)
    assert math.isnan(estimate.error)
    assert math.isnan(probabilistic_sharpe_ratio(estimate))
    assert math.isnan(deflated_sharpe_ratio(estimate, 10, 0.01))
    assert math.isnan(minimum_track_record_length(estimate))


def test_no_track_record_is_long_enough_below_the_benchmark() -> None:
    assert math.isnan(minimum_track_record_length(SharpeEstimate(0.05, 500), 0.05))
    assert math.isnan(minimum_track_record_length(SharpeEstimate(-0.05, 500)))


def test_a_track_record_of_the_minimum_length_has_just_the_confidence() -> None:
    estimate = SharpeEstimate(0.1, 2, skewness=-1.0, kurtosis=8.0)
    days = minimum_track_record_length(estimate, 0.04, 0.9)
    at_minimum = SharpeEstimate(0.1, round(days), skewness=-1.0, kurtosis=8.0)
    assert probabilistic_sharpe_ratio(at_minimum, 0.04) == pytest.approx(0.9, abs=1e-3)


def test_a_single_trial_is_not_deflated() -> None:
    estimate = SharpeEstimate(0.1, 500, -0.5, 6.0)
    assert expected_maximum_sharpe(1, NAN) == 0.0
    assert deflated_sharpe_ratio(estimate, 1, NAN) == probabilistic_sharpe_ratio(estimate)


@pytest.mark.parametrize(("n_trials", "variance"), [(0, 0.1), (NAN, 0.1), (2, NAN), (2, -0.1)])
def test_an_impossible_number_or_variance_of_trials_is_undefined(n_trials: float, variance: float) -> None:
    assert math.isnan(expected_maximum_sharpe(n_trials, variance))


def test_more_trials_raise_the_bar_and_it_never_falls_below_zero() -> None:
    bars = [expected_maximum_sharpe(n, 0.01) for n in (1, 1.01, 1.5, 2, 3, 10, 100, 10_000)]
    assert bars == sorted(bars)
    assert bars[0] == bars[1] == 0.0


@pytest.mark.parametrize("n_trials", [5, 20, 100, 1000])
def test_the_expected_maximum_is_that_of_simulated_strategies_without_edge(n_trials: int) -> None:
    draws = np.random.default_rng(n_trials).normal(0.0, 0.04, (4000, n_trials))
    assert expected_maximum_sharpe(n_trials, 0.04**2) == pytest.approx(draws.max(axis=1).mean(), rel=0.03)


@pytest.mark.parametrize(
    ("n_trials", "correlation", "effective"),
    [
        (100, 0.0, 100.0),
        (100, 1.0, 1.0),
        (100, 0.5, 50.5),
        (1, 0.3, 1.0),
        (100, -0.2, 100.0),
        (0, 0.0, NAN),
        (5, NAN, NAN),
    ],
)
def test_correlated_trials_count_for_fewer(n_trials: int, correlation: float, effective: float) -> None:
    assert effective_number_of_trials(n_trials, correlation) == pytest.approx(effective, nan_ok=True)


def _best_of(rng: np.random.Generator, n_trials: int, n_days: int, edge: float = 0.0) -> tuple[SharpeEstimate, float]:
    """The best of strategies with the same true Sharpe ratio ``edge`` a day, and the variance between all of them."""
    returns = rng.standard_t(5, (n_trials, n_days)) * math.sqrt(3 / 5) + edge
    sharpes = returns.mean(axis=1) / returns.std(axis=1, ddof=1)
    return SharpeEstimate.of(returns[sharpes.argmax()]), float(sharpes.var(ddof=1))


def test_the_best_of_many_without_edge_passes_for_a_discovery_in_at_most_one_of_twenty_sweeps() -> None:
    rng = np.random.default_rng(7)
    deflated, naive = 0, 0
    for _ in range(400):
        best, variance = _best_of(rng, n_trials=40, n_days=250)
        deflated += deflated_sharpe_ratio(best, 40, variance) > 0.95
        naive += probabilistic_sharpe_ratio(best) > 0.95
    assert deflated <= 0.05 * 400
    assert naive > 0.75 * 400  # what the deflation is for


def test_an_edge_that_is_there_is_found_among_as_many() -> None:
    rng = np.random.default_rng(8)
    found = 0
    for _ in range(50):
        best, variance = _best_of(rng, n_trials=40, n_days=1000, edge=0.1)
        found += deflated_sharpe_ratio(best, 40, variance) > 0.95
    assert found > 45

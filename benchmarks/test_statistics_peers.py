"""Our statistics beside those of arch and skfolio: equal, or different by so much and for this reason."""

from __future__ import annotations

import math

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap  # installed for `make bench` alone
from skfolio import measures
from skfolio.model_selection import CombinatorialPurgedCV

from algo_pipeline.backtest.resampled_days import DayFigures, resampled_figures
from algo_pipeline.common.types import FloatArray
from algo_pipeline.data.labels import label_spec
from algo_pipeline.research.combinatorial_splits import CombinatorialRule, combinatorial_splits, rows_of
from algo_pipeline.research.statistics import (
    SharpeEstimate,
    bootstrap_means,
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    probabilistic_sharpe_ratio,
)

N_DAYS, MEAN_BLOCK, N_RESAMPLES = 500, 10, 20_000
QUANTILES = (0.025, 0.16, 0.5, 0.84, 0.975)
ANNUAL = math.sqrt(365)


@pytest.fixture(scope="module")
def returns() -> FloatArray:
    """Daily returns that lean on those of the day before, with fat tails."""
    shocks = np.random.default_rng(1).standard_t(5, N_DAYS) * 0.01
    return 0.0005 + shocks + 0.2 * np.concatenate([[0.0], shocks[:-1]])


def by_arch(returns: FloatArray, statistic: object) -> FloatArray:
    bootstrap = StationaryBootstrap(MEAN_BLOCK, returns, seed=np.random.default_rng(2))
    resampled: FloatArray = bootstrap.apply(statistic, N_RESAMPLES).ravel()
    return resampled


def same_distribution(ours: FloatArray, theirs: FloatArray) -> None:
    """Quantiles agree to four Monte-Carlo errors of the median, twice that in the tails."""
    error = 4.0 * 1.2533 * math.sqrt(2.0 / N_RESAMPLES) * theirs.std()
    np.testing.assert_allclose(np.quantile(ours, QUANTILES), np.quantile(theirs, QUANTILES), rtol=0, atol=2.0 * error)
    assert ours.mean() == pytest.approx(theirs.mean(), abs=error)
    assert ours.std() == pytest.approx(theirs.std(), rel=4.0 / math.sqrt(N_RESAMPLES))


class TestStationaryBootstrapOfArch:
    def test_means_have_the_same_distribution(self, returns: FloatArray) -> None:
        same_distribution(bootstrap_means(returns, N_RESAMPLES, 3, MEAN_BLOCK), by_arch(returns, np.mean))

    def test_sharpe_ratios_and_drawdowns_have_the_same_distribution(self, returns: FloatArray) -> None:
        figures = resampled_figures(np.random.default_rng(3), days_of(returns), MEAN_BLOCK, N_RESAMPLES)
        same_distribution(figures.sharpe, by_arch(returns, lambda x: ANNUAL * x.mean() / x.std(ddof=1)))
        same_distribution(figures.max_drawdown, by_arch(returns, drawdown))

    def test_profit_factors_have_the_same_distribution(self, returns: FloatArray) -> None:
        figures = resampled_figures(np.random.default_rng(4), days_of(returns), MEAN_BLOCK, N_RESAMPLES)
        same_distribution(figures.profit_factor, by_arch(returns, lambda x: x[x > 0].sum() / -x[x < 0].sum()))

    def test_an_independent_bootstrap_would_be_told_apart(self, returns: FloatArray) -> None:
        with pytest.raises(AssertionError):
            same_distribution(bootstrap_means(returns, N_RESAMPLES, 3, 1), by_arch(returns, np.mean))


def days_of(returns: FloatArray) -> DayFigures:
    """Days with one bar each, and one round trip that gained or lost their return."""
    way = 1.0 + returns
    return DayFigures(returns, way, way, np.zeros(N_DAYS), np.maximum(returns, 0.0), np.maximum(-returns, 0.0))


def drawdown(returns: FloatArray) -> float:
    equity = np.concatenate([[1.0], np.cumprod(1.0 + returns)])
    return float((1.0 - equity / np.maximum.accumulate(equity)).max())


class TestSharpeStatisticsOfSkfolio:
    def test_the_expected_maximum_is_the_same(self) -> None:
        for n_trials in (2, 10, 46.5, 1_000):
            theirs = measures.expected_max_sharpe_ratio(n_trials, 0.05)
            assert expected_maximum_sharpe(n_trials, 0.05**2) == pytest.approx(theirs, rel=1e-12)

    def test_the_probabilistic_sharpe_ratio_is_the_same(self, returns: FloatArray) -> None:
        ours = probabilistic_sharpe_ratio(SharpeEstimate.of(returns), 0.02)
        assert ours == pytest.approx(measures.probabilistic_sharpe_ratio(returns, 0.02), rel=1e-9)

    def test_the_deflated_sharpe_ratio_is_the_same(self, returns: FloatArray) -> None:
        trials = np.random.default_rng(5).normal(0.0, 0.03, 40)
        ours = deflated_sharpe_ratio(SharpeEstimate.of(returns), len(trials), float(trials.var(ddof=1)))
        assert ours == pytest.approx(measures.deflated_sharpe_ratio(returns, trials), rel=1e-9)


class TestCombinatorialSplitsOfSkfolio:
    @pytest.mark.parametrize(("n_groups", "n_test_groups"), [(5, 2), (6, 2), (6, 3), (8, 2)])
    @pytest.mark.parametrize("label", ["direction_1h", "direction_24h"])
    def test_train_rows_test_rows_and_paths_are_the_same(self, n_groups: int, n_test_groups: int, label: str) -> None:
        spec, n_rows = label_spec(label), 1_500 * n_groups
        rule = CombinatorialRule(n_groups, n_test_groups)
        plan = combinatorial_splits(n_rows, spec, rule)
        peer = CombinatorialPurgedCV(
            n_folds=n_groups, n_test_folds=n_test_groups, purged_size=1 + spec.horizon_bars, embargo_size=168
        )
        splits = list(peer.split(np.zeros((n_rows, 1))))
        assert len(splits) == rule.n_splits
        assert peer.n_test_paths == rule.n_paths
        np.testing.assert_array_equal(peer.recombined_paths.T, plan.paths)
        for ours, (train, tests) in zip(plan.splits, splits, strict=True):
            for group, test in zip(ours.test_groups, tests, strict=True):
                np.testing.assert_array_equal(rows_of((plan.groups[group],)), test)
            # Theirs has no calibrator: its rows and those purged before it train there.
            calibration = rows_of(ours.calibration)
            for_calibrator = train[(train + spec.horizon_bars + 1 >= calibration[0]) & (train < calibration[0])]
            np.testing.assert_array_equal(np.sort([*rows_of(ours.train), *for_calibrator]), train)

    def test_groups_that_do_not_divide_are_spread_here_and_left_to_the_last_there(self) -> None:
        n_rows = 9_005
        plan = combinatorial_splits(n_rows, label_spec("direction_1h"), CombinatorialRule(6, 2))
        peer = CombinatorialPurgedCV(n_folds=6, n_test_folds=2)
        sizes = {len(test) for _, tests in peer.split(np.zeros((n_rows, 1))) for test in tests}
        assert {group.stop - group.start for group in plan.groups} == {1_500, 1_501}
        assert sizes == {1_500, 1_505}

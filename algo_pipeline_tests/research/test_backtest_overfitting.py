from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.research.backtest_overfitting import BacktestOverfitting, probability_of_backtest_overfitting
from algo_pipeline.research.overfitting_kernel import half_masks


def slow_overfitting(returns: np.ndarray, n_blocks: int) -> BacktestOverfitting:
    """The paper's procedure step by step: stitch the halves, rate every column, pick, rank."""
    length = len(returns) // n_blocks
    blocks = np.split(returns[len(returns) - n_blocks * length :], n_blocks)
    inside, outside, ranks = [], [], []
    for half in itertools.combinations(range(n_blocks), n_blocks // 2):
        in_sample = sharpes(np.concatenate([blocks[b] for b in half]))
        out_of_sample = sharpes(np.concatenate([blocks[b] for b in range(n_blocks) if b not in half]))
        best = int(in_sample.argmax())
        inside.append(in_sample[best])
        outside.append(out_of_sample[best])
        ranks.append(stats.rankdata(out_of_sample)[best])
    relative = np.array(ranks) / (returns.shape[1] + 1)
    return BacktestOverfitting(
        n_days=n_blocks * length,
        n_configurations=returns.shape[1],
        n_blocks=n_blocks,
        probability=float(np.mean(np.log(relative / (1 - relative)) <= 1e-12)),
        probability_of_loss=float(np.mean(np.array(outside) < 0.0)),
        degradation=stats.linregress(inside, outside).slope,
        logits=np.log(relative / (1 - relative)),
        in_sample=np.array(inside),
        out_of_sample=np.array(outside),
    )


def sharpes(returns: np.ndarray) -> np.ndarray:
    return returns.mean(axis=0) / returns.std(axis=0, ddof=1)


def noise(n_days: int, n_configurations: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_t(4, (n_days, n_configurations)) * 0.01


@settings(max_examples=25, deadline=None)
@given(
    n_days=st.integers(16, 80),
    n_configurations=st.integers(2, 12),
    n_blocks=st.sampled_from([2, 4, 6, 8]),
    seed=st.integers(0, 10_000),
)
def test_block_sums_give_what_the_stitched_halves_give(
    n_days: int, n_configurations: int, n_blocks: int, seed: int
) -> None:
    returns = noise(n_days, n_configurations, seed)
    fast, slow = probability_of_backtest_overfitting(returns, n_blocks), slow_overfitting(returns, n_blocks)
    assert (fast.n_days, fast.n_configurations, fast.n_blocks) == (slow.n_days, slow.n_configurations, n_blocks)
    assert fast.probability == pytest.approx(slow.probability)
    assert fast.probability_of_loss == pytest.approx(slow.probability_of_loss)
    for name in ("logits", "in_sample", "out_of_sample"):
        np.testing.assert_allclose(np.sort(getattr(fast, name)), np.sort(getattr(slow, name)), rtol=1e-9, atol=1e-12)
    if n_blocks > 2:  # two points with nearly equal in-sample ratios have a slope that hangs on rounding
        assert fast.degradation == pytest.approx(slow.degradation, rel=1e-4, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.sampled_from([0.25, 2.0, 1024.0]))
def test_order_and_leverage_of_configurations_change_nothing(seed: int, scale: float) -> None:
    returns = noise(64, 7, seed)
    order = np.random.default_rng(seed).permutation(7)
    leverage = np.random.default_rng(seed + 1).choice([0.5, 1.0, 4.0], 7) * scale
    expected = probability_of_backtest_overfitting(returns, 8)
    for other in (returns[:, order], returns * leverage):
        found = probability_of_backtest_overfitting(other, 8)
        assert found.probability == expected.probability
        np.testing.assert_allclose(np.sort(found.out_of_sample), np.sort(expected.out_of_sample), rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_blocks_may_come_in_any_order(seed: int) -> None:
    returns = noise(64, 6, seed)
    shuffled = np.concatenate(np.random.default_rng(seed).permutation(np.array(np.split(returns, 8))))
    found, expected = (probability_of_backtest_overfitting(table, 8) for table in (shuffled, returns))
    assert found.probability == expected.probability
    assert found.degradation == pytest.approx(expected.degradation, rel=1e-6)


def test_a_hand_worked_example() -> None:
    # Blocks of two days. Sharpe ratios: mean / |difference| · √2, in block 1 A 1.5/1 and B −0.5/3, in block 2 A 0 and
    # B 3/2, each times √2. A is picked in block 1 and ranks last of two in block 2; B the other way round.
    found = probability_of_backtest_overfitting(np.array([[1.0, 1.0], [2.0, -2.0], [-1.0, 2.0], [1.0, 4.0]]), 2)
    np.testing.assert_allclose(sorted(found.in_sample), [1.5 * math.sqrt(2)] * 2)
    np.testing.assert_allclose(sorted(found.out_of_sample), [-math.sqrt(2) / 6, 0.0], atol=1e-15)
    np.testing.assert_allclose(found.logits, [math.log((1 / 3) / (2 / 3))] * 2)
    assert found.probability == 1.0
    assert found.probability_of_loss == 0.5


def test_sixteen_blocks_have_the_12870_splits_of_the_paper() -> None:
    masks = half_masks(16)
    assert len(masks) * 2 == 12_870
    assert (masks.sum(axis=1) == 8).all()
    assert len({tuple(mask) for mask in masks} | {tuple(~mask) for mask in masks}) == 12_870
    assert len(probability_of_backtest_overfitting(noise(64, 3, 0)).logits) == 12_870


def test_columns_of_equal_mean_are_fully_overfit() -> None:
    """The example of the R package ``pbo``: what one half of a recentred column gained, the other half lost."""
    returns = np.random.default_rng(765).normal(size=(2_400, 100))
    returns = (returns - returns.mean(axis=0)) / returns.std(axis=0, ddof=1) / math.sqrt(252)
    found = probability_of_backtest_overfitting(returns, 8)
    assert found.probability == 1.0
    assert found.probability_of_loss == 1.0
    assert found.degradation == pytest.approx(-1.0, abs=0.1)


class TestTruth:
    """Searches whose truth is known."""

    def test_choosing_among_noise_is_a_coin_flip(self) -> None:
        found = [probability_of_backtest_overfitting(noise(400, 50, seed), 10).probability for seed in range(60)]
        # Splits of one table depend on each other, so one table tells little (the deviation is about 0.15).
        assert np.mean(found) == pytest.approx(0.5, abs=0.07)

    def test_one_good_configuration_is_found_again(self) -> None:
        returns = noise(1_000, 200, 1)
        returns[:, 17] += 0.2 * returns[:, 17].std()
        found = probability_of_backtest_overfitting(returns, 12)
        assert found.probability < 0.01
        assert found.probability_of_loss < 0.01

    def test_the_more_edge_the_less_overfit(self) -> None:
        def mean_probability(edge: float) -> float:
            tables = [noise(400, 30, seed) for seed in range(12)]
            for table in tables:
                table[:, :3] += edge * 0.01
            return float(np.mean([probability_of_backtest_overfitting(table, 8).probability for table in tables]))

        found = [mean_probability(edge) for edge in (0.0, 0.1, 0.3)]
        assert found[0] > found[1] + 0.1
        assert found[1] > found[2]

    def test_configurations_that_are_equally_good_all_gain_and_still_choosing_is_worth_nothing(self) -> None:
        tables = [noise(400, 30, seed) + 0.004 for seed in range(30)]
        found = [probability_of_backtest_overfitting(table, 8) for table in tables]
        assert np.mean([each.probability for each in found]) == pytest.approx(0.5, abs=0.12)
        assert max(each.probability_of_loss for each in found) == 0.0


def monthly_rules(daily: np.ndarray) -> np.ndarray:
    """The paper's practical application: enter on one of 22 days of each month, hold 1 to 20 days, either side."""
    day, columns = np.arange(len(daily)) % 22, []
    for entry, holding, side in itertools.product(range(22), range(1, 21), (-1.0, 1.0)):
        columns.append(np.where((day - entry) % 22 < holding, side * daily, 0.0))
    return np.stack(columns, axis=1)


class TestPracticalApplicationOfThePaper:
    """It searches monthly rules on 1,000 days of a random walk and finds 55 %; with a season planted, 13 %.

    Its draws are not published, and its stop losses are left out here: 880 rules instead of 8,800.
    """

    def test_on_a_random_walk_the_best_rule_is_overfit(self) -> None:
        walks = np.random.default_rng(3).normal(size=(12, 1_000))
        found = [probability_of_backtest_overfitting(monthly_rules(walk), 10) for walk in walks]
        best = [math.sqrt(252) * sharpes(monthly_rules(walk)).max() for walk in walks]
        assert np.mean(best) > 1.0  # what the search would boast of: the paper's best had 1.27
        assert np.mean([each.probability for each in found]) == pytest.approx(0.5, abs=0.15)
        assert np.mean([each.degradation for each in found]) < 0.0

    def test_with_a_season_in_the_first_week_it_is_not(self) -> None:
        walks = np.random.default_rng(3).normal(size=(12, 1_000)) + 0.25 * (np.arange(1_000) % 22 < 5)
        found = [probability_of_backtest_overfitting(monthly_rules(walk), 10).probability for walk in walks]
        assert np.mean(found) < 0.2


def test_days_that_do_not_fill_a_block_are_the_oldest_and_left_out() -> None:
    returns = noise(83, 5, 4)
    found = probability_of_backtest_overfitting(returns, 8)
    assert found.n_days == 80
    np.testing.assert_array_equal(found.logits, probability_of_backtest_overfitting(returns[3:], 8).logits)


def test_equal_configurations_share_their_rank() -> None:
    returns = np.repeat(noise(64, 1, 5), 3, axis=1)
    found = probability_of_backtest_overfitting(returns, 4)
    np.testing.assert_array_equal(found.logits, np.zeros(6))
    assert found.probability == 1.0


def test_half_a_sample_in_cash_counts_as_a_sharpe_ratio_of_zero() -> None:
    returns = noise(64, 2, 6) - 0.02  # both lose, but the first only in the first half
    returns[32:, 0] = 0.0
    found = probability_of_backtest_overfitting(returns, 2)
    assert 0.0 in found.in_sample
    assert np.isfinite(found.logits).all()


@pytest.mark.parametrize(("n_days", "n_configurations"), [(64, 1), (31, 5), (0, 5), (64, 0)])
def test_without_a_choice_or_days_it_is_undefined(n_days: int, n_configurations: int) -> None:
    found = probability_of_backtest_overfitting(np.zeros((n_days, n_configurations)))
    assert math.isnan(found.probability)
    assert math.isnan(found.probability_of_loss)
    assert math.isnan(found.degradation)
    assert len(found.logits) == 0


@pytest.mark.parametrize("n_blocks", [0, 1, 7, 22, -2])
def test_an_odd_or_impossible_number_of_blocks_is_refused(n_blocks: int) -> None:
    with pytest.raises(ConfigValueError, match="even number of blocks"):
        probability_of_backtest_overfitting(noise(64, 3, 0), n_blocks)


@pytest.mark.parametrize("returns", [np.zeros(10), np.full((64, 2), math.nan), np.full((64, 2), math.inf)])
def test_what_is_no_finite_table_is_refused(returns: np.ndarray) -> None:
    with pytest.raises(ConfigValueError, match="finite table"):
        probability_of_backtest_overfitting(returns)

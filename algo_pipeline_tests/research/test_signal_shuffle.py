from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from algo_pipeline.data.feature_registry import FEATURES
from algo_pipeline.data.labels import LABELS
from algo_pipeline.research.signal_shuffle import (
    MINIMUM_SHIFT_ROWS,
    circular_scores,
    draw_shuffles,
    share_at_least,
    shuffle_widening,
    signal_shuffle_p_value,
)

N_REVERSALS = 300
FAR = 4 * MINIMUM_SHIFT_ROWS  # rows of the shortest fold that is shifted by itself


def folds(*sizes: int) -> np.ndarray:
    return np.repeat(np.arange(len(sizes)), sizes)


def frame(probability: np.ndarray, outcome: np.ndarray, fold: np.ndarray) -> pd.DataFrame:
    index = pd.date_range("2024-01-01", periods=len(fold), freq="h", tz="UTC", name="timestamp")
    return pd.DataFrame(
        {"probability": probability, "outcome": outcome, "base_rate": outcome.mean(), "fold": fold}, index=index
    )


def logistic(log_odds: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-log_odds))


def daily_change(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean([(later - now) ** 2 for now, later in zip(x, x[24:], strict=False)])))


def random_frame(seed: int, skill: float = 0.0, sizes: tuple[int, ...] = (900, 1000, 800)) -> pd.DataFrame:
    """Outcomes drawn with the log-odds ``skill * x``, forecasts with the log-odds ``x``."""
    rng, fold = np.random.default_rng(seed), folds(*sizes)
    x = rng.normal(0.0, 0.3, len(fold))
    outcome = (rng.random(len(fold)) < logistic(skill * x)).astype(float)
    return frame(logistic(x), outcome, fold)


class TestShuffles:
    def test_every_long_fold_is_a_circle_of_its_own(self):
        shuffles = draw_shuffles(folds(FAR, FAR + 5, FAR), n_shuffles=500, seed=1)
        assert shuffles.edges.tolist() == [0, FAR, 2 * FAR + 5, 3 * FAR + 5]
        assert shuffles.shifts.shape == (500, 3)

    def test_shifts_are_far_in_either_direction_and_reach_both_ends(self):
        shifts = draw_shuffles(folds(FAR), n_shuffles=20_000, seed=1).shifts
        assert (shifts.min(), shifts.max()) == (MINIMUM_SHIFT_ROWS, FAR - MINIMUM_SHIFT_ROWS)

    def test_a_shift_outlasts_every_feature_and_label_together(self):
        reach = max(spec.window_bars for spec in FEATURES) + max(spec.horizon_bars for spec in LABELS)
        assert reach <= MINIMUM_SHIFT_ROWS

    def test_short_folds_share_a_circle_and_a_short_rest_joins_the_last(self):
        half = FAR // 2
        assert draw_shuffles(folds(half, half, half, half, 10), 1).edges.tolist() == [0, 2 * half, 4 * half + 10]
        assert draw_shuffles(folds(10, FAR, 10), 1).edges.tolist() == [0, FAR + 20]

    def test_folds_too_short_together_stay_where_they_are(self):
        shuffles = draw_shuffles(folds(100, FAR - 101), n_shuffles=5)
        assert shuffles.edges.tolist() == [0, FAR - 1]
        assert not shuffles.shifts.any()

    def test_folds_are_shifted_independently_of_each_other(self):
        shifts = draw_shuffles(folds(3000, 3000), n_shuffles=20_000, seed=3).shifts
        assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.03

    def test_equal_seeds_give_equal_shuffles(self):
        fold = folds(2000, 2000)
        assert np.array_equal(draw_shuffles(fold, 50, 4).shifts, draw_shuffles(fold, 50, 4).shifts)
        assert not np.array_equal(draw_shuffles(fold, 50, 4).shifts, draw_shuffles(fold, 50, 5).shifts)


class TestPValue:
    @settings(max_examples=50, deadline=None)
    @given(values=st.lists(st.tuples(st.floats(-3, 3), st.integers(0, 1)), min_size=26, max_size=60))
    def test_scores_of_all_shifts_are_those_of_rolled_arrays(self, values):
        x, y = (np.array(column, dtype=float) for column in zip(*values, strict=True))
        unit = daily_change(x)
        if unit < 1e-6:
            assert circular_scores(np.full_like(x, x[0]), y).tolist() == [0.0] * len(x)
        else:
            rolled = [len(x) * np.cov(np.roll(x, -k), y, ddof=0)[0, 1] / unit for k in range(len(x))]
            assert circular_scores(x, y) == pytest.approx(rolled, abs=1e-6)

    def test_a_forecast_shorter_than_a_day_scores_nothing(self):
        assert circular_scores(np.arange(24.0), np.ones(24)).tolist() == [0.0] * 24

    def test_it_is_the_share_of_rolled_forecasts_that_correlate_as_well(self):
        oos = random_frame(seed=5, skill=0.3)
        shuffles = draw_shuffles(oos["fold"].to_numpy(), n_shuffles=199, seed=6)
        log_odds = np.split(np.log(oos["probability"] / (1 - oos["probability"])).to_numpy(), shuffles.edges[1:-1])
        outcome = np.split(oos["outcome"].to_numpy(), shuffles.edges[1:-1])

        def score(shifts: np.ndarray) -> float:
            rolled = [np.roll(part, -k) for part, k in zip(log_odds, shifts, strict=True)]
            pairs = zip(rolled, outcome, strict=True)
            units = [daily_change(part) for part in log_odds]
            return float(sum((x @ (y - y.mean())) / unit for (x, y), unit in zip(pairs, units, strict=True)))

        scores = np.array([score(shifts) for shifts in shuffles.shifts])
        spread = scores.mean() + shuffle_widening(oos, shuffles) * (scores - scores.mean())
        as_good = int(np.sum(spread >= score(np.zeros(3, int))))
        assert 1 < as_good < 150
        assert signal_shuffle_p_value(oos, n_shuffles=199, seed=6) == (1 + as_good) / 200

    def test_levels_of_short_folds_that_share_a_circle_change_nothing(self):
        oos = random_frame(seed=8, skill=0.2, sizes=(400, 400, 400, 400))
        log_odds = np.log(oos["probability"] / (1 - oos["probability"])) + 0.7 * oos["fold"]
        assert signal_shuffle_p_value(oos.assign(probability=logistic(log_odds))) == signal_shuffle_p_value(oos)

    def test_within_a_fold_it_is_the_share_with_as_low_a_log_loss(self):
        oos = random_frame(seed=3, skill=0.3, sizes=(2000,))
        probability, outcome = oos["probability"].to_numpy(), oos["outcome"].to_numpy()

        def log_likelihood(shift: int) -> float:
            p = np.roll(probability, -shift)
            return float(np.log(np.where(outcome == 1.0, p, 1.0 - p)).sum())

        shuffles = draw_shuffles(oos["fold"].to_numpy(), n_shuffles=199, seed=6)
        likelihoods = np.array([log_likelihood(shift) for shift in shuffles.shifts[:, 0]])
        spread = likelihoods.mean() + shuffle_widening(oos, shuffles) * (likelihoods - likelihoods.mean())
        as_good = int(np.sum(spread >= log_likelihood(0)))
        assert 1 < as_good < 150
        assert signal_shuffle_p_value(oos, n_shuffles=199, seed=6) == (1 + as_good) / 200

    def test_a_fold_of_bold_probabilities_weighs_no_more_than_the_others(self):
        oos = random_frame(seed=8, skill=0.2)
        log_odds = np.log(oos["probability"] / (1 - oos["probability"])) * np.where(oos["fold"] == 1, 3.0, 1.0)
        assert signal_shuffle_p_value(oos.assign(probability=logistic(log_odds))) == signal_shuffle_p_value(oos)

    def test_a_forecast_counts_among_its_shuffles(self):
        assert share_at_least(np.array([1.0, 2.0, 3.0]), 2.0) == 3 / 4
        assert share_at_least(np.array([1.0, 2.0, 3.0]), 4.0) == 1 / 4

    def test_shuffles_that_do_not_vary_are_as_good_as_what_they_equal(self):
        assert share_at_least(np.full(9, 0.1), 0.1, widening=1.3) == 1.0

    def test_shuffles_are_spread_about_their_mean(self):
        assert share_at_least(np.array([0.0, 2.0, 4.0]), 4.5, widening=1.0) == 1 / 4
        assert share_at_least(np.array([0.0, 2.0, 4.0]), 4.5, widening=1.25) == 2 / 4

    def test_hours_that_tell_nothing_of_each_other_need_no_spread_and_slow_ones_do(self):
        rng, fold = np.random.default_rng(4), folds(3000, 3000)
        quick = rng.normal(size=len(fold))
        slow = np.convolve(quick, np.ones(100) / 10.0, mode="same")
        outcome = (rng.random(len(fold)) < 0.5).astype(float)
        shuffles = draw_shuffles(fold)
        m = 3000 - 2 * MINIMUM_SHIFT_ROWS + 1
        found = [shuffle_widening(frame(logistic(x), outcome, fold), shuffles) for x in (quick, slow)]
        assert found[0] == pytest.approx(1.0, abs=2.0 / m)
        assert found[1] == pytest.approx(1.0 + 75.0 / m, abs=40.0 / m)

    def test_true_log_odds_are_found_skilled(self):
        assert signal_shuffle_p_value(random_frame(seed=1, skill=1.0), n_shuffles=999) == 1 / 1000

    def test_log_odds_of_the_wrong_sign_are_found_anything_but(self):
        assert signal_shuffle_p_value(random_frame(seed=1, skill=-1.0), n_shuffles=999) > 0.99

    @pytest.mark.parametrize("probability", [0.5, 0.123456789])
    def test_a_constant_forecast_shows_nothing(self, probability):
        oos = random_frame(seed=2).assign(probability=probability)
        assert signal_shuffle_p_value(oos, n_shuffles=99) == 1.0

    def test_too_few_rows_show_nothing(self):
        assert signal_shuffle_p_value(random_frame(seed=1, skill=5.0, sizes=(100, FAR - 101))) == 1.0

    def test_levels_that_follow_the_drift_from_fold_to_fold_are_no_skill(self):
        rng, fold = np.random.default_rng(7), folds(1500, 1500, 1500)
        level = np.array([-1.0, 0.0, 1.0])[fold]
        x = rng.normal(0.0, 0.2, len(fold))
        outcome = (rng.random(len(fold)) < logistic(level)).astype(float)
        assert signal_shuffle_p_value(frame(logistic(level + x), outcome, fold)) > 0.05

    def test_the_level_of_a_fold_changes_nothing(self):
        oos = random_frame(seed=8, skill=0.2)
        log_odds = np.log(oos["probability"] / (1 - oos["probability"])) + 0.7 * (oos["fold"] == 1)
        assert signal_shuffle_p_value(oos.assign(probability=logistic(log_odds))) == signal_shuffle_p_value(oos)

    @pytest.mark.parametrize("memory", [24, 168])
    def test_a_forecast_that_past_flips_reverse_is_hardly_called_skilled_more_often(self, memory):
        rng, fold, announced = np.random.default_rng(memory), folds(*[2800] * 8), 0
        for trial in range(N_REVERSALS):
            path = np.cumsum(rng.choice([-1.0, 1.0], len(fold) + 168))
            moved = path[168 - 1 : -1] - np.concatenate([[0.0], path])[168 - memory : -memory - 1]
            outcome = (np.diff(path)[167:] > 0).astype(float)
            oos = frame(logistic(-moved / memory), outcome, fold)
            announced += signal_shuffle_p_value(oos, n_shuffles=199, seed=trial) <= 0.05
        assert announced <= binom.ppf(0.999, N_REVERSALS, 0.085)

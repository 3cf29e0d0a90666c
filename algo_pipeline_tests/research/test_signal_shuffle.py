from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.data.feature_registry import FEATURES
from algo_pipeline.data.labels import LABELS
from algo_pipeline.research.signal_shuffle import (
    MINIMUM_SHIFT_ROWS,
    circular_correlations,
    draw_shuffles,
    share_at_least,
    signal_shuffle_p_value,
)

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
    @given(values=st.lists(st.tuples(st.floats(-3, 3), st.integers(0, 1)), min_size=2, max_size=40))
    def test_correlations_of_all_shifts_are_those_of_rolled_arrays(self, values):
        x, y = (np.array(column, dtype=float) for column in zip(*values, strict=True))
        if min(x.std(), y.std()) < 1e-6:
            assert circular_correlations(np.full_like(x, x[0]), y).tolist() == [0.0] * len(x)
        else:
            rolled = [np.corrcoef(np.roll(x, -k), y)[0, 1] for k in range(len(x))]
            assert circular_correlations(x, y) == pytest.approx(rolled, abs=1e-9)

    def test_it_is_the_share_of_rolled_forecasts_that_correlate_as_well(self):
        oos = random_frame(seed=5, skill=0.3)
        shuffles = draw_shuffles(oos["fold"].to_numpy(), n_shuffles=199, seed=6)
        log_odds = np.split(np.log(oos["probability"] / (1 - oos["probability"])).to_numpy(), shuffles.edges[1:-1])
        outcome = np.split(oos["outcome"].to_numpy(), shuffles.edges[1:-1])

        def score(shifts: np.ndarray) -> float:
            rolled = [np.roll(part, -k) for part, k in zip(log_odds, shifts, strict=True)]
            pairs = zip(rolled, outcome, strict=True)
            return float(sum(np.sqrt(len(x)) * np.corrcoef(x, y)[0, 1] for x, y in pairs))

        as_good = sum(score(shifts) >= score(np.zeros(3, int)) for shifts in shuffles.shifts)
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

        shifts = draw_shuffles(oos["fold"].to_numpy(), n_shuffles=199, seed=6).shifts[:, 0]
        as_good = sum(log_likelihood(shift) >= log_likelihood(0) for shift in shifts)
        assert 1 < as_good < 150
        assert signal_shuffle_p_value(oos, n_shuffles=199, seed=6) == (1 + as_good) / 200

    def test_a_fold_of_bold_probabilities_weighs_no_more_than_the_others(self):
        oos = random_frame(seed=8, skill=0.2)
        log_odds = np.log(oos["probability"] / (1 - oos["probability"])) * np.where(oos["fold"] == 1, 3.0, 1.0)
        assert signal_shuffle_p_value(oos.assign(probability=logistic(log_odds))) == signal_shuffle_p_value(oos)

    def test_a_forecast_counts_among_its_shuffles(self):
        assert share_at_least(np.array([1.0, 2.0, 3.0]), 2.0) == 3 / 4
        assert share_at_least(np.array([1.0, 2.0, 3.0]), 4.0) == 1 / 4

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

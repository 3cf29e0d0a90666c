from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import ConfigValueError, InsufficientHistoryError
from algo_pipeline.research.calibration_loss import calibration_losses, compare_calibration
from algo_pipeline.research.scoring import Forecasts, score
from algo_pipeline.research.statistics import compare_log_loss
from algo_pipeline_tests.research.samples import calibrated_forecasts, forecast_frame

N = 4000


def loss_of(frame: pd.DataFrame) -> float:
    columns = (frame[name].to_numpy() for name in ("probability", "outcome", "base_rate"))
    return float(calibration_losses(score(Forecasts.of(*columns)), len(frame))[0])


def sharpened(frame: pd.DataFrame, factor: float) -> pd.DataFrame:
    """The same forecasts with their log-odds multiplied: above 1 they claim too much."""
    log_odds = np.log(frame["probability"] / (1 - frame["probability"]))
    return frame.assign(probability=1 / (1 + np.exp(-factor * log_odds)))


def test_it_is_the_divergence_of_what_was_said_from_what_came_of_it() -> None:
    outcome = np.array([1.0, 1, 0, 0, 1, 1, 1, 0])
    frame = forecast_frame(np.repeat([0.25, 0.75], 4), outcome)
    # The first four said 0.25 and came true half the time: 0.5 ln(0.5/0.25) + 0.5 ln(0.5/0.75) = 0.143841 nats each.
    # The last four said what came true.
    assert loss_of(frame) == pytest.approx(0.143841 * 4 / 8, abs=1e-6)


def test_a_bin_where_all_came_true_has_a_finite_loss() -> None:
    frame = forecast_frame(np.repeat([0.25, 0.5], 2), np.array([0.0, 0, 1, 1]))
    assert loss_of(frame) == pytest.approx((2 * math.log(4 / 3) + 2 * math.log(2)) / 4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=2, max_size=60))
def test_it_is_what_log_loss_would_fall_by_if_each_bin_said_its_rate(rows: list[tuple[int, bool]]) -> None:
    said, came = np.array([row[0] for row in rows]) / 10, np.array([float(row[1]) for row in rows])
    frame = forecast_frame(said, came)
    rates = frame.groupby("probability")["outcome"].transform("mean")
    with np.errstate(divide="ignore", invalid="ignore"):
        best = -np.where(came == 1, np.log(rates), np.log(1 - rates)).mean()
    actual = -np.where(came == 1, np.log(said), np.log(1 - said)).mean()
    # Nine values at most, so that no bin holds two of them where rows are many enough to part all.
    assume(len(Forecasts.of(said, came, np.full(len(said), 0.5)).cuts) - 1 == len(np.unique(said)))
    assert loss_of(frame) == pytest.approx(actual - best, abs=1e-12)


def test_noise_alone_costs_a_calibrated_forecast_half_a_nat_per_bin() -> None:
    losses = [loss_of(calibrated_forecasts(N, seed)) for seed in range(200)]
    assert np.mean(losses) * 2 * N == pytest.approx(10, abs=1.5)


def test_forecasts_that_are_equal_are_equally_calibrated() -> None:
    frame = calibrated_forecasts(1000)
    same = compare_calibration(frame, frame)
    assert (same.mean_difference, same.interval.lower, same.interval.upper, same.n) == (0.0, 0.0, 0.0, 1000)


@pytest.mark.parametrize("factor", [2.0, 0.0], ids=["claims twice too much", "always says one half"])
def test_a_forecast_that_misstates_its_chances_is_shown_worse(factor: float) -> None:
    honest = calibrated_forecasts(N, spread=0.5)
    constant_but_wrong = honest.assign(probability=0.4) if factor == 0.0 else sharpened(honest, factor)
    found = compare_calibration(constant_but_wrong, honest)
    assert found.is_worse
    assert compare_calibration(honest, constant_but_wrong).is_better


def test_the_difference_is_free_of_what_noise_adds() -> None:
    truth = loss_of(sharpened(calibrated_forecasts(400_000, spread=0.5), 1.5))  # noise adds 0.00001 to it
    honest = [calibrated_forecasts(N, seed, spread=0.5) for seed in range(40)]
    found = [compare_calibration(sharpened(frame, 1.5), frame, 200).mean_difference for frame in honest]
    assert np.mean(found) == pytest.approx(truth, abs=3 * np.std(found) / np.sqrt(len(found)))


def test_a_coarse_and_a_fine_forecast_that_are_both_calibrated_are_not_told_apart() -> None:
    shown = 0
    for seed in range(60):
        fine = calibrated_forecasts(1500, seed, spread=0.5)
        knows_nothing = fine.assign(probability=0.5)
        found = compare_calibration(fine, knows_nothing, 300)
        shown += found.is_worse or found.is_better
    assert shown <= 6


def test_exchanging_the_two_turns_the_sign() -> None:
    left, right = calibrated_forecasts(N), sharpened(calibrated_forecasts(N), 1.4)
    forth, back = compare_calibration(left, right), compare_calibration(right, left)
    assert forth.mean_difference == pytest.approx(-back.mean_difference)
    assert forth.interval.lower == pytest.approx(-back.interval.upper)


def test_a_better_log_loss_can_hide_a_worse_calibration() -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(0, 0.5, N)
    outcome = rng.random(N) < 1 / (1 + np.exp(-truth))
    timid = forecast_frame(np.full(N, outcome.mean()), outcome)
    bold = forecast_frame(1 / (1 + np.exp(-1.6 * truth)), outcome)
    assert compare_log_loss(bold, timid).is_better
    assert compare_calibration(bold, timid).is_worse


def test_other_rows_and_too_few_are_refused() -> None:
    frame = calibrated_forecasts(100)
    with pytest.raises(ConfigValueError, match="identical rows"):
        compare_calibration(frame, frame.iloc[1:])
    with pytest.raises(InsufficientHistoryError):
        compare_calibration(frame.iloc[:1], frame.iloc[:1])

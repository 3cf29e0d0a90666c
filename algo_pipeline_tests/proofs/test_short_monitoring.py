"""A short form of the proof of the watch: its fast twin is the watch, and its false alarms are rare."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from algo_pipeline.research.drift import WINDOW_H
from algo_pipeline.research.sequential import CalibrationMonitor
from algo_pipeline_tests.proofs.monitoring import (
    DRIFTS,
    SPOILT,
    WatchedYear,
    detection_delays,
    false_alarms,
    first_alarm,
)

N_YEARS = 120


@pytest.fixture(scope="module")
def year() -> WatchedYear:
    return WatchedYear.of(0)


def slow_first_alarm(probability: np.ndarray, outcome: np.ndarray, horizon: int, base_rate: float) -> int:
    monitor = CalibrationMonitor(horizon)
    for bar, (p, y) in enumerate(zip(probability, outcome, strict=True)):
        monitor = monitor.after(bar, float(p), base_rate, int(y))
        if monitor.is_alarming:
            return bar
    return -1


class TestCalibration:
    @pytest.mark.parametrize("horizon", [1, 2, 5])
    @pytest.mark.parametrize("base_rate", [0.5, 0.3])
    def test_the_fast_twin_alarms_where_the_monitor_does(self, horizon, base_rate):
        rng = np.random.default_rng(3)
        for truth in (0.5, 1.0):
            probability = 1 / (1 + np.exp(-rng.standard_normal(1200)))
            outcome = (rng.random(1200) < (probability if truth == 1.0 else base_rate)).astype(np.int64)
            fast = first_alarm(probability, outcome, horizon, base_rate)
            assert fast == slow_first_alarm(probability, outcome, horizon, base_rate)
            assert (fast >= 0) == (truth != 1.0)

    @pytest.mark.parametrize("horizon", [1, 4, 24])
    def test_a_calibrated_model_is_stopped_no_more_often_than_promised(self, horizon):
        alarms = false_alarms(np.random.default_rng(horizon), N_YEARS, 0.4, horizon)
        assert alarms.sum() <= binom.ppf(0.999, N_YEARS, 0.01)

    @pytest.mark.parametrize("broken_at", [0, 4380])
    def test_a_model_that_stops_working_is_found_in_months_and_one_that_turns_around_in_weeks(self, broken_at):
        dead, turned, *_ = DRIFTS.values()
        rng = np.random.default_rng(4)
        assert 30 < np.median(detection_delays(rng, 25, 0.2, dead, broken_at)) / 24 < 100
        assert 10 < np.median(detection_delays(rng, 25, 0.2, turned, broken_at)) / 24 < 30


class TestFeatures:
    def test_the_running_index_is_that_of_the_reference(self, year):
        rows = [year.reference.bins(row) for row in year.features.to_numpy()[300 : 300 + WINDOW_H]]
        expected = year.reference.indices(rows) / year.reference.limits
        assert [year.ratios(place)[300] for place in range(37)] == pytest.approx(expected)

    def test_a_year_like_those_of_training_is_silent_and_a_spoilt_feature_is_not(self, year):
        place = year.reference.names.index("rsi_14")
        assert year.ratios(place).max() < 1
        assert all(year.ratios(place, spoil).max() > 1 for spoil in SPOILT.values())

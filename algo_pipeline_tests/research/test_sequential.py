from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.research.sequential import ALTERNATIVES, Bettor, CalibrationMonitor, likelihood_ratios

PROBABILITY = st.floats(0.0, 1.0)
INNER = st.floats(0.02, 0.98)


def betted(horizon: int, probability: np.ndarray, outcome: np.ndarray, base_rate: float = 0.5) -> CalibrationMonitor:
    monitor = CalibrationMonitor(horizon)
    for number, (p, y) in enumerate(zip(probability, outcome, strict=True)):
        monitor = monitor.after(number, float(p), base_rate, int(y))
    return monitor


class TestRecalibrations:
    def test_without_slope_only_the_base_rate_is_left(self):
        assert ALTERNATIVES[0].apply(0.9, 0.3) == pytest.approx(0.3)

    def test_a_turned_opinion_lies_as_far_on_the_other_side_of_the_base_rate(self):
        assert ALTERNATIVES[1].apply(0.9, 0.5) == pytest.approx(0.1)
        assert ALTERNATIVES[1].apply(0.5, 0.2) == pytest.approx(1 / 17)  # odds 1, base odds 1/4: odds 1/16

    def test_twice_too_sure_halves_the_distance_in_log_odds(self):
        assert ALTERNATIVES[2].apply(0.9, 0.5) == pytest.approx(0.75)  # odds 9, so odds 3

    @given(PROBABILITY, INNER)
    def test_the_ratios_have_mean_one_under_the_probability(self, probability, base_rate):
        inside = min(max(probability, 1e-6), 1 - 1e-6)
        ones, zeros = likelihood_ratios(probability, base_rate, 1), likelihood_ratios(probability, base_rate, 0)
        for one, zero in zip(ones, zeros, strict=True):
            assert inside * one + (1 - inside) * zero == pytest.approx(1.0)
            assert 0 < one < math.inf
            assert 0 < zero < math.inf


class TestBettor:
    def test_two_bets_by_hand(self):
        # Of one coin 1/(3+1) is staked, an eighth on each of two; the next stake is 1/(3+2) of the idle 3/4.
        first = Bettor(start=3.0).after((2.0, 0.5))
        assert first.staked == (0.25, 0.0625)
        assert first.wealth == pytest.approx(0.75 + 0.3125)
        second = first.after((1.0, 2.0))
        assert second.staked == pytest.approx((0.25 + 0.075, (0.0625 + 0.075) * 2))
        assert second.wealth == pytest.approx(0.6 + 0.325 + 0.275)
        assert second.peak == second.wealth

    @given(st.lists(st.tuples(INNER, INNER), min_size=1, max_size=8), st.floats(1, 100))
    @settings(max_examples=60, deadline=None)
    def test_wealth_is_a_martingale_where_the_probabilities_are_right(self, issued, start):
        def expected(bettor: Bettor, left: list[tuple[float, float]]) -> float:
            if not left:
                return bettor.wealth
            (probability, base_rate), *rest = left
            means = [expected(bettor.after(likelihood_ratios(probability, base_rate, y)), rest) for y in (0, 1)]
            return (1 - probability) * means[0] + probability * means[1]

        assert expected(Bettor(start), issued) == pytest.approx(1.0)

    def test_a_wealth_beyond_measure_stays_finite(self):
        bettor = Bettor(start=10.0)
        for _ in range(200):
            bettor = bettor.after(likelihood_ratios(1.0, 0.5, 0))
        assert 1e99 < bettor.wealth < math.inf


class TestMonitor:
    def test_it_starts_with_one_coin_and_no_suspicion(self):
        assert CalibrationMonitor(1).evidence == 1.0
        assert not CalibrationMonitor(24).is_alarming

    @pytest.mark.parametrize(("horizon", "threshold"), [(1, 100), (2, 200), (4, 200), (24, 200), (3, 150)])
    def test_the_threshold_is_that_of_markovs_inequality(self, horizon, threshold):
        deciding = (horizon + 1) // 2
        assert threshold == Fraction(horizon, deciding) * 100
        assert CalibrationMonitor(horizon).threshold() == pytest.approx(threshold)

    def test_hours_are_dealt_in_turn_so_that_no_bet_is_made_before_the_last_is_known(self):
        monitor = CalibrationMonitor(4).after(7, 0.6, 0.5, 1).after(11, 0.6, 0.5, 1).after(8, 0.6, 0.5, 1)
        assert [bettor.n_bets for bettor in monitor.bettors] == [1, 0, 0, 2]

    def test_an_alarm_needs_half_of_the_gamblers(self):
        monitor = CalibrationMonitor(4)
        for _ in range(100):
            monitor = monitor.after(0, 0.99, 0.5, 0)
        assert not monitor.is_alarming
        for _ in range(100):
            monitor = monitor.after(1, 0.99, 0.5, 0)
        assert monitor.is_alarming

    def test_evidence_stays_at_its_peak_and_present_evidence_falls_when_the_model_proves_right(self):
        monitor = CalibrationMonitor(1)
        for _ in range(30):
            monitor = monitor.after(0, 0.7, 0.5, 0)
        peak = monitor.evidence
        assert peak == monitor.present_evidence > 1e5
        for _ in range(30):
            monitor = monitor.after(0, 0.7, 0.5, 1)
        assert monitor.evidence == peak > monitor.present_evidence

    @pytest.mark.parametrize(
        ("place", "truth"), [(0, lambda z: 0 * z), (1, lambda z: -z), (3, lambda z: z + 0.3), (4, lambda z: z - 0.3)]
    )
    def test_it_finds_what_is_wrong_and_says_it(self, place, truth):
        rng = np.random.default_rng(7)
        z = 0.5 * rng.standard_normal(2500)
        outcome = rng.random(2500) < 1 / (1 + np.exp(-truth(z)))
        monitor = betted(1, 1 / (1 + np.exp(-z)), outcome)
        assert monitor.is_alarming
        assert monitor.suspicion().words.startswith(ALTERNATIVES[place].words)

    def test_a_model_that_is_better_than_it_says_raises_no_alarm(self):
        rng = np.random.default_rng(8)
        z = 0.3 * rng.standard_normal(3000)
        outcome = rng.random(3000) < 1 / (1 + np.exp(-2 * z))
        assert betted(1, 1 / (1 + np.exp(-z)), outcome).evidence < 10

    @pytest.mark.parametrize("horizon", [1, 5])
    def test_a_trip_through_json_changes_nothing(self, horizon):
        rng = np.random.default_rng(9)
        monitor = betted(horizon, rng.random(40), rng.random(40) < 0.5)
        assert CalibrationMonitor.from_document(json.loads(json.dumps(monitor.to_document()))) == monitor

    def test_a_document_of_too_few_gamblers_is_refused(self):
        document = CalibrationMonitor(3).to_document()
        with pytest.raises(ValueError, match="3 bettors"):
            CalibrationMonitor.from_document(document | {"bettors": document["bettors"][:2]})

    def test_a_horizon_of_no_bars_is_refused(self):
        with pytest.raises(ConfigValueError, match="at least one bar"):
            CalibrationMonitor(0)

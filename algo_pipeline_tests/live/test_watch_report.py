from __future__ import annotations

import math
from dataclasses import replace

import pytest

from algo_pipeline.live.events import Entry
from algo_pipeline.live.watch_records import SymbolWatch
from algo_pipeline.live.watch_report import shadow_scores, watch_words
from algo_pipeline.research.drift import Drift
from algo_pipeline.research.sequential import CalibrationMonitor
from algo_pipeline_tests.live.lines import BTC, ETH, decision, hour, lines_of, shadow, watched


def issued(bar: int, probability: float, *outcomes: tuple[int, int | None], symbol: object = BTC) -> Entry:
    made = watched(bar, symbol)
    known = [[hour(earlier).isoformat(), outcome] for earlier, outcome in outcomes]
    details = {**made.details, "watch": {**made.details["watch"], "outcomes": known}}
    return replace(made, prob=probability, details=details)


def said(bar: int, probability: float, version: str = "4", symbol: object = BTC) -> Entry:
    made = shadow(bar, symbol)
    return replace(made, prob=probability, details={**made.details, "model_version": version})


class TestShadowScores:
    def test_log_losses_by_hand_on_the_hours_that_are_known(self):
        lines = lines_of(
            issued(0, 0.5), said(0, 0.8), issued(1, 0.5), said(1, 0.4), issued(2, 0.5, (0, 1)), said(2, 0.9),
            issued(3, 0.5, (1, 0)), issued(4, 0.5, (2, None)),
        )  # fmt: skip
        (score,) = shadow_scores(lines)
        assert (score.symbol, score.model_version, score.hours) == (BTC, "4", 2)
        assert score.champion_log_loss == pytest.approx(math.log(2))
        assert score.challenger_log_loss == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
        differences = [math.log(2) * -1 - math.log(0.8), -math.log(2) - math.log(0.6)]
        assert score.difference == pytest.approx(sum(differences) / 2)
        assert score.standard_error == pytest.approx(abs(differences[0] - differences[1]) / 2)

    def test_only_the_newest_version_of_a_challenger_counts(self):
        lines = lines_of(
            issued(0, 0.5), said(0, 0.1), issued(1, 0.5), said(1, 0.8, "5"), issued(3, 0.5, (0, 1), (1, 1))
        )
        (score,) = shadow_scores(lines)
        assert (score.model_version, score.hours, score.standard_error) == ("5", 1, None)

    def test_symbols_are_kept_apart_and_one_without_a_known_hour_has_no_score(self):
        lines = lines_of(
            issued(0, 0.5), said(0, 0.8), issued(0, 0.5, symbol=ETH), said(0, 0.8, symbol=ETH),
            issued(2, 0.5, (0, 0)), issued(2, 0.5, symbol=ETH),
        )  # fmt: skip
        assert [score.symbol for score in shadow_scores(lines)] == [BTC]

    def test_a_certainty_that_was_wrong_costs_much_but_not_everything(self):
        lines = lines_of(issued(0, 0.5), said(0, 1.0), issued(2, 0.5, (0, 0)))
        assert shadow_scores(lines)[0].challenger_log_loss == pytest.approx(-math.log(1e-15))

    def test_a_journal_from_before_there_was_a_watch_has_none(self):
        assert shadow_scores(lines_of(decision(0), shadow(0), decision(2))) == ()


class TestWords:
    def test_before_anything_is_known(self):
        assert watch_words(SymbolWatch()) == "no outcome is known yet; features not compared yet"

    def test_evidence_and_the_feature_nearest_its_limit(self):
        watch = SymbolWatch(
            calibration=CalibrationMonitor(1).after(0, 0.5, 0.5, 1), drift=Drift("rsi_14", index=1.0, limit=4.0)
        )
        words = watch_words(watch)
        assert words.startswith("1 outcomes, evidence 1 : 1 against its probabilities (at most 1, alarm at 100)")
        assert words.endswith("rsi_14 is nearest its limit, 25% of it")

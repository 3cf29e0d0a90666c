"""The parts of a linear model's log-odds sum to its probability."""

from __future__ import annotations

import math

import numpy as np
import pytest

from algo_pipeline.models.contributions import contributions
from algo_pipeline.models.linear_scorer import LinearScorer
from algo_pipeline.models.price_action import N_TERMS, TERM_NAMES, PriceActionBasis
from algo_pipeline_tests.models.samples import fitted, planted_rows


@pytest.mark.parametrize("kind", ["logistic", "scaled_logistic"])
def test_terms_and_constant_sum_to_the_log_odds_of_the_probability(kind):
    scorer = LinearScorer.from_estimator(fitted(kind, "platt"))
    rows = planted_rows(5, seed=9)[0].to_numpy()
    for row in rows:
        parts = contributions(scorer, row)
        assert parts.is_calibrated
        chance = float(scorer.predict_proba(row[np.newaxis])[0])
        assert parts.log_odds == pytest.approx(math.log(chance / (1 - chance)), rel=1e-9)
        assert parts.log_odds == pytest.approx(sum(parts.by_term.values()) + parts.constant)


def test_an_isotonic_model_is_taken_apart_before_its_calibration():
    scorer = LinearScorer.from_estimator(fitted("logistic", "isotonic"))
    row = planted_rows(1, seed=9)[0].to_numpy()[0]
    parts = contributions(scorer, row)
    assert not parts.is_calibrated
    assert parts.log_odds == pytest.approx(float(scorer.log_odds(row[np.newaxis])[0]))


def test_a_term_is_named_after_the_feature_that_moves_it():
    rows = planted_rows(50)[0].to_numpy()
    basis = PriceActionBasis.fit(rows)
    assert len(set(TERM_NAMES)) == len(TERM_NAMES) == N_TERMS
    for name in ("rsi_14", "hour_cos"):
        moved = rows.copy()
        moved[:, TERM_NAMES.index(name)] += 0.5
        changed = np.flatnonzero((basis.terms(rows) != basis.terms(moved)).any(axis=0))
        assert changed.size
        assert all(name in TERM_NAMES[place] for place in changed)

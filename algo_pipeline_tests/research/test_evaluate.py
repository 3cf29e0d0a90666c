from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score, roc_curve

from algo_pipeline.common.errors import DataValidationError, InsufficientHistoryError
from algo_pipeline.research.evaluate import evaluate
from algo_pipeline.research.resampling import draw_blocks
from algo_pipeline.research.scoring import Forecasts, bootstrap_scores, score
from algo_pipeline_tests.research.samples import calibrated_forecasts, forecast_frame


def rounded_forecasts(n: int, seed: int, decimals: int = 2) -> pd.DataFrame:
    """Forecasts with many ties, and base rates that change from fold to fold."""
    frame = calibrated_forecasts(n, seed)
    frame["probability"] = frame["probability"].round(decimals).clip(0.01, 0.99)
    frame["base_rate"] = np.where(np.arange(n) < n // 2, 0.45, 0.6)
    frame["fold"] = (np.arange(n) >= n // 2).astype(np.int64)
    return frame


def slow_ece(probability: np.ndarray, outcome: np.ndarray) -> float:
    """Ten equal-mass bins with equal probabilities kept together, one bin after the other."""
    order = np.argsort(probability, kind="stable")
    p, y, n = probability[order], outcome[order], len(probability)
    total, start = 0.0, 0
    for k in range(1, 11):
        stop = k * n // 10
        while 0 < stop < n and p[stop] == p[stop - 1]:
            stop += 1
        if stop > start:
            total += abs(p[start:stop].sum() - y[start:stop].sum())
            start = stop
    return total / n


@settings(max_examples=60, deadline=None)
@given(n=st.integers(20, 400), seed=st.integers(0, 10_000), decimals=st.sampled_from([1, 2, 12]))
def test_scores_are_those_of_scikit_learn(n: int, seed: int, decimals: int) -> None:
    frame = rounded_forecasts(n, seed, decimals)
    p, y, base = (frame[name].to_numpy() for name in ("probability", "outcome", "base_rate"))
    assume(y.min() != y.max())
    found = evaluate(frame, n_resamples=5).oos
    assert found.n == n
    assert found.auc == pytest.approx(roc_auc_score(y, p), abs=1e-12)
    assert found.log_loss == pytest.approx(log_loss(y, p), abs=1e-12)
    assert found.log_loss_skill == pytest.approx(1 - log_loss(y, p) / log_loss(y, base), abs=1e-12)
    assert found.brier == pytest.approx(brier_score_loss(y, p), abs=1e-12)
    assert found.brier_skill == pytest.approx(1 - brier_score_loss(y, p) / brier_score_loss(y, base), abs=1e-12)
    assert found.ece == pytest.approx(slow_ece(p, y), abs=1e-12)
    assert found.base_rate == pytest.approx(base.mean())
    assert found.observed_rate == pytest.approx(y.mean())


def test_a_worked_example() -> None:
    frame = forecast_frame(np.array([0.2, 0.4, 0.4, 0.8]), np.array([0.0, 0.0, 1.0, 1.0]), base_rate=0.5)
    found = evaluate(frame, n_resamples=5).oos
    # Pairs (one, zero): 0.4>0.2, 0.4=0.4, 0.8>0.2, 0.8>0.4 -> 3.5 of 4.
    assert found.auc == 3.5 / 4
    assert found.brier == pytest.approx((0.04 + 0.16 + 0.36 + 0.04) / 4)
    assert found.brier_skill == pytest.approx(1 - 0.15 / 0.25)
    # Bins {0.2}, {0.4, 0.4}, {0.8}: gaps 0.2, 0.2 and 0.2 per row.
    assert found.ece == pytest.approx((0.2 + 0.2 + 0.2) / 4)


def test_the_base_rate_itself_has_no_skill() -> None:
    found = evaluate(forecast_frame(np.full(400, 0.5), np.tile([0.0, 1.0], 200)), n_resamples=50)
    assert found.oos.auc == 0.5
    assert found.oos.log_loss_skill == 0.0
    assert found.oos.brier_skill == 0.0
    assert found.oos.ece == pytest.approx(0.0)


def test_each_fold_is_scored_alone_and_in_order() -> None:
    frame = rounded_forecasts(400, 3)
    folds = evaluate(frame, n_resamples=5).folds
    assert [fold.n for fold in folds] == [200, 200]
    assert [fold.base_rate for fold in folds] == pytest.approx([0.45, 0.6])
    assert folds[1] == evaluate(frame.iloc[200:], n_resamples=5).oos


def test_a_fold_of_one_outcome_has_no_auc_but_every_other_score() -> None:
    found = evaluate(forecast_frame(np.linspace(0.3, 0.7, 50), np.ones(50)), n_resamples=20)
    assert np.isnan(found.oos.auc)
    assert np.isfinite([found.oos.log_loss, found.oos.brier, found.oos.ece]).all()
    assert np.isnan(found.intervals["auc"].lower)
    assert found.roc.true_positive_rate == ()


def slow_resample_scores(frame: pd.DataFrame, n_resamples: int, mean_block: int, seed: int) -> list[dict[str, float]]:
    """Draw the very rows of each resample and score them with scikit-learn."""
    rng, n, found = np.random.default_rng(seed), len(frame), []
    p, y, base = (frame[name].to_numpy() for name in ("probability", "outcome", "base_rate"))
    starts, lengths = np.empty(n, np.int64), np.empty(n, np.int64)
    for _ in range(n_resamples):
        count = draw_blocks(rng, mean_block, starts, lengths)
        blocks = zip(starts[:count], lengths[:count], strict=True)
        rows = np.concatenate([(np.arange(length) + start) % n for start, length in blocks])
        found.append(
            {
                "auc": roc_auc_score(y[rows], p[rows]),
                "log_loss": log_loss(y[rows], p[rows]),
                "log_loss_skill": 1 - log_loss(y[rows], p[rows]) / log_loss(y[rows], base[rows]),
                "brier": brier_score_loss(y[rows], p[rows]),
            }
        )
    return found


@pytest.mark.parametrize("mean_block", [1, 7, 60, 500])
def test_resampled_scores_equal_scores_of_the_resampled_rows(mean_block: int) -> None:
    frame = rounded_forecasts(120, 4)
    forecasts = Forecasts.of(*(frame[name].to_numpy() for name in ("probability", "outcome", "base_rate")))
    fast = bootstrap_scores(forecasts, 25, mean_block, seed=6)
    for row, slow in enumerate(slow_resample_scores(frame, 25, mean_block, seed=6)):
        for name, value in slow.items():
            assert fast.scores[name][row] == pytest.approx(value, abs=1e-10)
    np.testing.assert_allclose(fast.bin_rows.sum(axis=1), 120)


def test_bins_hold_equal_shares_and_never_split_equal_probabilities() -> None:
    bins = evaluate(calibrated_forecasts(1000, 5), n_resamples=50).reliability
    assert [b.n for b in bins] == [100] * 10
    assert all(left.upper_edge < right.lower_edge for left, right in pairwise(bins))

    few = evaluate(rounded_forecasts(1000, 5, decimals=1), n_resamples=50).reliability
    assert sum(b.n for b in few) == 1000
    assert len(few) < 10
    assert all(left.upper_edge < right.lower_edge for left, right in pairwise(few))


def test_bins_say_what_came_of_their_rows() -> None:
    frame = calibrated_forecasts(1000, 6)
    for b in evaluate(frame, n_resamples=200).reliability:
        rows = frame[frame["probability"].between(b.lower_edge, b.upper_edge)]
        assert b.n == len(rows)
        assert b.mean_probability == pytest.approx(rows["probability"].mean())
        assert b.observed_rate == pytest.approx(rows["outcome"].mean())
        assert b.rate_lower < b.observed_rate < b.rate_upper


def test_the_curve_runs_from_corner_to_corner_with_at_most_500_points() -> None:
    frame = calibrated_forecasts(5000, 7)
    curve = evaluate(frame, n_resamples=5).roc
    false, true = np.array(curve.false_positive_rate), np.array(curve.true_positive_rate)
    assert len(false) == len(true) <= 500
    assert (false[0], true[0], false[-1], true[-1]) == (0.0, 0.0, 1.0, 1.0)
    assert (np.diff(false) >= 0).all()
    assert (np.diff(true) >= 0).all()
    area = np.sum(np.diff(false) * (true[1:] + true[:-1]) / 2)
    assert area == pytest.approx(roc_auc_score(frame["outcome"], frame["probability"]), abs=2e-3)


def test_a_short_curve_is_that_of_scikit_learn() -> None:
    frame = rounded_forecasts(200, 8, decimals=1)
    curve = evaluate(frame, n_resamples=5).roc
    false, true, _ = roc_curve(frame["outcome"], frame["probability"], drop_intermediate=False)
    np.testing.assert_allclose(curve.false_positive_rate, false, atol=1e-12)
    np.testing.assert_allclose(curve.true_positive_rate, true, atol=1e-12)


def test_equal_seeds_give_equal_intervals() -> None:
    frame = calibrated_forecasts(800, 9)
    assert evaluate(frame, 100, seed=1) == evaluate(frame, 100, seed=1)
    assert evaluate(frame, 100, seed=1).intervals != evaluate(frame, 100, seed=2).intervals


def miscalibrated(n: int, rng: np.random.Generator, slope: float) -> pd.DataFrame:
    """Forecasts whose true log-odds are ``slope`` times what they say, over hours whose true level drifts slowly."""
    said = np.repeat(rng.normal(0.0, 0.3, n // 12 + 1), 12)[:n] + rng.normal(0.0, 0.2, n)
    outcome = rng.random(n) < 1 / (1 + np.exp(-slope * said))
    return forecast_frame(1 / (1 + np.exp(-said)), outcome)


@pytest.fixture(scope="module", params=[0.0, 0.6, 1.0], ids=lambda slope: f"slope {slope}")
def repeated(request: pytest.FixtureRequest) -> tuple[dict[str, float], list[dict[str, tuple[float, float]]]]:
    """True scores, from a huge sample, and the intervals of 150 samples of 3000 hours."""
    rng = np.random.default_rng(31)
    huge = miscalibrated(400_000, rng, request.param)
    said = np.log(huge["probability"] / (1 - huge["probability"]))
    chance = (1 / (1 + np.exp(-request.param * said))).to_numpy()
    score_table = score(Forecasts.of(*(huge[name].to_numpy() for name in ("probability", "outcome", "base_rate"))))
    truth = {name: float(values[0]) for name, values in score_table.scores.items()}
    bins = np.array_split(np.argsort(huge["probability"].to_numpy()), 10)
    truth["ece"] = float(np.mean([abs(chance[b].mean() - huge["probability"].to_numpy()[b].mean()) for b in bins]))
    samples = [evaluate(miscalibrated(3000, rng, request.param), 250, seed=k).intervals for k in range(150)]
    return truth, [{name: (i.lower, i.upper) for name, i in sample.items()} for sample in samples]


@pytest.mark.parametrize("name", ["auc", "log_loss", "log_loss_skill", "brier", "brier_skill", "ece"])
def test_intervals_cover_the_true_score_nearly_as_often_as_they_say(
    name: str, repeated: tuple[dict[str, float], list[dict[str, tuple[float, float]]]]
) -> None:
    truth, samples = repeated
    hits = np.mean([s[name][0] - 1e-9 <= truth[name] <= s[name][1] + 1e-9 for s in samples])
    # 150 samples: Monte-Carlo error 0.018 at 0.95; with 20 blocks a percentile interval is a little short.
    assert hits >= 0.87
    assert name == "ece" or hits <= 0.995


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda f: f.drop(columns="base_rate"), "missing"),
        (lambda f: f.assign(probability=1.0), "above 0 and below 1"),
        (lambda f: f.assign(probability=np.nan), "above 0 and below 1"),
        (lambda f: f.assign(base_rate=0.0), "above 0 and below 1"),
        (lambda f: f.assign(outcome=np.nan), "Outcomes must be 0 or 1"),
    ],
    ids=["column", "certain", "NaN", "base rate", "outcome"],
)
def test_values_outside_their_domain_are_refused(spoil: object, problem: str) -> None:
    with pytest.raises(DataValidationError, match=problem):
        evaluate(spoil(calibrated_forecasts(10)))  # type: ignore[operator]


def test_no_rows_are_too_little_history() -> None:
    with pytest.raises(InsufficientHistoryError):
        evaluate(calibrated_forecasts(10).iloc[:0])

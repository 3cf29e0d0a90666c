from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.errors import InsufficientHistoryError
from algo_pipeline.research.pipeline import ResearchResult, run_research
from algo_pipeline.research.splits import SplitRule, purge_violations
from algo_pipeline.research.train import Recipe
from algo_pipeline_tests.market import random_bars, without_rows

RECIPE = Recipe(split=SplitRule(n_folds=3, test_fraction=0.4))


@pytest.fixture(scope="module")
def result() -> ResearchResult:
    return run_research(random_bars(4000, seed=3), RECIPE, n_resamples=100)


def test_its_parts_belong_together(result: ResearchResult) -> None:
    assert result.plan.n_rows == len(result.dataset)
    assert len(result.calibrated) == len(result.models) == 4
    assert result.production is result.calibrated[-1]
    assert result.evaluation.oos.n == len(result.oos)
    assert len(result.evaluation.folds) == 3
    assert purge_violations(result.plan, result.dataset.timestamps) == ()


def test_running_it_twice_gives_the_same_bits(result: ResearchResult) -> None:
    again = run_research(random_bars(4000, seed=3), RECIPE, n_resamples=100)
    assert again.dataset.content_hash == result.dataset.content_hash
    pd.testing.assert_frame_equal(again.oos, result.oos, check_exact=True)
    assert again.evaluation == result.evaluation


def test_on_a_random_walk_there_is_no_skill_to_be_found() -> None:
    found = []
    for seed in range(10):
        interval = run_research(random_bars(4000, seed=seed), RECIPE, n_resamples=100).evaluation.intervals
        found.append(interval["log_loss_skill"].lower > 0.0)
    assert sum(found) <= 2  # each at most 2.5 %: three or more of ten happen once in 500 runs


def test_bars_after_a_folds_test_block_change_none_of_its_probabilities(result: ResearchResult) -> None:
    bars = random_bars(4000, seed=3)
    fold = result.plan.folds[1]
    last = result.dataset.features.index[fold.test][-1]
    poisoned = bars.copy()
    later = poisoned.index > last
    poisoned.loc[later, ["open", "high", "low", "close"]] *= np.linspace(1.5, 5.0, later.sum())[:, None]
    again = run_research(poisoned, RECIPE, n_resamples=10)
    pd.testing.assert_series_equal(
        again.oos.loc[:last, "probability"], result.oos.loc[:last, "probability"], check_exact=True
    )


def test_hours_missing_from_the_bars_are_missing_from_the_rows_and_nothing_else_breaks() -> None:
    holes = np.random.default_rng(1).choice(np.arange(1000, 4900), 12, replace=False)
    found = run_research(without_rows(random_bars(5000, seed=4), *holes.tolist()), RECIPE, n_resamples=20)
    assert len(found.dataset) < 5000 - 600
    assert purge_violations(found.plan, found.dataset.timestamps) == ()


def test_too_few_bars_say_how_many_rows_are_needed() -> None:
    with pytest.raises(InsufficientHistoryError, match=r"need at least \d+ rows"):
        run_research(random_bars(1200), RECIPE)


@pytest.mark.parametrize(
    ("name", "auc", "skill"), [("BTCUSDT", 0.565, 0.0085), ("ETHUSDT", 0.557, 0.0067), ("SOLUSDT", 0.540, 0.0032)]
)
def test_on_real_bars_it_finds_about_what_a_plain_logistic_regression_finds(
    name: str, auc: float, skill: float, real_bars: Callable[[str], pd.DataFrame]
) -> None:
    found = run_research(real_bars(name), Recipe(), n_resamples=50).evaluation
    assert found.oos.auc == pytest.approx(auc, abs=0.012)
    assert found.oos.log_loss_skill == pytest.approx(skill, abs=0.003)
    assert found.oos.ece < 0.03

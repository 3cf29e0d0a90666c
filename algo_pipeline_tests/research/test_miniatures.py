from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.miniature import BLUE, GREEN, MAX_CHARACTERS, ORANGE, RED
from algo_pipeline.data.labels import label_spec
from algo_pipeline.research import miniatures
from algo_pipeline.research.plots_of_models import Difference
from algo_pipeline.research.splits import SplitRule, walk_forward
from algo_pipeline_tests.backtest.report_samples import NO_EVALUATION, sample_inputs

_HOURS = pd.date_range("2022-01-01", periods=9_000, freq="h", tz="UTC")


def _plan(n_folds: int) -> str:
    return miniatures.folds(walk_forward(9_000, label_spec("direction_1h"), SplitRule(n_folds=n_folds)), _HOURS)


def _coded(colour: str) -> str:
    return colour.replace("#", "%23")


def _random(n: int) -> pd.Series:
    return pd.Series(np.random.default_rng(1).random(n), _HOURS[:n], name="probability")


@pytest.mark.parametrize(
    "draw",
    [
        lambda: miniatures.completeness(pd.DataFrame({"x": _random(9_000), "y": np.nan}, _HOURS)),
        lambda: miniatures.completeness(pd.DataFrame({"x": []})),
        lambda: miniatures.balance((_random(9_000) > 0.5).astype(float).rename("direction_1h")),
        lambda: miniatures.balance(_random(9_000).rename("forward_return")),
        lambda: _plan(1),
        lambda: _plan(40),
        lambda: miniatures.weights(pd.Series(np.linspace(-1, 1, 60), [f"{n} {'long' * 99}" for n in range(60)])),
        lambda: miniatures.weights(pd.Series([0.0, 0.0], ["a", "b"])),
        lambda: miniatures.calibration(np.linspace(0.2, 0.8, 5_000), np.linspace(0.3, 0.7, 5_000)),
        lambda: miniatures.calibration(np.full(10, 0.5), np.full(10, 0.5)),
        lambda: miniatures.histogram(_random(9_000)),
        lambda: miniatures.histogram(pd.Series([0.5, np.nan])),
        lambda: miniatures.reliability(sample_inputs().evaluation),
        lambda: miniatures.reliability(NO_EVALUATION),
        lambda: miniatures.running(_random(9_000).cumsum(), "words"),
        lambda: miniatures.gate(()),
        lambda: miniatures.gate([Difference("against base rate", -0.1, -0.2, 0.1)] * 9),
        lambda: miniatures.ranking(np.linspace(-1, 1, 300), "300 candidates"),
        lambda: miniatures.ranking((), "none"),
        lambda: miniatures.best_so_far(np.linspace(0, 1, 300), "300 trials"),
        lambda: miniatures.best_so_far((), "none"),
    ],
)
def test_every_picture_is_small_enough_to_be_seen_at_once_whatever_it_shows(draw: Callable[[], str]) -> None:
    shown = draw()
    assert shown.startswith("![")
    assert len(shown) <= MAX_CHARACTERS


def test_folds_show_what_is_fitted_calibrated_and_tested() -> None:
    assert all(_coded(colour) in _plan(4) for colour in (ORANGE, BLUE))


def test_a_gates_interval_is_green_below_nought_red_above_it_and_orange_across_it() -> None:
    found = [miniatures.colour_of(Difference("x", 0.0, *bounds)) for bounds in ((-2, -1), (1, 2), (-1, 1))]
    assert found == [GREEN, RED, ORANGE]


def test_weights_are_told_apart_by_their_sign() -> None:
    both = miniatures.weights(pd.Series([0.5, -0.4], ["rises", "falls"]))
    assert _coded(GREEN) in both
    assert _coded(RED) in both
    assert "rises counts most" in both
    assert _coded(RED) not in miniatures.weights(pd.Series([0.5, 0.4], ["a", "b"]))


def test_the_calibration_says_from_where_to_where() -> None:
    shown = miniatures.calibration(np.array([0.2, 0.8]), np.array([0.35, 0.65]))
    assert "20%25 to 80%25 become 35%25 to 65%25" in shown

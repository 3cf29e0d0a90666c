from __future__ import annotations

import math

import numpy as np
import pytest

from algo_pipeline.models.log_odds import chance, class_probabilities, log_losses


def test_log_odds_of_three_to_one_are_a_chance_of_three_quarters() -> None:
    np.testing.assert_allclose(chance(np.array([math.log(3.0), 0.0, -math.log(3.0)])), [0.75, 0.5, 0.25], rtol=1e-15)


@pytest.mark.filterwarnings("error")
def test_certainty_neither_overflows_nor_warns_and_nan_stays() -> None:
    found = chance(np.array([800.0, -800.0, math.nan]))
    np.testing.assert_array_equal(found, [1.0, 0.0, math.nan])


def test_the_loss_is_minus_the_logarithm_of_the_chance_given_to_what_happened() -> None:
    log_odds = np.array([math.log(3.0), math.log(3.0), 800.0])
    np.testing.assert_allclose(log_losses(log_odds, np.array([1, 0, 0])), [math.log(4 / 3), math.log(4.0), 800.0])


def test_the_classes_share_one() -> None:
    np.testing.assert_allclose(class_probabilities(np.array([math.log(3.0), 0.0])), [[0.25, 0.75], [0.5, 0.5]])

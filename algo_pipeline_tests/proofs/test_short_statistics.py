"""A short form of `make prove-statistics`: one year of 24 null markets, and a few with a signal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from algo_pipeline.backtest.evidence import LEVEL
from algo_pipeline.common.config import Settings, load_settings
from algo_pipeline.research.recipe import configured_recipe
from algo_pipeline_tests.proofs.markets import Finding, Market, equal_recipe_wins, examine, traded_recipe
from algo_pipeline_tests.proofs.statistics import LONGEST_LABEL, allowed_announcements, bounded_row, sized_row

N_NULL, N_PLANTED = 24, 5
MOST = int(binom.ppf(0.999, N_NULL, LEVEL))


@pytest.fixture(scope="module")
def null() -> list[Finding]:
    return [examine(Market(seed, years=1.0)) for seed in range(N_NULL)]


class TestNullMarkets:
    @pytest.mark.parametrize("verdict", ["has_skill", "has_zero_cost_edge", "has_after_cost_edge", "beats_base_rate"])
    def test_luck_is_announced_no_more_often_than_the_level_says(self, null, verdict):
        assert sum(getattr(found.evidence, verdict) for found in null) <= MOST

    def test_p_values_are_spread_over_their_whole_range(self, null):
        for name in ("skill_p_value", "zero_cost_edge_p_value"):
            p_values = np.array([getattr(found.evidence, name) for found in null])
            assert abs((p_values <= 0.5).mean() - 0.5) < 3.3 * 0.5 / np.sqrt(N_NULL)
            assert p_values.min() < 0.2
            assert p_values.max() > 0.8

    def test_calibration_is_right_within_its_error(self, null):
        assert sum(found.calibration_p_value <= LEVEL for found in null) <= MOST
        assert sum(found.free_calibration_p_value <= LEVEL for found in null) <= MOST
        bias = np.array([found.bias for found in null])
        assert abs(bias.mean()) < 3.3 * bias.std(ddof=1) / np.sqrt(N_NULL)


class TestNullMarketsOfTheLongestLabel:
    def test_luck_is_announced_no_more_often_than_the_level_says(self):
        evidence = [examine(Market(seed, years=1.0, label=LONGEST_LABEL)).evidence for seed in range(N_NULL)]
        assert sum(one.has_skill for one in evidence) <= MOST
        assert sum(one.has_zero_cost_edge for one in evidence) <= MOST
        assert sum(one.has_after_cost_edge for one in evidence) <= MOST
        p_values = np.array([one.skill_p_value for one in evidence])
        assert abs((p_values <= 0.5).mean() - 0.5) < 3.3 * 0.5 / np.sqrt(N_NULL)


class TestTradedRecipe:
    def test_markets_are_examined_by_what_is_traded_by_default_on_its_label(self, monkeypatch):
        monkeypatch.setenv("ALGO_TRADER_MODEL", "boosting")
        assert traded_recipe(Market(0, years=1.0).label) == configured_recipe(Settings.model_construct())
        monkeypatch.delenv("ALGO_TRADER_MODEL")
        assert traded_recipe(Market(0, years=1.0).label) == configured_recipe(load_settings(env_file=None))


class TestPlantedMarkets:
    def test_skill_and_edge_are_found_where_there_are_some(self):
        found = [examine(Market(seed, years=1.0, signal_strength=0.3)) for seed in range(N_PLANTED)]
        assert all(one.evidence.has_skill for one in found)
        assert all(one.evidence.has_zero_cost_edge for one in found)
        assert all(one.evidence.beats_base_rate for one in found)
        assert sum(one.free_calibration_p_value <= LEVEL for one in found) <= 2


class TestEqualRecipes:
    def test_one_of_two_equal_recipes_is_rarely_promoted(self):
        wins = [equal_recipe_wins(Market(seed, years=1.0, signal_strength=0.2)) for seed in range(4)]
        assert sum(wins) <= 1


class TestTable:
    def test_the_bounds_of_500_markets_are_those_of_an_exact_test_at_five_percent(self):
        assert allowed_announcements(500) == (10, 35)
        assert binom.cdf(35, 500, 0.05) >= 0.975 > binom.cdf(34, 500, 0.05)

    @pytest.mark.parametrize(("announced", "holds"), [(9, False), (10, True), (35, True), (36, False)])
    def test_a_test_that_speaks_too_often_or_hardly_ever_does_not_hold(self, announced, holds):
        assert sized_row("what", announced, 500).holds == holds

    def test_a_stricter_rule_may_be_silent(self):
        assert bounded_row("what", 0, 500).holds
        assert not bounded_row("what", 36, 500).holds

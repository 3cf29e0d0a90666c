"""Price bands, the order cap and the rules' own domains."""

from __future__ import annotations

import pandas as pd
import pytest

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.live.limits import LiveRules, entry_breach, orders_left, price_breach
from algo_pipeline.live.state import LiveState

RULES = LiveRules()


class TestPriceBand:
    @pytest.mark.parametrize(
        ("close", "references", "second", "is_believed"),
        [
            (124.9, [100.0], None, True),
            (125.1, [100.0], None, False),
            (74.9, [100.0], None, False),
            (130.0, [100.0], 131.0, True),
            (130.0, [100.0], 100.0, False),
            (130.0, [100.0, 129.0], None, True),
            (130.0, [129.0, 100.0], None, True),
            (130.0, [], None, True),
            (1.0, [100.0, 100.0], None, False),
        ],
    )
    def test_a_close_far_from_every_reference_needs_a_second_source(self, close, references, second, is_believed):
        assert (price_breach(close, references, second, RULES) is None) == is_believed

    def test_the_breach_names_prices_distance_and_band(self):
        text = "close 130 is 3000 bps from the last one, more than 2500, and no second source confirms it"
        assert price_breach(130.0, [100.0], None, RULES) == text


class TestEntryCheck:
    @pytest.mark.parametrize(
        ("second", "agrees"), [(None, True), (104.0, True), (96.0, True), (106.0, False), (90.0, False)]
    )
    def test_an_entry_needs_a_second_source_that_does_not_object(self, second, agrees):
        assert (entry_breach(100.0, second, RULES) is None) == agrees


class TestOrderCap:
    def test_orders_of_another_day_do_not_count(self):
        state = LiveState(orders_today=("2024-01-01", 99))
        assert orders_left(state, pd.Timestamp("2024-01-01T23:59", tz="UTC"), RULES) == 1
        assert orders_left(state, pd.Timestamp("2024-01-02T00:00", tz="UTC"), RULES) == 100

    def test_it_is_never_negative(self):
        state = LiveState(orders_today=("2024-01-01", 150))
        assert orders_left(state, pd.Timestamp("2024-01-01", tz="UTC"), RULES) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"max_decision_delay_s": 0},
        {"max_decision_delay_s": 3601},
        {"max_orders_per_day": 0},
        {"price_band_bps": 0},
        {"price_check_bps": -1},
        {"strategy": "Algo"},
        {"strategy": "toolongname"},
        {"strategy": "a-b"},
    ],
)
def test_rules_outside_their_domain_are_refused_by_name(change):
    with pytest.raises(ConfigValueError, match=next(iter(change))):
        LiveRules(**change)

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, Context, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.strategy.position_sizing import cash_per_unit, counts_as_flat, entry_quantity, floor_to_step

EXACT = Context(prec=800, rounding=ROUND_FLOOR)
DECIMALS = st.integers(0, 12)


def largest_whole_steps(value: float, decimals: int) -> int:
    return int(EXACT.scaleb(Decimal(value), decimals).to_integral_value(ROUND_FLOOR))


@settings(max_examples=2000, deadline=None)
@given(st.floats(1e-12, 1e9), DECIMALS)
def test_floor_to_step_is_the_largest_exact_multiple_not_above_any_value(value: float, decimals: int) -> None:
    steps = largest_whole_steps(value, decimals)
    quantity = floor_to_step(value, float(10**decimals))
    assert quantity <= value
    if steps < 2**53:
        assert quantity == float(Decimal(steps).scaleb(-decimals))


@settings(max_examples=2000, deadline=None)
@given(st.integers(1, 10**15), DECIMALS, st.integers(-2, 2))
def test_floor_to_step_decides_values_within_two_ulps_of_a_step_exactly(steps: int, decimals: int, ulps: int) -> None:
    value = float(Decimal(steps).scaleb(-decimals))
    for _ in range(abs(ulps)):
        value = math.nextafter(value, math.copysign(math.inf, ulps))
    expected = float(Decimal(largest_whole_steps(value, decimals)).scaleb(-decimals))
    assert floor_to_step(value, float(10**decimals)) == expected


def test_floor_to_step_judges_the_double_itself_not_its_rounded_product() -> None:
    assert 0.29 * 100 < 29
    assert Decimal.from_float(0.29) < Decimal("0.29")
    assert floor_to_step(0.29, 100.0) == 0.28
    assert 1.1 * 10 == 11.0
    assert Decimal.from_float(1.1) > Decimal("1.1")
    assert floor_to_step(1.1, 10.0) == 1.1
    assert 0.3 * 10 == 3.0  # the product hides that the double is below three tenths
    assert Decimal.from_float(0.3) < Decimal("0.3")
    assert floor_to_step(0.3, 10.0) == 0.2


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, 1e-13])
def test_floor_to_step_of_nothing_is_zero(value: float) -> None:
    assert floor_to_step(value, 1e6) == 0.0


def test_floor_to_step_beyond_whole_doubles_never_exceeds_the_value() -> None:
    value = 123_456_789_012.345
    assert floor_to_step(value, 1e12) <= value
    assert floor_to_step(value, 1e12) == pytest.approx(value, rel=1e-15)


@settings(max_examples=300, deadline=None)
@given(st.floats(0, 1e7), DECIMALS)
def test_compiled_and_interpreted_floor_agree_bit_for_bit(value: float, decimals: int) -> None:
    assert floor_to_step(value, float(10**decimals)) == floor_to_step.py_func(value, float(10**decimals))


@pytest.mark.parametrize(
    ("quantity", "price", "flat"),
    [(0.0, 100.0, True), (0.0999, 100.0, True), (0.1, 100.0, False), (5.0, 0.0, True)],
)
def test_a_holding_worth_less_than_the_minimum_counts_as_flat(quantity: float, price: float, flat: bool) -> None:
    assert counts_as_flat(quantity, price, 10.0) is flat


def test_nothing_held_is_flat_even_without_a_minimum() -> None:
    assert counts_as_flat(0.0, 100.0, 0.0)
    assert not counts_as_flat(1e-9, 100.0, 0.0)


def test_cash_per_unit_multiplies_slippage_fee_and_buffer() -> None:
    assert cash_per_unit(100.0, 0.01, 0.02, 0.5) == pytest.approx(100 * 1.01 * 1.02 * 1.5)


def entry(**changes: float) -> float:
    inputs = {
        "equity": 1000.0,
        "close": 104.0,
        "held": 0.0,
        "fraction": 0.5,
        "affordable": math.inf,
        "steps_per_unit": 100.0,
        "min_notional": 10.0,
    } | changes
    return entry_quantity(*inputs.values())


def test_an_entry_is_the_target_fraction_of_equity_on_the_step() -> None:
    assert entry() == 4.80  # 500 / 104 = 4.807...


def test_an_entry_is_limited_by_what_cash_can_cover() -> None:
    assert entry(affordable=2.345) == 2.34


def test_dust_is_topped_up_to_the_target_by_whole_steps() -> None:
    assert entry(held=0.0512345) == 4.75  # 4.80769 - 0.05123 = 4.75645...


def test_an_entry_below_the_minimum_notional_is_dropped() -> None:
    assert entry(equity=20.7) == 0.0  # 0.09 coins are worth 9.36
    assert entry(equity=20.9) == pytest.approx(0.10)  # 0.10 coins are worth 10.40


def test_no_entry_without_fraction_or_cash() -> None:
    assert entry(fraction=0.0) == 0.0
    assert entry(affordable=-3.0) == 0.0


def test_an_entry_of_more_units_than_a_double_holds_is_dropped() -> None:
    assert entry(equity=1e300, close=1e-100) == 0.0

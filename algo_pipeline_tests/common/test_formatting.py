from __future__ import annotations

import math

import pandas as pd
import pytest

from algo_pipeline.common import formatting as f


@pytest.mark.parametrize("show", [f.percent, f.number, f.count, f.hours_long, f.significant, f.chance, f.certainty])
@pytest.mark.parametrize("undefined", [None, math.nan, math.inf])
def test_what_is_undefined_reads_as_a_dash(show: object, undefined: float | None) -> None:
    assert callable(show)
    assert show(undefined) == "–"


def test_percentages_are_rounded_signed_on_request_and_never_minus_zero() -> None:
    assert f.percent(0.01234) == "1.2%"
    assert f.percent(0.01234, 2, signed=True) == "+1.23%"
    assert f.percent(-0.5) == "−50.0%"
    assert f.percent(-0.0001) == "0.0%"
    assert f.percent(0.0001, signed=True) == "0.0%"


def test_money_shows_cents_only_where_they_matter() -> None:
    assert f.money(74_214.7, "USD") == "74,215 USD"
    assert f.money(-12.345, "USD") == "−12.35 USD"


def test_a_chance_never_claims_certainty() -> None:
    assert [f.chance(p) for p in (0.0, 0.009, 0.234, 0.991, 1.0)] == ["<1%", "<1%", "23%", ">99%", ">99%"]


@pytest.mark.parametrize(
    ("probability", "text"), [(0.9499, "0.94"), (0.95, "0.95"), (0.57, "0.57"), (1.0, "0.99"), (0.0, "0.00")]
)
def test_certainty_is_rounded_down(probability: float, text: str) -> None:
    assert f.certainty(probability) == text


def test_durations_are_hours_then_days() -> None:
    assert [f.hours_long(h) for h in (7, 10.93, 47, 48, 21_840)] == ["7 h", "10.9 h", "47 h", "2 d", "910 d"]


def test_times_are_short_and_may_be_missing() -> None:
    at = pd.Timestamp("2024-01-31T13:00Z")
    assert (f.day(at), f.minute(at), f.day(None), f.minute(pd.NaT)) == ("2024-01-31", "2024-01-31 13:00", "–", "–")


def test_significant_digits_keep_small_prices_readable() -> None:
    assert f.significant(61_953.51) == "61,953.5"
    assert f.significant(-0.00012345678) == "−0.000123457"


def test_a_markdown_table_escapes_the_column_separator() -> None:
    table = f.markdown_table(("a", "b"), [("x|y", "1")])
    assert table.splitlines() == ["| a | b |", "| :--- | ---: |", "| x\\|y | 1 |"]

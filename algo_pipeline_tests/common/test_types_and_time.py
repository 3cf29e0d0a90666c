from __future__ import annotations

import pandas as pd
import pytest

from algo_pipeline.common import time
from algo_pipeline.common.errors import ConfigValueError, DataValidationError
from algo_pipeline.common.schemas import bar_problems, empty_bars, validate_bars
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Symbol
from algo_pipeline_tests.market import random_bars


@pytest.mark.parametrize("text", ["BTC/USD", "btc/usd", " BTC-USD "])
def test_a_symbol_is_read_in_any_case_and_as_slug(text: str) -> None:
    symbol = Symbol.parse(text)
    assert (str(symbol), symbol.slug) == ("BTC/USD", "BTC-USD")


@pytest.mark.parametrize("text", ["", "BTCUSD", "BTC/", "/USD", "BTC/USD/X", "BTC USD", "BTC/US$", "../x"])
def test_anything_else_is_no_symbol(text: str) -> None:
    with pytest.raises(ConfigValueError, match="BASE/QUOTE"):
        Symbol.parse(text)


def test_a_bar_is_closed_exactly_one_hour_after_its_open() -> None:
    assert time.last_closed_open(pd.Timestamp("2024-01-01T05:00Z")) == pd.Timestamp("2024-01-01T04:00Z")
    assert time.last_closed_open(pd.Timestamp("2024-01-01T04:59:59.999Z")) == pd.Timestamp("2024-01-01T03:00Z")


def test_a_naive_time_is_utc_and_an_offset_is_converted() -> None:
    assert time.to_utc("2024-01-01T05:00") == pd.Timestamp("2024-01-01T05:00Z")
    assert time.to_utc("2024-01-01T05:00+02:00") == pd.Timestamp("2024-01-01T03:00Z")
    with pytest.raises(ConfigValueError, match="A time is expected"):
        time.to_utc("soon")


def test_good_and_empty_bars_pass() -> None:
    bars = random_bars(10)
    assert validate_bars(bars) is bars
    assert list(bar_problems(empty_bars())) == []


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("close", float("nan"), "every value is finite"),
        ("high", float("inf"), "every value is finite"),
        ("low", 0.0, "prices are positive"),
        ("high", 1.0, "low <= open, close <= high"),
        ("volume", -1.0, "volume >= 0"),
        ("low", 9e-129, "prices are from 1e-128 to 1e\\+128"),
        ("high", 2e128, "prices are from 1e-128 to 1e\\+128"),
        ("volume", 2e128, "volume is at most 1e\\+128"),
    ],
)
def test_a_broken_rule_is_named_with_its_first_row(column: str, value: float, rule: str) -> None:
    bars = random_bars(10)
    bars.loc[bars.index[3], column] = value
    with pytest.raises(DataValidationError, match=rf"'{rule}' at 1 row, first 2024-01-01T03:00Z"):
        validate_bars(bars)


def test_reordered_duplicate_and_off_grid_rows_are_found() -> None:
    bars = random_bars(6)
    assert "unique and ascending" in next(bar_problems(bars.iloc[::-1]))
    assert "unique and ascending" in next(bar_problems(bars.iloc[[0, 1, 1, 2]]))
    shifted = bars.set_axis(bars.index + pd.Timedelta(minutes=1))
    assert "whole hours" in next(bar_problems(shifted))


def test_structure_comes_first() -> None:
    bars = random_bars(3)
    assert "columns" in next(bar_problems(bars.drop(columns="volume")))
    assert "tz-aware UTC" in next(bar_problems(bars.tz_convert("Europe/Berlin")))
    assert "float64" in next(bar_problems(bars.astype({"volume": "int64"})))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"initial_cash": 0.0}, "initial_cash"),
        ({"enter_threshold": 0.4}, "exit_threshold"),
        ({"max_position_fraction": 1.5}, "max_position_fraction"),
        ({"quantity_step": 2e-6}, "quantity_step"),
        ({"cooldown_bars": -1}, "cooldown_bars"),
        ({"fee_bps": float("nan")}, "fee_bps"),
        ({"max_drawdown": 0.0}, "max_drawdown"),
        ({"cash_buffer_bps": -1.0}, "cash_buffer_bps"),
        ({"cooldown_bars": 10**30}, "cooldown_bars"),
        ({"initial_cash": 10**400}, "initial_cash"),
        ({"fee_in_base": "false"}, "fee_in_base"),
    ],
)
def test_trading_rules_outside_their_domain_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigValueError, match=message):
        BacktestConfig(**changes)  # type: ignore[arg-type]


def test_a_fraction_above_the_cap_is_clamped() -> None:
    assert BacktestConfig(position_fraction=0.9).target_fraction == 0.2

"""Protective exits, bar by bar: 5.00 bought at 100 (101 with slippage) at the open of bar 1, unless told otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from algo_pipeline.backtest.engine import ExecutionOptions
from algo_pipeline_tests.backtest.realism_examples import (
    FLAT,
    FREE,
    HOLD,
    LONG,
    SLIPPING,
    Candle,
    candles,
    fills_of,
    flat,
    run,
)

STOP = ExecutionOptions(stop_loss_bps=500.0)
PROFIT = ExecutionOptions(take_profit_bps=1000.0)
BOTH = ExecutionOptions(stop_loss_bps=500.0, take_profit_bps=1000.0)
TRAILING = ExecutionOptions(trailing_stop_bps=1000.0)
ENTRY = (flat(100.0), flat(100.0))
Fill = tuple[object, ...]


def exits(execution: ExecutionOptions, *rows: Candle) -> list[Fill]:
    """Sells after the entry, with HOLD from there on and no costs."""
    bars = candles(*ENTRY, *rows)
    return fills_of(run(bars, [LONG] + [HOLD] * (len(bars) - 1), execution))[1:]


# --- stop loss ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("candle", "price"),
    [
        pytest.param((99.0, 100.0, 94.0, 96.0), 95.0, id="inside the bar at its level"),
        pytest.param((99.0, 100.0, 95.0, 96.0), 95.0, id="where its level is only touched"),
        pytest.param((93.0, 96.0, 92.0, 95.0), 93.0, id="at the open behind a gap"),
        pytest.param((99.0, 100.0, 95.01, 96.0), None, id="not above its level"),
    ],
)
def test_a_stop_loss_sells(candle: Candle, price: float | None) -> None:
    assert exits(STOP, candle) == ([] if price is None else [(2, "sell", 5.0, price)])


def test_a_stop_slips_from_its_level() -> None:
    bars = candles(*ENTRY, (99.0, 100.0, 94.0, 96.0))
    result = run(bars, [LONG, HOLD, HOLD], STOP, SLIPPING)
    assert fills_of(result) == [(1, "buy", 5.0, 101.0), (2, "sell", 5.0, 94.9905)]  # 101 · 0.95 · 0.99
    assert result.metrics["costs_paid"] == pytest.approx(5 * 1.0 + 5 * 0.9595)


def test_a_stop_watches_the_bar_of_the_entry_too() -> None:
    bars = candles(flat(100.0), (100.0, 101.0, 94.0, 96.0))
    result = run(bars, [LONG, HOLD], STOP)
    assert fills_of(result) == [(1, "buy", 5.0, 100.0), (1, "sell", 5.0, 95.0)]
    assert result.trades["pnl"].tolist() == [-25.0]
    assert result.metrics["avg_holding_bars"] == 0
    assert result.metrics["exposure"] == 0


def test_a_stop_closer_than_the_slippage_sells_an_entry_at_the_very_open_it_was_bought_at() -> None:
    close_by = ExecutionOptions(stop_loss_bps=50.0)  # 101 · 0.995 = 100.495
    result = run(candles(flat(100.0), (100.0, 103.0, 99.0, 102.0)), [LONG, HOLD], close_by, SLIPPING)
    assert fills_of(result) == [(1, "buy", 5.0, 101.0), (1, "sell", 5.0, 99.0)]


def test_after_a_limit_entry_inside_the_bar_its_open_sells_nothing() -> None:
    close_by = ExecutionOptions(stop_loss_bps=20.0, limit_timeout_bars=1)  # 100 · 0.998 = 99.8, above the open of 99.5
    result = run(candles(flat(100.0), (99.5, 100.0, 99.4, 99.9)), [LONG, HOLD], close_by, SLIPPING)
    assert fills_of(result) == [(1, "buy", 5.0, 100.0), (1, "sell", 5.0, 98.802)]


# --- take-profit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("candle", "price"),
    [
        pytest.param((105.0, 112.0, 104.0, 108.0), 110.0, id="at its limit inside the bar"),
        pytest.param((115.0, 116.0, 112.0, 113.0), 115.0, id="at a better open"),
        pytest.param((105.0, 110.0, 104.0, 108.0), None, id="not where its limit is only touched"),
    ],
)
def test_a_take_profit_sells(candle: Candle, price: float | None) -> None:
    assert exits(PROFIT, candle) == ([] if price is None else [(2, "sell", 5.0, price)])


def test_a_take_profit_is_not_filled_by_a_high_exactly_at_its_limit() -> None:
    quarter = ExecutionOptions(take_profit_bps=2500.0)  # 125, without rounding
    assert exits(quarter, (105.0, 125.0, 104.0, 108.0), (105.0, 125.01, 104.0, 108.0)) == [(3, "sell", 5.0, 125.0)]


def test_a_take_profit_at_its_limit_costs_no_slippage() -> None:
    # 101 · 1.1 = 111.1; the open less slippage is 110.88.
    result = run(candles(*ENTRY, (112.0, 112.5, 110.0, 111.0)), [LONG, HOLD, HOLD], PROFIT, SLIPPING)
    assert fills_of(result)[1:] == [(2, "sell", 5.0, 111.1)]
    assert result.metrics["costs_paid"] == pytest.approx(5.0)


def test_a_take_profit_at_the_open_slips() -> None:
    result = run(candles(*ENTRY, (113.0, 114.0, 112.0, 113.0)), [LONG, HOLD, HOLD], PROFIT, SLIPPING)
    assert fills_of(result)[1:] == [(2, "sell", 5.0, 111.87)]


def test_where_stop_and_take_profit_are_both_touched_the_stop_wins() -> None:
    assert exits(BOTH, (100.0, 112.0, 94.0, 100.0)) == [(2, "sell", 5.0, 95.0)]


# --- trailing stop -----------------------------------------------------------------------------------------------

RISEN = ((101.0, 104.0, 101.0, 104.0), (110.0, 120.0, 109.0, 118.0))  # the second leaves a level of 108


def test_a_trailing_stop_follows_the_highest_price() -> None:
    assert exits(TRAILING, *RISEN, (115.0, 116.0, 107.0, 110.0)) == [(4, "sell", 5.0, 108.0)]


def test_a_trailing_stop_sells_at_the_open_behind_a_gap() -> None:
    assert exits(TRAILING, *RISEN, (105.0, 121.0, 100.0, 101.0)) == [(4, "sell", 5.0, 105.0)]


def test_a_trailing_stop_that_the_bar_itself_lifts_is_taken_to_rise_before_the_fall() -> None:
    assert exits(TRAILING, RISEN[0], (109.0, 120.0, 107.0, 110.0)) == [(3, "sell", 5.0, 108.0)]


def test_a_lifted_trailing_stop_beats_the_take_profit_of_the_same_bar() -> None:
    both = ExecutionOptions(trailing_stop_bps=1000.0, take_profit_bps=1500.0)
    assert exits(both, RISEN[0], (109.0, 120.0, 107.0, 110.0)) == [(3, "sell", 5.0, 108.0)]
    assert exits(both, RISEN[0], (109.0, 120.0, 109.0, 110.0)) == [(3, "sell", 5.0, 115.0)]


def test_of_stop_loss_and_trailing_stop_the_higher_level_counts() -> None:
    both = ExecutionOptions(stop_loss_bps=500.0, trailing_stop_bps=1000.0)
    assert exits(both, (99.0, 100.0, 94.0, 96.0)) == [(2, "sell", 5.0, 95.0)]
    assert exits(both, *RISEN, (115.0, 116.0, 94.0, 96.0)) == [(4, "sell", 5.0, 108.0)]


def test_a_trailing_stop_starts_afresh_with_each_position() -> None:
    rows = (*ENTRY, *RISEN, flat(105.0), flat(104.0), flat(100.0))
    result = run(candles(*rows), [LONG, HOLD, HOLD, HOLD, LONG, HOLD, HOLD], TRAILING)
    assert fills_of(result) == [(1, "buy", 5.0, 100.0), (4, "sell", 5.0, 105.0), (5, "buy", 4.88, 104.0)]


# --- entries by a limit inside the bar ---------------------------------------------------------------------------

LIMIT_ENTRY = [LONG, HOLD, HOLD, HOLD]


def test_after_a_limit_entry_inside_the_bar_the_stop_watches_the_same_bar() -> None:
    both = replace(BOTH, limit_timeout_bars=1)
    bars = candles(flat(100.0), (101.0, 130.0, 94.0, 97.0))
    assert fills_of(run(bars, [LONG, HOLD], both)) == [(1, "buy", 5.0, 100.0), (1, "sell", 5.0, 95.0)]


def test_a_limit_entry_inside_the_bar_is_held_at_the_next_open() -> None:
    bars = candles(flat(100.0), (101.0, 102.0, 99.0, 100.0), (93.0, 94.0, 92.0, 93.5))
    result = run(bars, [LONG, HOLD, HOLD], replace(STOP, limit_timeout_bars=1))
    assert fills_of(result) == [(1, "buy", 5.0, 100.0), (2, "sell", 5.0, 93.0)]


def test_a_high_that_may_have_come_before_a_limit_entry_takes_no_profit() -> None:
    profit = replace(PROFIT, limit_timeout_bars=1)
    bars = candles(flat(100.0), (101.0, 130.0, 99.0, 105.0), (105.0, 111.0, 104.0, 109.0))
    assert fills_of(run(bars, [LONG, HOLD, HOLD], profit)) == [(1, "buy", 5.0, 100.0), (2, "sell", 5.0, 110.0)]


def test_a_high_that_may_have_come_before_a_limit_entry_lifts_no_trailing_stop() -> None:
    trailing = replace(TRAILING, limit_timeout_bars=1)
    bars = candles(flat(100.0), (101.0, 130.0, 99.0, 120.0), (120.0, 121.0, 109.5, 110.0), (112.0, 113.0, 107.0, 108.0))
    # After bar 1 the highest known price is its close of 120: a level of 108, in bar 2 108.9.
    sells = fills_of(run(bars, LIMIT_ENTRY, trailing))[1:]
    assert sells == [(3, "sell", 5.0, 108.9)]


def test_after_a_limit_entry_at_the_open_the_whole_bar_counts() -> None:
    bars = candles(flat(100.0), (99.0, 130.0, 98.0, 128.0))
    profit = replace(PROFIT, limit_timeout_bars=1)
    assert fills_of(run(bars, [LONG, HOLD], profit)) == [(1, "buy", 5.0, 99.0), (1, "sell", 5.0, 108.9)]
    trailing = replace(TRAILING, limit_timeout_bars=1)
    assert fills_of(run(bars, [LONG, HOLD], trailing)) == [(1, "buy", 5.0, 99.0), (1, "sell", 5.0, 117.0)]


def test_levels_follow_the_average_price_of_a_position_bought_in_parts() -> None:
    patient = replace(STOP, limit_timeout_bars=3, max_volume_share=0.1)
    rows = (flat(100.0), flat(100.0, 30.0), flat(95.5), (95.0, 95.0, 93.2, 94.0), (94.0, 94.0, 93.0, 93.5))
    # (3 · 100 + 2 · 95.5) / 5 = 98.2 and 98.2 · 0.95 = 93.29: bar 2 fills the rest and leaves it there.
    result = run(candles(*rows), [LONG, HOLD, HOLD, HOLD, HOLD], patient)
    assert fills_of(result)[1:] == [(2, "buy", 2.0, 95.5), (3, "sell", 5.0, 93.29)]


PARTS = ExecutionOptions(trailing_stop_bps=1000.0, limit_timeout_bars=3, max_volume_share=0.1)


def test_an_addition_below_the_highest_price_leaves_the_trailing_stop_where_it_is() -> None:
    rows = ((99.0, 108.0, 98.0, 105.0, 30.0), (99.0, 99.5, 97.5, 98.0), (98.0, 98.0, 97.0, 97.5))
    result = run(candles(flat(100.0), *rows), [LONG, HOLD, HOLD, HOLD], PARTS)
    assert fills_of(result) == [(1, "buy", 3.0, 99.0), (2, "buy", 2.0, 99.0), (3, "sell", 5.0, 97.2)]


def test_an_addition_above_the_highest_price_lifts_the_trailing_stop_at_once() -> None:
    rows = ((95.0, 96.0, 95.0, 96.0, 30.0), (101.0, 102.0, 89.0, 95.0))
    result = run(candles(flat(100.0), *rows), [LONG, HOLD, HOLD], PARTS)
    assert fills_of(result) == [(1, "buy", 3.0, 95.0), (2, "buy", 2.0, 100.0), (2, "sell", 5.0, 90.0)]


# --- what an exit does to orders, and the volume cap to it -------------------------------------------------------


def test_a_protective_exit_cancels_the_exit_that_rests() -> None:
    bars = candles(*ENTRY, (98.0, 99.0, 94.0, 95.0), flat(101.0), flat(101.0))
    result = run(bars, [LONG, FLAT, HOLD, HOLD, HOLD], replace(STOP, limit_timeout_bars=3))
    assert fills_of(result)[1:] == [(2, "sell", 5.0, 95.0)]


def test_latency_does_not_delay_a_protective_exit() -> None:
    bars = candles(*[flat(100.0)] * 3, (98.0, 99.0, 94.0, 95.0))
    result = run(bars, [LONG, HOLD, HOLD, HOLD], replace(STOP, latency_bars=1))
    assert fills_of(result) == [(2, "buy", 5.0, 100.0), (3, "sell", 5.0, 95.0)]


def test_the_rest_of_a_capped_protective_exit_is_sold_at_the_next_opens_without_latency() -> None:
    options = replace(STOP, latency_bars=2, limit_timeout_bars=3, max_volume_share=0.1)
    rows = ((98.0, 99.0, 94.0, 95.0, 20.0), flat(97.0, 10.0), flat(96.0))
    bars = candles(*[flat(100.0)] * 4, *rows)
    result = run(bars, [LONG, *[HOLD] * 6], options)
    assert fills_of(result)[1:] == [(4, "sell", 2.0, 95.0), (5, "sell", 1.0, 97.0), (6, "sell", 2.0, 96.0)]


def test_a_buy_and_a_protective_exit_share_the_cap_of_their_bar() -> None:
    options = replace(STOP, limit_timeout_bars=3, max_volume_share=0.1)
    bars = candles(flat(100.0), flat(99.0, 30.0), (96.0, 97.0, 92.0, 94.0, 40.0), flat(95.0), flat(95.0))
    # Bar 2 buys the missing 2.00 at 96; the level is then 0.95 · (3 · 99 + 2 · 96) / 5 = 92.91.
    assert fills_of(run(bars, [LONG, *[HOLD] * 4], options))[1:] == [
        (2, "buy", 2.0, 96.0),
        (2, "sell", 2.0, 92.91),
        (3, "sell", 3.0, 95.0),
    ]


def test_a_stop_without_volume_cancels_the_rest_of_the_buy_and_sells_at_the_next_open() -> None:
    options = replace(STOP, limit_timeout_bars=5, max_volume_share=0.1)
    bars = candles(flat(100.0), flat(99.0, 30.0), (96.0, 97.0, 93.0, 96.0, 0.0), flat(97.0), flat(97.0))
    assert fills_of(run(bars, [LONG, *[HOLD] * 4], options)) == [(1, "buy", 3.0, 99.0), (3, "sell", 3.0, 97.0)]


def test_a_stop_without_volume_hurries_an_exit_that_is_on_its_way() -> None:
    options = replace(STOP, latency_bars=3, max_volume_share=0.1)
    bars = candles(*[flat(100.0)] * 5, (96.0, 97.0, 93.0, 96.0, 0.0), flat(97.0), flat(99.0))
    result = run(bars, [LONG, *[HOLD] * 3, FLAT, *[HOLD] * 3], options)
    assert fills_of(result) == [(4, "buy", 5.0, 100.0), (6, "sell", 5.0, 97.0)]


def test_what_counts_as_flat_at_the_price_of_the_exit_is_not_sold() -> None:
    heavy = replace(FREE, min_notional=480.0)  # 5 · 95 = 475
    bars = candles(*ENTRY, (100.0, 112.0, 94.0, 100.0), (100.0, 112.0, 99.0, 100.0))
    result = run(bars, [LONG, HOLD, HOLD, HOLD], BOTH, heavy)
    assert fills_of(result)[1:] == [(3, "sell", 5.0, 110.0)]


def test_after_a_protective_exit_the_close_of_the_same_bar_may_enter_again() -> None:
    bars = candles(*ENTRY, (98.0, 99.0, 94.0, 96.0), flat(97.0), flat(97.0), flat(97.0))
    again = run(bars, [LONG, HOLD, LONG, HOLD, HOLD, HOLD], STOP)
    assert fills_of(again)[2:] == [(3, "buy", 5.07, 97.0)]  # 487.5 / 96 = 5.078…
    rested = run(bars, [LONG, HOLD, LONG, LONG, LONG, HOLD], STOP, replace(FREE, cooldown_bars=2))
    assert fills_of(rested)[2:] == [(5, "buy", 5.02, 97.0)]  # 487.5 / 97 = 5.025…

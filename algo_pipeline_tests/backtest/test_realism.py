from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from algo_pipeline.backtest.engine import BacktestConfig, BacktestResult, ExecutionOptions
from algo_pipeline.backtest.realistic_inputs import recent_volatility
from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline_tests.backtest.realism_examples import (
    FLAT,
    FREE,
    HOLD,
    LONG,
    SLIPPING,
    candles,
    fills_of,
    flat,
    run,
)
from algo_pipeline_tests.market import without_rows

LIMIT = ExecutionOptions(limit_timeout_bars=2)
CAPPED = ExecutionOptions(max_volume_share=0.1)
PATIENT = ExecutionOptions(limit_timeout_bars=3, max_volume_share=0.1)

# --- the options themselves --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit_timeout_bars", 0),
        ("limit_timeout_bars", 1.0),
        ("limit_timeout_bars", True),
        ("latency_bars", -1),
        ("latency_bars", 10**30),
        ("limit_timeout_bars", 2**63),
        ("latency_bars", None),
        ("max_volume_share", 0.0),
        ("max_volume_share", 1.1),
        ("max_volume_share", math.nan),
        ("volatility_slippage", -0.1),
        ("volatility_slippage", math.inf),
        ("volatility_window_bars", 1),
        ("volatility_window_bars", 10**9 + 1),
        ("stop_loss_bps", 0.0),
        ("stop_loss_bps", 10_000.0),
        ("trailing_stop_bps", 10_000),
        ("trailing_stop_bps", "5"),
        ("take_profit_bps", 0),
        ("take_profit_bps", math.inf),
        ("take_profit_bps", 10**400),
    ],
)
def test_an_option_outside_its_domain_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ConfigValueError, match=name):
        ExecutionOptions(**{name: value})


@pytest.mark.parametrize(
    "option",
    [
        {"limit_timeout_bars": 1},
        {"latency_bars": 1},
        {"max_volume_share": 1.0},
        {"volatility_slippage": 0.1},
        {"stop_loss_bps": 1.0},
        {"take_profit_bps": 20_000.0},
        {"trailing_stop_bps": 1},
    ],
)
def test_any_option_makes_the_run_other_than_plain(option: dict[str, float]) -> None:
    assert not ExecutionOptions(**option).is_plain


def test_without_an_option_orders_are_plain_whatever_the_volatility_window() -> None:
    assert ExecutionOptions().is_plain
    assert ExecutionOptions(volatility_window_bars=5).is_plain


def test_a_result_records_its_options() -> None:
    bars = candles(flat(100.0), flat(100.0))
    assert run(bars, [LONG, HOLD], LIMIT).execution == LIMIT
    assert run(bars, [LONG, HOLD], ExecutionOptions()).execution.is_plain


# --- the worked example of docs/backtest.md, number for number ---------------------------------------------------

EXAMPLE = BacktestConfig(
    initial_cash=1000.0,
    enter_threshold=0.6,
    exit_threshold=0.4,
    position_fraction=0.5,
    max_position_fraction=0.5,
    max_drawdown=1.0,
    fee_bps=100.0,
    slippage_bps=100.0,
    quantity_step=0.01,
)
EXAMPLE_OPTIONS = ExecutionOptions(
    limit_timeout_bars=2, latency_bars=1, max_volume_share=0.1, stop_loss_bps=500.0, take_profit_bps=1000.0
)


@pytest.fixture(scope="module")
def example() -> BacktestResult:
    bars = candles(
        (100.0, 101.0, 99.0, 100.0, 50.0),
        (98.0, 99.0, 97.0, 98.0, 50.0),
        (101.0, 102.0, 99.0, 101.0, 30.0),
        (98.5, 100.0, 97.0, 99.0, 40.0),
        (101.0, 104.0, 100.0, 103.0, 60.0),
        (104.0, 106.0, 103.0, 105.0, 60.0),
        (102.0, 102.5, 96.0, 97.0, 60.0),
        (94.0, 96.0, 93.0, 95.0, 20.0),
        (95.0, 97.0, 94.9, 96.0, 60.0),
    )
    return run(bars, [0.7, 0.5, 0.5, 0.5, 0.3, 0.5, 0.5, 0.5, 0.5], EXAMPLE_OPTIONS, EXAMPLE)


def test_worked_example_fills(example: BacktestResult) -> None:
    assert fills_of(example) == [
        (2, "buy", 3.0, 100.0),
        (3, "buy", 2.0, 99.485),
        (7, "sell", 2.0, 93.06),
        (8, "sell", 3.0, 94.05),
    ]
    assert example.fills["fee"].tolist() == pytest.approx([3.0, 1.9897, 1.8612, 2.8215])


def test_worked_example_curve(example: BacktestResult) -> None:
    cash = [1000.0, 1000.0, 697.0, 496.0403, 496.0403, 496.0403, 496.0403, 680.2991, 959.6276]
    equity = [1000.0, 1000.0, 1000.0, 991.0403, 1011.0403, 1021.0403, 981.0403, 965.2991, 959.6276]
    assert example.curve["cash"].tolist() == pytest.approx(cash, rel=1e-12)
    assert example.curve["equity"].tolist() == pytest.approx(equity, rel=1e-12)
    assert example.curve["quantity"].tolist() == [0.0, 0.0, 3.0, 5.0, 5.0, 5.0, 5.0, 3.0, 0.0]


def test_worked_example_trade_and_costs(example: BacktestResult) -> None:
    (trade,) = example.trades.itertuples(index=False)
    assert (trade.entry_time.hour, trade.exit_time.hour, trade.quantity) == (2, 8, 5.0)
    assert trade[3:7] == pytest.approx((99.794, 93.654, 9.6724, -40.3724))
    assert example.metrics["costs_paid"] == pytest.approx(9.6724 + 1.97 + 1.88 + 2.85)
    assert example.metrics["n_trades"] == 1
    assert example.metrics["avg_holding_bars"] == 6


# --- latency -----------------------------------------------------------------------------------------------------


def test_latency_delays_the_fill_by_its_bars() -> None:
    bars = candles(flat(100.0), flat(101.0), flat(102.0), flat(103.0), flat(104.0), flat(105.0))
    result = run(bars, [LONG, HOLD, FLAT, HOLD, HOLD, HOLD], ExecutionOptions(latency_bars=1))
    assert fills_of(result) == [(2, "buy", 5.0, 102.0), (4, "sell", 5.0, 104.0)]


def test_latency_counts_the_bars_that_exist() -> None:
    bars = without_rows(candles(*[flat(100.0 + t) for t in range(6)]), 1, 3)
    result = run(bars, [LONG, HOLD, HOLD, HOLD], ExecutionOptions(latency_bars=1))
    assert fills_of(result) == [(4, "buy", 5.0, 104.0)]


def test_a_buy_on_its_way_is_cancelled_by_flat_and_by_nothing_else() -> None:
    bars = candles(*[flat(100.0)] * 5)
    late = ExecutionOptions(latency_bars=2)
    assert fills_of(run(bars, [LONG, LONG, HOLD, HOLD, HOLD], late)) == [(3, "buy", 5.0, 100.0)]
    assert fills_of(run(bars, [LONG, HOLD, FLAT, HOLD, HOLD], late)) == []


def test_a_sell_on_its_way_stays_whatever_the_signal() -> None:
    bars = candles(*[flat(100.0)] * 6)
    result = run(bars, [LONG, HOLD, FLAT, LONG, HOLD, HOLD], ExecutionOptions(latency_bars=1))
    assert fills_of(result) == [(2, "buy", 5.0, 100.0), (4, "sell", 5.0, 100.0)]


# --- limits ------------------------------------------------------------------------------------------------------


def test_a_limit_buy_fills_at_a_better_open_slippage_included() -> None:
    result = run(candles(flat(100.0), (99.0, 99.0, 98.0, 98.5)), [LONG, HOLD], LIMIT, SLIPPING)
    assert fills_of(result) == [(1, "buy", 5.0, 99.99)]
    assert result.metrics["costs_paid"] == pytest.approx(5 * 0.99)


def test_a_limit_buy_exactly_at_the_market_fills_at_the_open() -> None:
    result = run(candles(flat(100.0), (100.0, 120.0, 100.0, 110.0)), [LONG, HOLD], LIMIT)
    assert fills_of(result) == [(1, "buy", 5.0, 100.0)]


def test_a_limit_buy_fills_at_its_limit_without_slippage_where_the_bar_trades_through() -> None:
    result = run(candles(flat(100.0), (99.5, 102.0, 99.0, 101.0)), [LONG, HOLD], LIMIT, SLIPPING)
    assert fills_of(result) == [(1, "buy", 5.0, 100.0)]
    assert result.metrics["costs_paid"] == 0.0


def test_a_limit_that_is_only_touched_does_not_fill() -> None:
    bars = candles(flat(100.0), (101.0, 102.0, 100.0, 101.0), (101.0, 102.0, 99.99, 101.0))
    assert fills_of(run(bars, [LONG, HOLD, HOLD], LIMIT)) == [(2, "buy", 5.0, 100.0)]


def test_a_limit_buy_is_dropped_after_its_bars() -> None:
    bars = candles(flat(100.0), flat(101.0), flat(101.0), flat(90.0))
    assert fills_of(run(bars, [LONG, HOLD, HOLD, HOLD], LIMIT)) == []


def test_a_dropped_limit_buy_makes_place_for_a_new_entry() -> None:
    bars = candles(flat(100.0), flat(101.0), flat(102.0), flat(102.0))
    result = run(bars, [LONG, LONG, LONG, LONG], ExecutionOptions(limit_timeout_bars=2))
    assert fills_of(result) == [(3, "buy", 4.9, 102.0)]  # 500 / 102 = 4.9019…


def test_a_limit_rests_for_its_bars_from_the_venue_on() -> None:
    bars = candles(flat(100.0), flat(90.0), flat(101.0), flat(99.0), flat(99.0))
    late = ExecutionOptions(limit_timeout_bars=2, latency_bars=1)
    assert fills_of(run(bars, [LONG, HOLD, HOLD, HOLD, HOLD], late)) == [(3, "buy", 5.0, 99.0)]


# Bought at 99.99 in bar 1; FLAT at its close of 100: a sell with its limit there.
BOUGHT = (flat(100.0), (99.0, 100.0, 98.0, 100.0))


@pytest.mark.parametrize(
    ("candle", "price"),
    [
        pytest.param((102.0, 103.0, 101.0, 102.0), 100.98, id="at a better open, slippage included"),
        pytest.param((100.5, 101.0, 99.0, 100.0), 100.0, id="at its limit, where the bar trades through"),
        pytest.param((99.0, 100.0, 98.0, 99.0), None, id="not where the limit is only touched"),
    ],
)
def test_a_limit_sell_fills(candle: tuple[float, ...], price: float | None) -> None:
    sells = fills_of(run(candles(*BOUGHT, candle), [LONG, FLAT, HOLD], LIMIT, SLIPPING))[1:]
    assert sells == ([] if price is None else [(2, "sell", 5.0, price)])


def test_a_limit_sell_that_rests_too_long_becomes_a_market_order() -> None:
    bars = candles(*BOUGHT, flat(99.0), flat(98.0), (97.0, 99.0, 96.0, 98.0))
    result = run(bars, [LONG, FLAT, LONG, LONG, HOLD], LIMIT, SLIPPING)
    assert fills_of(result)[1:] == [(4, "sell", 5.0, 96.03)]
    assert result.metrics["costs_paid"] == pytest.approx(5 * 0.99 + 5 * 0.97)


def test_orders_rest_across_gaps_and_count_the_bars_that_exist() -> None:
    bars = without_rows(candles(flat(100.0), flat(101.0), flat(101.0), flat(99.0), flat(99.0)), 1)
    assert fills_of(run(bars, [LONG, HOLD, HOLD, HOLD], LIMIT)) == [(3, "buy", 5.0, 99.0)]


# --- volume caps -------------------------------------------------------------------------------------------------


def test_the_rest_of_a_market_buy_beyond_the_cap_is_dropped() -> None:
    bars = candles(flat(100.0), flat(100.0, volume=30.0), flat(100.0))
    assert fills_of(run(bars, [LONG, HOLD, HOLD], CAPPED)) == [(1, "buy", 3.0, 100.0)]


def test_the_cap_is_a_whole_number_of_steps() -> None:
    bars = candles(flat(100.0), flat(100.0, volume=30.19))
    assert fills_of(run(bars, [LONG, HOLD], CAPPED)) == [(1, "buy", 3.01, 100.0)]


def test_rounding_takes_no_step_from_the_cap() -> None:
    bars = candles(flat(100.0), flat(100.0, volume=2.8))  # in doubles a tenth of it is 0.27999999999999997
    assert fills_of(run(bars, [LONG, HOLD], CAPPED)) == [(1, "buy", 0.28, 100.0)]


def test_the_rest_of_a_limit_buy_rests_on_until_its_time_out() -> None:
    volumes = [30.0, 0.0, 10.0, 1000.0]
    bars = candles(flat(100.0), *[flat(99.0, volume) for volume in volumes])
    result = run(bars, [LONG, HOLD, HOLD, HOLD, HOLD], PATIENT)
    assert fills_of(result) == [(1, "buy", 3.0, 99.0), (3, "buy", 1.0, 99.0)]


def test_flat_cancels_the_rest_of_a_buy_and_sells_what_it_bought() -> None:
    bars = candles(flat(100.0), flat(99.0, 30.0), flat(99.0), flat(99.0))
    result = run(bars, [LONG, FLAT, HOLD, HOLD], PATIENT)
    assert fills_of(result) == [(1, "buy", 3.0, 99.0), (2, "sell", 3.0, 99.0)]


def test_long_neither_grows_nor_doubles_a_buy_that_is_filled_in_part() -> None:
    bars = candles(flat(100.0), flat(99.0, 30.0), flat(99.0))
    result = run(bars, [LONG, LONG, LONG], PATIENT)
    assert fills_of(result) == [(1, "buy", 3.0, 99.0), (2, "buy", 2.0, 99.0)]


def test_a_market_sell_goes_on_bar_by_bar_and_its_trade_ends_with_the_last_part() -> None:
    volumes = [1000.0, 20.0, 0.0, 15.0, 1000.0]
    prices = [100.0, 110.0, 111.0, 112.0, 113.0]
    bars = candles(flat(100.0), *[flat(p, v) for p, v in zip(prices, volumes, strict=True)])
    result = run(bars, [LONG, FLAT, LONG, HOLD, HOLD, HOLD], CAPPED)
    sells = [(2, "sell", 2.0, 110.0), (4, "sell", 1.5, 112.0), (5, "sell", 1.5, 113.0)]
    assert fills_of(result)[1:] == sells
    (trade,) = result.trades.itertuples(index=False)
    assert (trade.entry_time.hour, trade.exit_time.hour, trade.quantity) == (1, 5, 5.0)
    assert trade.exit_price == pytest.approx((220.0 + 168.0 + 169.5) / 5)
    assert trade.pnl == pytest.approx(57.5)
    assert result.metrics["avg_holding_bars"] == 4


def test_the_rest_of_a_limit_sell_becomes_a_market_order_at_its_time_out() -> None:
    bars = candles(*BOUGHT, flat(101.0, 20.0), flat(90.0), flat(80.0, 20.0), flat(70.0))
    options = ExecutionOptions(limit_timeout_bars=2, max_volume_share=0.1)
    sells = fills_of(run(bars, [LONG, FLAT, HOLD, HOLD, HOLD, HOLD], options))[1:]
    assert sells == [(2, "sell", 2.0, 101.0), (4, "sell", 2.0, 80.0), (5, "sell", 1.0, 70.0)]


def test_the_cooldown_counts_from_the_last_part_of_an_exit() -> None:
    bars = candles(flat(100.0), flat(100.0), flat(100.0, 30.0), *[flat(100.0)] * 4)
    result = run(bars, [LONG, FLAT, LONG, LONG, LONG, LONG, LONG], CAPPED, replace(FREE, cooldown_bars=2))
    assert fills_of(result)[2:] == [(3, "sell", 2.0, 100.0), (6, "buy", 5.0, 100.0)]


def test_a_buy_that_the_cap_leaves_worth_less_than_the_minimum_still_fills() -> None:
    bars = candles(flat(100.0), flat(100.0, 0.5))
    assert fills_of(run(bars, [LONG, HOLD], CAPPED)) == [(1, "buy", 0.05, 100.0)]


def test_a_limit_buy_that_cash_shrinks_below_the_minimum_is_dropped() -> None:
    everything = replace(FREE, position_fraction=1.0, min_notional=600.0, fee_bps=100.0)
    bars = candles(flat(100.0), flat(99.0, 50.0), flat(99.0, 60.0), flat(99.0))
    # 1000 − 495 − 4.95 leaves 500.05: 5 more cost 499.95, but are worth less than 600 only where cash asks for them.
    assert fills_of(run(bars, [LONG, HOLD, HOLD, HOLD], PATIENT, everything)) == [
        (1, "buy", 5.0, 99.0),
        (2, "buy", 5.0, 99.0),
    ]
    dear = replace(everything, fee_bps=200.0)  # 495.1 is left, 5 more cost 504.9
    assert fills_of(run(bars, [LONG, HOLD, HOLD, HOLD], PATIENT, dear)) == [(1, "buy", 5.0, 99.0)]


def test_what_cash_does_not_cover_of_a_limit_buy_rests_on() -> None:
    everything = replace(FREE, position_fraction=1.0, min_notional=0.0)
    bars = candles(flat(100.0), (99.0, 101.0, 99.0, 100.0, 90.0), flat(99.0, 90.0), flat(99.0))
    # 10 ordered: 9 at the first bar, where cash (1000) covers 10.10; 1 at the second.
    assert fills_of(run(bars, [LONG, HOLD, HOLD, HOLD], PATIENT, everything)) == [
        (1, "buy", 9.0, 99.0),
        (2, "buy", 1.0, 99.0),
    ]


def test_with_the_fee_in_coin_a_capped_sell_ends_with_the_last_digit_of_the_holding() -> None:
    in_coin = replace(FREE, fee_bps=25.0, fee_in_base=True)
    bars = candles(flat(100.0), flat(100.0), flat(100.0, 30.0), flat(100.0))
    result = run(bars, [LONG, FLAT, HOLD, HOLD], CAPPED, in_coin)
    assert fills_of(result)[1:] == [(2, "sell", 3.0, 100.0), (3, "sell", 1.9875, 100.0)]
    assert result.curve["quantity"].tolist() == pytest.approx([0.0, 4.9875, 1.9875, 0.0], abs=0.0, rel=1e-15)
    assert result.trades["pnl"].tolist() == pytest.approx([-1.25 - 0.75 - 0.496875])


def test_with_the_fee_in_coin_a_part_of_a_step_beyond_the_cap_stays_to_be_sold() -> None:
    in_coin = replace(FREE, fee_bps=25.0, fee_in_base=True)
    bars = candles(flat(100.0), flat(100.0), flat(100.0, 49.8), flat(100.0))
    sells = fills_of(run(bars, [LONG, FLAT, HOLD, HOLD], CAPPED, in_coin))[1:]
    assert sells == [(2, "sell", 4.98, 100.0), (3, "sell", 0.0075, 100.0)]


def test_rounding_leaves_no_ghost_of_a_holding() -> None:
    """In doubles 0.1 + 0.2 is a little more than the cap of 0.3, which sells them all."""
    bars = candles(flat(1000.0), *[flat(900.0, volume) for volume in (1.0, 2.0, 0.0, 3.0, 1000.0)])
    coarse = replace(FREE, position_fraction=0.45, quantity_step=0.1)
    result = run(bars, [LONG, HOLD, HOLD, FLAT, HOLD, HOLD], PATIENT, coarse)
    assert result.curve["quantity"].iloc[2] == 0.1 + 0.2
    assert fills_of(result) == [(1, "buy", 0.1, 900.0), (2, "buy", 0.2, 900.0), (4, "sell", 0.3, 900.0)]
    assert result.curve["quantity"].iloc[-1] == 0.0


def test_what_a_capped_sell_leaves_is_a_whole_number_of_steps() -> None:
    """0.3 in parts of 0.1 and 0.2 less 0.1 is 0.2, and not 0.20000000000000004."""
    bars = candles(flat(1000.0), *[flat(900.0, volume) for volume in (1.0, 2.0, 0.0, 1.0, 1000.0)])
    coarse = replace(FREE, position_fraction=0.45, quantity_step=0.1)
    result = run(bars, [LONG, HOLD, HOLD, FLAT, HOLD, HOLD], PATIENT, coarse)
    assert result.curve["quantity"].tolist() == [0.0, 0.1, 0.1 + 0.2, 0.1 + 0.2, 0.2, 0.0]


def test_rounding_of_the_fee_in_coin_leaves_no_ghost_of_a_holding() -> None:
    """100 less 0.23 % is 99.77; in doubles, a little more than the cap of 99.77."""
    in_coin = replace(FREE, fee_bps=23.0, fee_in_base=True)
    bars = candles(flat(5.0), flat(5.0), flat(5.0, 997.75), flat(5.0))
    result = run(bars, [LONG, FLAT, HOLD, HOLD], CAPPED, in_coin)
    assert result.curve["quantity"].iloc[1] > 99.77
    assert fills_of(result) == [(1, "buy", 100.0, 5.0), (2, "sell", 99.77, 5.0)]
    assert len(result.trades) == 1


# --- slippage by volatility --------------------------------------------------------------------------------------


def test_volatility_widens_the_slippage_of_fills_at_the_open() -> None:
    # Returns of ±ln 1.1 = ±0.0953101798: sample deviation √2 · 0.0953101798 = 0.1347889489.
    bars = candles(flat(100.0), flat(110.0), flat(100.0), flat(100.0))
    nervous = ExecutionOptions(volatility_slippage=0.5)
    result = run(bars, [HOLD, HOLD, LONG, HOLD], nervous, SLIPPING)
    (fill,) = fills_of(result)
    assert fill == (3, "buy", 5.0, pytest.approx(100 * (1.01 + 0.5 * 0.1347889489)))
    assert result.metrics["costs_paid"] == pytest.approx(500 * (0.01 + 0.5 * 0.1347889489))


def test_slippage_stays_below_the_whole_price() -> None:
    bars = candles(flat(100.0), flat(110.0), flat(100.0), flat(100.0), flat(100.0))
    result = run(bars, [HOLD, HOLD, LONG, FLAT, HOLD], ExecutionOptions(volatility_slippage=1e6))
    assert fills_of(result) == [(3, "buy", 5.0, 199.9), (4, "sell", 5.0, 0.1)]


def test_volatility_is_the_sample_deviation_of_the_returns_known_before_the_open() -> None:
    closes = np.array([100.0, 110.0, 100.0, 105.0, 90.0, 91.0])
    returns = [math.log(b / a) for a, b in pairwise(closes)]
    for window in (2, 3, 50):
        expected = [0.0, 0.0, 0.0] + [np.std(returns[max(t - 1 - window, 0) : t - 1], ddof=1) for t in (3, 4, 5)]
        assert recent_volatility(closes, window).tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n_bars", [1, 2, 3])
def test_volatility_needs_two_returns(n_bars: int) -> None:
    assert recent_volatility(np.arange(1.0, n_bars + 1.0), 24).tolist() == [0.0] * n_bars


def test_volatility_is_that_of_the_bars_that_exist() -> None:
    bars = without_rows(candles(flat(100.0), flat(500.0), flat(110.0), flat(100.0), flat(100.0)), 1)
    result = run(bars, [HOLD, HOLD, LONG, HOLD], ExecutionOptions(volatility_slippage=0.5))
    assert fills_of(result) == [(4, "buy", 5.0, pytest.approx(100 * (1 + 0.5 * 0.1347889489)))]


def test_sizing_knows_the_plain_slippage_only() -> None:
    bars = candles(flat(100.0), flat(110.0), flat(100.0), flat(100.0))
    buffered = replace(SLIPPING, position_fraction=1.0, cash_buffer_bps=0.0)
    calm = run(bars, [HOLD, HOLD, LONG, HOLD], ExecutionOptions(latency_bars=0, stop_loss_bps=9999.0), buffered)
    assert calm.fills["quantity"].tolist() == [9.9]  # 1000 / 101 = 9.9009…
    nervous = run(bars, [HOLD, HOLD, LONG, HOLD], ExecutionOptions(volatility_slippage=0.5), buffered)
    assert nervous.fills["quantity"].tolist() == [9.28]  # cash covers 1000 / 107.739… at the fill

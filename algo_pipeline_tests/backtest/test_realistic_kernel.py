"""Realistic orders in accounts of several symbols, under the kill switch, and on random markets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from algo_pipeline.backtest.engine import AccountResult, BacktestConfig, ExecutionOptions, run_account_backtest
from algo_pipeline.backtest.reference import reference_backtest
from algo_pipeline.common.types import Symbol
from algo_pipeline_tests.backtest.account_markets import AccountMarket, random_account_market
from algo_pipeline_tests.backtest.realism_examples import FLAT, FREE, HOLD, LONG, Candle, candles, fills_of, flat, run
from algo_pipeline_tests.market import without_rows

SEEDS = st.integers(0, 2**32 - 1)
LIMIT = ExecutionOptions(limit_timeout_bars=9)
# On, but without effect: no price ever comes near.
NEUTRAL = ExecutionOptions(take_profit_bps=1e300, stop_loss_bps=9999.999999)


def run_account(
    rows: dict[str, list[Candle]],
    probability: dict[str, list[float]],
    execution: ExecutionOptions,
    config: BacktestConfig = FREE,
    missing: dict[str, tuple[int, ...]] | None = None,
) -> AccountResult:
    """Symbols by name; ``missing`` drops rows, whose probabilities go with them."""
    bars = {name: candles(*candle_rows) for name, candle_rows in rows.items()}
    series = {name: pd.Series(probability[name], index=frame.index, dtype=float) for name, frame in bars.items()}
    for name, positions in (missing or {}).items():
        bars[name] = without_rows(bars[name], *positions)
        series[name] = series[name].reindex(bars[name].index)
    return run_account_backtest(bars, series, config, execution)


# --- the kill switch and orders that wait ------------------------------------------------------------------------

NERVOUS = replace(FREE, max_drawdown=0.1)
CRASH = [flat(100.0), flat(100.0), (100.0, 100.0, 70.0, 70.0), flat(70.0), flat(75.0), flat(80.0)]


def test_the_kill_switch_cancels_a_limit_buy_that_rests() -> None:
    rows = {"A": CRASH, "B": [flat(10.0), flat(11.0), flat(11.0), flat(9.0), flat(9.0), flat(9.0)]}
    probability = {"A": [LONG, *[HOLD] * 5], "B": [LONG, *[HOLD] * 5]}
    result = run_account(rows, probability, LIMIT, replace(NERVOUS, position_fraction=0.4))
    assert result.kill_switch_at == pd.Timestamp("2024-03-01T02:00Z")
    assert fills_of(result) == [(1, "buy", 4.0, 100.0, "A"), (3, "sell", 4.0, 70.0, "A")]


def test_the_kill_switch_turns_a_limit_sell_that_rests_into_a_market_order() -> None:
    result = run(candles(*CRASH), [LONG, FLAT, HOLD, HOLD, HOLD, HOLD], LIMIT, NERVOUS)
    # The limit of 100, decided at bar 1, fills at the open of bar 2 …
    assert fills_of(result)[1:] == [(2, "sell", 5.0, 100.0)]
    low_open = [*CRASH[:2], (99.0, 99.0, 70.0, 70.0), *CRASH[3:]]
    result = run(candles(*low_open), [LONG, FLAT, HOLD, HOLD, HOLD, HOLD], LIMIT, NERVOUS)
    # … or rests at an open of 99, until the close of 70 trips the switch.
    assert fills_of(result)[1:] == [(3, "sell", 5.0, 70.0)]


def test_the_kill_switch_leaves_a_sell_on_its_way_its_time_of_arrival() -> None:
    late = ExecutionOptions(limit_timeout_bars=9, latency_bars=2)
    bars = candles(*[flat(100.0)] * 4, (99.0, 99.0, 70.0, 70.0), flat(71.0), flat(72.0), flat(73.0))
    result = run(bars, [LONG, HOLD, HOLD, FLAT, *[HOLD] * 4], late, NERVOUS)
    assert result.kill_switch_at == pd.Timestamp("2024-03-01T04:00Z")
    assert fills_of(result) == [(3, "buy", 5.0, 100.0), (6, "sell", 5.0, 72.0)]


def test_the_kill_switch_sells_every_other_holding_with_latency_as_market_orders() -> None:
    late = ExecutionOptions(limit_timeout_bars=9, latency_bars=1)
    bars = candles(flat(100.0), flat(100.0), flat(100.0), flat(70.0), flat(71.0), flat(60.0), flat(61.0))
    result = run(bars, [LONG, *[HOLD] * 6], late, NERVOUS)
    assert fills_of(result) == [(2, "buy", 5.0, 100.0), (5, "sell", 5.0, 60.0)]


def test_an_order_of_the_kill_switch_is_no_limit_from_the_first_bar_on() -> None:
    bars = candles(flat(100.0), flat(100.0), flat(70.0), flat(60.0), flat(75.0))
    result = run(bars, [LONG, *[HOLD] * 4], LIMIT, NERVOUS)
    assert fills_of(result) == [(1, "buy", 5.0, 100.0), (3, "sell", 5.0, 60.0)]


def test_the_kill_switch_sells_a_symbol_that_has_no_bar_counting_its_own_bars() -> None:
    late = ExecutionOptions(latency_bars=1)
    crash = [flat(100.0)] * 3 + [flat(50.0)] * 5
    rows = {"A": crash, "B": [flat(float(10 + t)) for t in range(8)]}
    probability = {"A": [LONG, *[HOLD] * 7], "B": [LONG, *[HOLD] * 7]}
    config = replace(NERVOUS, position_fraction=0.4)
    result = run_account(rows, probability, late, config, missing={"B": (3, 4)})
    assert result.kill_switch_at == pd.Timestamp("2024-03-01T03:00Z")
    sells = [fill for fill in fills_of(result) if fill[1] == "sell"]
    assert sells == [(5, "sell", 4.0, 50.0, "A"), (6, "sell", 40.0, 16.0, "B")]


def test_a_tripped_kill_switch_goes_on_with_a_sell_in_parts() -> None:
    bars = candles(flat(100.0), flat(100.0), flat(70.0), flat(70.0, 20.0), flat(71.0, 20.0), flat(72.0))
    result = run(bars, [LONG, *[HOLD] * 5], ExecutionOptions(max_volume_share=0.1), NERVOUS)
    assert fills_of(result)[1:] == [(3, "sell", 2.0, 70.0), (4, "sell", 2.0, 71.0), (5, "sell", 1.0, 72.0)]


# --- several symbols ---------------------------------------------------------------------------------------------


def test_cash_of_a_protective_exit_comes_too_late_for_buys_of_its_bar() -> None:
    rows = {"A": [flat(100.0)] * 2 + [(90.0, 90.0, 90.0, 90.0)], "B": [flat(10.0)] * 3}
    probability = {"A": [LONG, HOLD, HOLD], "B": [HOLD, LONG, HOLD]}
    all_in = replace(FREE, position_fraction=0.9)
    stopped = run_account(rows, probability, ExecutionOptions(stop_loss_bps=500.0), all_in)
    assert fills_of(stopped) == [
        (1, "buy", 9.0, 100.0, "A"),
        (2, "buy", 10.0, 10.0, "B"),
        (2, "sell", 9.0, 90.0, "A"),
    ]


def test_cash_of_a_limit_sell_pays_for_buys_of_its_bar() -> None:
    rows = {"A": [flat(100.0)] * 2 + [(99.0, 101.0, 99.0, 100.0)], "B": [flat(10.0)] * 3}
    probability = {"A": [LONG, FLAT, HOLD], "B": [HOLD, LONG, HOLD]}
    result = run_account(rows, probability, LIMIT, replace(FREE, position_fraction=0.9))
    assert fills_of(result)[1:] == [(2, "sell", 9.0, 100.0, "A"), (2, "buy", 90.0, 10.0, "B")]


def test_a_buffered_buy_leaves_the_cash_that_the_rest_of_another_buy_sets_aside() -> None:
    rows = {"A": [flat(100.0), flat(99.0, 20.0), flat(101.0)], "B": [flat(10.0)] * 3}
    probability = {"A": [LONG, HOLD, HOLD], "B": [HOLD, LONG, HOLD]}
    options = ExecutionOptions(limit_timeout_bars=5, max_volume_share=0.1)
    config = replace(FREE, position_fraction=0.6, cash_buffer_bps=0.0)
    result = run_account(rows, probability, options, config)
    # Of 6.00 two are bought for 198; four are set aside at the close of 99: 1000 − 198 − 396 = 406 is free.
    assert fills_of(result) == [(1, "buy", 2.0, 99.0, "A"), (2, "buy", 40.6, 10.0, "B")]


def test_a_limit_buy_that_lacked_the_cash_does_not_wait_for_it() -> None:
    rows = {"A": [flat(100.0), flat(99.0), flat(98.0), flat(101.0)], "B": [flat(10.0)] * 4}
    probability = {"A": [LONG, FLAT, HOLD, HOLD], "B": [HOLD, LONG, HOLD, HOLD]}
    config = replace(FREE, position_fraction=0.9, min_notional=200.0)
    result = run_account(rows, probability, LIMIT, config)
    # At bar 2 cash covers 10.90 of B, worth less than 200; at bar 3 the sale of A comes too late.
    assert fills_of(result) == [(1, "buy", 9.0, 99.0, "A"), (3, "sell", 9.0, 101.0, "A")]


def test_each_symbol_has_its_own_cap_and_levels() -> None:
    rows = {
        "A": [flat(100.0), flat(100.0, 10.0), (100.0, 100.0, 94.0, 96.0)],
        "B": [flat(10.0), flat(10.0, 100.0), (10.0, 10.0, 9.6, 9.8)],
    }
    probability = {"A": [LONG, HOLD, HOLD], "B": [LONG, HOLD, HOLD]}
    options = ExecutionOptions(max_volume_share=0.1, stop_loss_bps=500.0)
    result = run_account(rows, probability, options, replace(FREE, position_fraction=0.4))
    assert fills_of(result) == [
        (1, "buy", 1.0, 100.0, "A"),
        (1, "buy", 10.0, 10.0, "B"),
        (2, "sell", 1.0, 95.0, "A"),
    ]


# --- random markets ----------------------------------------------------------------------------------------------


def _run(market: AccountMarket, execution: ExecutionOptions | None) -> AccountResult:
    return run_account_backtest(market.bars, market.probability, market.config, execution)


@settings(max_examples=300, deadline=None)
@given(SEEDS, st.integers(1, 3))
def test_with_neutral_options_the_realistic_kernel_is_the_plain_one_bit_for_bit(seed: int, n_symbols: int) -> None:
    market = random_account_market(seed, n_symbols)
    plain, neutral = _run(market, None), _run(market, NEUTRAL)
    pd.testing.assert_frame_equal(plain.curve, neutral.curve, check_exact=True)
    pd.testing.assert_frame_equal(plain.quantities, neutral.quantities, check_exact=True)
    pd.testing.assert_frame_equal(plain.fills, neutral.fills, check_exact=True)
    pd.testing.assert_frame_equal(plain.trades, neutral.trades, check_exact=True)
    np.testing.assert_equal(plain.metrics, neutral.metrics)
    assert plain.kill_switch_at == neutral.kill_switch_at


@settings(max_examples=200, deadline=None)
@given(SEEDS, st.integers(1, 3), st.floats(0.1, 0.9))
def test_the_past_does_not_depend_on_the_future(seed: int, n_symbols: int, share: float) -> None:
    market = random_account_market(seed, n_symbols)
    times = _run(market, market.execution).curve.index
    last = times[int(share * (len(times) - 1))]
    known = {symbol: bars.loc[:last] for symbol, bars in market.bars.items() if bars.index[0] <= last}
    assume(len(known) == n_symbols)
    past = {symbol: market.probability[symbol].loc[:last] for symbol in known}
    whole = _run(market, market.execution)
    until = run_account_backtest(known, past, market.config, market.execution)
    pd.testing.assert_frame_equal(until.curve, whole.curve.loc[:last], check_exact=True, check_freq=False)
    earlier = whole.fills[whole.fills["timestamp"] <= last]
    pd.testing.assert_frame_equal(until.fills, earlier.reset_index(drop=True), check_exact=True)


@settings(max_examples=200, deadline=None)
@given(SEEDS, st.integers(1, 3))
def test_fills_stay_within_the_bar_and_its_volume_and_add_up(seed: int, n_symbols: int) -> None:
    market = random_account_market(seed, n_symbols)
    result = _run(market, replace(market.execution, volatility_slippage=0.0))
    slippage = market.config.slippage_rate
    for symbol, bars in market.bars.items():
        fills = result.fills[result.fills["symbol"] == str(symbol)]
        of_fill = bars.loc[fills["timestamp"]].reset_index(drop=True)
        price = fills["price"].reset_index(drop=True)
        assert (price <= of_fill["high"] * (1 + slippage) * (1 + 1e-12)).all()
        assert (price >= of_fill["low"] * (1 - slippage) * (1 - 1e-12)).all()
        if market.execution.max_volume_share is not None:
            traded = fills.groupby("timestamp")["quantity"].sum()
            assert (traded <= market.execution.max_volume_share * bars["volume"].loc[traded.index] * (1 + 1e-9)).all()
    assert (result.curve["cash"] >= 0.0).all()
    assert (result.quantities >= 0.0).all(axis=None)
    assert result.metrics["costs_paid"] >= result.fills["fee"].sum() * (1 - 1e-12)
    trades = result.trades
    pnl = trades["quantity"] * (trades["exit_price"] - trades["entry_price"]) - trades["fees"]
    np.testing.assert_allclose(trades["pnl"], pnl, atol=1e-9 * market.config.initial_cash)


def test_random_markets_reach_every_kind_of_fill() -> None:
    """What the tests above and the agreement with the reference rest on."""
    n_partial_sales = n_exits_at_once = n_inside = 0
    for seed in range(150):
        market = random_account_market(seed, 1)
        result = _run(market, replace(market.execution, volatility_slippage=0.0))
        (bars,) = market.bars.values()
        distance = np.abs(result.fills["price"].to_numpy() / bars["open"].loc[result.fills["timestamp"]].to_numpy() - 1)
        n_inside += int((np.abs(distance - market.config.slippage_rate) > 1e-9).sum())
        n_partial_sales += int((result.fills["side"] == "sell").sum()) - len(result.trades)
        n_exits_at_once += int((result.trades["entry_time"] == result.trades["exit_time"]).sum())
    assert min(n_partial_sales, n_exits_at_once, n_inside) >= 10


def test_on_real_bars_every_fill_is_that_of_the_decimal_reference(real_bars: Callable[[str], pd.DataFrame]) -> None:
    """Real volumes have few decimals: shares of them lie on the steps' very edges."""
    names = {"BTCUSDT": "BTC/USD", "ETHUSDT": "ETH/USD", "SOLUSDT": "SOL/USD"}
    bars = {Symbol.parse(name): real_bars(file).iloc[-1000:] for file, name in names.items()}
    rng = np.random.default_rng(1)
    probability = {
        symbol: pd.Series(rng.random(len(frame)), index=frame.index).ewm(span=4).mean()
        for symbol, frame in bars.items()
    }
    config = BacktestConfig(fee_in_base=True, max_drawdown=0.5)
    execution = ExecutionOptions(2, 1, 1e-5, 0.2, 24, 200.0, 300.0, 250.0)
    result = run_account_backtest(bars, probability, config, execution)
    reference = reference_backtest(bars, probability, config, execution)
    assert len(result.fills) == len(reference.fills) > 300
    assert result.fills["side"].tolist() == [fill.side.value for fill in reference.fills]
    for column in ("quantity", "price", "fee"):
        exact = [float(getattr(fill, column)) for fill in reference.fills]
        np.testing.assert_allclose(result.fills[column], exact, rtol=1e-12)
    np.testing.assert_allclose(result.equity, np.array(reference.equity, float), rtol=1e-12)

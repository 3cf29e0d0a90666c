from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.backtest.engine import BacktestConfig, BacktestResult, run_account_backtest, run_backtest
from algo_pipeline.backtest.metrics import METRIC_NAMES
from algo_pipeline.common.errors import ConfigValueError, DataValidationError, InsufficientHistoryError
from algo_pipeline_tests.backtest.account_markets import SYMBOLS, random_account_market
from algo_pipeline_tests.market import random_bars, without_rows

HOLD = 0.5
FREE = BacktestConfig(
    initial_cash=1000.0,
    position_fraction=0.5,
    max_position_fraction=1.0,
    max_drawdown=1.0,
    fee_bps=0.0,
    slippage_bps=0.0,
    quantity_step=0.01,
)


def rules(base: BacktestConfig = FREE, **changes: object) -> BacktestConfig:
    return BacktestConfig(**({name: getattr(base, name) for name in base.__dataclass_fields__} | changes))


def bars_at(opens: list[float], closes: list[float] | None = None, start: str = "2024-03-01") -> pd.DataFrame:
    closes = opens if closes is None else closes
    index = pd.date_range(start, periods=len(opens), freq="h", tz="UTC", name="timestamp", unit="ns")
    prices = pd.DataFrame({"open": opens, "close": closes}, index=index, dtype=float)
    return pd.DataFrame(
        {
            "open": prices["open"],
            "high": prices.max(axis=1),
            "low": prices.min(axis=1),
            "close": prices["close"],
            "volume": 1.0,
        }
    )


def run(bars: pd.DataFrame, probability: list[float], config: BacktestConfig = FREE) -> BacktestResult:
    return run_backtest(bars, pd.Series(probability, index=bars.index, dtype=float), config)


# --- the worked example of docs/backtest.md, number for number ---------------------------------------------------

EXAMPLE = BacktestConfig(
    initial_cash=1000.0,
    enter_threshold=0.6,
    exit_threshold=0.4,
    position_fraction=0.5,
    max_position_fraction=0.5,
    max_drawdown=0.07,
    cooldown_bars=2,
    fee_bps=100.0,
    slippage_bps=100.0,
    quantity_step=0.01,
)
EXAMPLE_OPENS = [100.0, 100.0, 110.0, 110.0, 108.0, 106.0, 105.0, 95.0]
EXAMPLE_CLOSES = [100.0, 110.0, 112.0, 108.0, 106.0, 104.0, 96.0, 97.0]
EXAMPLE_PROBABILITY = [0.7, 0.5, 0.3, 0.8, 0.65, 0.6, 0.9, 0.9]


@pytest.fixture(scope="module")
def example() -> BacktestResult:
    return run(bars_at(EXAMPLE_OPENS, EXAMPLE_CLOSES), EXAMPLE_PROBABILITY, EXAMPLE)


def test_worked_example_curve(example: BacktestResult) -> None:
    curve = example.curve
    equity = [1000.0, 1039.95, 1049.95, 1029.005, 1029.005, 1029.005, 974.11913, 959.84006]
    assert curve["equity"].tolist() == pytest.approx(equity, rel=1e-12)
    cash = [1000.0, 489.95, 489.95, 1029.005, 1029.005, 1029.005, 499.87913, 959.84006]
    assert curve["cash"].tolist() == pytest.approx(cash, rel=1e-12)
    assert curve["quantity"].tolist() == [0.0, 5.0, 5.0, 0.0, 0.0, 0.0, 4.94, 0.0]
    drawdown = [0.0, 0.0, 0.0, 0.0199485689794752, 0.0199485689794752, 0.0199485689794752, 0.0722233154, 0.0858230773]
    assert curve["drawdown"].tolist() == pytest.approx(drawdown, abs=1e-10)


def test_worked_example_fills(example: BacktestResult) -> None:
    fills = example.fills
    assert fills["timestamp"].dt.hour.tolist() == [1, 3, 6, 7]
    assert fills["side"].tolist() == ["buy", "sell", "buy", "sell"]
    assert fills["quantity"].tolist() == [5.0, 5.0, 4.94, 4.94]
    assert fills["price"].tolist() == pytest.approx([101.0, 108.9, 106.05, 94.05])
    assert fills["notional"].tolist() == pytest.approx([505.0, 544.5, 523.887, 464.607])
    assert fills["fee"].tolist() == pytest.approx([5.05, 5.445, 5.23887, 4.64607])


def test_worked_example_trades(example: BacktestResult) -> None:
    trades = example.trades
    assert trades["entry_time"].dt.hour.tolist() == [1, 6]
    assert trades["exit_time"].dt.hour.tolist() == [3, 7]
    assert trades["quantity"].tolist() == [5.0, 4.94]
    assert trades["fees"].tolist() == pytest.approx([10.495, 9.88494])
    assert trades["pnl"].tolist() == pytest.approx([29.005, -69.16494])
    assert trades["return"].tolist() == pytest.approx([29.005 / 505.0, -69.16494 / 523.887])


def test_worked_example_metrics(example: BacktestResult) -> None:
    metrics = example.metrics
    assert tuple(metrics) == METRIC_NAMES
    assert metrics["total_return"] == pytest.approx(-0.04015994)
    assert metrics["max_drawdown"] == pytest.approx(0.0858230773, abs=1e-10)
    assert metrics["max_drawdown_bars"] == 5
    assert metrics["win_rate"] == 0.5
    assert metrics["profit_factor"] == pytest.approx(29.005 / 69.16494)
    assert metrics["exposure"] == 3 / 8
    assert metrics["n_trades"] == 2
    assert metrics["avg_holding_bars"] == 1.5
    assert metrics["costs_paid"] == pytest.approx(20.37994 + 5 * 1.0 + 5 * 1.1 + 4.94 * 1.05 + 4.94 * 0.95)
    assert metrics["buy_and_hold_return"] == pytest.approx(-0.03)
    assert math.isnan(metrics["sharpe"])
    assert math.isnan(metrics["sortino"])


def test_worked_example_latches_the_kill_switch_at_its_seventh_bar(example: BacktestResult) -> None:
    assert example.kill_switch_at == pd.Timestamp("2024-03-01T06:00Z")


# --- single rules ------------------------------------------------------------------------------------------------


def test_the_order_of_the_last_bar_is_not_filled() -> None:
    assert run(bars_at([10.0, 10.0]), [HOLD, 1.0]).fills.empty


def test_a_single_bar_has_a_curve_and_no_trade() -> None:
    result = run(bars_at([10.0]), [1.0])
    assert result.curve.to_numpy().tolist() == [[1000.0, 1000.0, 0.0, 0.0]]
    assert result.trades.empty
    assert result.metrics["n_trades"] == 0
    assert math.isnan(result.metrics["win_rate"])


def test_long_while_long_and_flat_while_flat_do_nothing() -> None:
    result = run(bars_at([10.0, 10.0, 20.0, 5.0, 5.0, 5.0]), [0.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    assert result.fills["side"].tolist() == ["buy"]
    assert result.curve["quantity"].tolist() == [0.0, 0.0, 50.0, 50.0, 50.0, 50.0]


def test_an_open_position_is_no_round_trip() -> None:
    result = run(bars_at([10.0, 10.0, 20.0]), [1.0, HOLD, HOLD])
    assert len(result.fills) == 1
    assert result.trades.empty
    assert result.equity.iloc[-1] == 1500.0


def test_a_nan_probability_holds() -> None:
    assert run(bars_at([10.0] * 4), [1.0, math.nan, math.nan, math.nan]).fills["side"].tolist() == ["buy"]
    assert run(bars_at([10.0] * 3), [math.nan] * 3).fills.empty


def test_a_fraction_above_the_cap_is_clamped() -> None:
    result = run(bars_at([10.0] * 3), [1.0, HOLD, HOLD], rules(position_fraction=9.0, max_position_fraction=0.3))
    assert result.fills["quantity"].tolist() == [30.0]


def test_a_buy_shrinks_on_the_step_to_what_cash_covers_with_its_fee() -> None:
    config = rules(position_fraction=1.0, fee_bps=100.0)
    result = run(bars_at([10.0, 10.0, 10.0]), [1.0, HOLD, HOLD], config)
    assert result.fills["quantity"].tolist() == [99.0]  # 1000 / (10 · 1.01) = 99.0099
    assert result.curve["cash"].iloc[-1] == pytest.approx(0.1)
    assert (result.curve["cash"] >= 0).all()


def test_a_buy_that_shrinks_below_the_minimum_is_not_filled() -> None:
    config = rules(position_fraction=1.0, min_notional=995.0, fee_bps=100.0)
    assert run(bars_at([10.0, 10.0, 10.0]), [1.0, HOLD, HOLD], config).fills.empty


def test_an_order_below_the_minimum_is_dropped_and_tried_again_at_the_next_signal() -> None:
    config = rules(position_fraction=0.02, min_notional=20.0)
    result = run(bars_at([11.0, 10.0, 10.0]), [1.0, 1.0, HOLD], config)
    assert result.fills["timestamp"].dt.hour.tolist() == [2]  # 1.81 · 11 = 19.91 is dropped, 2.00 · 10 is not
    assert result.fills["quantity"].tolist() == [2.0]


def test_a_cash_buffer_caps_a_buy_at_its_decision() -> None:
    config = rules(position_fraction=1.0, fee_bps=100.0, slippage_bps=100.0, cash_buffer_bps=100.0)
    result = run(bars_at([10.0, 9.0, 9.0]), [1.0, HOLD, HOLD], config)
    assert result.fills["quantity"].tolist() == [97.05]  # 1000 / (10 · 1.01³) = 97.0590


def test_a_cash_buffer_leaves_the_fee_out_where_it_is_taken_from_the_coin() -> None:
    config = rules(position_fraction=1.0, fee_bps=100.0, cash_buffer_bps=100.0, fee_in_base=True)
    result = run(bars_at([10.0, 9.0, 9.0]), [1.0, HOLD, HOLD], config)
    assert result.fills["quantity"].tolist() == [99.0]  # 1000 / (10 · 1.01) = 99.0099


def test_a_fee_in_base_is_taken_from_the_coin_of_a_buy_and_from_the_proceeds_of_a_sale() -> None:
    config = rules(fee_bps=100.0, fee_in_base=True)
    result = run(bars_at([10.0, 10.0, 20.0, 20.0]), [1.0, 0.0, HOLD, HOLD], config)
    assert result.fills["quantity"].tolist() == pytest.approx([50.0, 49.5])
    assert result.fills["fee"].tolist() == pytest.approx([5.0, 9.9])
    assert result.curve["quantity"].tolist() == pytest.approx([0.0, 49.5, 0.0, 0.0])
    assert result.curve["cash"].tolist() == pytest.approx([1000.0, 500.0, 1480.1, 1480.1])
    trade = result.trades.iloc[0]
    assert trade["fees"] == pytest.approx(14.9)
    assert trade["pnl"] == pytest.approx(480.1)
    assert trade["pnl"] == pytest.approx(trade["quantity"] * (trade["exit_price"] - trade["entry_price"]) - 14.9)


def test_dust_counts_as_flat_and_is_topped_up_not_sold() -> None:
    config = rules(min_notional=160.0)
    closes = [10.0, 10.0, 3.0, 3.0, 3.0, 3.0]
    result = run(bars_at(closes), [1.0, HOLD, 0.0, 1.0, HOLD, HOLD], config)
    assert result.fills["side"].tolist() == ["buy", "buy"]  # 50 · 3 = 150 is dust: FLAT does nothing, LONG buys
    assert result.fills["quantity"].tolist() == [50.0, 58.33]  # 0.5 · 650 / 3 = 108.333..., less 50
    assert result.curve["quantity"].iloc[-1] == pytest.approx(108.33)


def test_a_topped_up_position_is_one_round_trip_at_its_average_entry() -> None:
    config = rules(min_notional=160.0)
    prices = [10.0, 10.0, 3.0, 3.0, 6.0, 6.0]
    result = run(bars_at(prices), [1.0, HOLD, 1.0, HOLD, 0.0, HOLD], config)
    trade = result.trades.iloc[0]
    assert len(result.trades) == 1
    assert trade["entry_time"].hour == 1
    assert trade["entry_price"] == pytest.approx((50 * 10 + 58.33 * 3) / 108.33)
    assert trade["pnl"] == pytest.approx(108.33 * 6 - 50 * 10 - 58.33 * 3)


@pytest.mark.parametrize(("cooldown", "entry_bar"), [(0, 4), (1, 5), (2, 6), (3, 7)])
def test_a_cooldown_counts_from_the_bar_in_which_the_exit_filled(cooldown: int, entry_bar: int) -> None:
    probability = [1.0, 0.0, HOLD, *[1.0] * 6]
    probability[2] = 1.0  # decided in the bar in which the exit fills
    result = run(bars_at([10.0] * 9), probability, rules(cooldown_bars=cooldown))
    assert result.fills["timestamp"].dt.hour.tolist()[:3] == [1, 2, entry_bar - 1]


def test_the_kill_switch_sells_all_and_lets_nothing_in_again() -> None:
    config = rules(max_drawdown=0.1)
    result = run(bars_at([10.0, 10.0, 7.9, 8.0, 9.0, 20.0]), [1.0] * 6, config)
    assert result.kill_switch_at == pd.Timestamp("2024-03-01T02:00Z")
    assert result.fills["side"].tolist() == ["buy", "sell"]
    assert result.fills["price"].tolist() == [10.0, 8.0]


def test_the_kill_switch_sells_dust_once_it_is_worth_an_order() -> None:
    config = rules(max_drawdown=0.1, min_notional=200.0)
    result = run(bars_at([10.0, 10.0, 3.0, 3.0, 5.0, 5.0]), [1.0] + [HOLD] * 5, config)
    assert result.fills["timestamp"].dt.hour.tolist() == [1, 5]


def test_an_order_fills_at_the_next_bar_that_exists() -> None:
    bars = without_rows(bars_at([10.0, 11.0, 12.0, 13.0]), 1, 2)
    result = run(bars, [1.0, HOLD])
    assert result.fills["timestamp"].tolist() == [pd.Timestamp("2024-03-01T03:00Z")]
    assert result.fills["price"].tolist() == [13.0]


# --- several symbols ---------------------------------------------------------------------------------------------


def account(markets: dict[str, tuple[pd.DataFrame, list[float]]], config: BacktestConfig = FREE):
    probability = {name: pd.Series(p, index=bars.index, dtype=float) for name, (bars, p) in markets.items()}
    return run_account_backtest({name: bars for name, (bars, _) in markets.items()}, probability, config)


def test_fraction_is_per_symbol_of_the_equity_of_the_account() -> None:
    bars = bars_at([10.0, 10.0, 10.0])
    result = account(
        {"A/USD": (bars, [1.0, HOLD, HOLD]), "B/USD": (bars, [1.0, HOLD, HOLD])}, rules(position_fraction=0.4)
    )
    assert result.fills["quantity"].tolist() == [40.0, 40.0]
    assert result.fills["symbol"].tolist() == ["A/USD", "B/USD"]
    assert result.curve["cash"].iloc[-1] == pytest.approx(200.0)


def test_buys_fill_in_configured_order_until_cash_ends() -> None:
    bars = bars_at([10.0, 10.0, 10.0])
    wants = (bars, [1.0, HOLD, HOLD])
    result = account({"B/USD": wants, "A/USD": wants, "C/USD": wants}, rules(position_fraction=0.7))
    assert result.fills[["symbol", "quantity"]].to_numpy().tolist() == [["B/USD", 70.0], ["A/USD", 30.0]]


def test_sells_fill_before_buys_and_pay_for_them() -> None:
    bars = bars_at([10.0] * 4)
    config = rules(position_fraction=1.0)
    result = account({"A/USD": (bars, [HOLD, 1.0, HOLD, HOLD]), "B/USD": (bars, [1.0, 0.0, HOLD, HOLD])}, config)
    assert result.fills[["symbol", "side"]].to_numpy().tolist() == [
        ["B/USD", "buy"],
        ["B/USD", "sell"],
        ["A/USD", "buy"],
    ]
    assert result.fills["quantity"].tolist() == [100.0, 100.0, 100.0]


def test_a_cash_buffer_counts_earlier_buys_of_the_bar_but_no_proceeds_of_its_sells() -> None:
    bars = bars_at([10.0] * 4)
    config = rules(position_fraction=0.6, cash_buffer_bps=0.0)
    markets = {
        "A/USD": (bars, [1.0, 0.0, HOLD, HOLD]),
        "B/USD": (bars, [HOLD, 1.0, HOLD, HOLD]),
        "C/USD": (bars, [HOLD, 1.0, HOLD, HOLD]),
    }
    result = account(markets, config)
    assert result.fills[["symbol", "quantity"]].to_numpy().tolist() == [
        ["A/USD", 60.0],
        ["A/USD", 60.0],
        ["B/USD", 40.0],
    ]


def test_a_symbol_without_a_bar_is_marked_at_its_last_close_and_its_order_waits() -> None:
    full = bars_at([10.0, 10.0, 20.0, 30.0])
    gappy = without_rows(bars_at([10.0, 10.0, 99.0, 30.0]), 2)
    result = account({"A/USD": (gappy, [1.0, 0.0, HOLD]), "B/USD": (full, [HOLD] * 4)})
    assert result.equity.tolist() == [1000.0, 1000.0, 1000.0, 2000.0]
    assert result.fills["timestamp"].dt.hour.tolist() == [1, 3]
    assert result.fills["price"].tolist() == [10.0, 30.0]


def test_one_drawdown_of_the_account_sells_every_symbol_and_cancels_waiting_buys() -> None:
    falling = bars_at([10.0, 10.0, 5.0, 5.0, 5.0])
    steady = bars_at([10.0] * 5)
    late = without_rows(bars_at([10.0] * 5), 2, 3)
    markets = {
        "A/USD": (falling, [1.0] + [HOLD] * 4),
        "B/USD": (steady, [1.0] + [HOLD] * 4),
        "C/USD": (late, [HOLD, 1.0, HOLD]),
    }
    result = account(markets, rules(position_fraction=0.3, max_drawdown=0.1))
    assert result.kill_switch_at == pd.Timestamp("2024-03-01T02:00Z")
    assert result.fills[["symbol", "side"]].to_numpy().tolist() == [
        ["A/USD", "buy"],
        ["B/USD", "buy"],
        ["A/USD", "sell"],
        ["B/USD", "sell"],
    ]


def test_a_cooldown_is_per_symbol_in_its_own_bars() -> None:
    full = bars_at([10.0] * 8)
    gappy = without_rows(full, 3, 4)
    always = [1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    markets = {"A/USD": (full, always), "B/USD": (gappy, always[:6])}
    result = account(markets, rules(cooldown_bars=2, position_fraction=0.2))
    entries = result.fills[result.fills["side"] == "buy"]
    assert entries.loc[entries["symbol"] == "A/USD", "timestamp"].dt.hour.tolist() == [1, 5]
    assert entries.loc[entries["symbol"] == "B/USD", "timestamp"].dt.hour.tolist() == [1, 7]


def test_symbols_without_a_common_hour_share_the_account() -> None:
    early, late = bars_at([10.0, 10.0, 10.0]), bars_at([10.0, 10.0, 10.0], start="2024-03-02")
    result = account({"A/USD": (early, [1.0, 0.0, HOLD]), "B/USD": (late, [1.0, 0.0, HOLD])})
    assert len(result.curve) == 6
    assert result.trades["symbol"].tolist() == ["A/USD", "B/USD"]


@pytest.mark.parametrize("names", [[], ["A/USD"]])
def test_bars_and_probabilities_must_name_the_same_symbols(names: list[str]) -> None:
    bars = bars_at([10.0])
    with pytest.raises(ConfigValueError, match="same symbols"):
        run_account_backtest(dict.fromkeys(names, bars), {"B/USD": pd.Series([0.5], index=bars.index)})


# --- properties --------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_past_does_not_depend_on_the_future(seed: int) -> None:
    market = random_account_market(seed, 2)
    whole = run_account_backtest(market.bars, market.probability, market.config)
    cut = whole.curve.index[len(whole.curve) // 2]
    kept = {s: b.loc[:cut] for s, b in market.bars.items() if len(b.loc[:cut])}
    part = run_account_backtest(kept, {s: market.probability[s].loc[:cut] for s in kept}, market.config)
    assert part.equity.equals(whole.equity.loc[:cut])
    assert part.fills["quantity"].tolist() == whole.fills.loc[whole.fills["timestamp"] <= cut, "quantity"].tolist()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2.0**-20, 0.5, 8.0, 2.0**20]))
def test_equity_scales_with_cash_and_prices_by_powers_of_two(seed: int, factor: float) -> None:
    bars = random_bars(60, seed=seed % 1000, volatility=0.03)
    probability = pd.Series(np.random.default_rng(seed).random(60), index=bars.index)
    scaled = bars * [factor, factor, factor, factor, 1.0]
    plain = run_backtest(bars, probability, BacktestConfig(min_notional=0.0))
    large = run_backtest(scaled, probability, BacktestConfig(min_notional=0.0, initial_cash=100_000.0 * factor))
    assert (large.equity == plain.equity * factor).all()
    for name in ("total_return", "sharpe", "max_drawdown", "exposure", "turnover"):
        np.testing.assert_equal(large.metrics[name], plain.metrics[name])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_trades_fills_and_curve_tell_one_story(seed: int) -> None:
    market = random_account_market(seed, 1)
    symbol, config = SYMBOLS[0], market.config
    result = run_backtest(market.bars[symbol], market.probability[symbol], config)
    fills, trades = result.fills, result.trades
    sign = np.where(fills["side"] == "buy", 1.0, -1.0)
    assert np.allclose(fills["notional"], fills["quantity"] * fills["price"])
    assert np.allclose(fills["fee"], fills["notional"] * config.fee_rate)
    in_coin = np.where((sign > 0) & config.fee_in_base, config.fee_rate, 0.0)
    held = (sign * fills["quantity"] * (1 - in_coin)).sum()
    assert held == pytest.approx(result.curve["quantity"].iloc[-1], abs=1e-6)
    cash = config.initial_cash - (sign * fills["notional"] + np.where(in_coin > 0, 0.0, fills["fee"])).sum()
    assert cash == pytest.approx(result.curve["cash"].iloc[-1], rel=1e-9, abs=1e-6)
    pnl = trades["quantity"] * (trades["exit_price"] - trades["entry_price"]) - trades["fees"]
    assert np.allclose(trades["pnl"], pnl, atol=1e-6)
    if len(fills) == 0 or fills["side"].iloc[-1] == "sell":
        assert config.initial_cash + trades["pnl"].sum() == pytest.approx(result.equity.iloc[-1])
    assert (result.curve["cash"] >= 0).all()
    assert len(trades) == (fills["side"] == "sell").sum() == result.metrics["n_trades"]


# --- input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [1.0000001, -1e-9, math.inf, -math.inf])
def test_a_probability_outside_its_range_is_named(value: float) -> None:
    with pytest.raises(DataValidationError, match=r"\[0, 1\] or be NaN; outside are 1 row, first 2024-03-01T01:00Z"):
        run(bars_at([10.0, 10.0]), [0.5, value])


def test_a_bar_without_a_probability_holds() -> None:
    bars = bars_at([10.0] * 4)
    result = run_backtest(bars, pd.Series([1.0], index=bars.index[1:2]), FREE)
    assert result.fills["timestamp"].dt.hour.tolist() == [2]


def test_a_probability_without_a_bar_is_refused() -> None:
    bars = bars_at([10.0] * 3)
    probability = pd.Series(0.5, index=bars.index + pd.Timedelta(hours=1))
    with pytest.raises(DataValidationError, match="must belong to a bar; without one are 1 row, first 2024-03-01T03"):
        run_backtest(bars, probability, FREE)


def test_repeated_probabilities_are_refused() -> None:
    bars = bars_at([10.0] * 3)
    with pytest.raises(DataValidationError, match="unique"):
        run_backtest(bars, pd.Series(0.5, index=bars.index[[0, 0, 1]]), FREE)


def test_no_bars_are_refused() -> None:
    bars = bars_at([10.0])
    with pytest.raises(InsufficientHistoryError, match="at least one bar"):
        run(bars.iloc[:0], [])


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("open", math.nan, "finite"),
        ("close", math.inf, "finite"),
        ("high", 9.0, "low <= open, close <= high"),
        ("low", 11.0, "low <= open, close <= high"),
        ("low", 0.0, "positive"),
        ("volume", -1.0, "volume >= 0"),
        ("volume", math.nan, "finite"),
        ("low", 1e-200, "prices are from 1e-128 to 1e\\+128"),
        ("high", 1e200, "prices are from 1e-128 to 1e\\+128"),
        ("volume", 1e200, "volume is at most 1e\\+128"),
    ],
)
def test_a_bar_that_breaks_a_rule_is_refused_by_its_name(column: str, value: float, rule: str) -> None:
    bars = bars_at([10.0] * 3)
    bars.iloc[1, bars.columns.get_loc(column)] = value
    with pytest.raises(DataValidationError, match=rule):
        run(bars, [0.5] * 3)


@pytest.mark.parametrize("order", [[1, 0, 2], [0, 0, 1]])
def test_bars_out_of_order_or_repeated_are_refused(order: list[int]) -> None:
    with pytest.raises(DataValidationError, match="unique and ascending"):
        run(bars_at([10.0] * 3).iloc[order], [0.5] * 3)


@pytest.mark.parametrize("minutes", [[1, 1, 1], [0, 0, 1]])
def test_bars_off_the_hour_are_refused(minutes: list[int]) -> None:
    bars = bars_at([10.0] * 3)
    bars.index = bars.index + pd.to_timedelta(minutes, unit="min")
    with pytest.raises(DataValidationError, match="whole hours"):
        run(bars, [0.5] * 3)


def test_inputs_are_not_changed_and_may_be_read_only_strided_or_in_other_units() -> None:
    bars = random_bars(80, seed=5)
    probability = pd.Series(np.random.default_rng(1).random(80), index=bars.index)
    expected = run_backtest(bars, probability)
    strided = pd.DataFrame(
        np.asfortranarray(bars.to_numpy()).copy("C"), index=bars.index.as_unit("ms"), columns=bars.columns
    )
    strided.to_numpy().flags.writeable = False
    result = run_backtest(strided, probability.set_axis(strided.index).astype(object))
    assert (result.equity.to_numpy() == expected.equity.to_numpy()).all()
    pd.testing.assert_frame_equal(bars, random_bars(80, seed=5))


def test_real_bars_give_a_balanced_account(real_bars) -> None:
    bars = real_bars("BTCUSDT")
    momentum = bars["close"].pct_change(24).rank(pct=True).fillna(0.5)
    result = run_backtest(bars, momentum)
    assert len(result.fills) > 0
    assert result.equity.gt(0).all()
    assert all(math.isfinite(value) for value in result.metrics.values())

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest

from algo_pipeline.backtest.broker_sim import SimulatedBroker
from algo_pipeline.backtest.broker_sim_orders import Candle
from algo_pipeline.backtest.realism import ExecutionOptions
from algo_pipeline.backtest.reference import ReferenceResult, reference_backtest
from algo_pipeline.common.errors import AccountingError, ConfigValueError
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Side, Symbol

BTC, ETH = Symbol("BTC", "USD"), Symbol("ETH", "USD")
PROBABILITIES = {"L": 0.9, "F": 0.1, ".": float("nan")}
D = Decimal
Row = tuple[float, float, float, float] | tuple[float, float, float, float, float]
Fills = list[tuple[int, Decimal, Decimal]]


def bars_of(rows: list[Row | None]) -> pd.DataFrame:
    """Rows of open, high, low, close and volume (1000 unless given), an hour each; None is a gap."""
    hours = pd.date_range("2024-01-01", periods=len(rows), freq="h", tz="UTC", name="timestamp", unit="ns")
    full = [(*row, 1000.0)[:5] if row else row for row in rows]
    frame = pd.DataFrame([row for row in full if row], columns=["open", "high", "low", "close", "volume"], dtype=float)
    return frame.set_index(hours[[row is not None for row in rows]])


def run(
    markets: dict[Symbol, tuple[list[Row | None], str]], execution: ExecutionOptions, **rules: object
) -> ReferenceResult:
    """Trade signals (L for LONG, F for FLAT, a dot for HOLD) with 1000 in cash, half of it per entry, free of cost."""
    free = {"initial_cash": 1000.0, "position_fraction": 0.5, "max_position_fraction": 0.5, "fee_bps": 0.0}
    free |= {"slippage_bps": 0.0, "quantity_step": 0.01, "max_drawdown": 1.0}
    bars = {symbol: bars_of(rows) for symbol, (rows, _) in markets.items()}
    signals = {
        symbol: [PROBABILITIES[s] for s, row in zip(text, rows, strict=True) if row]
        for symbol, (rows, text) in markets.items()
    }
    probability = {symbol: pd.Series(signals[symbol], bars[symbol].index) for symbol in bars}
    return reference_backtest(bars, probability, BacktestConfig(**(free | rules)), execution)


def trade(rows: list[Row | None], signals: str, rules: dict[str, object] | None = None, **options: object) -> Fills:
    """Fills as (hour, quantity, negative for a sell, price) of one symbol under these options."""
    return fills_of(run({BTC: (rows, signals)}, ExecutionOptions(**options), **(rules or {})))


def fills_of(result: ReferenceResult) -> Fills:
    signs = {Side.BUY: 1, Side.SELL: -1}
    return [(fill.at.hour, signs[fill.side] * fill.quantity, fill.price) for fill in result.fills]


FLAT_BAR = (100.0, 100.0, 100.0, 100.0)


@pytest.mark.parametrize(
    ("bar", "price"),
    [
        ((99.0, 101.0, 98.0, 100.0), 99),  # opens below the limit of 100
        ((101.0, 102.0, 99.0, 100.0), 100),  # trades through it
        ((100.0, 102.0, 100.0, 101.0), 100),  # opens at it
    ],
)
def test_a_limit_buy_fills_at_a_better_open_or_where_the_bar_trades_through_it(bar: Row, price: int) -> None:
    assert trade([FLAT_BAR, bar], "L.", limit_timeout_bars=1) == [(1, D(5), D(price))]


def test_a_limit_that_is_only_touched_is_not_filled_and_a_buy_is_dropped_after_its_bars() -> None:
    touched = (101.0, 102.0, 100.0, 101.0)
    below = (99.0, 99.0, 98.0, 99.0)
    assert trade([FLAT_BAR, touched, touched, below], "L...", limit_timeout_bars=2) == []
    assert trade([FLAT_BAR, touched, touched, below], "L...", limit_timeout_bars=3) == [(3, D(5), D(99))]


def test_the_slippage_counts_when_an_open_is_held_against_a_limit() -> None:
    fills = trade([FLAT_BAR, (99.5, 101.0, 99.2, 100.0)], "L.", {"slippage_bps": 100.0}, limit_timeout_bars=1)
    assert fills == [(1, D(5), D(100))]  # 99.5 · 1.01 > 100, and the low is below the limit


def test_a_limit_sell_becomes_a_market_order_after_its_bars() -> None:
    lower = (95.0, 96.0, 94.0, 95.0)
    rows = [FLAT_BAR, FLAT_BAR, lower, lower, (93.0, 94.0, 92.0, 93.0)]
    assert trade(rows, "LF...", limit_timeout_bars=2)[1:] == [(4, D(-5), D(93))]


def test_latency_counts_bars_that_the_symbol_has_and_moves_the_time_out() -> None:
    rows = [FLAT_BAR, None, FLAT_BAR, (98.0, 99.0, 97.0, 98.0)]
    assert trade(rows, "L...", latency_bars=1) == [(3, D(5), D(98))]
    rest = [(101.0, 102.0, 101.0, 101.0), (101.0, 102.0, 99.0, 100.0)]
    assert trade([FLAT_BAR, FLAT_BAR, *rest], "L...", latency_bars=1, limit_timeout_bars=2) == [(3, D(5), D(100))]
    assert trade([FLAT_BAR, FLAT_BAR, *rest], "L...", latency_bars=1, limit_timeout_bars=1) == []


def test_a_market_buy_loses_what_volume_does_not_take_and_a_sell_goes_on() -> None:
    thin, thick = (*FLAT_BAR, 20.19), (*FLAT_BAR, 100.0)
    fills = trade([FLAT_BAR, thin, thin, (*FLAT_BAR, 0.0), thick], "LF...", max_volume_share=0.1)
    assert fills == [(1, D("2.01"), D(100)), (2, D("-2.01"), D(100))]
    fills = trade([FLAT_BAR, thick, thin, (*FLAT_BAR, 0.0), thick], "LF...", max_volume_share=0.1)
    assert fills == [(1, D(5), D(100)), (2, D("-2.01"), D(100)), (4, D("-2.99"), D(100))]


def test_what_is_left_of_a_limit_buy_rests_on_and_may_be_less_than_the_minimum() -> None:
    thin = (*FLAT_BAR, 4.9)
    fills = trade([FLAT_BAR, thin, FLAT_BAR], "L..", {"min_notional": 60.0}, limit_timeout_bars=2, max_volume_share=0.1)
    assert fills == [(1, D("0.49"), D(100)), (2, D("4.51"), D(100))]


def test_a_limit_buy_that_cash_shrinks_below_the_minimum_ends() -> None:
    rules = {"position_fraction": 1.0, "max_position_fraction": 1.0, "min_notional": 600.0}
    markets = {BTC: ([FLAT_BAR] * 3, "L.."), ETH: ([FLAT_BAR, FLAT_BAR, (90.0, 91.0, 89.0, 90.0)], "L..")}
    options = ExecutionOptions(limit_timeout_bars=2, max_volume_share=0.0065)
    fills = fills_of(run(markets, options, **rules))
    assert fills == [(1, D("6.50"), D(100)), (2, D("3.50"), D(100))]  # ETH: 350 of cash are below 600, and it is gone


def test_volatility_moves_the_price_by_the_sample_deviation_of_earlier_returns() -> None:
    closes = [100.0, 110.0, 100.0, 100.0]
    rows = [(close, close, close, close) for close in closes]
    first = trade(rows[:2], "L.", volatility_slippage=0.5)
    assert first == [(1, D(5), D(110))]  # no return yet
    ((hour, quantity, price),) = trade(rows, "..L.", volatility_slippage=0.5)
    assert (hour, quantity) == (3, D(5))
    # Returns ln 1.1 and −ln 1.1: deviation √2 · ln 1.1 = 0.134788948…
    assert float(price) == pytest.approx(100.0 * (1.0 + 0.5 * 0.1347889488), rel=1e-9)


def test_slippage_never_takes_the_whole_price() -> None:
    rows = [(100.0, 100.0, 100.0, close) for close in (100.0, 110.0, 100.0, 100.0)]
    fills = trade([*rows, FLAT_BAR], "...L.", {"position_fraction": 0.1}, volatility_slippage=1000.0)
    assert fills == [(4, D(1), D("199.9"))]


STOP = {"stop_loss_bps": 500.0}


@pytest.mark.parametrize(
    ("bar", "price"),
    [((99.0, 100.0, 94.0, 96.0), 95), ((93.0, 99.0, 92.0, 96.0), 93), ((99.0, 100.0, 95.0, 96.0), 95)],
)
def test_a_stop_sells_at_its_level_or_at_an_open_beyond_it(bar: Row, price: int) -> None:
    assert trade([FLAT_BAR, FLAT_BAR, bar], "L..", **STOP) == [(1, D(5), D(100)), (2, D(-5), D(price))]


def test_a_stop_pays_slippage_against_its_level() -> None:
    result = run(
        {BTC: ([FLAT_BAR, FLAT_BAR, (99.0, 100.0, 94.0, 96.0)], "L..")}, ExecutionOptions(**STOP), slippage_bps=100.0
    )
    buy, sell = result.fills
    assert (buy.price, buy.reference) == (D(101), D(100))
    assert (sell.price, sell.reference) == (D("101") * D("0.95") * D("0.99"), D("95.95"))
    assert result.costs_paid == 5 * (D("1.00") + D("0.9595"))


def test_the_stop_wins_over_the_profit_of_the_same_bar_and_the_profit_needs_to_be_traded_through() -> None:
    both = (100.0, 106.0, 94.0, 100.0)
    options = {"stop_loss_bps": 500.0, "take_profit_bps": 500.0}
    assert trade([FLAT_BAR, FLAT_BAR, both], "L..", **options)[-1] == (2, D(-5), D(95))
    touched, through = (100.0, 105.0, 99.0, 100.0), (100.0, 105.1, 99.0, 100.0)
    assert trade([FLAT_BAR, FLAT_BAR, touched, through], "L...", **options)[-1] == (3, D(-5), D(105))
    assert trade([FLAT_BAR, FLAT_BAR, (107.0, 108.0, 104.0, 107.0)], "L..", **options)[-1] == (2, D(-5), D(107))


def test_a_trailing_stop_follows_the_highest_price_and_takes_the_high_of_a_bar_first() -> None:
    options = {"trailing_stop_bps": 1000.0}
    rise = (100.0, 120.0, 110.0, 115.0)
    assert trade([FLAT_BAR, FLAT_BAR, rise, (115.0, 116.0, 107.0, 115.0)], "L...", **options)[-1] == (3, D(-5), D(108))
    assert trade([FLAT_BAR, FLAT_BAR, (100.0, 120.0, 99.0, 115.0)], "L..", **options)[-1] == (2, D(-5), D(108))
    assert trade([FLAT_BAR, FLAT_BAR, (100.0, 120.0, 89.0, 115.0)], "L..", **options)[-1] == (2, D(-5), D(90))


def test_a_buy_inside_the_bar_knows_neither_its_open_nor_its_high() -> None:
    dip = (101.0, 130.0, 99.0, 102.0)
    options = {"limit_timeout_bars": 1, "trailing_stop_bps": 1000.0, "take_profit_bps": 2000.0}
    rows = [FLAT_BAR, dip, (102.0, 103.0, 91.9, 102.0), (102.0, 103.0, 91.0, 102.0)]
    # The trailing stop stands at 0.9 · 102 after the entry, not at 0.9 · 130; then at 0.9 · 103.
    assert trade(rows, "L...", **options) == [(1, D(5), D(100)), (2, D(-5), D("92.7"))]
    deep = (101.0, 130.0, 89.0, 102.0)
    assert trade([FLAT_BAR, deep], "L.", **options) == [(1, D(5), D(100)), (1, D(-5), D(90))]


def test_what_volume_leaves_of_a_protective_exit_is_a_market_order_and_one_round_trip() -> None:
    rows = [FLAT_BAR, FLAT_BAR, (99.0, 100.0, 94.0, 96.0, 20.0), (90.0, 91.0, 89.0, 90.0)]
    options = ExecutionOptions(stop_loss_bps=500.0, max_volume_share=0.1, latency_bars=0, limit_timeout_bars=5)
    result = run({BTC: (rows, "L...")}, options, min_notional=50.0)
    assert fills_of(result)[1:] == [(2, D(-2), D(95)), (3, D(-3), D(90))]
    (trip,) = result.trips
    assert (trip.quantity, trip.entry_price, trip.exit_price) == (D(5), D(100), D(92))
    assert (trip.entry_at.hour, trip.exit_at.hour, trip.pnl) == (1, 3, D(-40))


def test_a_protective_exit_replaces_an_exit_that_rests_or_is_on_its_way() -> None:
    rows = [FLAT_BAR, FLAT_BAR, FLAT_BAR, (99.0, 100.0, 94.0, 96.0)]
    assert trade(rows, "L.F.", limit_timeout_bars=3, **STOP)[-1] == (3, D(-5), D(95))
    rows = [FLAT_BAR, FLAT_BAR, FLAT_BAR, (99.0, 100.0, 94.0, 96.0), FLAT_BAR]
    assert trade(rows, "L.F..", latency_bars=1, **STOP) == [(2, D(5), D(100)), (3, D(-5), D(95))]


def test_a_holding_that_is_dust_at_the_exit_price_is_not_protected() -> None:
    rows = [FLAT_BAR, FLAT_BAR, (99.0, 100.0, 94.0, 96.0)]
    assert trade(rows, "L..", {"min_notional": 475.0}, **STOP)[1:] == [(2, D(-5), D(95))]
    assert trade(rows, "L..", {"min_notional": 475.01}, **STOP)[1:] == []


def test_a_pause_counts_from_the_fill_that_leaves_nothing() -> None:
    rows = [FLAT_BAR, FLAT_BAR, (*FLAT_BAR, 20.0), FLAT_BAR, FLAT_BAR, FLAT_BAR]
    fills = trade(rows, "LFLLLL", {"cooldown_bars": 1}, max_volume_share=0.1)
    assert fills[1:] == [(2, D(-2), D(100)), (3, D(-3), D(100)), (5, D(5), D(100))]


def test_flat_cancels_a_resting_buy_and_sells_what_it_bought() -> None:
    rows = [FLAT_BAR, (*FLAT_BAR, 20.0), (*FLAT_BAR, 20.0)]
    assert trade(rows, "LF.", limit_timeout_bars=5, max_volume_share=0.1) == [(1, D(2), D(100)), (2, D(-2), D(100))]
    assert trade(rows, "LL.", limit_timeout_bars=5, max_volume_share=0.1) == [(1, D(2), D(100)), (2, D(2), D(100))]


def test_the_kill_switch_cancels_buys_and_turns_a_resting_exit_into_a_market_order() -> None:
    fall = (90.0, 91.0, 88.0, 89.0)
    markets = {
        BTC: ([FLAT_BAR, FLAT_BAR, fall, fall], "LF.."),
        ETH: ([FLAT_BAR, FLAT_BAR, (101.0, 101.0, 100.0, 100.0), fall], ".L.."),
    }
    result = run(markets, ExecutionOptions(limit_timeout_bars=5), max_drawdown=0.05)
    assert result.kill_switch_at is not None
    assert result.kill_switch_at.hour == 2
    assert fills_of(result) == [(1, D(5), D(100)), (3, D(-5), D(90))]


def test_cash_of_a_protective_exit_does_not_pay_for_buys_of_the_same_bar() -> None:
    fall = (99.0, 100.0, 94.0, 96.0)
    markets = {
        BTC: ([FLAT_BAR, FLAT_BAR, fall], "L.."),
        ETH: ([FLAT_BAR, FLAT_BAR, (200.0, 200.0, 200.0, 200.0)], ".L."),
    }
    fills = fills_of(run(markets, ExecutionOptions(**STOP)))
    assert fills == [(1, D(5), D(100)), (2, D("2.50"), D(200)), (2, D(-5), D(95))]


def test_a_symbol_has_one_pending_order() -> None:
    broker = SimulatedBroker({BTC: bars_of([FLAT_BAR])}, BacktestConfig())
    broker.place_order(BTC, D(1), Side.BUY, "first")
    with pytest.raises(ConfigValueError, match="one pending order"):
        broker.place_order(BTC, D(1), Side.SELL, "second")


def test_partial_fills_add_up_to_the_order_and_to_the_account() -> None:
    config = BacktestConfig(initial_cash=1000.0, fee_bps=0.0, slippage_bps=0.0, quantity_step=0.01)
    broker = SimulatedBroker({BTC: bars_of([FLAT_BAR])}, config, ExecutionOptions(3, max_volume_share=0.5))
    order = broker.place_order(BTC, D(4), Side.BUY, "b", limit=D(100))
    for hour, price in enumerate((100, 90)):
        at = pd.Timestamp("2024-01-01", tz="UTC") + pd.Timedelta(hours=hour)
        broker.trade_bar(at, {BTC: Candle(D(price), D(price), D(price), D(price), D(4))})
        broker.close_bar(at, {BTC: D(price)})
    filled = broker.find_order(order.client_order_id)
    assert filled is not None
    assert (filled.status, filled.filled_quantity, filled.average_price) == ("filled", D(4), D(95))
    broker._cash += D("1e-20")
    with pytest.raises(AccountingError, match="add up to"):
        broker.close_bar(at, {BTC: D(90)})

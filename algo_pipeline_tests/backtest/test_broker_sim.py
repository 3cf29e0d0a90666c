from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest

from algo_pipeline.backtest.broker_sim import SimulatedBroker
from algo_pipeline.backtest.broker_sim_decimals import exact, floor_decimal
from algo_pipeline.backtest.broker_sim_orders import Candle
from algo_pipeline.common.errors import AccountingError, ConfigValueError
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.interfaces.broker import BaseBroker
from algo_pipeline_tests.market import random_bars

BTC, ETH = Symbol("BTC", "USD"), Symbol("ETH", "USD")
START = pd.Timestamp("2024-01-01", tz="UTC")
D = Decimal


def make_broker(**changes: object) -> SimulatedBroker:
    rules = {"initial_cash": 1000.0, "fee_bps": 100.0, "slippage_bps": 100.0, "quantity_step": 0.01} | changes
    bars = {symbol: random_bars(5) for symbol in (BTC, ETH)}
    return SimulatedBroker(bars, BacktestConfig(**rules))


def still(price: int) -> Candle:
    """A bar in which the price doesn't move."""
    return Candle(D(price), D(price), D(price), D(price), D(1000))


def at(hour: int) -> pd.Timestamp:
    return START + pd.Timedelta(hours=hour)


def test_it_is_a_broker() -> None:
    assert isinstance(make_broker(), BaseBroker)


def test_a_round_trip_balances_to_the_last_digit() -> None:
    broker = make_broker()
    broker.place_order(BTC, D(5), Side.BUY, "b")
    broker.trade_bar(at(0), {BTC: still(100)})
    broker.close_bar(at(0), {BTC: D(110)})
    assert broker.get_account().cash == D("489.95")
    assert broker.get_account().equity == D("1039.95")
    broker.place_order(BTC, D(5), Side.SELL, "s")
    broker.trade_bar(at(1), {BTC: still(110)})
    broker.close_bar(at(1), {BTC: D(108)})
    assert broker.get_account().cash == broker.get_account().equity == D("1029.005")
    assert broker.get_positions() == ()


def test_a_fee_in_base_leaves_less_coin_and_the_cash_whole() -> None:
    broker = make_broker(fee_in_base=True, slippage_bps=0.0)
    broker.place_order(BTC, D(5), Side.BUY, "b")
    broker.trade_bar(at(0), {BTC: still(100)})
    assert broker.get_account().cash == D(500)
    assert broker.get_positions()[0].quantity == D("4.95")
    assert broker.fills[0].fee == D(5)
    assert broker.fills[0].fee_in_coin == D("0.05")


def test_sells_fill_before_buys_and_buys_in_the_order_of_symbols() -> None:
    broker = make_broker(fee_bps=0.0, slippage_bps=0.0)
    broker.place_order(BTC, D(10), Side.BUY, "1")
    broker.trade_bar(at(0), {BTC: still(100), ETH: still(100)})
    broker.place_order(ETH, D(4), Side.BUY, "2")
    broker.place_order(BTC, D(10), Side.SELL, "3")
    broker.trade_bar(at(1), {BTC: still(100), ETH: still(100)})
    assert [fill.side for fill in broker.fills] == [Side.BUY, Side.SELL, Side.BUY]


def test_a_buy_takes_what_cash_covers_and_its_rest_is_cancelled() -> None:
    broker = make_broker()
    broker.place_order(BTC, D(20), Side.BUY, "b")
    broker.trade_bar(at(0), {BTC: still(100)})
    order = broker.find_order("b")
    assert order is not None
    assert order.filled_quantity == D("9.80")  # 1000 / (101 · 1.01) = 9.80296
    assert (order.status, order.average_price) == ("canceled", D(101))


def test_an_order_waits_for_a_bar_of_its_symbol() -> None:
    broker = make_broker()
    broker.place_order(BTC, D(1), Side.BUY, "b")
    broker.trade_bar(at(0), {ETH: still(100)})
    assert [order.client_order_id for order in broker.get_open_orders()] == ["b"]
    broker.cancel_pending(BTC)
    broker.trade_bar(at(1), {BTC: still(100)})
    assert broker.fills == []


@pytest.mark.parametrize(("order_id", "quantity"), [("used", D(1)), ("fresh", D(0)), ("fresh", D(-1))])
def test_an_order_needs_a_fresh_id_and_a_positive_quantity(order_id: str, quantity: Decimal) -> None:
    broker = make_broker()
    broker.place_order(BTC, D(1), Side.BUY, "used")
    with pytest.raises(ConfigValueError, match="fresh id"):
        broker.place_order(BTC, quantity, Side.BUY, order_id)


def test_an_unknown_order_is_none() -> None:
    assert make_broker().find_order("never") is None


def test_only_bars_that_are_closed_by_its_clock_are_shown() -> None:
    broker = make_broker()
    assert broker.get_bars(BTC, at(0), at(5)).empty
    broker.trade_bar(at(2), {})
    assert list(broker.get_bars(BTC, at(1), at(5)).index) == [at(1)]
    broker.close_bar(at(2), {})
    assert list(broker.get_bars(BTC, at(0), at(5)).index) == [at(0), at(1), at(2)]
    assert list(broker.get_bars(BTC, at(0), at(2)).index) == [at(0), at(1)]


def test_cash_that_appears_from_nowhere_is_an_accounting_error() -> None:
    broker = make_broker()
    broker._cash += D("1e-20")
    with pytest.raises(AccountingError, match="add up to"):
        broker.close_bar(at(0), {})


def test_decimals_are_the_shortest_that_name_the_double() -> None:
    assert exact(0.1) == D("0.1")
    assert floor_decimal(D("1.239999"), D("0.01")) == D("1.23")

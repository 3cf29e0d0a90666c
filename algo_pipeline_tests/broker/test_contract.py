"""What every broker promises, held against the live tests' fake and against Alpaca's client over a sandbox alike.

The backtest's simulated account keeps the part of the promises that a world without a network has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from algo_pipeline.backtest.broker_sim import SimulatedBroker
from algo_pipeline.backtest.broker_sim_decimals import exact
from algo_pipeline.backtest.broker_sim_orders import Candle
from algo_pipeline.common.errors import AmbiguousBrokerError, BrokerRefusedError
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Side
from algo_pipeline.interfaces.broker import BaseBroker, BrokerOrder
from algo_pipeline.sandbox.faults import Fault, FaultKind
from algo_pipeline_tests.broker.rig import BTC, ETH, NOW, paper
from algo_pipeline_tests.live import harness
from algo_pipeline_tests.sandbox.rig import HOUR, steady

D = Decimal
RULES = BacktestConfig(fee_in_base=True)
BARS = {BTC: steady(50), ETH: steady(50, 2000.0)}
PATHS = {"place": ("POST", "/v2/orders"), "positions": ("GET", "/v2/positions"), "open": ("GET", "/v2/orders")}


@dataclass(frozen=True)
class Account:
    """A broker at NOW, how its time goes on, and how the answers to a kind of request are lost."""

    broker: BaseBroker
    go_on: Callable[[], object]
    lose: Callable[[str, bool], object]


@contextmanager
def alpaca() -> Iterator[Account]:
    with paper(bars=BARS, rules=RULES) as made:

        def lose(request: str, taken: bool) -> None:
            method, path = PATHS[request]
            made.control.add_fault(Fault(FaultKind.RESET, path, method, count=3, after_effect=taken))

        yield Account(made.broker, lambda: made.control.advance(1.0), lose)


@contextmanager
def fake() -> Iterator[Account]:
    clock = harness.VirtualClock(NOW)
    broker = harness.FakeBroker(BARS, RULES, clock)

    def lose(request: str, taken: bool) -> None:
        broker.faults.append(harness.Fault(request, "after" if taken else "before"))

    yield Account(broker, lambda: clock.sleep(1.0), lose)


@contextmanager
def simulated() -> Iterator[Account]:
    broker = SimulatedBroker(BARS, RULES)
    times = iter(pd.date_range(NOW, periods=20, freq="h"))

    def go_on() -> None:
        at = next(times)
        rows = {symbol: bars.loc[at] for symbol, bars in BARS.items()}
        broker.trade_bar(at, {symbol: Candle(*map(exact, map(float, row))) for symbol, row in rows.items()})
        broker.close_bar(at, {symbol: exact(float(row["close"])) for symbol, row in rows.items()})

    go_on()
    yield Account(broker, go_on, lambda request, taken: None)


WITH_A_WIRE = {"alpaca": alpaca, "fake": fake}
ALL = {**WITH_A_WIRE, "simulated": simulated}


@pytest.fixture
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    with request.param() as made:
        yield made


every_broker = pytest.mark.parametrize("account", ALL.values(), ids=ALL.keys(), indirect=True)
every_broker_with_a_wire = pytest.mark.parametrize(
    "account", WITH_A_WIRE.values(), ids=WITH_A_WIRE.keys(), indirect=True
)


def placed(account: Account, quantity: str, side: Side = Side.BUY, order_id: str = "one", **more: Any) -> BrokerOrder:
    """An order, at its end."""
    account.broker.place_order(more.get("symbol", BTC), D(quantity), side, order_id)
    account.go_on()
    found = account.broker.find_order(order_id)
    assert found is not None
    return found


@every_broker
class TestEveryBroker:
    def test_has_a_clock_in_utc(self, account: Account) -> None:
        assert str(account.broker.now().tz) == "UTC"

    def test_begins_with_cash_and_nothing_else(self, account: Account) -> None:
        state = account.broker.get_account()
        assert (state.cash, state.equity, state.trading_blocked) == (D(100_000), D(100_000), False)
        assert state.account_id
        assert account.broker.get_positions() == ()
        assert account.broker.get_open_orders() == ()
        assert account.broker.get_orders_since(NOW - HOUR) == ()

    def test_knows_no_order_that_was_not_placed(self, account: Account) -> None:
        assert account.broker.find_order("nobody") is None

    def test_fills_a_buy_and_takes_its_fee_in_the_coin(self, account: Account) -> None:
        order = placed(account, "2")
        assert (order.client_order_id, order.symbol, order.side) == ("one", BTC, Side.BUY)
        assert (order.status, order.is_terminal) == ("filled", True)
        assert order.quantity == order.filled_quantity == D(2)
        assert order.average_price is not None
        assert order.created_at is not None
        (position,) = account.broker.get_positions()
        assert (position.symbol, position.quantity, position.quantity_available) == (BTC, D("1.995"), D("1.995"))
        assert account.broker.get_account().cash == D(100_000) - 2 * order.average_price
        assert account.broker.get_open_orders() == ()

    def test_sells_all_that_is_available(self, account: Account) -> None:
        placed(account, "0.123456789")
        (position,) = account.broker.get_positions()
        order = placed(account, str(position.quantity_available), Side.SELL, "two")
        assert (order.status, order.filled_quantity) == ("filled", position.quantity)
        assert account.broker.get_positions() == ()

    def test_holds_several_symbols(self, account: Account) -> None:
        placed(account, "2")
        placed(account, "1", order_id="two", symbol=ETH)
        found = {position.symbol: position.quantity for position in account.broker.get_positions()}
        assert found == {BTC: D("1.995"), ETH: D("0.9975")}

    def test_lists_orders_of_a_moment_and_later_oldest_first(self, account: Account) -> None:
        ids = ["one", "two", "three"]
        orders = [placed(account, "1", order_id=order_id) for order_id in ids]
        moment = orders[1].created_at
        assert moment is not None
        assert [order.client_order_id for order in account.broker.get_orders_since(NOW - HOUR)] == ids
        assert [order.client_order_id for order in account.broker.get_orders_since(moment)] == ids[1:]

    def test_does_not_mind_cancelling_what_has_ended(self, account: Account) -> None:
        order = placed(account, "2")
        account.broker.cancel_order(order)
        assert account.broker.find_order("one") == order

    def test_gives_closed_bars_only(self, account: Account) -> None:
        bars = account.broker.get_bars(BTC, NOW - 3 * HOUR, account.broker.now())
        assert list(bars.columns) == ["open", "high", "low", "close", "volume"]
        assert bars.index[-1] + HOUR <= account.broker.now()


@every_broker_with_a_wire
class TestEveryBrokerWithAWire:
    def test_takes_an_id_once_and_does_not_say_that_the_order_failed(self, account: Account) -> None:
        first = placed(account, "2")
        with pytest.raises(AmbiguousBrokerError):
            account.broker.place_order(BTC, D(2), Side.BUY, "one")
        assert account.broker.find_order("one") == first
        assert len(account.broker.get_orders_since(NOW - HOUR)) == 1

    def test_refuses_to_sell_more_than_there_is_and_has_no_such_order(self, account: Account) -> None:
        with pytest.raises(BrokerRefusedError):
            account.broker.place_order(BTC, D(2), Side.SELL, "one")
        assert account.broker.find_order("one") is None

    @pytest.mark.parametrize("taken", [False, True], ids=["before", "after"])
    def test_says_that_it_does_not_know_where_an_answer_is_lost(self, account: Account, taken: bool) -> None:
        account.lose("place", taken)
        with pytest.raises(AmbiguousBrokerError):
            account.broker.place_order(BTC, D(2), Side.BUY, "one")
        found = account.broker.find_order("one")
        assert (found is not None) is taken
        assert len(account.broker.get_positions()) == int(taken)

    @pytest.mark.parametrize("request_kind", ["positions", "open"])
    def test_never_reads_a_failed_question_as_nothing(self, account: Account, request_kind: str) -> None:
        placed(account, "2")
        account.lose(request_kind, False)
        with pytest.raises(AmbiguousBrokerError):
            account.broker.get_positions() if request_kind == "positions" else account.broker.get_open_orders()
        assert len(account.broker.get_positions()) == 1

    def test_finds_an_order_by_its_own_id_only(self, account: Account) -> None:
        order = placed(account, "2")
        assert account.broker.find_order(order.broker_order_id) is None
        assert account.broker.find_order("ONE") is None
        assert account.broker.find_order("one") == order

"""The real alpaca-py client against a sandbox and against scripted answers: one order at most, and never a guess."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from algo_pipeline.broker.alpaca import AlpacaBroker
from algo_pipeline.common.errors import (
    AmbiguousBrokerError,
    BrokerError,
    BrokerRefusedError,
    DataValidationError,
)
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.interfaces.broker import BrokerOrder
from algo_pipeline.sandbox.faults import Fault, FaultKind
from algo_pipeline_tests.broker.rig import (
    BTC,
    NOW,
    WALL,
    Script,
    ScriptedServer,
    Waits,
    answering,
    broker_of,
    order_document,
    paper,
    paper_broker_of,
)
from algo_pipeline_tests.sandbox.rig import FIRST, HOUR

D = Decimal
NOT_FOUND = {"code": 40410000, "message": "order not found for one"}
PAGE = b"<html><body>502 Bad Gateway</body></html>"
CLOCK = {"timestamp": "2026-03-01T12:00:00Z", "is_open": True}
ACCOUNT = {"id": "a-1", "cash": "10", "equity": "12.5"}
A_SECOND = pd.Timedelta(seconds=1)
RESTING = {
    "symbol": "BTC/USD",
    "side": "buy",
    "type": "limit",
    "time_in_force": "gtc",
    "qty": "1",
    "limit_price": "50",
    "client_order_id": "x",
}


def buy(broker: AlpacaBroker, quantity: str = "0.5", client_order_id: str = "one") -> BrokerOrder:
    return broker.place_order(BTC, D(quantity), Side.BUY, client_order_id)


class TestAnOrder:
    def test_is_a_market_order_immediate_or_cancel_with_its_id(self) -> None:
        with answering(Script(body=order_document())) as server:
            buy(broker_of(server.url))
        (asked,) = server.asked
        assert (asked.method, asked.path) == ("POST", "/v2/orders")
        assert json.loads(asked.body) == {
            "symbol": "BTC/USD",
            "qty": 0.5,
            "side": "buy",
            "type": "market",
            "time_in_force": "ioc",
            "client_order_id": "one",
        }

    def test_is_read_to_the_last_digit(self) -> None:
        with answering(Script(body=order_document())) as server:
            order = buy(broker_of(server.url))
        assert order == BrokerOrder(
            "one",
            "61e69015-8549-4bfd-b9c3-01e75843f47d",
            BTC,
            Side.BUY,
            D("0.5"),
            D("0.25"),
            D("60000.125"),
            "partially_filled",
            pd.Timestamp("2026-03-01T11:59:59.123456789Z"),
        )
        assert not order.is_terminal

    @pytest.mark.parametrize("status", ["pending_new", "a_status_of_tomorrow", "held"])
    def test_of_any_status_is_taken_as_it_is_and_may_still_fill(self, status: str) -> None:
        with answering(Script(body=order_document(status=status))) as server:
            order = buy(broker_of(server.url))
        assert (order.status, order.is_terminal) == (status, False)

    def test_buys_and_a_holding_is_sold_to_its_last_digit(self) -> None:
        with paper() as made:
            buy(made.broker, "0.123456789")
            (position,) = made.broker.get_positions()
            assert position.quantity == D("0.123456789") * D("0.9975")
            made.broker.place_order(BTC, position.quantity_available, Side.SELL, "two")
            assert made.broker.get_positions() == ()
            assert [order.status for order in made.broker.get_orders_since(NOW)] == ["filled", "filled"]

    @pytest.mark.parametrize("quantity", ["0", "-1", "NaN", "Infinity", "1e-400", "1e400"])
    def test_of_no_quantity_is_not_sent(self, quantity: str) -> None:
        with (
            answering(Script(body=order_document())) as server,
            pytest.raises(DataValidationError, match="positive quantity"),
        ):
            buy(broker_of(server.url), quantity)
        assert server.asked == []


REFUSALS = {
    "malformed": (400, {"code": 40010000, "message": "request body format is invalid"}, "body format", ""),
    "unauthorized": (401, {"message": "unauthorized"}, "unauthorized", "ALPACA_API_KEY"),
    "wrong keys": (403, {"message": "forbidden."}, r"forbidden \(HTTP 403\)", "ALPACA_SECRET_KEY"),
    "no money": (403, {"code": 40310000, "message": "insufficient balance for USD"}, "insufficient balance", ""),
    "suspended": (403, {"code": 40310000, "message": "new orders are rejected by user request"}, "rejected by", ""),
    "no endpoint": (404, {"message": "endpoint not found."}, "endpoint not found", ""),
    "time in force": (422, {"code": 42210000, "message": "invalid crypto time_in_force"}, "time_in_force", ""),
    "long id": (422, {"code": 40010001, "message": "client_order_id must be no more than 48"}, "no more than", ""),
}
UNKNOWN = {
    "used id": (422, {"code": 40010001, "message": "client_order_id must be unique"}),
    "used id in other words": (422, {"message": "Client order ID already exists"}),
    "used id after many words": (422, {"message": "x" * 300 + " client_order_id must be unique"}),
    "conflict": (409, {"message": "conflict"}),
    "rate limit": (429, {"code": 42910000, "message": "rate limit exceeded"}),
    "server error": (500, {"code": 50010000, "message": "internal server error occurred"}),
    "bad gateway": (502, PAGE),
    "unavailable": (503, None),
    "gateway time-out": (504, {"message": "gateway timeout"}),
    "request time-out": (408, None),
    "a firewall's page": (403, PAGE),
    "a proxy's page": (404, PAGE),
    "a 4xx without a reason": (422, {"code": 1}),
    "a 4xx that is a list": (422, ["no"]),
    "moved": (301, None),
    "found": (302, order_document()),
    "see other": (303, None),
    "not modified": (304, None),
    "temporary redirect": (307, order_document()),
    "permanent redirect": (308, None),
    "empty": (200, b""),
    "no content": (204, None),
    "a page": (200, PAGE),
    "cut JSON": (200, b'{"id": "x", "client_order'),
    "bytes": (200, b"\xff\xfe\x00"),
    "deep JSON": (200, b"[" * 100_000),
    "null": (200, b"null"),
    "a list": (200, [order_document()]),
    "no id": (200, {"client_order_id": "one"}),
    "another order": (200, order_document("two")),
    "not a number": (200, order_document(qty="NaN")),
    "a bare NaN": (200, b'{"qty": NaN}'),
    "an unknown side": (200, order_document(side="both")),
    "no status": (200, order_document(status=None)),
}
WIRE_FAULTS = [FaultKind.RESET, FaultKind.TRUNCATED, FaultKind.MALFORMED, FaultKind.HTML, FaultKind.EMPTY]


class TestAnOrderThatFails:
    @pytest.mark.parametrize(("status", "body", "words", "remedy"), REFUSALS.values(), ids=REFUSALS.keys())
    def test_is_refused_where_alpaca_says_so_in_its_own_words(
        self, status: int, body: Any, words: str, remedy: str
    ) -> None:
        with answering(Script(status, body)) as server, pytest.raises(BrokerRefusedError, match=words) as caught:
            buy(broker_of(server.url))
        assert (remedy in caught.value.remedy) if remedy else caught.value.remedy == ""
        assert len(server.asked) == 1

    @pytest.mark.parametrize(("status", "body"), UNKNOWN.values(), ids=UNKNOWN.keys())
    def test_is_of_unknown_outcome_after_any_other_answer_and_is_sent_once(self, status: int, body: Any) -> None:
        waits = Waits()
        with answering(Script(status, body)) as server, pytest.raises(AmbiguousBrokerError):
            buy(broker_of(server.url, sleep=waits))
        assert [asked.method for asked in server.asked] == ["POST"]
        assert waits == []

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_follows_no_redirect(self, status: int) -> None:
        with answering(Script(body=order_document())) as spy:
            elsewhere = {"Location": f"{spy.url.replace('127.0.0.1', 'localhost')}/v2/orders"}
            with answering(Script(status, order_document(), elsewhere)) as server:
                broker = broker_of(server.url)
                for ask in (lambda: buy(broker), lambda: broker.find_order("one"), broker.get_positions):
                    with pytest.raises(AmbiguousBrokerError):
                        ask()
        assert spy.asked == []
        assert len(server.asked) == 3

    @pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
    @pytest.mark.parametrize("kind", WIRE_FAULTS, ids=lambda kind: kind.value)
    def test_on_the_wire_is_looked_up_and_never_repeated(self, kind: FaultKind, after_effect: bool) -> None:
        with paper() as made:
            made.control.add_fault(Fault(kind, "/v2/orders", "POST", after_effect=after_effect))
            with pytest.raises(AmbiguousBrokerError, match=r"took the buy order one|can't be read"):
                buy(made.broker)
            found = made.broker.find_order("one")
            assert (found is not None) is after_effect
            assert made.requests("/v2/orders", "POST") == 1
            assert made.waits == []

    @pytest.mark.parametrize("status", [429, 504])
    def test_that_was_taken_after_all_is_not_repeated_by_alpaca_py(self, status: int) -> None:
        with paper() as made:
            fault = Fault(FaultKind.STATUS, "/v2/orders", "POST", status=status, after_effect=True, count=None)
            made.control.add_fault(fault)
            with pytest.raises(AmbiguousBrokerError, match=f"HTTP {status}"):
                buy(made.broker)
            assert made.requests("/v2/orders", "POST") == 1
            assert made.broker.find_order("one") is not None

    def test_for_want_of_an_answer_ends_with_the_time_out(self) -> None:
        with paper() as made:
            made.control.add_fault(Fault(FaultKind.DELAY, "/v2/orders", "POST", delay_s=3.0, after_effect=True))
            hasty = AlpacaBroker(made.broker._access, made.broker._market_data, read_timeout_s=0.2)
            with pytest.raises(AmbiguousBrokerError, match="ReadTimeout"):
                buy(hasty)
            assert made.broker.find_order("one") is not None

    def test_for_want_of_a_server_is_of_unknown_outcome_too(self) -> None:
        with answering(Script()) as server:
            url = server.url
        with pytest.raises(AmbiguousBrokerError, match="ConnectionError"):
            buy(broker_of(url))


class TestALookUp:
    @pytest.mark.parametrize(
        "body", [NOT_FOUND, {"code": 40410000, "message": "gone"}, {"message": "Order not found"}], ids=str
    )
    def test_says_that_there_is_none_only_in_alpacas_own_words(self, body: Any) -> None:
        with answering(Script(404, body)) as server:
            assert broker_of(server.url).find_order("one") is None
        assert [asked.path for asked in server.asked] == ["/v2/orders:by_client_order_id?client_order_id=one"]

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (404, PAGE),
            (404, None),
            (404, {"message": "endpoint not found."}),
            (404, [NOT_FOUND]),
            (410, NOT_FOUND),
            (200, NOT_FOUND),
            (200, None),
            (204, None),
            (200, []),
            (200, b"null"),
            (401, {"message": "unauthorized"}),
            (403, {"message": "forbidden."}),
            (422, {"code": 40010001, "message": "client_order_id is required"}),
            (429, {"code": 42910000, "message": "rate limit exceeded"}),
            (500, NOT_FOUND),
            (503, PAGE),
            (307, NOT_FOUND),
            (200, order_document("two")),
            (200, order_document("ONE")),
        ],
        ids=str,
    )
    def test_is_otherwise_without_an_answer(self, status: int, body: Any) -> None:
        with answering(Script(status, body)) as server, pytest.raises(AmbiguousBrokerError):
            broker_of(server.url).find_order("one")

    def test_with_bad_keys_names_them(self) -> None:
        with (
            answering(Script(401, {"message": "unauthorized"})) as server,
            pytest.raises(AmbiguousBrokerError) as caught,
        ):
            broker_of(server.url).find_order("one")
        assert "ALGO_TRADER_ALPACA_API_KEY" in caught.value.remedy

    def test_carries_any_id_unharmed(self) -> None:
        strange = "a&b=c %2F#?é/…"
        with answering(Script(body=order_document(strange))) as server:
            found = broker_of(server.url).find_order(strange)
        assert found is not None
        assert found.client_order_id == strange


class TestQuestions:
    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    def test_are_asked_again_twice_where_the_failure_may_pass(self, status: int) -> None:
        waits = Waits()
        with answering(Script(status), Script(200, b"<"), Script(body=ACCOUNT)) as server:
            account = broker_of(server.url, sleep=waits).get_account()
        assert (account.account_id, account.cash, account.equity) == ("a-1", D(10), D("12.5"))
        assert waits == [0.5, 1.0]

    def test_are_given_up_after_three_failures(self) -> None:
        with (
            answering(Script(503)) as server,
            pytest.raises(AmbiguousBrokerError, match=r"asking for the positions: HTTP 503\.") as caught,
        ):
            broker_of(server.url).get_positions()
        assert len(server.asked) == 3
        assert "algo-pipeline sandbox" in caught.value.remedy

    def test_are_not_asked_again_once_a_dozen_seconds_are_over(self) -> None:
        seconds = iter([0.0, 10.0, 21.0])
        with answering(Script(503)) as server, pytest.raises(AmbiguousBrokerError):
            broker_of(server.url, elapsed_s=lambda: next(seconds)).get_positions()
        assert len(server.asked) == 2

    @pytest.mark.parametrize(("status", "body"), [(403, {"message": "forbidden."}), (404, {"message": "no"})])
    def test_that_are_refused_are_not_repeated(self, status: int, body: Any) -> None:
        with answering(Script(status, body)) as server, pytest.raises(BrokerRefusedError):
            broker_of(server.url).get_account()
        assert len(server.asked) == 1

    @pytest.mark.parametrize("kind", WIRE_FAULTS, ids=lambda kind: kind.value)
    def test_survive_one_fault_of_the_wire(self, kind: FaultKind) -> None:
        with paper() as made:
            made.control.add_fault(Fault(kind, "/v2/account"))
            if kind is FaultKind.EMPTY:  # a good status without a body is an answer, if one that says nothing
                with pytest.raises(AmbiguousBrokerError, match="can't be read"):
                    made.broker.get_account()
            assert made.broker.get_account().cash == D(100_000)

    @pytest.mark.parametrize(
        "body",
        [
            None,
            [],
            {},
            *({**ACCOUNT, "cash": cash} for cash in (None, "NaN", "much", True, [])),
            *({**ACCOUNT, "id": account_id} for account_id in (None, "", 5)),
            {**ACCOUNT, "equity": "Infinity"},
        ],
        ids=str,
    )
    def test_an_account_that_cannot_be_read_is_no_account(self, body: Any) -> None:
        with answering(Script(body=body)) as server, pytest.raises(AmbiguousBrokerError, match="can't be read"):
            broker_of(server.url).get_account()

    @pytest.mark.parametrize("body", [None, {}, {"positions": []}, [{"symbol": "BTCUSD"}], [[]], "none"], ids=str)
    def test_positions_that_cannot_be_read_are_not_none(self, body: Any) -> None:
        with answering(Script(body=body)) as server, pytest.raises(AmbiguousBrokerError, match="can't be read"):
            broker_of(server.url).get_positions()

    @pytest.mark.parametrize("name", ["trading_blocked", "account_blocked", "trade_suspended_by_user"])
    def test_an_account_may_be_blocked_in_three_ways(self, name: str) -> None:
        with answering(Script(body=ACCOUNT), Script(body={**ACCOUNT, name: True})) as server:
            broker = broker_of(server.url)
            assert not broker.get_account().trading_blocked
            assert broker.get_account().trading_blocked

    def test_bars_are_those_of_the_market_data_source(self) -> None:
        with answering(Script()) as server:
            bars = broker_of(server.url).get_bars(BTC, FIRST, FIRST + 3 * HOUR)
        assert list(bars.index) == [FIRST, FIRST + HOUR, FIRST + 2 * HOUR]
        assert server.asked == []


def numbered(n: int, second: int, **changes: Any) -> dict[str, Any]:
    at = f"{FIRST + second * A_SECOND:%Y-%m-%dT%H:%M:%S}.123456789Z"
    return order_document(f"c{n}", id=f"b{n}", submitted_at=at, created_at=at, **{"status": "filled", **changes})


class TestListsOfOrders:
    def test_are_walked_page_by_page_and_lose_none_of_the_same_moment(self) -> None:
        first = [numbered(n, n // 7) for n in range(500)]  # the page ends amid seven orders of one second
        second = [*first[-3:], *(numbered(n, n // 7) for n in range(500, 520))]
        with answering(Script(body=first), Script(body=second)) as server:
            orders = broker_of(server.url).get_orders_since(FIRST)
        assert [order.client_order_id for order in orders] == [f"c{n}" for n in range(520)]
        queries = [asked.path.split("?")[1] for asked in server.asked]
        assert all("status=all" in query and "limit=500" in query and "direction=asc" in query for query in queries)
        assert "after=2024-02-29T23%3A59%3A59.999999%2B00%3A00" in queries[0]
        assert "after=2024-03-01T00%3A01%3A11.123455%2B00%3A00" in queries[1]

    @pytest.mark.parametrize("changes", [{}, {"submitted_at": None, "created_at": None}], ids=["same", "undated"])
    def test_that_do_not_end_are_not_cut_short(self, changes: dict[str, Any]) -> None:
        page = [numbered(n, 0) | changes for n in range(500)]
        with answering(Script(body=page)) as server, pytest.raises(AmbiguousBrokerError, match="does not end"):
            broker_of(server.url).get_open_orders()
        assert len(server.asked) <= 2

    def test_of_a_failed_second_page_are_no_lists(self) -> None:
        with (
            answering(Script(body=[numbered(n, n) for n in range(500)]), Script(403, {"message": "no"})) as server,
            pytest.raises(BrokerRefusedError),
        ):
            broker_of(server.url).get_open_orders()

    def test_since_a_moment_include_it(self) -> None:
        with answering(Script(body=[numbered(n, n) for n in range(3)])) as server:
            since = FIRST + A_SECOND + pd.Timedelta("0.123456789s")
            orders = broker_of(server.url).get_orders_since(since)
        assert [order.client_order_id for order in orders] == ["c1", "c2"]

    def test_tell_of_orders_of_other_asset_classes_and_unknown_statuses(self) -> None:
        stock = numbered(1, 1, asset_class="us_equity", symbol="BTC", status="new")
        legs = numbered(2, 2, asset_class="us_option", symbol="", side="", qty="1", status="odd")
        money = numbered(3, 3, qty=None, notional="10")
        with answering(Script(body=[stock, legs, money])) as server:
            found = broker_of(server.url).get_open_orders()
        assert [str(order.symbol) for order in found] == ["BTC/USEQUITY", "UNKNOWN/USOPTION", "BTC/USD"]
        assert [order.status for order in found] == ["new", "odd", "filled"]

    def test_with_one_that_cannot_be_read_are_no_lists(self) -> None:
        with (
            answering(Script(body=[numbered(1, 1), numbered(2, 2, side="borrow")])) as server,
            pytest.raises(AmbiguousBrokerError, match="can't be read"),
        ):
            broker_of(server.url).get_open_orders()

    def test_come_from_a_sandbox_oldest_first_and_only_open_ones_where_asked(self) -> None:
        with paper() as made:
            for n in range(3):
                buy(made.broker, client_order_id=f"o{n}")
            made.control.account("order", **RESTING)
            assert [order.client_order_id for order in made.broker.get_open_orders()] == ["x"]
            ids = [order.client_order_id for order in made.broker.get_orders_since(NOW)]
            assert ids == ["o0", "o1", "o2", "x"]
            assert made.broker.get_orders_since(NOW + HOUR) == ()


class TestACancellation:
    def order(self) -> BrokerOrder:
        placed = "61e69015-8549-4bfd-b9c3-01e75843f47d"
        return BrokerOrder("one", placed, BTC, Side.BUY, D(1), D(0), None, "new")

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (204, None),
            (200, None),
            (422, {"code": 42210000, "message": 'order is already in "filled" state'}),
            (404, NOT_FOUND),
        ],
    )
    def test_of_an_order_that_has_ended_is_no_error(self, status: int, body: Any) -> None:
        with answering(Script(status, body)) as server:
            broker_of(server.url).cancel_order(self.order())
        assert [(asked.method, asked.path) for asked in server.asked] == [
            ("DELETE", "/v2/orders/61e69015-8549-4bfd-b9c3-01e75843f47d")
        ]

    @pytest.mark.parametrize(("status", "body"), [(404, PAGE), (422, None), (500, None), (302, None), (429, None)])
    def test_without_a_clear_answer_is_unclear(self, status: int, body: Any) -> None:
        with answering(Script(status, body)) as server, pytest.raises(AmbiguousBrokerError, match="cancelling one"):
            broker_of(server.url).cancel_order(self.order())

    def test_may_be_repeated_for_it_can_only_be_done_once(self) -> None:
        with answering(Script(503), Script(204)) as server:
            broker_of(server.url).cancel_order(self.order())
        assert [asked.method for asked in server.asked] == ["DELETE", "DELETE"]

    def test_with_bad_keys_is_refused(self) -> None:
        with answering(Script(401, {"message": "unauthorized"})) as server, pytest.raises(BrokerRefusedError):
            broker_of(server.url).cancel_order(self.order())

    def test_ends_an_order_that_rests(self) -> None:
        with paper() as made:
            made.control.account("order", **RESTING)
            (resting,) = made.broker.get_open_orders()
            made.broker.cancel_order(resting)
            found = made.broker.find_order("x")
            assert found is not None
            assert (found.status, found.is_terminal) == ("canceled", True)


class TestTheClock:
    def test_of_a_sandbox_is_its_own(self) -> None:
        with paper() as made:
            assert made.broker.now() == NOW
            made.control.advance(90.5)
            assert made.broker.now() == NOW + 90.5 * A_SECOND

    @pytest.mark.parametrize("apart_s", [0, 30, -30])
    def test_of_this_machine_counts_once_it_was_compared(self, apart_s: int) -> None:
        with answering(Script(body=CLOCK, date=WALL + apart_s * A_SECOND)) as server:
            broker = paper_broker_of(server)
            assert [broker.now() for _ in range(3)] == [WALL] * 3
        assert [asked.path for asked in server.asked] == ["/v2/clock"]

    @pytest.mark.parametrize("apart_s", [31, -31, 3_600, -86_400])
    def test_of_this_machine_is_refused_where_it_is_off(self, apart_s: int) -> None:
        with (
            answering(Script(body=CLOCK, date=WALL + apart_s * A_SECOND)) as server,
            pytest.raises(BrokerError, match=f"the difference is {abs(apart_s)} s") as caught,
        ):
            paper_broker_of(server).now()
        assert "timedatectl" in caught.value.remedy

    @pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}, {"Date": ""}])
    def test_that_nobody_vouches_for_is_refused(self, headers: dict[str, str]) -> None:
        with (
            answering(Script(body=CLOCK, headers=headers, date=None)) as server,
            pytest.raises(BrokerError, match="the difference is unknown"),
        ):
            paper_broker_of(server).now()

    def test_is_compared_afresh_after_an_answer_with_another_date(self) -> None:
        scripts = [Script(body=ACCOUNT, date=WALL + HOUR), Script(body=CLOCK), Script(body=CLOCK, date=WALL + HOUR)]
        with answering(*scripts) as server:
            broker = paper_broker_of(server)
            broker.get_account()  # some proxy's cache
            assert broker.now() == WALL
            assert [asked.path for asked in server.asked] == ["/v2/account", "/v2/clock"]

    def test_is_not_given_without_an_answer(self) -> None:
        with answering(Script(503)) as server, pytest.raises(AmbiguousBrokerError, match="asking for the time"):
            paper_broker_of(server).now()


def limits(remaining: int, resets_in_s: float) -> dict[str, str]:
    resets_at = WALL.timestamp() + resets_in_s
    return {"X-Ratelimit-Remaining": f"{remaining}", "X-Ratelimit-Reset": f"{resets_at:.0f}"}


class TestTheRateLimit:
    def waits_after(self, server: ScriptedServer, ask: Callable[[AlpacaBroker], object], **more: Any) -> Waits:
        waits = Waits()
        broker = paper_broker_of(server, sleep=waits, **more)
        broker.get_account()
        ask(broker)
        return waits

    @pytest.mark.parametrize(
        ("headers", "waited"),
        [
            (limits(10, 20), []),
            (limits(9, 20), [20.0]),
            (limits(0, 59), [59.0]),
            (limits(0, 7_200), [60.0]),
            (limits(0, -5), []),
            ({"X-Ratelimit-Remaining": "0"}, []),
            ({"X-Ratelimit-Remaining": "few", "X-Ratelimit-Reset": "soon"}, []),
            ({"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "nan"}, []),
            ({"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "inf"}, [60.0]),
        ],
        ids=str,
    )
    def test_lets_questions_wait_for_the_next_minute_when_few_requests_are_left(
        self, headers: dict[str, str], waited: list[float]
    ) -> None:
        with answering(Script(body=ACCOUNT, headers=headers), Script(body=ACCOUNT)) as server:
            assert self.waits_after(server, lambda broker: broker.get_account()) == waited

    def test_never_delays_an_order(self) -> None:
        with answering(Script(body=ACCOUNT, headers=limits(0, 30)), Script(body=order_document())) as server:
            assert self.waits_after(server, buy) == []

    def test_does_not_wait_for_a_reset_that_has_passed_meanwhile(self) -> None:
        walls = iter([WALL, WALL + 25 * A_SECOND])
        with answering(Script(body=ACCOUNT, headers=limits(0, 30)), Script(body=ACCOUNT)) as server:
            waits = self.waits_after(server, lambda b: b.get_account(), wall_clock=lambda: next(walls, WALL))
        assert waits == [5.0]

    def test_that_was_hit_is_waited_for_before_the_question_is_asked_again(self) -> None:
        hit = Script(429, {"code": 42910000, "message": "rate limit exceeded"}, limits(0, 20))
        waits = Waits()
        with answering(hit, Script(body=ACCOUNT, headers=limits(199, 60))) as server:
            broker = paper_broker_of(server, sleep=waits)
            broker.get_account()
            broker.get_account()
        assert waits == [0.5, 20.0]

    def test_is_no_matter_on_loopback(self) -> None:
        waits = Waits()
        with answering(Script(body=ACCOUNT, headers=limits(0, 30))) as server:
            broker = broker_of(server.url, sleep=waits, wall_clock=lambda: WALL)
            broker.get_account()
            broker.get_account()
        assert waits == []


def test_importing_the_broker_imports_neither_alpaca_nor_requests() -> None:
    code = "import sys, algo_pipeline.broker.alpaca; print([m for m in ('alpaca', 'requests') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


def test_a_symbol_that_is_not_listed_is_refused() -> None:
    with paper() as made, pytest.raises(BrokerRefusedError, match='asset "XYZ/USD" not found'):
        made.broker.place_order(Symbol("XYZ", "USD"), D(1), Side.BUY, "one")

"""Alpaca's trading protocol, as alpaca-py's own client and a plain HTTP client see it."""

from __future__ import annotations

import threading
from decimal import Decimal

import pandas as pd
import pytest
import requests
from alpaca.common.exceptions import APIError
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetAssetsRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
)

from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.sandbox.server import FillMode, SandboxConfig
from algo_pipeline_tests.sandbox.conftest import START
from algo_pipeline_tests.sandbox.rig import BTC, ETH, KEYS, Rig, running, steady

D = Decimal
CRYPTO = {"asset_class": "crypto", "status": "active"}
MARKET = {"symbol": "BTC/USD", "side": "buy", "time_in_force": "ioc"}


def market(quantity: float, client_order_id: str = "one", **more) -> MarketOrderRequest:
    return MarketOrderRequest(**{**MARKET, "qty": quantity, "client_order_id": client_order_id, **more})


def limit(quantity: float, price: float, client_order_id: str = "one", **more) -> LimitOrderRequest:
    body = {**MARKET, "time_in_force": "gtc", "qty": quantity, "limit_price": price}
    return LimitOrderRequest(**{**body, "client_order_id": client_order_id, **more})


def no(response: requests.Response) -> tuple[int, int, str]:
    return response.status_code, response.json()["code"], response.json()["message"]


class TestAlpacasOwnClient:
    @pytest.fixture
    def client(self, rig):
        return rig.trading()

    def test_a_new_account(self, client):
        account = client.get_account()
        assert (account.cash, account.equity, account.non_marginable_buying_power) == ("100000",) * 3
        assert (account.status.value, account.crypto_status.value, account.currency) == ("ACTIVE", "ACTIVE", "USD")
        assert not account.trading_blocked

    def test_the_clock_is_the_virtual_one(self, rig, client):
        assert pd.Timestamp(client.get_clock().timestamp) == START
        rig.control.advance(90.5)
        assert pd.Timestamp(client.get_clock().timestamp) == START + pd.Timedelta(seconds=90.5)

    def test_the_life_of_a_market_order(self, client):
        acknowledged = client.submit_order(market(2.0))
        assert (acknowledged.status.value, acknowledged.filled_qty, acknowledged.filled_at) == (
            "pending_new",
            "0",
            None,
        )
        done = client.get_order_by_client_id("one")
        assert done.id == acknowledged.id
        assert (done.status.value, done.qty, done.filled_qty, done.filled_avg_price) == ("filled", "2", "2", "110.055")
        assert (done.symbol, done.side.value, done.type.value, done.time_in_force.value) == (
            "BTC/USD",
            "buy",
            "market",
            "ioc",
        )
        assert pd.Timestamp(done.filled_at) == START
        assert client.get_order_by_id(done.id).client_order_id == "one"

    def test_the_fee_of_a_buy_is_taken_from_the_coin(self, client):
        client.submit_order(market(2.0))
        held = client.get_open_position("BTCUSD")
        assert (held.symbol, held.qty, held.qty_available, held.side.value) == ("BTCUSD", "1.995", "1.995", "long")
        assert client.get_account().cash == "99779.89"
        client.submit_order(market(1.995, "two", side="sell"))
        assert client.get_all_positions() == []
        assert D(client.get_account().cash) == D("99779.89") + D("1.995") * D("109.945") * D("0.9975")

    def test_a_position_is_worth_its_quantity_at_the_present_price(self, rig, client):
        client.submit_order(market(2.0))
        rig.control.advance(3600)
        held, account = client.get_open_position("BTCUSD"), client.get_account()
        assert D(held.market_value) == D(held.qty) * D(held.current_price)
        assert D(account.equity) == D(account.cash) + D(held.market_value) == D(account.portfolio_value)

    def test_a_limit_order_rests_holds_back_coin_and_is_canceled(self, client):
        client.submit_order(market(2.0))
        resting = client.submit_order(limit(1.5, 500.0, "two", side="sell"))
        assert client.get_order_by_client_id("two").status.value == "new"
        assert client.get_open_position("BTCUSD").qty_available == "0.495"
        assert [order.client_order_id for order in client.get_orders()] == ["two"]
        client.cancel_order_by_id(resting.id)
        assert client.get_order_by_client_id("two").status.value == "canceled"
        assert client.get_open_position("BTCUSD").qty_available == "1.995"

    def test_a_limit_order_fills_when_the_clock_passes_its_price(self, rig, client):
        client.submit_order(limit(1.0, 109.6))
        rig.control.advance(600)  # the low of 109.5 is 20 minutes into the bar
        done = client.get_order_by_client_id("one")
        assert (done.status.value, done.filled_avg_price) == ("filled", "109.6")

    def test_all_open_orders_are_canceled_at_once(self, client):
        for n in range(3):
            client.submit_order(limit(1.0, 90.0, f"{n}"))
        assert [answer.status for answer in client.cancel_orders()] == [200, 200, 200]
        assert client.get_orders() == []

    def test_an_order_by_notional(self, client):
        client.submit_order(MarketOrderRequest(**MARKET, notional=1000, client_order_id="one"))
        done = client.get_order_by_client_id("one")
        assert (done.status.value, done.notional, done.qty, done.filled_qty) == ("filled", "1000", None, "9.086365907")

    def test_an_order_without_an_id_gets_one(self, client):
        first, second = (client.submit_order(MarketOrderRequest(**MARKET, qty=1)) for _ in range(2))
        assert first.client_order_id != second.client_order_id

    def test_positions_are_closed_whole_in_part_or_all(self, client):
        client.submit_order(market(2.0))
        client.submit_order(market(1.0, "two", symbol="ETH/USD"))
        client.close_position("BTCUSD", ClosePositionRequest(qty="0.995"))
        assert client.get_open_position("BTCUSD").qty == "1"
        client.close_position("BTCUSD", ClosePositionRequest(percentage="50"))
        assert client.get_open_position("BTCUSD").qty == "0.5"
        answers = client.close_all_positions(cancel_orders=True)
        assert [(answer.symbol, answer.status) for answer in answers] == [("BTCUSD", 200), ("ETHUSD", 200)]
        assert client.get_all_positions() == []

    def test_assets_in_both_spellings_and_by_id(self, client):
        assets = client.get_all_assets(GetAssetsRequest(**CRYPTO))
        assert [asset.symbol for asset in assets] == ["BTC/USD", "ETH/USD"]
        for name in ("BTC/USD", "BTCUSD", str(assets[0].id)):
            assert client.get_asset(name).symbol == "BTC/USD"
        with pytest.raises(APIError, match="asset not found"):
            client.get_asset("XYZ/USD")

    def test_a_position_has_another_asset_id_than_its_asset(self, client):
        client.submit_order(market(2.0))
        held = client.get_open_position("BTCUSD")
        assert held.asset_id != client.get_asset("BTC/USD").id
        assert client.get_open_position(held.asset_id).symbol == "BTCUSD"

    def test_an_id_is_used_once(self, client):
        client.submit_order(market(2.0))
        with pytest.raises(APIError) as error:
            client.submit_order(market(2.0))
        assert (error.value.status_code, error.value.code) == (422, 40010001)
        assert error.value.message == "client_order_id must be unique"
        assert len(client.get_orders(GetOrdersRequest(status="all"))) == 1

    def test_an_unknown_order_is_alpacas_own_404(self, client):
        with pytest.raises(APIError) as error:
            client.get_order_by_client_id("nobody")
        assert (error.value.status_code, error.value.code) == (404, 40410000)
        assert error.value.message == "order not found for nobody"


class TestSpellings:
    def test_orders_take_both_and_answer_with_the_slash(self, rig):
        for n, name in enumerate(("BTC/USD", "BTCUSD")):
            assert rig.buy(client_order_id=str(n), symbol=name).json()["symbol"] == "BTC/USD"

    @pytest.mark.parametrize("path", ["BTC/USD", "BTC%2FUSD", "BTC-USD", "ETHUSD"])
    def test_a_position_with_a_slash_or_unheld_is_not_found(self, rig, path):
        rig.buy()
        assert rig.get(f"/v2/positions/{path}").status_code == 404
        assert rig.get("/v2/positions/BTCUSD").status_code == 200


class TestRefusedOrders:
    @pytest.mark.parametrize(
        ("changes", "status", "code", "words"),
        [
            ({"symbol": None}, 422, 40010001, "symbol is required"),
            ({"symbol": "XYZ/USD"}, 422, 42210000, 'asset "XYZ/USD" not found'),
            ({"side": "long"}, 422, 40010001, "side must be buy or sell"),
            ({"type": "stop"}, 422, 40010001, "invalid order type for crypto order"),
            ({"time_in_force": "day"}, 422, 42210000, "invalid crypto time_in_force"),
            ({"time_in_force": "fok"}, 422, 42210000, "invalid crypto time_in_force"),
            ({"qty": None}, 422, 40010001, "qty or notional is required"),
            ({"notional": "20"}, 422, 40010001, "only one of qty or notional is accepted"),
            ({"qty": "0"}, 422, 40010001, "qty must be > 0"),
            ({"qty": "-1"}, 422, 40010001, "qty must be > 0"),
            ({"qty": "NaN"}, 422, 40010001, "qty must be > 0"),
            ({"qty": "1e400"}, 422, 40010001, "qty must be > 0"),
            ({"qty": True}, 422, 40010001, "qty must be > 0"),
            ({"type": "limit"}, 422, 40010001, "limit orders require a limit price"),
            ({"limit_price": "100"}, 422, 40010001, "market orders take no limit price"),
            ({"client_order_id": "x" * 49}, 422, 40010001, "client_order_id must be no more than 48 characters"),
            ({"qty": "0.01"}, 403, 40310000, "cost basis must be >= minimal amount of order 10"),
            ({"side": "sell"}, 403, 40310000, "insufficient balance for BTC (requested: 1, available: 0)"),
        ],
    )
    def test_alpacas_words(self, rig, changes, status, code, words):
        assert no(rig.buy(**changes)) == (status, code, words)
        assert rig.control.ledger()["orders"] == []

    @pytest.mark.parametrize("body", ["{", "[]", "nothing", '"text"'])
    def test_a_body_that_is_no_object_is_a_bad_request(self, rig, body):
        assert no(rig.http.post(f"{rig.url}/v2/orders", data=body))[:2] == (400, 40010000)

    def test_an_insufficient_balance_says_what_there_is(self, rig):
        body = rig.buy(side="sell").json()
        assert {key: body[key] for key in ("available", "balance", "symbol")} == {
            "available": "0",
            "balance": "0",
            "symbol": "BTC",
        }

    def test_a_buy_beyond_the_cash_is_refused_in_realistic_mode(self):
        with running(SandboxConfig({BTC: steady(50)}, START, mode=FillMode.REALISTIC)) as rig:
            status, code, words = no(rig.buy("1000"))
            assert (status, code) == (403, 40310000)
            assert words.startswith("insufficient balance for USD (requested: ")
            assert no(rig.buy("1.0000000001"))[2] == "qty must be limited to 9 decimal places"

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/v2/orders/no-uuid", 422),
            ("/v2/orders/00000000-0000-0000-0000-000000000000", 404),
            ("/v2/orders:by_client_order_id", 422),
            ("/v2/orders?status=every", 422),
            ("/v2/orders?limit=501", 422),
            ("/v2/orders?limit=0", 422),
            ("/v2/orders?after=yesterday", 422),
            ("/v2/elsewhere", 404),
        ],
    )
    def test_bad_queries(self, rig, path, status):
        assert rig.get(path).status_code == status

    def test_a_filled_order_cannot_be_canceled(self, rig):
        order_id = rig.buy().json()["id"]
        answer = rig.http.delete(f"{rig.url}/v2/orders/{order_id}")
        assert no(answer) == (422, 42210000, 'order is already in "filled" state')

    def test_a_successful_cancel_has_no_body(self, rig):
        order_id = rig.buy(type="limit", limit_price="90", time_in_force="gtc").json()["id"]
        answer = rig.http.delete(f"{rig.url}/v2/orders/{order_id}")
        assert (answer.status_code, answer.content) == (204, b"")


class TestExactness:
    def test_a_quantity_in_scientific_notation_is_read_exactly(self, rig):
        client = rig.trading()
        client.submit_order(market(0.1))
        client.submit_order(limit(1e-05, 2e6, "tiny", side="sell"))
        assert client.get_order_by_client_id("tiny").qty == "0.00001"

    def test_parity_mode_sells_all_ten_decimals_of_what_a_fee_left(self, rig):
        rig.buy("0.123457")
        held = rig.get("/v2/positions/BTCUSD").json()["qty_available"]
        assert held == "0.1231483575"
        rig.trading().submit_order(market(float(held), "two", side="sell"))
        assert rig.get("/v2/positions").json() == []

    def test_the_ledger_shows_every_digit(self, rig):
        rig.buy("0.123457")
        books = rig.control.ledger()
        assert D(books["fills"][0]["fee_in_coin"]) == D("0.0003086425")
        assert D(books["cash"]) == D("100000") - D("0.123457") * D("110.055")


class TestListsOfOrders:
    @pytest.fixture
    def many(self, rig) -> Rig:
        for n in range(7):
            rig.buy(client_order_id=f"n{n}", symbol="ETH/USD" if n == 3 else "BTC/USD")
        rig.buy(client_order_id="rests", type="limit", limit_price="90", time_in_force="gtc")
        return rig

    @staticmethod
    def ids(rig: Rig, **query) -> list[str]:
        return [order["client_order_id"] for order in rig.get("/v2/orders", **query).json()]

    def test_open_ones_are_listed_unless_asked_otherwise(self, many):
        assert self.ids(many) == ["rests"]
        assert self.ids(many, status="closed", limit=2) == ["n6", "n5"]
        assert len(self.ids(many, status="all")) == 8

    def test_by_direction_symbol_and_side(self, many):
        assert self.ids(many, status="all", direction="asc", limit=2) == ["n0", "n1"]
        assert self.ids(many, status="all", symbols="ETH/USD") == ["n3"]
        assert self.ids(many, status="all", symbols="ETHUSD,XYZ/USD") == ["n3"]
        assert self.ids(many, status="all", side="sell") == []

    def test_after_and_until_exclude_their_own_time(self, many):
        at = {order["client_order_id"]: order["submitted_at"] for order in many.control.ledger()["orders"]}
        found = self.ids(many, status="all", direction="asc", after=at["n1"], until=at["n4"])
        assert found == ["n2", "n3"]

    def test_walking_by_time_meets_every_order_once(self, many):
        seen: list[str] = []
        after = "2024-01-01T00:00:00Z"
        while page := many.get("/v2/orders", status="all", direction="asc", limit=3, after=after).json():
            seen += [order["client_order_id"] for order in page]
            after = page[-1]["submitted_at"]
        assert seen == [*(f"n{n}" for n in range(7)), "rests"]

    def test_fifty_are_listed_unless_more_are_asked_for(self, rig):
        for n in range(60):
            rig.buy("0.5", str(n))
        assert len(self.ids(rig, status="all")) == 50
        assert len(self.ids(rig, status="all", limit=500)) == 60


class TestKeys:
    def test_any_keys_will_do_but_none_will_not(self, rig):
        assert rig.get("/v2/account").status_code == 200
        answer = requests.get(f"{rig.url}/v2/account", timeout=5)
        assert (answer.status_code, answer.json()) == (401, {"message": "unauthorized"})

    def test_where_keys_are_set_others_are_forbidden(self):
        config = SandboxConfig({BTC: steady(50)}, START, keys=("right", "secret"))
        with running(config) as rig:
            answer = rig.get("/v2/account")
            assert (answer.status_code, answer.json()) == (403, {"message": "forbidden."})
            right = {"APCA-API-KEY-ID": "right", "APCA-API-SECRET-KEY": "secret"}
            assert requests.get(f"{rig.url}/v2/account", headers=right, timeout=5).status_code == 200
        assert "secret" not in repr(config)

    def test_nothing_that_the_sandbox_shows_holds_a_key(self, rig):
        rig.http.headers.update({"APCA-API-KEY-ID": "MARKER1", "APCA-API-SECRET-KEY": "MARKER2"})
        rig.get("/api/v3/coins/list", x_cg_demo_api_key="MARKER3")
        rig.buy()
        shown = [rig.control.requests(), rig.control.state(), rig.control.ledger(), rig.control.snapshot()]
        assert "MARKER" not in str(shown)


class TestRateLimit:
    def test_every_answer_says_what_is_left(self, rig):
        left = [int(rig.get("/v2/account").headers["X-Ratelimit-Remaining"]) for _ in range(2)]
        assert left[0] - left[1] in (1, left[0] - 199)  # the minute may change in between
        assert rig.get("/v2/account").headers["X-Ratelimit-Limit"] == "200"

    def test_it_is_enforced_when_asked(self):
        with running(SandboxConfig({BTC: steady(50)}, START, enforce_limits=True)) as rig:
            answers = [rig.get("/v2/account") for _ in range(401)]  # two minutes at most
            refused = [answer for answer in answers if answer.status_code == 429]
            assert refused
            assert no(refused[0]) == (429, 42910000, "rate limit exceeded")
            assert 1 <= int(refused[0].headers["Retry-After"]) <= 60


def test_two_clients_at_once_never_share_an_id_or_lose_a_cent():
    bars = {BTC: steady(50), ETH: steady(50, 2000.0)}
    rules = BacktestConfig(fee_in_base=True)
    with running(SandboxConfig(bars, START, rules=rules)) as rig:
        statuses: list[int] = []

        def trade(symbol: str) -> None:
            with requests.Session() as http:
                for n in range(60):
                    body = {**MARKET, "type": "market", "qty": "0.5", "symbol": symbol, "client_order_id": f"id {n}"}
                    statuses.append(http.post(f"{rig.url}/v2/orders", json=body, headers=KEYS, timeout=10).status_code)

        threads = [threading.Thread(target=trade, args=(symbol,)) for symbol in ("BTC/USD", "ETH/USD")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        books = rig.control.ledger()
    assert (statuses.count(200), statuses.count(422)) == (60, 60)
    assert sorted(order["client_order_id"] for order in books["orders"]) == sorted(f"id {n}" for n in range(60))
    spent = sum(D(fill["quantity"]) * D(fill["price"]) for fill in books["fills"])
    assert D(books["cash"]) == 100_000 - spent


def test_an_order_is_acknowledged_before_it_fills_where_the_venue_is_slow():
    config = SandboxConfig({BTC: steady(50)}, START, latency_s=1.5)
    with running(config) as rig:
        rig.buy()
        status = [rig.get("/v2/orders:by_client_order_id", client_order_id="one").json()["status"]]
        rig.control.advance(1.5)
        status.append(rig.get("/v2/orders:by_client_order_id", client_order_id="one").json()["status"])
    assert status == ["accepted", "filled"]

"""The server as a whole: restarts, embedding, speed, and what a browser may not do."""

from __future__ import annotations

import dataclasses
import http.client
import json
import socket
import time

import pandas as pd
import pytest
import requests

from algo_pipeline.common.errors import ConfigValueError, CorruptFileError
from algo_pipeline.common.storage import read_checked_json, write_checked_json
from algo_pipeline.sandbox.client import SandboxControl
from algo_pipeline.sandbox.faults import Fault, FaultKind
from algo_pipeline.sandbox.server import SandboxConfig, SandboxError, make_sandbox, running_sandbox, serve
from algo_pipeline_tests.sandbox.conftest import START
from algo_pipeline_tests.sandbox.rig import BTC, ETH, HOUR, KEYS, Rig, running, steady


@pytest.fixture
def kept(tmp_path):
    return SandboxConfig({BTC: steady(50)}, START, state_path=tmp_path / "deep" / "state.json")


def books(rig: Rig) -> dict[str, object]:
    return {**rig.control.ledger(), **rig.control.state(), "requests": None}


class TestRestart:
    def test_everything_is_as_it_was(self, kept):
        with running(kept) as rig:
            rig.buy("1.234567")
            rig.buy(client_order_id="rests", type="limit", limit_price="90", time_in_force="gtc")
            rig.control.account("deposit", amount="12.5", symbol="BTC/USD")
            rig.control.advance(100)
            before = books(rig)
        with running(kept) as rig:
            assert books(rig) == before
            assert rig.buy("1").json()["message"] == "client_order_id must be unique"
            assert rig.buy("1", "another").status_code == 200
            rig.control.ledger()  # checks that all adds up

    def test_an_order_whose_answer_was_lost_survives_the_death_of_the_server(self, kept):
        with running(kept) as rig:
            rig.control.add_fault(Fault(FaultKind.RESET, "/v2/orders", after_effect=True))
            with pytest.raises(requests.ConnectionError):
                rig.buy()
        with running(kept) as rig:
            found = rig.get("/v2/orders:by_client_order_id", client_order_id="one").json()
            assert (found["status"], found["filled_qty"]) == ("filled", "1")

    def test_without_a_file_each_start_is_fresh(self):
        for _ in range(2):
            with running(SandboxConfig({BTC: steady(50)}, START)) as rig:
                assert rig.buy().status_code == 200

    def test_a_running_clock_runs_on_while_the_server_is_away(self, kept):
        fast = dataclasses.replace(kept, speed=3600.0)
        with running(fast) as rig:
            before = rig.control.now()
        with running(fast) as rig:
            assert rig.control.now() > before

    def test_the_file_is_whole_after_every_order(self, kept):
        with running(kept) as rig:
            for n in range(3):
                rig.buy(client_order_id=str(n))
                assert len(read_checked_json(kept.state_path)["orders"]) == n + 1

    def test_a_question_does_not_write(self, kept):
        with running(kept) as rig:
            written = kept.state_path.stat().st_mtime_ns
            rig.get("/v2/account")
            rig.get("/v2/orders")
            assert kept.state_path.stat().st_mtime_ns == written

    def test_a_damaged_file_is_refused_and_named(self, kept):
        with running(kept):
            pass
        text = kept.state_path.read_text()
        kept.state_path.write_text(text.replace("100000", "900000"))
        with pytest.raises(CorruptFileError, match="checksum"):
            make_sandbox(kept)

    def test_a_file_that_does_not_add_up_is_refused(self, kept):
        with running(kept):
            pass
        write_checked_json(kept.state_path, {**read_checked_json(kept.state_path), "cash": "5"})
        with pytest.raises(CorruptFileError, match="add up"):
            make_sandbox(kept)

    @pytest.mark.parametrize("content", [{}, [], {"version": 99}, {"version": 1, "clock": None}])
    def test_something_else_is_refused(self, kept, content):
        write_checked_json(kept.state_path, content)
        with pytest.raises(CorruptFileError, match="snapshot"):
            make_sandbox(kept)

    def test_symbols_without_bars_are_refused(self, kept):
        with running(kept) as rig:
            rig.buy()
        with pytest.raises(CorruptFileError, match="BTC/USD"):
            make_sandbox(dataclasses.replace(kept, bars={ETH: steady(50)}))


class TestSnapshots:
    def test_a_snapshot_brings_back_clock_and_account(self, rig):
        rig.buy()
        kept, before = rig.control.snapshot(), books(rig)
        rig.buy(client_order_id="two")
        rig.control.advance(7200)
        rig.control.account("reset")
        rig.control.restore(kept)
        assert books(rig) == before
        assert rig.buy(client_order_id="two").status_code == 200

    def test_a_snapshot_of_something_else_changes_nothing(self, rig):
        rig.buy()
        before = books(rig)
        with pytest.raises(ConfigValueError, match="no snapshot"):
            rig.control.restore({"version": 1})
        assert books(rig) == before


class TestAccountActions:
    def test_money_and_coin_come_and_go(self, rig):
        rig.control.account("deposit", amount=500)
        rig.control.account("withdraw", amount="100.25")
        rig.control.account("deposit", symbol="BTC/USD", amount="0.5")
        assert rig.get("/v2/account").json()["cash"] == "100399.75"
        assert rig.get("/v2/positions/BTCUSD").json()["qty"] == "0.5"
        with pytest.raises(ConfigValueError, match="can't leave"):
            rig.control.account("withdraw", symbol="BTC/USD", amount="0.6")

    def test_a_reset_changes_the_account_and_forgets_everything(self, rig):
        rig.buy()
        before = rig.get("/v2/account").json()["id"]
        rig.control.account("reset", cash=5000)
        account = rig.get("/v2/account").json()
        assert account["id"] != before
        assert (account["cash"], rig.get("/v2/positions").json()) == ("5000", [])
        assert rig.get("/v2/orders:by_client_order_id", client_order_id="one").status_code == 404

    def test_a_trade_by_hand_has_an_id_that_is_nobodys(self, rig):
        done = rig.control.account("trade", symbol="BTC/USD", side="buy", qty=2, price="99.5")["order"]
        assert (done["status"], done["filled_avg_price"], done["qty"]) == ("filled", "99.5", "2")
        assert len(done["client_order_id"]) == 36
        assert rig.get("/v2/account").json()["cash"] == "99801"

    def test_a_foreign_order_has_the_id_given(self, rig):
        details = {"symbol": "BTC/USD", "side": "buy", "type": "limit", "time_in_force": "gtc", "qty": "1"}
        rig.control.account("order", **details, limit_price="90", client_order_id="someone elses")
        assert [order["client_order_id"] for order in rig.get("/v2/orders").json()] == ["someone elses"]

    def test_what_alpaca_refuses_is_refused_here_in_its_words(self, rig):
        details = {"symbol": "BTC/USD", "side": "sell", "type": "market", "time_in_force": "ioc", "qty": "1"}
        with pytest.raises(ConfigValueError, match="insufficient balance for BTC"):
            rig.control.account("order", **details)

    def test_a_blocked_account_refuses_orders(self, rig):
        rig.control.account("block")
        assert rig.get("/v2/account").json()["trade_suspended_by_user"] is True
        assert rig.buy().status_code == 403
        rig.control.account("unblock")
        assert rig.buy().status_code == 200

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"action": "rob"},
            {"action": "deposit"},
            {"action": "deposit", "amount": -1},
            {"action": "deposit", "amount": "x"},
            {"action": "deposit", "amount": 1, "symbol": "XYZ/USD"},
            {"action": "trade", "symbol": "BTC/USD", "qty": 1},
            {"action": "trade", "side": "buy", "qty": 1},
        ],
    )
    def test_nonsense_is_refused_and_changes_nothing(self, rig, body):
        before = rig.control.ledger()
        answer = rig.post("/sandbox/account", body)
        assert answer.status_code == 422
        assert answer.json()["error"]["message"]
        assert rig.control.ledger() == before


class TestControl:
    def test_the_clock_is_set_advanced_and_run(self, rig):
        assert rig.control.set_clock(START + HOUR) == START + HOUR
        assert rig.control.advance(0.5) == START + HOUR + pd.Timedelta(seconds=0.5)
        rig.control.run_clock(1e6)
        assert rig.control.state()["speed"] == 1e6
        assert rig.control.now() < rig.control.now()

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("clock", {}),
            ("clock", {"advance_s": 1, "speed": 2}),
            ("clock", {"forward": 1}),
            ("clock", {"advance_s": -1}),
            ("clock", {"set": "2020-01-01"}),
            ("clock", {"set": "later"}),
            ("clock", {"speed": -1}),
            ("faults", {"kind": "explode"}),
            ("faults", {"kind": "reset", "wrong": 1}),
            ("faults", {"kind": "reset", "count": "many"}),
            ("faults", {}),
            ("faults", []),
            ("snapshot", []),
        ],
    )
    def test_nonsense_is_refused_with_a_reason(self, rig, path, body):
        answer = rig.post(f"/sandbox/{path}", body)
        assert answer.status_code == 422
        assert set(answer.json()["error"]) == {"message", "remedy"}
        assert rig.control.now() == START

    def test_requests_are_listed_by_number(self, rig):
        for _ in range(3):
            rig.get("/v2/account")
        rig.get("/v2/orders", status="all", secret_sauce="x")
        entries = rig.control.requests()
        assert [entry["number"] for entry in entries] == [1, 2, 3, 4]
        assert (entries[-1]["query"], entries[-1]["status"]) == ({"status": "all"}, 200)
        assert [entry["number"] for entry in rig.control.requests(after=2)] == [3, 4]
        assert [entry["number"] for entry in rig.control.requests(limit=1)] == [4]
        rig.http.delete(f"{rig.url}/sandbox/requests")
        assert rig.control.requests() == []

    def test_a_page_in_a_browser_may_not_touch_it(self, rig):
        for headers in ({"Origin": "https://elsewhere.example"}, {"Host": "rebound.example"}):
            answer = rig.http.post(f"{rig.url}/sandbox/account", json={"action": "reset"}, headers=headers)
            assert answer.status_code == 421
        assert rig.control.state()["cash"] == "100000"


class TestServing:
    def test_a_taken_port_is_told(self, rig):
        port = int(rig.url.rsplit(":", 1)[1])
        with pytest.raises(SandboxError, match=str(port)):
            serve(SandboxConfig({BTC: steady(5)}, port=port))

    def test_it_listens_on_loopback_alone(self):
        with running_sandbox(SandboxConfig({BTC: steady(5)})) as url:
            assert url.startswith("http://127.0.0.1:")
            port = int(url.rsplit(":", 1)[1])
            with socket.socket() as probe:
                probe.settimeout(1)
                assert probe.connect_ex(("127.0.0.2", port)) != 0

    def test_after_the_block_nothing_answers(self):
        with running_sandbox(SandboxConfig({BTC: steady(5)})) as url:
            control = SandboxControl(url)
            control.state()
        with pytest.raises(SandboxError, match="did not answer"):
            control.state()

    def test_the_clock_starts_at_the_newest_bar_unless_told(self):
        with running_sandbox(SandboxConfig({BTC: steady(5)})) as url:
            assert SandboxControl(url).now() == steady(5).index[-1]

    def test_a_sandbox_without_bars_is_refused(self):
        with pytest.raises(ConfigValueError):
            serve(SandboxConfig({}))

    def test_a_connection_is_kept_alive_through_hundreds_of_requests(self, rig):
        connection = http.client.HTTPConnection("127.0.0.1", int(rig.url.rsplit(":", 1)[1]))
        connection.connect()
        used = connection.sock
        for _ in range(300):
            connection.request("GET", "/v2/clock", headers=KEYS)
            assert json.loads(connection.getresponse().read())["is_open"]
        assert connection.sock is used
        connection.close()

    def test_an_order_costs_the_server_less_than_a_millisecond(self, rig):
        order = {"symbol": "ETH/USD", "side": "buy", "type": "market", "time_in_force": "ioc", "qty": 0.01}
        bodies = [json.dumps({**order, "client_order_id": str(n)}) for n in range(300)]
        connection = http.client.HTTPConnection("127.0.0.1", int(rig.url.rsplit(":", 1)[1]))
        begun = time.process_time()
        for body in bodies:
            connection.request("POST", "/v2/orders", body, KEYS)
            assert connection.getresponse().read()
        spent = time.process_time() - begun  # of this process: the client's share is in it too
        connection.close()
        assert len(rig.control.ledger()["fills"]) == 300
        assert spent / 300 < 2e-3

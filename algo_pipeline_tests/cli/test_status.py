"""status: what it tells, of which source, and that nothing keeps it from telling."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pandas as pd
import pytest

from algo_pipeline.backtest.metrics import METRIC_NAMES
from algo_pipeline.common.config import Settings
from algo_pipeline.common.locks import file_lock
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Side
from algo_pipeline.dashboard.status import BrokerAnswer, expected_account, next_tick, status_document, way_out
from algo_pipeline.live.events import Event
from algo_pipeline.live.state import LiveState, fold
from algo_pipeline.live.state_records import Fill
from algo_pipeline.live.tally import JournalTally, tally_of
from algo_pipeline.registry.bundle import BundleStore
from algo_pipeline_tests.cli.ended import Command
from algo_pipeline_tests.live import lines as journal
from algo_pipeline_tests.live_shop import BTC, LiveShop, bundle, hour

NOBODY = BrokerAnswer("not configured", "", None, journal.hour(100))


class TestAgainstASandbox:
    def test_before_the_first_hour_it_says_so(self, command: Command) -> None:
        ended = command("status")
        assert ended.code == 0
        assert "No bar has been decided on yet" in ended.out
        assert command("status", "--json").json()["session"]["metrics"] == {}

    def test_it_tells_how_far_the_model_is_trusted_and_what_its_challenger_would_have_said(
        self, live: LiveShop, command: Command
    ) -> None:
        live.deploy()
        BundleStore(live.shop.artifacts, "challenger").deploy(bundle(1.0, model_version="9"))
        hours = ("--from", hour(0).isoformat(), "--to", hour(10).isoformat())
        command("replay", *hours, ALGO_TRADER_CHALLENGER="true")
        document = command("status", "--json").json()
        (watch,), (challenger,) = document["watch"], document["challengers"]
        assert (watch["symbol"], watch["label"], watch["abstains"]) == ("BTC/USD", "direction_1h", False)
        assert watch["alarm"]["kind"] == "calibration"  # the sample model is sure of itself on bars that it never saw
        assert 2 <= watch["outcomes"] < 9
        assert (challenger["model_version"], challenger["hours"], challenger["difference"]) == ("9", 9, 0.0)
        shadows = [line.signal for line in live.lines if line.event is Event.SHADOW]
        assert shadows == ["FLAT"] * 11
        told = command("status").out
        assert f"Watch over BTC/USD: {watch['outcomes']} outcomes, evidence" in told
        assert "it trades on, as the settings want" in told
        assert "Challenger of BTC/USD, version 9, 9 known hours" in told

    def test_it_tells_holdings_decisions_and_figures(self, live: LiveShop, command: Command) -> None:
        live.deploy()
        command("replay", "--from", hour(0).isoformat(), "--to", hour(30).isoformat())
        document = command("status", "--last", "3", "--json").json()
        (position,) = document["positions"]
        assert position["symbol"] == "BTC/USD"
        assert position["share_of_equity"] == pytest.approx(0.2, abs=0.03)
        assert document["as_of_bar"] == hour(30).isoformat()
        assert [row["bar"] for row in document["decisions"]] == [hour(n).isoformat() for n in (28, 29, 30)]
        assert all("probability" in row["reason"] for row in document["decisions"])
        assert document["equity"] == pytest.approx(document["broker"]["equity"], rel=0.01)
        assert (document["halted"], document["stopped"], document["way_out"], document["overdue"]) == (None,) * 4
        session = document["session"]
        assert (session["hours"], session["orders"], session["missed_hours"]) == (31, 1, 0)
        assert tuple(session["metrics"]) == METRIC_NAMES
        assert session["metrics"]["total_return"] == pytest.approx(document["equity"] / 100_000.0 - 1.0)
        assert session["metrics"]["exposure"] == pytest.approx(30 / 31)

    def test_a_deposit_is_no_return(self, live: LiveShop, command: Command) -> None:
        live.deploy(threshold=1.0)  # FLAT: cash all the time
        command("decide")
        live.sandbox.account("deposit", amount=50_000)
        live.tick(hour(1))
        command("decide")
        document = command("status", "--json").json()
        assert document["equity"] == pytest.approx(150_000.0)
        assert document["session"]["deposits_usd"] == pytest.approx(50_000.0)
        assert document["session"]["metrics"]["total_return"] == pytest.approx(0.0)

    def test_overdue_hours_are_counted_by_the_sandboxs_clock(self, live: LiveShop, command: Command) -> None:
        live.deploy()
        command("decide")
        live.tick(hour(4), after="20min")
        overdue = command("status", "--json").json()["overdue"]
        assert overdue == {"from": hour(1).isoformat(), "to": hour(4).isoformat(), "hours": 4}
        assert "4 h without a decision" in command("status").out

    def test_a_broker_that_does_not_answer_is_said_and_the_rest_is_told(self, live: LiveShop, command: Command) -> None:
        live.deploy()
        command("decide")
        document = command("status", "--json", ALGO_TRADER_ALPACA_TRADING_URL="http://127.0.0.1:9").json()
        assert document["broker"]["answer"] == "unreachable"
        assert (document["now"], document["overdue"]) == (None, None)
        assert document["positions"][0]["symbol"] == "BTC/USD"
        assert "unreachable" in command("status").out

    def test_without_an_account_it_tells_what_the_journal_says(self, live: LiveShop, command: Command) -> None:
        live.deploy()
        command("decide")
        paper = "https://paper-api.alpaca.markets"
        document = command("status", "--json", ALGO_TRADER_ALPACA_TRADING_URL=paper).json()
        assert document["broker"]["answer"] == "not configured"
        assert len(document["decisions"]) == 1

    def test_it_waits_for_no_lock_and_writes_nothing(self, live: LiveShop, command: Command) -> None:
        live.deploy()
        command("decide")
        before = {path: path.stat().st_mtime_ns for path in live.folder.rglob("*")}
        with file_lock(live.folder / "runner.lock", "a test", 0.0):
            assert command("status").code == 0
        assert {path: path.stat().st_mtime_ns for path in live.folder.rglob("*")} == before

    def test_a_halt_and_its_way_out_are_told(self, live: LiveShop, command: Command) -> None:
        command("halt", "--flatten", "--reason", "on holiday")
        document = command("status", "--json").json()
        assert document["halted"] == {"reason": "on holiday", "flatten": True}
        assert document["way_out"] == 'algo-pipeline resume --reason "…"'
        assert "Halted: on holiday" in command("status").out


class TestDocument:
    def test_what_keeps_trading_from_going_on_has_its_way_out(self) -> None:
        assert way_out(LiveState(), drift_abstention=True) is None
        for state in (LiveState(killed_at=hour(0)), LiveState(halted="x")):
            assert way_out(state, drift_abstention=True) == 'algo-pipeline resume --reason "…"'
        stopped = LiveState(stopped="x", halted="y")
        assert way_out(stopped, drift_abstention=True) == 'algo-pipeline resume --adopt --reason "…"'

    @pytest.mark.parametrize(
        ("wall", "tick"),
        [("12:00:59", "12:01"), ("12:01", "13:01"), ("12:30", "13:01"), ("23:59", "00:01")],
    )
    def test_the_next_tick_is_a_minute_after_the_hour(self, wall: str, tick: str) -> None:
        found = next_tick(pd.Timestamp(f"2024-01-01T{wall}Z"))
        assert f"{found:%H:%M}" == tick
        assert found > pd.Timestamp(f"2024-01-01T{wall}Z")

    @pytest.mark.parametrize(("fee_in_base", "coin", "cash"), [(True, "1.98", "799"), (False, "2", "797.00")])
    def test_fills_that_are_not_reconciled_yet_count_with_their_fee(
        self, fee_in_base: bool, coin: str, cash: str
    ) -> None:
        # 2 coins bought at 100; the fee is 1 %.
        state = LiveState(cash=Decimal(999), fills=(Fill(BTC, Side.BUY, Decimal(2), Decimal(100)),))
        rules = BacktestConfig(fee_bps=100.0, fee_in_base=fee_in_base)
        found_cash, held = expected_account(state, rules)
        assert (found_cash, held) == (Decimal(cash), {BTC: Decimal(coin)})

    def test_a_sale_brings_cash_without_its_fee(self) -> None:
        state = LiveState(
            cash=Decimal(0),
            holdings={BTC: Decimal(1)},
            fills=(Fill(BTC, Side.SELL, Decimal(1), Decimal(100)),),
        )
        assert expected_account(state, BacktestConfig(fee_bps=100.0)) == (Decimal(99), {})

    def test_any_journal_can_be_told(self) -> None:
        lines = journal.lines_of(*journal.one_of_each())
        settings = Settings(_env_file=None)
        document = status_document(settings, fold(LiveState(), lines), tally_of(lines), NOBODY, journal.hour(100), n=5)
        assert document["session"]["missed_hours"] == 3
        assert document["session"]["skipped_hours"] == 1
        assert [row["symbol"] for row in document["decisions"]] == ["BTC/USD"]

    def test_an_account_without_money_has_no_metrics(self) -> None:
        lines = journal.lines_of(journal.started(cash="0"), journal.mark(0, 0.0, 0.0), journal.mark(1, 0.0, 0.0))
        settings = Settings(_env_file=None)
        document = status_document(settings, fold(LiveState(), lines), tally_of(lines), NOBODY, journal.hour(2), n=1)
        assert (document["session"]["hours"], document["session"]["metrics"]) == (2, {})

    def test_open_orders_are_listed(self) -> None:
        lines = journal.lines_of(journal.started(), journal.intent(1, "algo-x"))
        settings = Settings(_env_file=None)
        document = status_document(settings, fold(LiveState(), lines), tally_of(lines), NOBODY, journal.hour(2), n=1)
        assert [row["order_id"] for row in document["open_intents"]] == ["algo-x"]

    def test_an_alarm_of_the_watch_is_told_with_its_way_out(self) -> None:
        lines = journal.lines_of(journal.started(), *(journal.watched(bar) for bar in range(4)))
        alarmed = journal.lines_of(*lines, journal.watched(4, alarm="calibration"))
        for abstains in (True, False):
            settings = Settings(_env_file=None, drift_abstention=abstains)
            document = status_document(
                settings, fold(LiveState(), alarmed), tally_of(alarmed), NOBODY, journal.hour(5), n=1
            )
            (watch,) = document["watch"]
            assert watch["alarm"] == {"bar": journal.hour(4), "kind": "calibration", "text": "odd"}
            assert (watch["symbol"], watch["abstains"], watch["outcomes"]) == ("BTC/USD", abstains, 3)
            assert document["way_out"] == ('algo-pipeline resume --reason "…"' if abstains else None)
        calm = status_document(settings, fold(LiveState(), lines), tally_of(lines), NOBODY, journal.hour(5), n=1)
        assert (calm["way_out"], calm["watch"][0]["alarm"]) == (None, None)

    def test_adopted_coin_that_is_not_traded_is_marked(self) -> None:
        state = dataclasses.replace(LiveState(), holdings={BTC: Decimal(1)}, outside=frozenset({BTC}))
        document = status_document(Settings(_env_file=None), state, JournalTally(), NOBODY, journal.hour(2), n=1)
        (row,) = document["positions"]
        assert (row["traded"], row["value_usd"]) == (False, None)

"""decide and replay against a sandbox: what they do, and how each thing that can be wrong ends."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from algo_pipeline.common.locks import file_lock
from algo_pipeline.defs import live_account
from algo_pipeline.research.promotion import Trading
from algo_pipeline.sandbox.faults import Fault, FaultKind
from algo_pipeline_tests.cli.ended import Command
from algo_pipeline_tests.live_shop import LiveShop, hour
from algo_pipeline_tests.workshop import fingerprints

LIVE_HOST = "https://api.alpaca.markets"
PAPER_HOST = "https://paper-api.alpaca.markets"
WRITING = (("decide",), ("replay", "--from", "2024-01-02", "--to", "2024-01-02"), ("halt", "--reason", "x"))
COMMANDS = (*WRITING, ("resume", "--reason", "x"), ("status",))


def names(arguments: tuple[str, ...]) -> str:
    return arguments[0]


class TestDecide:
    def test_it_places_the_order_that_follows_and_tells_dagster(self, live: LiveShop, command: Command) -> None:
        live.deploy()
        document = command("decide", "--json").json()
        (decision,), (order,) = document["decisions"], document["orders"]
        assert (document["bar"], decision["action"], decision["signal"]) == (hour(0).isoformat(), "enter", "LONG")
        assert (order["side"], order["outcome"], order["quantity"]) == ("buy", "filled", decision["quantity"])
        assert document["skipped"] is None
        assert live.orders() == 1
        assert live.events() == ["started", "mark", "decision", "intent", "result"]

        from dagster import AssetKey

        from algo_pipeline.defs.instance import open_instance

        with open_instance(live.settings) as instance:
            for asset in ("live_decision", "paper_order"):
                event = instance.get_latest_materialization_event(AssetKey(asset))
                assert event is not None
                assert event.asset_materialization is not None
                assert event.asset_materialization.partition == "2024-01-02-00:00"

    def test_it_ends_well_where_dagster_cant_be_told(self, live: LiveShop, command: Command) -> None:
        live.deploy()
        store = live.shop.artifacts / "dagster" / "history" / "runs.db"
        store.parent.mkdir(parents=True, exist_ok=True)
        store.write_bytes(b"no database" * 400)
        ended = command("decide")
        assert ended.code == 0
        assert "filled" in ended.out
        assert "Dagster could not be told of it" in ended.err
        assert live.orders() == 1

    def test_again_it_places_nothing(self, live: LiveShop, command: Command) -> None:
        live.deploy()
        command("decide")
        before = live.events()
        document = command("decide", "--json").json()
        assert document["resumed"]
        assert document["orders"] == []
        assert live.orders() == 1
        assert live.events() == [*before, "reconciled"]  # the first run's fill is seen in the account

    def test_a_dry_run_writes_and_sends_nothing(self, live: LiveShop, command: Command) -> None:
        live.deploy()
        document = command("decide", "--dry-run", "--json").json()
        assert document["dry_run"]
        assert document["decisions"][0]["action"] == "enter"
        assert document["alerts"] == []
        assert live.orders() == 0
        assert [path.name for path in live.folder.iterdir()] == ["champion"]

    def test_it_is_for_people_too(self, live: LiveShop, command: Command) -> None:
        live.deploy()
        ended = command("decide")
        assert ended.code == 0
        assert "Bar 2024-01-02 00:00 UTC" in ended.out
        assert "filled" in ended.out

    def test_a_bar_of_long_ago_is_stale_and_trades_nothing(self, live: LiveShop, command: Command) -> None:
        live.deploy()
        live.tick(hour(5))
        document = command("decide", "--at", hour(2).isoformat(), "--json").json()
        assert "more than 600" in document["skipped"]
        assert live.orders() == 0
        assert live.events()[-1] == "skipped_stale"

    def test_a_bar_that_is_open_is_refused(self, live: LiveShop, command: Command) -> None:
        live.deploy()
        ended = command("decide", "--at", hour(1).isoformat(), "--json")
        assert (ended.code, ended.error["code"]) == (1, "bad_value")
        assert live.lines == ()

    def test_a_champion_deployed_flat_records_and_never_enters(self, live: LiveShop, command: Command) -> None:
        live.deploy(trading=Trading.FLAT)
        (decision,) = command("decide", "--json").json()["decisions"]
        assert (decision["signal"], decision["action"]) == ("LONG", "none")
        assert "deployed flat" in decision["reason"]

    def test_without_a_champion_it_holds(self, live: LiveShop, command: Command) -> None:
        ended = command("decide", "--json")
        (decision,) = ended.json()["decisions"]
        assert ended.code == 0
        assert (decision["signal"], decision["action"], decision["prob"]) == ("HOLD", "none", None)
        assert "no champion" in decision["reason"]

    def test_an_order_lost_on_the_way_is_found_and_not_sent_twice(self, live: LiveShop, command: Command) -> None:
        live.deploy()
        live.sandbox.add_fault(Fault(FaultKind.RESET, path="/v2/orders", method="POST", after_effect=True))
        (order,) = command("decide", "--json").json()["orders"]
        assert order["outcome"] == "filled"
        assert live.orders() == 1

    def test_bars_of_another_source_are_told_of(self, live: LiveShop, command: Command) -> None:
        live.deploy()
        ended = command("decide", "--json", ALGO_TRADER_LIVE_BARS_SOURCE="binance")
        assert ended.code == 0
        assert not live.lines[2].details["features_exact"]
        assert "other_source" in live.alerts()


class TestReplay:
    def test_it_drives_hour_by_hour(self, live: LiveShop, command: Command) -> None:
        live.deploy()
        document = command("replay", "--from", hour(1).isoformat(), "--to", hour(6).isoformat(), "--json").json()
        assert (document["hours"], document["decided"], document["orders"]) == (6, 6, 1)
        assert live.sandbox.now() == hour(7) + live_tick()
        assert live.events().count("mark") == 6
        assert Decimal(document["last"]["holdings"]["BTC/USD"]) > 0

    def test_it_needs_a_sandbox(self, live: LiveShop, command: Command) -> None:
        ended = command("replay", "--from", "2024-01-02", "--to", "2024-01-03", "--json", **paper())
        assert (ended.code, ended.error["code"]) == (1, "bad_value")
        assert "sandbox" in ended.error["message"]
        assert not live.folder.exists()

    @pytest.mark.parametrize(
        "arguments", [("--from", "2024-01-03", "--to", "2024-01-02"), ("--from", "x", "--to", "y")]
    )
    def test_a_span_that_is_none_is_refused(self, command: Command, arguments: tuple[str, ...]) -> None:
        assert command("replay", *arguments).code in (1, 2)


class TestEveryCommand:
    @pytest.mark.parametrize("name", ["decide", "replay", "status", "halt", "resume", "doctor"])
    def test_help_teaches_its_use_with_examples(self, live: LiveShop, command: Command, name: str) -> None:
        ended = command(name, "--help")
        assert ended.code == 0
        assert f"algo-pipeline {name} [OPTIONS]" in ended.out
        assert "Example" in ended.out
        assert f"  algo-pipeline {name}" in ended.out
        assert not live.folder.exists()

    @pytest.mark.parametrize("arguments", COMMANDS, ids=names)
    @pytest.mark.parametrize(
        "url", [LIVE_HOST, "https://paper-api.alpaca.markets.example", "http://127.0.0.1@evil.example"]
    )
    def test_another_host_than_papers_is_refused_before_anything_else(
        self, live: LiveShop, command: Command, arguments: tuple[str, ...], url: str
    ) -> None:
        path = live.deploy()
        path.write_text("damaged")  # what came later would tell of this
        before, asked = fingerprints(live.folder), len(live.sandbox.requests())
        ended = command(*arguments, "--json", ALGO_TRADER_ALPACA_TRADING_URL=url)
        assert (ended.code, ended.error["code"]) == (1, "not_paper_host")
        assert "@" not in ended.out
        assert fingerprints(live.folder) == before
        assert not (live.folder / "runner.lock").exists()
        assert len(live.sandbox.requests()) == asked

    @pytest.mark.parametrize(
        "arguments", [("decide",), ("halt", "--reason", "x"), ("resume", "--reason", "x")], ids=names
    )
    def test_missing_keys_are_named(self, live: LiveShop, command: Command, arguments: tuple[str, ...]) -> None:
        ended = command(*arguments, ALGO_TRADER_ALPACA_TRADING_URL=PAPER_HOST, ALGO_TRADER_ALPACA_API_KEY="PKonlyone")
        assert ended.code == 1
        assert "ALGO_TRADER_ALPACA_SECRET_KEY" in ended.err
        assert "sandbox" in ended.err
        assert "PKonlyone" not in ended.err
        assert not live.folder.exists()

    @pytest.mark.parametrize("arguments", WRITING, ids=names)
    def test_a_lock_that_is_held_is_recorded(
        self,
        live: LiveShop,
        command: Command,
        monkeypatch: pytest.MonkeyPatch,
        arguments: tuple[str, ...],
    ) -> None:
        live.deploy()
        monkeypatch.setattr(live_account, "file_lock", lambda path, what, wait_s: file_lock(path, what, 0.0))
        with file_lock(live.folder / "runner.lock", "a test", 0.0):
            ended = command(*arguments, "--json")
        assert (ended.code, ended.error["code"]) == (1, "busy")
        assert '"code": "lock_busy"' in live.alerts()
        assert live.lines == ()

    @pytest.mark.parametrize("arguments", [*COMMANDS, ("doctor",)], ids=names)
    def test_a_damaged_journal_names_the_way_out(
        self, live: LiveShop, command: Command, arguments: tuple[str, ...]
    ) -> None:
        live.deploy()
        command("decide")
        path = live.folder / "decisions.jsonl"
        lines = path.read_bytes().split(b"\n")
        path.write_bytes(b"\n".join([lines[0], lines[1].replace(b"100000", b"900000"), *lines[2:]]))
        (live.folder / "state.json").unlink()
        before = path.read_bytes()
        ended = command(*arguments)
        assert ended.code == 1
        assert "Line 3" in ended.out + ended.err
        assert "resume --adopt" in ended.out + ended.err
        assert path.read_bytes() == before

    @pytest.mark.parametrize("arguments", WRITING, ids=names)
    def test_a_sandbox_that_is_not_running_is_said(
        self, live: LiveShop, command: Command, arguments: tuple[str, ...]
    ) -> None:
        live.deploy()
        ended = command(*arguments, "--json", ALGO_TRADER_ALPACA_TRADING_URL="http://127.0.0.1:9")
        assert (ended.code, ended.error["code"]) == (1, "broker_ambiguous")
        assert live.lines == ()

    def test_a_symbol_with_a_damaged_champion_holds_and_a_person_is_told(
        self, live: LiveShop, command: Command
    ) -> None:
        live.deploy().write_text("{}")
        ended = command("decide", "--json")
        assert ended.code == 0
        assert [each["action"] for each in json.loads(ended.out)["decisions"]] == ["none"]
        assert live.orders() == 0
        assert "champion_damaged" in (live.folder / "alerts.log").read_text()
        assert command("halt", "--reason", "no model").code == 0

    def test_the_broker_saying_no_is_a_message(self, live: LiveShop, command: Command) -> None:
        live.deploy()
        live.sandbox.add_fault(Fault(FaultKind.STATUS, path="/v2/account", status=403, count=None))
        ended = command("decide", "--json")
        assert (ended.code, ended.error["code"]) == (1, "broker_refused")


def live_tick() -> object:
    from algo_pipeline.defs.replay import TICK_AFTER_CLOSE

    return TICK_AFTER_CLOSE


def paper() -> dict[str, str]:
    return {
        "ALGO_TRADER_ALPACA_TRADING_URL": PAPER_HOST,
        "ALGO_TRADER_ALPACA_API_KEY": "PKmarker1",
        "ALGO_TRADER_ALPACA_SECRET_KEY": "marker2",
    }

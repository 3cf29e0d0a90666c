"""doctor: each thing that can be wrong is a line with its remedy, and only what is wrong fails."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from algo_pipeline.cli import checks_environment, checks_live, checks_machine, diagnosis
from algo_pipeline.cli.checks import Check, Diagnosis, Level, checked, ok
from algo_pipeline.common.errors import StorageError
from algo_pipeline.common.locks import file_lock, lock_holder
from algo_pipeline.defs.instance import open_instance
from algo_pipeline.defs.live_automation import hourly_decision
from algo_pipeline.live.state import LiveState, fold
from algo_pipeline.registry.store_address import StoreAddress
from algo_pipeline.registry.trials import Forecast, Trial, TrialKind, TrialLedger
from algo_pipeline.sandbox.faults import Fault, FaultKind
from algo_pipeline_tests.cli.ended import Command
from algo_pipeline_tests.live import lines as journal
from algo_pipeline_tests.live_shop import LiveShop, hour
from algo_pipeline_tests.workshop import fingerprints

PAPER = {"ALGO_TRADER_ALPACA_TRADING_URL": "https://paper-api.alpaca.markets"}
Found = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture
def found(command: Command) -> Found:
    """The checks by name (the last of several), with the exit code under ``exit``."""

    def run(*arguments: str, **settings: str) -> dict[str, Any]:
        ended = command("doctor", *arguments, "--json", **settings)
        document = ended.json()
        assert document["ok"] == (ended.code == 0)
        assert all(check["remedy"] for check in document["checks"] if check["level"] != "OK")
        return {check["name"]: check for check in document["checks"]} | {"skew": document["feature_skew"]}

    return run


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def levels(checks: dict[str, Any]) -> dict[str, str]:
    return {name: check["level"] for name, check in checks.items() if name != "skew"}


def test_a_shop_that_trades_has_no_failure_and_is_left_as_it_was(
    live: LiveShop, command: Command, found: Found
) -> None:
    live.deploy()
    command("decide")
    before = fingerprints(live.folder)
    checks = found()
    assert "FAIL" not in levels(checks).values()
    assert {name for name, level in levels(checks).items() if level == "WARN"} <= {"alerts", "schedule", "disk"}
    assert "5 lines" in checks["journal"]["message"]
    assert "trading on" in checks["champion BTC/USD"]["message"]
    assert "2024-01-02 00:00" in checks["bars BTC/USD"]["message"]
    assert fingerprints(live.folder) == before


def test_a_harmed_ledger_of_trials_is_a_warning_that_says_what_it_costs(live: LiveShop, found: Found) -> None:
    live.deploy()
    ledger = TrialLedger(live.folder.parent)
    assert found()["trials"]["message"] == "none recorded yet"
    forecast = Forecast("BTC/USD", "direction_1h", "file", "a" * 64)
    ledger.record([Trial(forecast, f"{k:064d}"[::-1], TrialKind.SWEEP, 0.1 * k, 100) for k in range(3)])
    assert found()["trials"]["message"] == "3 recorded, an unbroken chain"
    ledger.path.write_bytes(ledger.path.read_bytes().replace(b"sweep", b"swoop"))
    told = found()["trials"]
    assert told["level"] == "WARN"
    assert "No edge is claimed until it is whole." in told["message"]


def test_the_watch_says_how_far_a_model_is_trusted_and_an_alarm_is_a_warning_with_its_way_out() -> None:
    calm = fold(LiveState(), journal.lines_of(journal.watched(0), journal.watched(2)))
    (check,) = checks_live.watch(calm)
    assert (check.name, check.level) == ("watch BTC/USD", Level.OK)
    assert "rsi_14 is nearest its limit" in check.message
    alarmed = fold(LiveState(), journal.lines_of(journal.watched(0, alarm="features")))
    (check,) = checks_live.watch(alarmed)
    assert (check.level, "odd" in check.message) == (Level.WARN, True)
    assert 'algo-pipeline resume --reason "…"' in (check.remedy or "")


def test_it_is_for_people_too(live: LiveShop, command: Command) -> None:
    ended = command("doctor")
    assert ended.code == 0
    assert "OK   python" in ended.out
    assert "WARN champion BTC/USD" in ended.out
    assert "try: Run `algo-pipeline research`" in ended.out


def test_settings_that_cannot_be_read_are_all_that_is_told(command: Command) -> None:
    ended = command("doctor", "--json", ALGO_TRADER_FEE_BPS="cheap")
    python, packages, settings = ended.json()["checks"]
    assert (ended.code, settings["level"], settings["code"]) == (1, "FAIL", "bad_setting")
    assert (python["level"], packages["level"]) == ("OK", "OK")
    assert "The other checks need settings." in settings["message"]


def test_the_last_line_counts_what_is_wrong(command: Command) -> None:
    ended = command("doctor", ALGO_TRADER_ALPACA_TRADING_URL="http://127.0.0.1:9")
    lines = ended.out.splitlines()
    n_fails, n_warnings = (sum(line.startswith(level) for line in lines) for level in ("FAIL", "WARN"))
    assert ended.code == 1
    assert lines[-1] == f"{n_fails} problem{'s' * (n_fails > 1)}, {n_warnings} warning{'s' * (n_warnings > 1)}."
    assert Diagnosis((ok("a", "b"),)).summary() == "all 1 checks are well"


class TestAccount:
    def test_another_host_than_papers_fails_and_nothing_is_asked(self, live: LiveShop, found: Found) -> None:
        asked = len(live.sandbox.requests())
        checks = found(ALGO_TRADER_ALPACA_TRADING_URL="https://api.alpaca.markets")
        assert (checks["credentials"]["level"], checks["credentials"]["code"]) == ("FAIL", "not_paper_host")
        assert "account" not in checks
        assert len(live.sandbox.requests()) == asked

    def test_no_account_is_worth_knowing_and_half_a_key_is_wrong(self, live: LiveShop, found: Found) -> None:
        assert found(**PAPER)["credentials"]["level"] == "WARN"
        half = found(**PAPER, ALGO_TRADER_ALPACA_API_KEY="PKmarker1")["credentials"]
        assert half["level"] == "FAIL"
        assert "ALGO_TRADER_ALPACA_SECRET_KEY" in half["message"]

    def test_a_sandbox_that_is_not_running_fails(self, live: LiveShop, found: Found) -> None:
        checks = found(ALGO_TRADER_ALPACA_TRADING_URL="http://127.0.0.1:9")
        assert checks["account"]["level"] == "FAIL"
        assert "algo-pipeline sandbox" in checks["account"]["remedy"]

    def test_keys_that_the_broker_refuses_fail(self, live: LiveShop, found: Found) -> None:
        live.sandbox.add_fault(Fault(FaultKind.STATUS, path="/v2/account", status=403, count=None))
        assert (found()["account"]["level"], found()["account"]["code"]) == ("FAIL", "broker_refused")

    def test_files_of_another_account_fail(self, live: LiveShop, command: Command, found: Found) -> None:
        live.deploy()
        command("decide")
        live.sandbox.account("reset")
        assert found()["account"]["code"] == "live_state"

    def test_a_venue_that_refuses_connections_is_told_from_one_that_fails(self, live: LiveShop, found: Found) -> None:
        live.deploy()
        checks = found(ALGO_TRADER_LIVE_BARS_SOURCE="binance", ALGO_TRADER_BINANCE_URL="http://127.0.0.1:9")
        assert "127.0.0.1 refuses connections to port 9" in checks["bars BTC/USD"]["message"]
        assert checks["bars BTC/USD"]["level"] == "FAIL"

    def test_without_an_account_the_clock_is_compared_with_the_source(
        self, live: LiveShop, found: Found, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(checks_live, "obstacle", lambda url: None)
        told = {**PAPER, "ALGO_TRADER_DATA_SOURCE": "binance", "ALGO_TRADER_LIVE_BARS_SOURCE": "simulated"}
        monkeypatch.setattr(checks_live, "clock_ahead", lambda url: timedelta(seconds=-95))
        check = found(**told, ALGO_TRADER_BINANCE_URL="https://binance.invalid")["clock"]
        assert check["message"] == "This machine's clock is 95 s behind https://binance.invalid's."
        assert (check["level"], "timedatectl set-ntp true" in check["remedy"]) == ("FAIL", True)
        monkeypatch.setattr(checks_live, "clock_ahead", lambda url: timedelta(seconds=2))
        assert found(**told, ALGO_TRADER_BINANCE_URL="https://binance.invalid")["clock"]["level"] == "OK"


class TestTrading:
    def test_a_halt_is_worth_knowing(self, command: Command, found: Found) -> None:
        command("halt", "--reason", "on holiday")
        check = found()["trading"]
        assert (check["level"], "on holiday" in check["message"]) == ("WARN", True)
        assert "algo-pipeline resume" in check["remedy"]

    def test_a_difference_fails(self, live: LiveShop, command: Command, found: Found) -> None:
        live.deploy()
        command("decide")
        live.sandbox.account("trade", symbol="BTC/USD", side="sell", qty="1")
        live.tick(hour(1))
        command("decide")
        check = found()["trading"]
        assert (check["level"], check["code"]) == ("FAIL", "trading_stopped")
        assert "--adopt" in check["remedy"]

    def test_overdue_hours_are_worth_knowing(self, live: LiveShop, command: Command, found: Found) -> None:
        live.deploy()
        command("decide")
        live.tick(hour(3), after="20min")
        assert "3 h without a decision" in found()["trading"]["message"]

    def test_a_lock_that_is_held_names_its_holder(self, live: LiveShop, found: Found) -> None:
        with file_lock(live.folder / "runner.lock", "a test", 0.0):
            check = found()["lock"]
        assert check["level"] == "WARN"
        assert "process" in check["message"]
        assert lock_holder(live.folder / "runner.lock") is None
        assert lock_holder(live.folder / "no.lock") is None


class TestChampions:
    def test_none_is_worth_knowing(self, live: LiveShop, found: Found) -> None:
        assert found()["champion BTC/USD"]["level"] == "WARN"

    def test_a_damaged_one_fails(self, live: LiveShop, found: Found) -> None:
        path = live.deploy()
        path.write_text(path.read_text().replace('"flat"', '"on"').replace('"on"', '"off"'))
        assert found()["champion BTC/USD"]["code"] == "corrupt_file"

    def test_one_of_other_features_fails(self, live: LiveShop, found: Found) -> None:
        live.deploy(feature_names=("a", "b"))
        assert "other features" in found()["champion BTC/USD"]["message"]

    def test_an_old_one_is_worth_knowing(self, live: LiveShop, found: Found) -> None:
        live.deploy(source="binance")
        check = found()["champion BTC/USD"]
        assert (check["level"], "days ago" in check["message"]) == ("WARN", True)

    def test_simulated_bars_on_a_paper_account_fail(
        self, live: LiveShop, found: Found, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        live.deploy()
        monkeypatch.setattr("algo_pipeline.broker.auth.PaperAccess.is_loopback", False)
        assert "sandbox only" in found()["champion BTC/USD"]["message"]

    def test_bars_that_are_missing_are_worth_knowing(self, live: LiveShop, found: Found) -> None:
        live.deploy()
        check = found(ALGO_TRADER_SIMULATED_YEARS="1", ALGO_TRADER_HISTORY_START="2022-10-01")["bars BTC/USD"]
        assert check["level"] == "WARN"

    def test_bars_of_another_source_are_measured(self, live: LiveShop, command: Command, found: Found) -> None:
        live.deploy()
        live.tick(hour(20))
        checks = found(ALGO_TRADER_LIVE_BARS_SOURCE="binance", ALGO_TRADER_SIMULATED_SEED="8")
        assert checks["bars source BTC/USD"]["level"] == "WARN"
        table = checks["skew"]["BTC/USD"]
        assert table["hours"] > 1000
        assert len(table["features"]) == 37
        worst = table["features"][0]
        assert worst["max"] >= worst["median"] > 0.5  # two unrelated markets
        assert f"{worst['feature']}, is" in checks["bars source BTC/USD"]["message"]
        assert worst["feature"] in command("doctor").out


class TestMachine:
    def test_a_port_that_is_taken_is_worth_knowing(self, found: Found, taken_port: int) -> None:
        check = found(ALGO_TRADER_MLFLOW_PORT=str(taken_port))["mlflow port"]
        assert (check["level"], "ALGO_TRADER_MLFLOW_PORT" in check["remedy"]) == ("WARN", True)
        assert f"taken by process {os.getpid()} (" in check["message"]
        assert f"kill {os.getpid()}" in check["remedy"]

    def test_our_own_web_ui_may_have_its_port(self, live: LiveShop, monkeypatch: pytest.MonkeyPatch) -> None:
        port = int(live.url.rpartition(":")[2])
        monkeypatch.setattr(checks_machine, "_page", lambda url: '{"dagster_webserver_version": "1"}')
        assert checks_machine.dagster_port(live.settings.model_copy(update={"dagster_port": port})).level is Level.OK

    def test_a_store_that_is_no_database_fails(self, live: LiveShop, found: Found) -> None:
        path = live.shop.mlflow_db
        path.parent.mkdir()
        path.write_text("this is no database, and long enough to be told from an empty one " * 20)
        assert found()["mlflow store"]["code"] == "registry"

    def test_a_store_that_somebody_writes_to_names_who(self, live: LiveShop, found: Found) -> None:
        path = live.shop.mlflow_db
        path.parent.mkdir()
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            check = found()["mlflow store"]
        assert (check["level"], check["code"]) == ("FAIL", "locked")
        assert f"locked for writing by process {os.getpid()} (" in check["message"]

    def test_a_store_of_another_version_says_how_to_bring_it_here(self, live: LiveShop) -> None:
        uri = f"sqlite:///{live.shop.mlflow_db}"
        told = StoreAddress(uri).failure(Exception("Detected out-of-date database schema (found version a, but b)"))
        assert "made by another version of MLflow" in told.message
        assert told.remedy.endswith(f"mlflow db upgrade {uri}")

    def test_a_store_that_fails_is_told_once(self, live: LiveShop, found: Found) -> None:
        live.deploy()
        live.shop.mlflow_db.parent.mkdir()
        live.shop.mlflow_db.write_text("this is no database, and long enough to be told from an empty one " * 20)
        checks = found()
        assert checks["mlflow store"]["level"] == "FAIL"
        assert "alias BTC/USD" not in checks

    def test_a_dagster_store_that_is_locked_is_told_and_not_waited_for(self, live: LiveShop, found: Found) -> None:
        with open_instance(live.settings):
            pass
        path = live.settings.artifacts_dir / "dagster" / "history" / "runs.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            checks = found()
        assert (checks["dagster store"]["level"], checks["dagster store"]["code"]) == ("FAIL", "locked")
        assert "schedule" not in checks

    def test_a_run_that_is_at_work_is_named_and_the_file_of_one_that_has_ended_is_not(
        self, live: LiveShop, found: Found
    ) -> None:
        lock = live.settings.artifacts_dir / "research" / "simulated" / ".BTC-USD.lock"
        with file_lock(lock, "a run", 0.0):
            assert f"{lock} is held by process {os.getpid()} (" in found()["locks"]["message"]
        assert lock.exists()
        assert "locks" not in found()

    @pytest.mark.parametrize(("free", "level"), [(50e9, "OK"), (1e9, "WARN"), (1e7, "FAIL")])
    def test_room_on_the_disk(self, found: Found, monkeypatch: pytest.MonkeyPatch, free: float, level: str) -> None:
        usage = type("Usage", (), {"free": free})
        monkeypatch.setattr(checks_machine.shutil, "disk_usage", lambda path: usage)
        assert found()["disk"]["level"] == level

    def test_a_folder_that_cannot_be_written_fails(self, live: LiveShop, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(dir: Path) -> None:  # noqa: A002 - as tempfile calls it
            raise PermissionError(13, "Permission denied", str(dir))

        monkeypatch.setattr(checks_machine.tempfile, "TemporaryFile", refuse)
        check = checks_machine.artifacts_folder(live.settings)
        assert (check.level, "Permission denied" in check.message) == (Level.FAIL, True)

    def test_the_schedule_is_on_unless_a_person_turned_it_off(self, live: LiveShop, found: Found) -> None:
        assert "no Dagster daemon" in found()["schedule"]["message"]
        with open_instance(live.settings) as instance:
            _turn_off(instance)
        assert "turned off" in found()["schedule"]["message"]


def _turn_off(instance: dg.DagsterInstance) -> None:
    from dagster._core.definitions.run_request import InstigatorType
    from dagster._core.remote_origin import (
        InProcessCodeLocationOrigin,
        RemoteInstigatorOrigin,
        RemoteRepositoryOrigin,
    )
    from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

    target = LoadableTargetOrigin(module_name="algo_pipeline.definitions")
    origin = RemoteRepositoryOrigin(
        InProcessCodeLocationOrigin(target, location_name="algo_pipeline"), "__repository__"
    )
    instance.add_instigator_state(
        InstigatorState(
            RemoteInstigatorOrigin(origin, hourly_decision.name),
            InstigatorType.SCHEDULE,
            InstigatorStatus.STOPPED,
            ScheduleInstigatorData("1 * * * *"),
        )
    )


class TestAlerts:
    def test_a_channel_that_is_not_understood_fails_without_showing_its_token(
        self, live: LiveShop, command: Command
    ) -> None:
        ended = command("doctor", ALGO_TRADER_ALERT_URLS="nonsense://MARKERtoken5f0a,json://127.0.0.1:9/MARKERpath77")
        assert ended.code == 1
        assert "FAIL alerts: alert channel 1 (nonsense)" in ended.out
        assert "alert channel 2 (json) is understood" in ended.out
        assert "MARKER" not in ended.out + ended.err

    def test_nothing_is_sent_unless_asked_for(self, live: LiveShop, found: Found) -> None:
        found()
        assert live.alerts() == ""
        assert found("--send-test-alert")["test alert"]["level"] == "OK"
        assert json.loads(live.alerts())["code"] == "test"

    def test_a_test_alert_that_no_channel_takes_fails(self, live: LiveShop, found: Found) -> None:
        checks = found("--send-test-alert", ALGO_TRADER_ALERT_URLS="json://127.0.0.1:9/MARKERpath77")
        assert checks["test alert"]["level"] == "FAIL"
        assert "MARKER" not in live.alerts()


class TestEnvironment:
    @pytest.mark.parametrize("name", ["pandas", "lightgbm", "dagster"])
    def test_a_package_that_is_broken_is_told_by_name_and_no_traceback(self, name: str, tmp_path: Path) -> None:
        code = (
            "import sys\n"
            "class Broken:\n"
            f"    def find_spec(self, name, path=None, target=None):\n"
            f"        if name == {name!r}: raise ImportError('lib{name}.so: cannot open shared object file')\n"
            "sys.meta_path.insert(0, Broken())\n"
            "sys.argv = ['algo-pipeline', 'doctor']\n"
            "from algo_pipeline.cli.main import main; main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 1
        assert "Traceback" not in done.stdout + done.stderr
        assert f"lib{name}.so: cannot open shared object file" in done.stdout
        assert "try: Set the environment up anew" in done.stdout

    def test_a_package_of_another_version_than_needed_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(checks_environment, "requires", lambda name: ["pandas<2", "nothing-of-this-name", "rich"])
        (check,) = checks_environment.packages()
        assert check.level is Level.FAIL
        assert re.search(r"pandas \S+ is installed, <2 is needed; nothing-of-this-name is missing\.", check.message)

    def test_another_python_than_supported_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(checks_environment.sys, "version_info", (3, 9, 2))
        check = checks_environment.python_version()
        assert (check.level, "Python 3.9; 3.11 to 3.13" in check.message) == (Level.FAIL, True)


class TestChecked:
    def test_what_a_check_raises_is_its_failure(self) -> None:
        def broken() -> Check:
            raise StorageError("The disk is gone.", "Find it.")

        assert checked("disk", broken) == [Check("disk", Level.FAIL, "The disk is gone.", "Find it.", "storage")]

    def test_a_defect_of_one_check_keeps_no_other_from_being_made(self) -> None:
        def broken() -> Check:
            raise ZeroDivisionError("oh")

        (check,) = checked("sums", broken)
        assert (check.level, check.code, check.message) == (Level.FAIL, "unexpected", "ZeroDivisionError: oh")

    def test_one_look_may_bring_several(self) -> None:
        assert [each.message for each in checked("x", lambda: [ok("x", "a"), ok("x", "b")])] == ["a", "b"]

    def test_secrets_are_masked(self, live: LiveShop, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = live.settings.model_copy(update={"alpaca_secret_key": _secret("MARKERsecret8d2e")})
        monkeypatch.setattr(checks_machine, "disk", lambda _: ok("disk", "has MARKERsecret8d2e"))
        assert diagnosis.diagnose(settings).checks[0].message == "has **********"


def _secret(text: str) -> Any:
    from pydantic import SecretStr

    return SecretStr(text)

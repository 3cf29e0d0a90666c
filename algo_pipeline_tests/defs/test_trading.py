"""The live half as Dagster runs it: the hour's assets, its schedule, the sensors, and one run at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import yaml
from dagster import AssetKey

from algo_pipeline.common.errors import PaperOnlyError
from algo_pipeline.definitions import build_definitions
from algo_pipeline.defs import live_automation, live_metadata, live_run_page, live_session
from algo_pipeline.defs.instance import open_instance
from algo_pipeline.defs.live_automation import hourly_decision, live_run_failures, missed_hours
from algo_pipeline.defs.live_runs import report_hour
from algo_pipeline.defs.trading import LIVE_TAG, hourly_trading, partition_bar, partition_key
from algo_pipeline.live.report import HourReport
from algo_pipeline.sandbox.faults import Fault, FaultKind
from algo_pipeline_tests.live_shop import LiveShop, hour, live_shop

REPOSITORY = Path(__file__).parents[2]
PAPER = "https://paper-api.alpaca.markets"


@pytest.fixture
def live(tmp_path: Path, dagster_template: Path) -> Iterator[LiveShop]:
    with live_shop(tmp_path / "work", dagster_template) as made:
        yield made


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions()


def materialize(bar: pd.Timestamp, *, raise_on_error: bool = True) -> dg.ExecuteInProcessResult:
    return dg.materialize([hourly_trading], partition_key=partition_key(bar), raise_on_error=raise_on_error)


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    events = result.asset_materializations_for_node("hourly_trading")
    event = next(each for each in events if each.asset_key == AssetKey(asset))
    return {name: value.value for name, value in event.metadata.items()}


def evaluated(at: datetime) -> tuple[list[dg.RunRequest], str]:
    repository = build_definitions().get_repository_def()
    with dg.build_schedule_context(scheduled_execution_time=at, repository_def=repository) as context:
        data = hourly_decision.evaluate_tick(context)
    return list(data.run_requests or []), data.skip_message or ""


def _fail(*_: object) -> None:
    raise ValueError("nothing can be shown")


class TestTheHour:
    def test_it_shows_the_decision_and_its_order(self, live: LiveShop) -> None:
        live.deploy()
        result = materialize(hour(0))
        decision, order = metadata(result, "live_decision"), metadata(result, "paper_order")
        assert "BTC/USD LONG, enter" in decision["in short"]
        assert "BTC/USD" in decision["decisions"]
        assert (decision["equity_usd"], decision["missed_hours"], decision["delay_s"]) == (100_000.0, 0, 60.0)
        assert order["orders"] == 1
        assert "algo-BTC-USD-2024010200-b-d" in order["outcomes"]
        assert "filled" in order["outcomes"]
        assert live.orders() == 1

    def test_run_again_it_places_nothing(self, live: LiveShop) -> None:
        live.deploy()
        materialize(hour(0))
        order = metadata(materialize(hour(0)), "paper_order")
        assert (order["orders"], order["traded_usd"]) == (0, 0.0)
        assert not any(name.startswith("slippage_bps") for name in order)
        assert live.orders() == 1

    def test_its_pages_begin_with_the_strip_of_the_last_hours_and_the_slippage_of_the_last_fills(
        self, live: LiveShop
    ) -> None:
        live.deploy()
        result = materialize(hour(0))
        decision, order = metadata(result, "live_decision"), metadata(result, "paper_order")
        for shown in (decision["at_a_glance"], order["at_a_glance"]):
            assert "(<data:image/svg+xml," in shown
            assert len(shown) < 1_000
        assert 0 < decision["probability BTC/USD"] < 1
        assert order["traded_usd"] > 0
        assert abs(order["slippage_bps BTC/USD"]) < 100

    def test_lists_of_runs_say_what_was_decided_and_bought(self, live: LiveShop) -> None:
        live.deploy()
        with dg.DagsterInstance.ephemeral() as instance:
            done = dg.materialize([hourly_trading], partition_key=partition_key(hour(0)), instance=instance)
            run = instance.get_run_by_id(done.run_id)
        assert run is not None
        assert run.tags["decision"] == "BTC/USD LONG"
        assert re.fullmatch(r"bought [\d.]+ BTC/USD at [\d,.]+", run.tags["order"])

    @pytest.mark.parametrize(("module", "broken"), [(live_run_page, "run_tags"), (live_metadata, "decision_strip")])
    def test_what_can_not_be_shown_ends_no_run(
        self, live: LiveShop, monkeypatch: pytest.MonkeyPatch, module: ModuleType, broken: str
    ) -> None:
        live.deploy()
        monkeypatch.setattr(module, broken, _fail)
        result = materialize(hour(0))
        assert result.success
        assert metadata(result, "paper_order")["orders"] == 1
        assert live.orders() == 1

    def test_a_backfill_of_a_past_hour_is_recorded_as_stale_and_places_nothing(self, live: LiveShop) -> None:
        live.deploy()
        live.tick(hour(9))
        for n in (3, 4):
            assert "more than 600" in metadata(materialize(hour(n)), "live_decision")["in short"]
        assert live.orders() == 0
        assert live.events() == ["started", "skipped_stale", "skipped_stale"]

    def test_an_hour_older_than_the_journals_newest_places_nothing(self, live: LiveShop) -> None:
        live.deploy()
        live.tick(hour(1))
        materialize(hour(1))
        assert "a newer bar" in metadata(materialize(hour(0)), "live_decision")["in short"]
        assert live.orders() == 1

    def test_a_foreseeable_error_ends_it_with_its_code_and_remedy(self, live: LiveShop) -> None:
        live.deploy()
        live.sandbox.add_fault(Fault(FaultKind.STATUS, path="/v2/account", status=403, count=None))
        result = materialize(hour(0), raise_on_error=False)
        (failure,) = [event for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
        shown = failure.step_failure_data.user_failure_data
        assert shown is not None
        assert shown.metadata["code"].value == "broker_refused"
        assert live.orders() == 0

    def test_the_paper_check_comes_first(self, live: LiveShop, monkeypatch: pytest.MonkeyPatch) -> None:
        live.deploy().write_text("{}")  # what came later would tell of this
        monkeypatch.setenv("ALGO_TRADER_ALPACA_TRADING_URL", "https://api.alpaca.markets")
        with pytest.raises(dg.Failure) as raised:
            materialize(hour(0))
        assert isinstance(raised.value.__cause__, PaperOnlyError)
        assert not (live.folder / "runner.lock").exists()

    def test_an_hour_decided_at_the_shell_is_known_to_dagster(self, live: LiveShop) -> None:
        assert report_hour(live.settings, HourReport(hour(0)))
        with open_instance(live.settings) as instance:
            for asset in ("live_decision", "paper_order"):
                assert instance.get_materialized_partitions(AssetKey(asset)) == {partition_key(hour(0))}

    def test_an_hour_before_the_first_partition_is_not(self, live: LiveShop) -> None:
        assert not report_hour(live.settings, HourReport(pd.Timestamp("2023-01-01", tz="UTC")))

    def test_keys_and_bars_are_two_spellings(self) -> None:
        assert partition_key(hour(13)) == "2024-01-02-13:00"
        assert partition_bar("2024-01-02-13:00") == hour(13)


class TestSchedule:
    AT = datetime(2024, 5, 6, 7, 1, tzinfo=UTC)

    def test_with_keys_it_asks_for_the_last_closed_bar(self, live: LiveShop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALGO_TRADER_ALPACA_TRADING_URL", PAPER)
        monkeypatch.setenv("ALGO_TRADER_ALPACA_API_KEY", "PKmarker1")
        monkeypatch.setenv("ALGO_TRADER_ALPACA_SECRET_KEY", "marker2")
        ((request,), _) = evaluated(self.AT)
        assert request.partition_key == "2024-05-06-06:00"
        assert request.tags["algo-pipeline/venue"] == "Alpaca's paper account"
        assert LIVE_TAG.items() <= request.tags.items()

    def test_with_a_sandbox_it_goes_by_the_sandboxs_clock(self, live: LiveShop) -> None:
        live.tick(hour(5))
        ((request,), _) = evaluated(self.AT)
        assert request.partition_key == partition_key(hour(5))
        assert request.tags["algo-pipeline/venue"] == "a sandbox"

    def test_one_tick_is_one_run_and_the_next_is_another(self, live: LiveShop) -> None:
        keys = [evaluated(at)[0][0].run_key for at in (self.AT, self.AT, self.AT.replace(hour=8))]
        assert keys[0] == keys[1] != keys[2]

    def test_without_an_account_it_says_what_to_set(self, live: LiveShop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALGO_TRADER_ALPACA_TRADING_URL", PAPER)
        requests, why = evaluated(self.AT)
        assert requests == []
        assert "ALGO_TRADER_ALPACA_API_KEY" in why
        assert "algo-pipeline sandbox" in why

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("ALGO_TRADER_ALPACA_TRADING_URL", "http://127.0.0.1:9", "Nothing can be decided"),
            ("ALGO_TRADER_FEE_BPS", "cheap", "ALGO_TRADER_FEE_BPS"),
        ],
    )
    def test_what_keeps_it_from_deciding_is_its_reason(
        self, live: LiveShop, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
    ) -> None:
        monkeypatch.setenv(name, value)
        requests, why = evaluated(self.AT)
        assert requests == []
        assert words in why

    def test_another_host_is_refused_even_with_keys(self, live: LiveShop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALGO_TRADER_ALPACA_TRADING_URL", "https://api.alpaca.markets")
        monkeypatch.setenv("ALGO_TRADER_ALPACA_API_KEY", "PKmarker1")
        monkeypatch.setenv("ALGO_TRADER_ALPACA_SECRET_KEY", "marker2")
        requests, why = evaluated(self.AT)
        assert requests == []
        assert "paper-api.alpaca.markets" in why

    def test_it_ticks_a_minute_after_the_hour_and_is_on(self) -> None:
        assert hourly_decision.cron_schedule == "1 * * * *"
        assert hourly_decision.execution_timezone == "UTC"
        assert hourly_decision.default_status is dg.DefaultScheduleStatus.RUNNING


class TestSensors:
    def test_a_failed_run_alerts(self, live: LiveShop, definitions: dg.Definitions) -> None:
        live.deploy()
        live.sandbox.add_fault(Fault(FaultKind.STATUS, path="/v2/account", status=403, count=None))
        job = definitions.resolve_job_def("hourly_decision")
        with open_instance(live.settings) as instance:
            key = partition_key(hour(0))
            result = job.execute_in_process(instance=instance, partition_key=key, raise_on_error=False)
            context = dg.build_run_status_sensor_context(
                sensor_name="live_run_failures",
                dagster_instance=instance,
                dagster_run=result.dagster_run,
                dagster_event=result.get_run_failure_event(),
            ).for_run_failure()
            live_run_failures(context)
        assert '"code": "run_failed"' in live.alerts()
        assert f"The run of {key} failed" in live.alerts()
        assert "Alpaca refused" in live.alerts()
        assert '"severity": "critical"' in live.alerts()

    def test_hours_that_nobody_decided_alert_by_the_sandboxs_clock(self, live: LiveShop) -> None:
        live.deploy(threshold=1.0)
        materialize(hour(0))
        assert _overdue() == "No hour is overdue."
        live.tick(hour(4), after="20min")
        assert _overdue().startswith("4 h from 2024-01-02 01:00 to 2024-01-02 04:00 UTC")
        assert '"code": "hours_overdue"' in live.alerts()
        assert '"severity": "warning"' in live.alerts()

    def test_two_of_them_while_holding_are_critical(self, live: LiveShop) -> None:
        live.deploy()
        materialize(hour(0))
        live.tick(hour(1))
        materialize(hour(1))
        live.tick(hour(3), after="20min")
        _overdue()
        assert '"severity": "critical"' in live.alerts()

    def test_before_the_first_hour_nothing_is_overdue(self, live: LiveShop) -> None:
        assert _overdue() == "Live trading has not started."
        assert live.alerts() == ""

    def test_what_cannot_be_judged_is_said(self, live: LiveShop, monkeypatch: pytest.MonkeyPatch) -> None:
        live.deploy()
        materialize(hour(0))
        monkeypatch.setenv("ALGO_TRADER_ALPACA_TRADING_URL", "http://127.0.0.1:9")
        assert "can't be judged" in _overdue()

    def test_a_journal_whose_account_is_no_longer_configured_owes_nobody_an_hour(
        self, live: LiveShop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        live.deploy(threshold=1.0)
        materialize(hour(0))
        for name in ("ALPACA_TRADING_URL", "ALPACA_API_KEY", "ALPACA_SECRET_KEY"):
            monkeypatch.delenv(f"ALGO_TRADER_{name}", raising=False)
        assert "No paper account is configured" in _overdue()
        assert "hours_overdue" not in live.alerts()


def _overdue() -> str:
    with dg.build_sensor_context() as context:
        return missed_hours.evaluate_tick(context).skip_message or ""


class TestOneAtATime:
    SETTINGS = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())

    def test_the_instance_runs_one_live_decision_and_leaves_it_a_slot(self) -> None:
        runs = self.SETTINGS["concurrency"]["runs"]
        limits = {(limit["key"], limit["value"]): limit["limit"] for limit in runs["tag_concurrency_limits"]}
        assert limits[next(iter(LIVE_TAG.items()))] == 1
        assert limits["algo-pipeline/research", "true"] < runs["max_concurrent_runs"]

    def test_the_job_carries_the_tag_and_its_retries(self, definitions: dg.Definitions) -> None:
        job = definitions.resolve_job_def("hourly_decision")
        assert LIVE_TAG.items() <= job.tags.items()
        assert job.tags["dagster/max_retries"] == "2"
        assert job.executor_def.name == "in_process"
        assert self.SETTINGS["run_retries"]["enabled"]
        assert self.SETTINGS["run_monitoring"]["enabled"]

    def test_the_order_itself_has_no_retry_and_one_pool(self) -> None:
        assert hourly_trading.op.retry_policy is None
        assert hourly_trading.op.pool == "live_account"
        assert self.SETTINGS["concurrency"]["pools"] == {"default_limit": 1, "granularity": "run"}

    def test_the_lock_is_held_while_an_hour_is_decided(self, live: LiveShop, monkeypatch: pytest.MonkeyPatch) -> None:
        from algo_pipeline.common.locks import lock_holder

        seen: list[str | None] = []
        run = live_session.run_hour
        monkeypatch.setattr(
            live_session,
            "run_hour",
            lambda *args, **more: (seen.append(lock_holder(live.folder / "runner.lock")), run(*args, **more))[1],
        )
        live.deploy()
        materialize(hour(0))
        assert len(seen) == 1
        assert seen[0] is not None
        assert lock_holder(live.folder / "runner.lock") is None

    def test_sensors_and_schedule_are_on(self) -> None:
        for sensor in (live_run_failures, missed_hours):
            assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
        assert live_automation.hourly_decision.job_name == "hourly_decision"

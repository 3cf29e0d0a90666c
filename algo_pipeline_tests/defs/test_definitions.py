from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster import AssetKey

from algo_pipeline.definitions import build_definitions
from algo_pipeline.defs.homes import HOMES
from algo_pipeline.research.claims import CLAIMS

_REPOSITORY = Path(__file__).parents[2]

# Group, parents and kinds of each asset.
_ASSETS: dict[str, tuple[str, set[str], set[str]]] = {
    "raw_ohlcv": ("market_data", set(), {"pandas", "parquet"}),
    "features": ("features", {"raw_ohlcv"}, {"numba", "parquet", "talib"}),
    "labels": ("features", {"raw_ohlcv"}, {"numba", "parquet"}),
    "dataset": ("dataset", {"features", "labels"}, {"pandas", "parquet"}),
    "splits": ("dataset", {"dataset"}, {"json"}),
    "model": ("training", {"dataset", "splits"}, {"sklearn", "skops"}),
    "calibrator": ("training", {"dataset", "splits", "model"}, {"sklearn", "skops"}),
    "oos_probabilities": ("training", {"dataset", "splits", "calibrator"}, {"parquet", "sklearn"}),
    "evaluation": ("training", {"oos_probabilities"}, {"json", "numba"}),
    "registered_model": (
        "training",
        {"raw_ohlcv", "dataset", "splits", "calibrator", "oos_probabilities", "evaluation"},
        {"mlflow", "sklearn"},
    ),
    "challenger": ("training", {"raw_ohlcv", "dataset", "splits", "oos_probabilities"}, {"mlflow", "sklearn"}),
    "leaderboard": ("comparison", {"raw_ohlcv", "features", "labels"}, {"json", "mlflow", "sklearn"}),
    "searched_recipe": ("comparison", {"raw_ohlcv", "dataset"}, {"json", "mlflow", "optuna"}),
    "backtest_report": (
        "backtesting",
        {"raw_ohlcv", "oos_probabilities", "evaluation", "registered_model"},
        {"mlflow", "numba"},
    ),
    "promotion": (
        "promotion",
        {
            *("raw_ohlcv", "dataset", "splits", "calibrator", "oos_probabilities"),
            *("registered_model", "backtest_report"),
        },
        {"json", "mlflow"},
    ),
    "live_decision": ("live", set(), {"python"}),
    "paper_order": ("live", {"live_decision"}, {"alpaca"}),
}
_JOBS = ("research", "ingest", "compare_models", "search", "hourly_decision")
_LIVE = {"live_decision", "paper_order"}
_ON_DEMAND = {"leaderboard", "searched_recipe"}
# Asset of each check, and whether it blocks.
_CHECKS = {
    **{claim.name: (claim.asset, True) for claim in CLAIMS},
    "bars_are_valid_and_on_the_hour": ("raw_ohlcv", True),
    "newest_bar_is_less_than_a_day_old": ("raw_ohlcv", False),
    "closes_agree_with_a_second_source": ("raw_ohlcv", False),
    "features_are_finite_after_warm_up": ("features", True),
    "cash_holdings_and_fees_add_up_to_equity": ("backtest_report", True),
    "every_trial_stands_in_the_ledger": ("backtest_report", False),
    "alias_points_at_the_deployed_champion": ("promotion", False),
}


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions()


@pytest.fixture(scope="module")
def specs(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def test_the_asset_graph_is_the_one_designed(specs: dict[str, dg.AssetSpec]) -> None:
    found = {
        name: (spec.group_name, {dep.asset_key.to_user_string() for dep in spec.deps}, set(spec.kinds))
        for name, spec in specs.items()
    }
    assert found == _ASSETS


def test_every_asset_says_what_it_is_whose_it_is_and_how_fresh_it_should_be(specs: dict[str, dg.AssetSpec]) -> None:
    for name, spec in specs.items():
        assert len(spec.description or "") > 40
        assert spec.owners == ["team:trading" if name in _LIVE else "team:research"]
        assert spec.code_version
        assert spec.freshness_policy is not None


def test_every_page_says_where_the_asset_rests_and_where_it_is_explained(specs: dict[str, dg.AssetSpec]) -> None:
    assert set(HOMES) == set(specs)
    for name, spec in specs.items():
        first, stored, explained = str(spec.description).split("\n\n")
        assert first.endswith(".")
        assert HOMES[name].path in stored
        assert HOMES[name].page in explained
        assert (_REPOSITORY / "docs" / HOMES[name].page).is_file()


def test_tags_tell_the_domain_the_stage_and_the_cadence(specs: dict[str, dg.AssetSpec]) -> None:
    for name, spec in specs.items():
        tags = {key: spec.tags[key] for key in ("domain", "stage", "cadence")}
        assert tags["domain"] == ("trading" if name in _LIVE else "research")
        assert tags["stage"].endswith(f"-{spec.group_name}")
        assert tags["cadence"] in {"hourly", "daily", "weekly", "on-demand"}


def test_stages_follow_the_graph_so_that_no_asset_comes_before_what_it_is_made_from(
    specs: dict[str, dg.AssetSpec],
) -> None:
    stage = {name: int(spec.tags["stage"][0]) for name, spec in specs.items()}
    for name, spec in specs.items():
        assert all(stage[dep.asset_key.to_user_string()] <= stage[name] for dep in spec.deps)


def test_jobs_schedules_sensors_and_checks_say_in_sentences_what_they_do(definitions: dg.Definitions) -> None:
    repository, graph = definitions.get_repository_def(), definitions.resolve_asset_graph()
    told = {
        **{job: repository.get_job(job).description for job in _JOBS},
        **{each.name: each.description for each in (*repository.schedule_defs, *repository.sensor_defs)},
        **{key.name: graph.get(key).description for key in graph.asset_check_keys},
    }
    assert len(told) > 20
    for name, words in told.items():
        assert str(words).endswith("."), name
        assert str(words)[0].isupper(), name
        assert len(str(words).split()) >= 6, name


def test_the_launchpad_explains_every_field(definitions: dg.Definitions) -> None:
    research = definitions.resolve_job_def("research")
    fields = research.resource_defs["pipeline"].config_schema.config_type.fields
    assert set(fields) == {"source", "path", "until"}
    assert all(len(field.description or "") > 30 for field in fields.values())


def test_research_is_partitioned_by_symbol_and_live_by_hour(specs: dict[str, dg.AssetSpec]) -> None:
    for name, spec in specs.items():
        if name in _LIVE:
            assert isinstance(spec.partitions_def, dg.HourlyPartitionsDefinition)
        else:
            assert isinstance(spec.partitions_def, dg.DynamicPartitionsDefinition)
            assert spec.partitions_def.name == "symbols"


def test_bars_should_be_a_day_old_at_most_models_a_week_and_decisions_two_hours(specs: dict[str, dg.AssetSpec]) -> None:
    def warning_hours(name: str) -> float:
        policy = specs[name].freshness_policy
        assert policy is not None
        return policy.warn_window.to_timedelta().total_seconds() / 3600  # type: ignore[attr-defined,no-any-return]

    assert warning_hours("raw_ohlcv") == 26
    assert warning_hours("registered_model") == 8 * 24
    assert warning_hours("live_decision") == 2


def test_the_checks_and_which_of_them_block(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    found = {key.name: (key.asset_key.to_user_string(), graph.get(key).blocking) for key in graph.asset_check_keys}
    assert found == _CHECKS
    assert all(graph.get(key).description for key in graph.asset_check_keys)


def test_the_check_of_a_claim_states_it(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    stated = {key.name: graph.get(key).description for key in graph.asset_check_keys}
    assert {claim.name: stated[claim.name] for claim in CLAIMS} == {claim.name: claim.statement for claim in CLAIMS}


def test_the_jobs_run_in_process_one_symbol_at_a_time(definitions: dg.Definitions) -> None:
    expected = {
        "research": set(_ASSETS) - _LIVE - _ON_DEMAND,
        "ingest": {"raw_ohlcv"},
        "compare_models": {"leaderboard"},
        "search": {"searched_recipe"},
    }
    for name, assets in expected.items():
        job = definitions.resolve_job_def(name)
        assert job.asset_layer.executable_asset_keys == {AssetKey(asset) for asset in assets}
        assert job.executor_def.name == "in_process"
        assert job.partitions_def is not None
        assert job.tags["algo-pipeline/research"] == "true"


def test_bars_come_daily_models_weekly_and_decisions_hourly_by_default(definitions: dg.Definitions) -> None:
    found = {
        schedule.name: (schedule.job_name, schedule.cron_schedule, schedule.execution_timezone, schedule.default_status)
        for schedule in definitions.get_repository_def().schedule_defs
    }
    running = dg.DefaultScheduleStatus.RUNNING
    assert found == {
        "daily_ingest": ("ingest", "20 0 * * *", "UTC", running),
        "weekly_retrain": ("research", "40 0 * * 0", "UTC", running),
        "hourly_decision": ("hourly_decision", "1 * * * *", "UTC", running),
    }


def test_the_sensors_are_on(definitions: dg.Definitions) -> None:
    found = {sensor.name: sensor.default_status for sensor in definitions.get_repository_def().sensor_defs}
    names = ("configured_symbols", "live_run_failures", "missed_hours")
    assert found == dict.fromkeys(names, dg.DefaultSensorStatus.RUNNING)


def test_a_tick_asks_for_one_run_per_known_symbol(definitions: dg.Definitions) -> None:
    schedule = definitions.get_schedule_def("daily_ingest")
    at = datetime(2024, 1, 2, 0, 20, tzinfo=UTC)
    with dg.instance_for_test() as instance:
        with dg.build_schedule_context(instance=instance, scheduled_execution_time=at) as context:
            assert "No symbol" in (schedule.evaluate_tick(context).skip_message or "")
        instance.add_dynamic_partitions("symbols", ["BTC-USD", "ETH-USD"])
        with dg.build_schedule_context(
            instance=instance, scheduled_execution_time=at, repository_def=definitions.get_repository_def()
        ) as context:
            requests = schedule.evaluate_tick(context).run_requests or []
    assert [(request.run_key, request.partition_key) for request in requests] == [
        ("BTC-USD 2024-01-02T00:20", "BTC-USD"),
        ("ETH-USD 2024-01-02T00:20", "ETH-USD"),
    ]


def test_the_sensor_adds_what_is_missing_and_explains_bad_settings(
    definitions: dg.Definitions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    sensor = definitions.get_sensor_def("configured_symbols")
    monkeypatch.setenv("ALGO_TRADER_SYMBOLS", "BTC/USD,SOL/USD")
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("symbols", ["BTC-USD"])
        context = dg.build_sensor_context(instance=instance, definitions=definitions)
        (request,) = sensor.evaluate_tick(context).dynamic_partitions_requests or []
        assert request.partition_keys == ["SOL-USD"]
        instance.add_dynamic_partitions("symbols", ["SOL-USD"])
        assert "Every configured symbol" in (sensor.evaluate_tick(context).skip_message or "")
        monkeypatch.setenv("ALGO_TRADER_SYMBOLS", "nonsense")
        assert "ALGO_TRADER_SYMBOLS" in (sensor.evaluate_tick(context).skip_message or "")


_HEAVY = ("mlflow", "sklearn", "ccxt", "alpaca", "skops", "matplotlib", "numba", "lightgbm", "optuna")


def test_the_code_location_loads_without_heavy_packages() -> None:
    code = f"import sys, algo_pipeline.definitions; print([name for name in {_HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


def test_dagster_validates_the_workspace(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "dagster"), "definitions", "validate", "-w", "workspace.yaml"],
        check=False,
        cwd=_REPOSITORY,
        env={**os.environ, "DAGSTER_HOME": str(tmp_path), "DAGSTER_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr

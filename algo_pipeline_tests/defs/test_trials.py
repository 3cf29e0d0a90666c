"""What was tried reaches the ledger, the report and MLflow; what is lost from one of them is told by another."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from algo_pipeline.common.types import Symbol
from algo_pipeline.definitions import build_definitions
from algo_pipeline.defs.automation import research_job
from algo_pipeline.defs.instance import open_instance
from algo_pipeline.registry.mlflow_registry import MlflowRegistry
from algo_pipeline.registry.trials import Forecast, Trial, TrialKind, TrialLedger
from algo_pipeline_tests.workshop import Workshop

_CHECK = "every_trial_stands_in_the_ledger"


@pytest.fixture
def shop(materialized: Workshop, tmp_path: Path) -> Workshop:
    return materialized.copy(tmp_path / "shop")


def report(shop: Workshop) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((shop.artifacts / "backtest" / "BTC-USD" / "report.json").read_text())
    return document


def report_again(shop: Workshop) -> dg.AssetCheckEvaluation:
    """Make nothing but the report; how the check of the ledger ended."""
    with shop.active() as settings, open_instance(settings) as instance:
        result = (
            build_definitions()
            .resolve_job_def(str(research_job.name))
            .execute_in_process(
                instance=instance, partition_key="BTC-USD", asset_selection=[dg.AssetKey("backtest_report")]
            )
        )
    (evaluation,) = (each for each in result.get_asset_check_evaluations() if each.check_name == _CHECK)
    return evaluation


def others(shop: Workshop, n: int) -> list[Trial]:
    """Trials of the same symbol, label and source that a search may have made."""
    recipe = report(shop)["recipe_hash"]
    forecast = Forecast("BTC/USD", "direction_1h", "simulated", recipe)
    return [Trial(forecast, f"{k:064d}"[::-1], TrialKind.SEARCH, 0.001 * k, 100) for k in range(1, n + 1)]


def test_research_and_its_challenger_are_trials_and_the_report_counts_them(materialized: Workshop) -> None:
    lines = [json.loads(line) for line in TrialLedger(materialized.artifacts).path.read_text().splitlines()]
    document = report(materialized)
    assert {(line["symbol"], line["label"], line["source"], line["kind"]) for line in lines} == {
        ("BTC/USD", "direction_1h", "simulated", "research")
    }
    assert len({line["recipe_hash"] for line in lines}) == len(lines) == document["trials"]["n_trials"] == 2
    (own,) = (line for line in lines if line["recipe_hash"] == document["recipe_hash"])
    assert own["n_days"] == document["trials"]["days"]
    assert own["daily_sharpes"][0] == pytest.approx(document["metrics"]["strategy"]["sharpe"] / math.sqrt(365))
    assert document["verdict"].endswith(", 2 trials).")


def test_later_trials_count_in_the_next_report_though_it_is_the_same_backtest(shop: Workshop) -> None:
    ledger = TrialLedger(shop.artifacts)
    assert ledger.record(others(shop, 60)) == 60
    before = ledger.path.read_bytes()
    assert report_again(shop).passed
    assert ledger.path.read_bytes() == before  # a report made again is no trial
    trials = report(shop)["trials"]
    summary = ledger.summary("BTC/USD", "direction_1h", "simulated")
    assert trials["n_trials"] == summary.n_trials == 62
    assert trials["variance_of_daily_sharpe"] == summary.variance_of_sharpe
    assert trials["deflated_sharpe_ratio"] < trials["probabilistic_sharpe_ratio"]
    assert report(shop)["verdict"].endswith(", 62 trials).")
    for path in ledger.path.parent.glob("trials.*"):
        path.unlink()
    assert not report_again(shop).passed  # a ledger that begins anew is found out by what MLflow's runs counted
    found = report(shop)["trials"]
    assert found["n_trials"] == 62
    assert found["problem"] == "the ledger holds 1 of them"
    assert found["deflated_sharpe_ratio"] == pytest.approx(trials["deflated_sharpe_ratio"])


def test_a_ledger_that_was_removed_fails_the_check_and_the_verdict_says_so(shop: Workshop) -> None:
    TrialLedger(shop.artifacts).path.unlink()
    check = report_again(shop)
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    document = report(shop)
    assert document["trials"]["problem"] == "the ledger of trials is damaged or incomplete"
    assert document["verdict"].endswith("2 trials, but the ledger of trials is damaged or incomplete).")
    assert document["findings"]["edge"] != "shown"


def test_a_ledger_that_takes_no_more_lets_no_edge_be_claimed(shop: Workshop) -> None:
    changed = dataclasses.replace(shop, environment={**shop.environment, "ALGO_TRADER_ENTER_THRESHOLD": "0.53"})
    lock = TrialLedger(shop.artifacts).path.with_suffix(".lock")
    lock.unlink()
    lock.mkdir()
    assert not report_again(changed).passed
    document = report(shop)
    assert document["trials"]["n_trials"] == 2  # its own is not among them
    assert document["verdict"].endswith("2 trials, but the ledger of trials could not be written).")
    assert document["findings"]["edge"] != "shown"
    lock.rmdir()
    assert report_again(changed).passed
    assert report(shop)["trials"]["n_trials"] == 3


def test_runs_deleted_from_mlflow_hide_nothing(shop: Workshop) -> None:
    import mlflow

    with shop.active():
        client = mlflow.MlflowClient(shop.mlflow_uri, shop.mlflow_uri)
        experiment = client.get_experiment_by_name("algo-pipeline/BTC-USD")
        assert experiment is not None
        for run in client.search_runs([experiment.experiment_id]):
            client.delete_run(run.info.run_id)
        same = {"label": "direction_1h", "source": "simulated"}
        registry = MlflowRegistry(shop.mlflow_uri)
        assert registry.metrics_where_largest(Symbol("BTC", "USD"), same, "n_trials")["n_trials"] == 2
        assert registry.metrics_where_largest(Symbol("BTC", "USD"), {**same, "source": "file"}, "n_trials") == {}
        assert registry.metrics_where_largest(Symbol("ETH", "USD"), same, "n_trials") == {}
    assert TrialLedger(shop.artifacts).summary("BTC/USD", "direction_1h", "simulated").n_trials == 2


def test_other_thresholds_are_a_new_trial_and_other_costs_are_none(shop: Workshop) -> None:
    changed = {"ALGO_TRADER_ENTER_THRESHOLD": "0.53", "ALGO_TRADER_FEE_BPS": "1"}
    report_again(dataclasses.replace(shop, environment={**shop.environment, **changed}))
    assert report(shop)["trials"]["n_trials"] == 3
    cheap = {"ALGO_TRADER_FEE_BPS": "1"}
    report_again(dataclasses.replace(shop, environment={**shop.environment, **cheap}))
    assert report(shop)["trials"]["n_trials"] == 3

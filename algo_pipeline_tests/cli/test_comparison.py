"""The leaderboard and the search on a finished research run: what they print, log and count; nothing is promoted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from algo_pipeline.common.storage import read_checked_json
from algo_pipeline_tests.workshop import Workshop, workshop


def _runs(made: Workshop, kind: str) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=made.mlflow_uri)
    experiment = client.get_experiment_by_name("algo-pipeline/BTC-USD")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], f"tags.kind = '{kind}'"))


def _trials(made: Workshop, kind: str) -> list[dict[str, Any]]:
    lines = (made.artifacts / "registry" / "trials.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["kind"] == kind]


def _deployed(made: Workshop) -> bytes:
    return (made.artifacts / "live" / "champion" / "BTC-USD" / "bundle.json").read_bytes()


@pytest.fixture(scope="module")
def compared(materialized: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A leaderboard of one label, two kinds of models and a calibrator."""
    made = materialized.copy(tmp_path_factory.mktemp("compared"))
    only = ("--label", "direction_1h", "--model", "logistic", "--model", "lightgbm", "--calibrator", "isotonic")
    done = made.run("leaderboard", *only, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    (made.root / "leaderboard.json").write_text(done.stdout)
    return made


@pytest.fixture(scope="module")
def searched(materialized: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A search of three trials, and again of five."""
    made = materialized.copy(tmp_path_factory.mktemp("searched"))
    for trials in (3, 5):
        done = made.run("search", "--model", "logistic", "--trials", str(trials), "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        (made.root / f"search_{trials}.json").write_text(done.stdout)
    return made


def _printed(path: Path, name: str) -> dict[str, Any]:
    (symbol,) = json.loads(path.read_text())["symbols"]
    assert (symbol["symbol"], symbol["source"]) == ("BTC/USD", "simulated")
    found: dict[str, Any] = symbol[name]
    return found


def test_the_leaderboard_has_every_candidate_the_baseline_and_the_traded_recipe(compared: Workshop) -> None:
    board = _printed(compared.root / "leaderboard.json", "leaderboard")
    recipes = {row["recipe"] for row in board["rows"]}
    assert recipes >= {"logistic+platt", "logistic+isotonic", "lightgbm+isotonic"}
    assert board["n_comparisons"] == len(recipes) - 1
    assert [row["recipe"] for row in board["rows"] if row["standing"] == "the baseline"] == ["logistic+platt"]
    assert len({row["n_rows"] for row in board["rows"]}) == 1


def test_each_candidate_is_a_run_below_the_leaderboards_with_the_metrics_of_trainings(compared: Workshop) -> None:
    rows = _printed(compared.root / "leaderboard.json", "leaderboard")["rows"]
    runs = _runs(compared, "leaderboard")
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = {run.data.params["recipe_hash"]: run for run in runs if run is not parent}
    assert set(children) == {row["recipe_hash"] for row in rows}
    (trained, *_) = [run for run in _all_runs(compared) if "oos_auc" in run.data.metrics and run not in runs]
    scores = {name for name in trained.data.metrics if name.startswith(("oos_", "strategy_total"))}
    for row in rows:
        run = children[row["recipe_hash"]]
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert scores <= set(run.data.metrics)
        assert run.data.metrics["oos_log_loss_skill"] == row["log_loss_skill"]
        assert run.data.params["dataset_hash"] == trained.data.params["dataset_hash"]
        assert ("log_loss_minus_baseline" in run.data.metrics) == (row["standing"] != "the baseline")


def _all_runs(made: Workshop) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=made.mlflow_uri)
    experiment = client.get_experiment_by_name("algo-pipeline/BTC-USD")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def test_candidates_that_traded_are_trials_and_none_is_promoted(compared: Workshop, materialized: Workshop) -> None:
    rows = _printed(compared.root / "leaderboard.json", "leaderboard")["rows"]
    counted = {line["recipe_hash"] for line in _trials(compared, "leaderboard")}
    assert counted
    assert counted <= {row["recipe_hash"] for row in rows}
    assert _deployed(compared) == _deployed(materialized)


def test_a_search_goes_on_where_it_ended_and_counts_each_trial(searched: Workshop) -> None:
    three, five = (_printed(searched.root / f"search_{n}.json", "search") for n in (3, 5))
    assert five["trials"][:3] == three["trials"]
    assert [trial["number"] for trial in five["trials"]] == [0, 1, 2, 3, 4]
    assert 0 < len(_trials(searched, "search")) <= 7
    assert list((searched.artifacts / "search" / "BTC-USD").glob("simulated-direction_1h.db"))


def test_a_search_offers_settings_and_promotes_nothing(searched: Workshop, materialized: Workshop) -> None:
    found = _printed(searched.root / "search_5.json", "search")
    assert found["settings"][0] == "ALGO_TRADER_MODEL=logistic"
    assert found["seen_until"] < found["judged_from"] < found["judged_until"]
    assert str(found["n_judged"]) in found["finding"].replace(",", "")
    stored = read_checked_json(searched.research("searched_recipe", "json"))
    assert stored["winner"] == found["winner"]
    assert _deployed(searched) == _deployed(materialized)
    assert {run.data.tags.get("part") for run in _runs(searched, "search")} == {None, "winner", "traded"}


def test_the_winner_of_a_search_can_be_researched_by_its_settings(searched: Workshop) -> None:
    settings = dict(line.split("=", 1) for line in _printed(searched.root / "search_5.json", "search")["settings"])
    done = searched.run(
        "research", "--until", "2020-09-07T00:00Z", "--json", **{k: v.strip("'") for k, v in settings.items()}
    )
    assert done.returncode == 0, done.stderr
    winner = _printed(searched.root / "search_5.json", "search")["winner"]["recipe_hash"]
    assert any(
        run.data.params.get("recipe_hash") == winner for run in _all_runs(searched) if "kind" not in run.data.tags
    )


@pytest.mark.parametrize("command", ["leaderboard", "search"])
def test_without_a_research_run_the_way_is_shown(tmp_path: Path, command: str) -> None:
    done = workshop(tmp_path).run(command, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["remedy"] == "algo-pipeline research --symbol BTC/USD"


def test_an_unknown_kind_is_told_with_the_nearest(compared: Workshop) -> None:
    done = compared.run("leaderboard", "--label", "direction_1h", "--model", "logistics", "--json")
    assert done.returncode == 1
    assert "Did you mean 'logistic'" in json.loads(done.stdout)["error"]["remedy"]

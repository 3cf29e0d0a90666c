"""A run that research logged is made again, handed out and checked, all through the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from algo_pipeline.common.types import Symbol
from algo_pipeline.registry.mlflow_registry import MlflowRegistry
from algo_pipeline.sources.store import BarStore
from algo_pipeline_tests.cli.ended import Ended
from algo_pipeline_tests.live_shop import exit_code
from algo_pipeline_tests.workshop import Workshop

BTC = Symbol("BTC", "USD")
STAGES = ["bars", "dataset", "parameters", "predictions", "scores", "report"]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        return Ended(exit_code(monkeypatch, *arguments), *capsys.readouterr())

    return run


def traded_run(shop: Workshop) -> str:
    return json.loads(shop.research("registered_model", "json").read_text())["content"]["run_id"]


def test_a_logged_run_is_made_again_to_the_last_bit(materialized: Workshop, call) -> None:
    with materialized.active():
        ended = call("reproduce", traded_run(materialized), "--json")
    found = json.loads(ended.out)
    assert ended.code == 0
    assert found["equal"]
    assert {stage["name"]: stage["likeness"] for stage in found["stages"]} == dict.fromkeys(STAGES, "equal")


def test_what_is_exported_holds_no_secret_and_is_verified_without_settings_or_stores(
    materialized: Workshop, call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.zip"
    with materialized.active():
        assert call("export", traded_run(materialized), "--output", str(path)).code == 0
    assert b"MARKER" not in path.read_bytes()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    ended = call("verify", str(path))
    assert (ended.code, ended.out.splitlines()[-1]) == (0, "Sound.")
    assert list(elsewhere.iterdir()) == []
    path.write_bytes(path.read_bytes().replace(b'"run_id"', b'"RUN_ID"', 1))
    assert call("verify", str(path), "--json").code == 1


def test_a_bar_that_changed_since_is_named_with_exit_code_1(materialized: Workshop, call, tmp_path: Path) -> None:
    shop = materialized.copy(tmp_path / "work")
    with shop.active() as settings:
        store = BarStore(settings.bars_dir())
        stored = store.load("simulated", BTC)
        hour = stored.bars.index[3_000]
        stored.bars.loc[hour, "close"] = stored.bars.loc[hour, "low"]
        store.save("simulated", BTC, stored)
        ended = call("reproduce", traded_run(shop))
    assert ended.code == 1
    assert f"1 changed ({hour:%Y-%m-%d %H:%M})" in ended.out
    assert "Not equal: bars differ first." in ended.out


def test_a_run_that_does_not_exist_and_misuse_are_said_so(materialized: Workshop, call) -> None:
    with materialized.active():
        unknown = call("reproduce", "0" * 32, "--json")
        assert (unknown.code, json.loads(unknown.out)["error"]["code"]) == (1, "registry")
        assert call("export").code == 2
        assert call("export", "a", "--hour", "2024-01-01").code == 2
        assert call("export", "a", "--symbol", "BTC/USD").code == 2


def test_a_run_keeps_what_it_takes_to_make_it_again(materialized: Workshop) -> None:
    run = MlflowRegistry(materialized.mlflow_uri).logged_run(traded_run(materialized))
    lineage = run.lineage()
    assert (lineage.symbol, lineage.source, lineage.n_bars) == ("BTC/USD", "simulated", len(run.fingerprints()))
    assert run.tags["report_hash"]
    assert lineage.environment["numpy"]

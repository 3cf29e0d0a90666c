"""The worked example as a user runs it: its folder, the settings, the commands; nothing of it lies in the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from algo_pipeline.common.types import Symbol
from algo_pipeline.registry.bundle import BundleStore
from algo_pipeline_tests.example_parts import MODEL, STRATEGY, copy_parts
from algo_pipeline_tests.workshop import Workshop, workshop

FEATURES = "volume_features:VolumeFeatures"
LABEL = "next_day_label:HigherNextDay"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Workshop:
    """All four parts, researched and rehearsed for an hour. Only to be read."""
    folder = copy_parts(tmp_path_factory.mktemp("own_parts") / "work")
    shop = workshop(
        folder,
        mlflow_template,
        ALGO_TRADER_SIMULATED_YEARS="4",
        ALGO_TRADER_HISTORY_START="2023-05-20",
        ALGO_TRADER_FEATURES=f"standard,{FEATURES}",
        ALGO_TRADER_LABEL=LABEL,
        ALGO_TRADER_MODEL=MODEL,
        ALGO_TRADER_STRATEGY=STRATEGY,
        ALGO_TRADER_STRATEGY_PARAMETERS='{"enter_edge": 0.03}',
        ALGO_TRADER_PROMOTION_POLICY="always",
    )
    for number, arguments in enumerate((("research", "--until", "2023-12-31"), ("rehearse", "--hours", "1"))):
        done = shop.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        (folder / f"{number}.json").write_text(done.stdout)
    return shop


def _report(made: Workshop) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((made.artifacts / "backtest" / "BTC-USD" / "report.json").read_text())
    return document


def test_the_champion_says_which_classes_made_it_and_from_which_source(made: Workshop) -> None:
    bundle = BundleStore(made.artifacts).load(Symbol("BTC", "USD"))
    assert bundle is not None
    assert bundle.recipe_document["model"]["kind"] == MODEL
    assert bundle.strategy is not None
    assert (bundle.strategy["name"], bundle.strategy["enter_edge"]) == (STRATEGY, 0.03)
    assert len(bundle.strategy["source_sha256"]) == len(bundle.recipe_document["model"]["source_sha256"]) == 64
    assert bundle.feature_names[-3:] == ("volume_share_24", "volume_trend_168", "signed_volume_24")
    assert bundle.label == "higher_next_day"


def test_the_report_tells_the_strategy_by_its_class_and_parameters(made: Workshop) -> None:
    strategy = _report(made)["trading_strategy"]
    assert (strategy["name"], strategy["risk_fraction"]) == (STRATEGY, 0.01)


def test_the_run_keeps_the_source_of_all_four(made: Workshop) -> None:
    kept = {path.name: path.read_text() for path in made.root.glob("mlruns/**/own/*.py")}
    names = ("breakout_strategy.py", "momentum_model.py", "next_day_label.py", "volume_features.py")
    assert kept == {name: (made.root / name).read_text() for name in names}


def test_an_hour_was_decided_and_is_explained_to_the_last_bit(made: Workshop) -> None:
    rehearsed = json.loads((made.root / "1.json").read_text())
    done = made.run("explain", rehearsed["first_bar"], "--json")
    assert done.returncode == 0, done.stderr
    assert "equal to the last bit" in done.stdout
    assert STRATEGY in done.stdout

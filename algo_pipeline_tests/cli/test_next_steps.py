"""What is said to be next works as it stands: in a checkout, outside of one, and over the demo's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from algo_pipeline.cli.next_steps import file_link, in_shell, ui_command
from algo_pipeline.common.config import Settings


def _settings(artifacts: str) -> Settings:
    return Settings(_env_file=None, artifacts_dir=Path(artifacts))


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("Makefile", "pyproject.toml"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_checkout_has_make_and_another_folder_the_command(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ui_command(_settings("artifacts")) == "make ui"
    assert ui_command(_settings("artifacts/demo")) == "make ui DEMO=1"
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert ui_command(_settings("artifacts")) == "algo-pipeline ui"


def test_a_command_over_the_demo_carries_its_folder() -> None:
    assert in_shell("algo-pipeline status", _settings("artifacts")) == "algo-pipeline status"
    told = in_shell("algo-pipeline status", _settings("artifacts/demo"))
    assert told == "ALGO_TRADER_ARTIFACTS_DIR=artifacts/demo .venv/bin/algo-pipeline status"


def test_a_command_over_the_demo_names_the_market_whose_bars_it_computes_from() -> None:
    demo = Settings(_env_file=None, artifacts_dir=Path("artifacts/demo"), simulated_signal_strength=0.3)
    told = in_shell("algo-pipeline explain", demo)
    market = "ALGO_TRADER_SIMULATED_SIGNAL_STRENGTH=0.3"
    assert told == f"ALGO_TRADER_ARTIFACTS_DIR=artifacts/demo {market} .venv/bin/algo-pipeline explain"


def test_a_link_to_a_file_is_whole_and_quoted(checkout: Path) -> None:
    (checkout / "my reports").mkdir()
    link = file_link(Path("my reports") / "report.html")
    assert link.startswith("file:///")
    assert link.endswith("/my%20reports/report.html")

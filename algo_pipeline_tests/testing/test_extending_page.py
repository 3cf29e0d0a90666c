"""What the page on parts of one's own shows: its tests pass, and its settings name what can be loaded."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from algo_pipeline.common.config import load_settings
from algo_pipeline.research.own_classes import load_own_classes
from algo_pipeline_tests.pages import DOCS, fences

FENCES = fences((DOCS / "extending.md").read_text("utf-8"))
TITLED = {fence.title: fence.text for fence in FENCES if fence.title}
CONTRACTS = ("TestDayPrice", "TestCalm", "TestFewDirections", "TestPatient")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A reader's folder, with the files of the page."""
    for name in [name for name in os.environ if name.startswith("ALGO_TRADER_")]:
        monkeypatch.delenv(name)
    for title, text in TITLED.items():
        (tmp_path / title).write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for title in TITLED:
        sys.modules.pop(Path(title).stem, None)


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_parts_of_the_page_pass_the_tests_that_they_inherit(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.syspath_prepend(str(folder))
    contract = getattr(importlib.import_module("test_my_parts"), name)()
    tests = [test for test in dir(contract) if test.startswith("test_")]
    assert len(tests) >= 7
    for test in tests:
        getattr(contract, test)()


def test_the_settings_of_the_page_name_what_can_be_loaded(folder: Path) -> None:
    (text,) = (fence.text for fence in FENCES if fence.text.startswith("ALGO_TRADER_FEATURES="))
    (folder / ".env").write_text(text, "utf-8")
    settings = load_settings(folder / ".env")
    assert settings.model_parameters == {"n_directions": 4}
    names = ["calm_label.py", "day_price.py", "few_directions.py", "patient_strategy.py"]
    assert [file.name for file in load_own_classes(settings)] == names

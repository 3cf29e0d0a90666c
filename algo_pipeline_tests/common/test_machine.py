"""What a result may depend on beside code and data."""

from __future__ import annotations

from pathlib import Path

from algo_pipeline.common import machine
from algo_pipeline.common.machine import environment, environment_changes


def test_the_same_program_on_the_same_machine_has_the_same_environment() -> None:
    assert environment() == environment()
    assert environment_changes(environment(), environment()) == ()


def test_a_change_of_one_module_is_told(tmp_path: Path, monkeypatch) -> None:
    package = tmp_path / "package"
    (package / "common").mkdir(parents=True)
    (package / "common" / "machine.py").write_text("a = 1\n")
    monkeypatch.setattr(machine, "__file__", str(package / "common" / "machine.py"))
    before = environment()
    (package / "other.py").write_text("")
    after = environment()
    assert environment_changes(before, after) == (f"program {before['program']} then, {after['program']} now",)


def test_what_was_not_recorded_is_no_change() -> None:
    assert environment_changes({}, environment()) == ()

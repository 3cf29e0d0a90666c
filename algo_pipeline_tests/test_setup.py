"""Setting up tells each step with its time, and each failure on the way as one cause and one remedy."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_LOCK = "small.lock"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout of the script and a lock of one package."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(_ROOT / "scripts" / "install-environment", tmp_path / "scripts")
    (tmp_path / "requirements-installer.lock").write_text("uv==0.0.0\n")
    (tmp_path / _LOCK).write_text("some-package==1.0\n")
    return tmp_path


def _fake_python(folder: Path, on_venv: str, version: str = "3.11") -> Path:
    """A Python that tells its version, and does as it is told when it is to make an environment."""
    path = folder / "fake-python"
    path.write_text(f'#!/bin/sh\nif [ "$1" = -c ]; then echo {version}; exit 0; fi\n{on_venv}\n')
    path.chmod(0o700)
    return path


def _set_up(folder: Path, python: str | Path, **changes: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", "scripts/install-environment", ".venv", _LOCK, str(python)]
    environment = {**os.environ, **changes}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def _assert_says(done: subprocess.CompletedProcess[str], cause: str, remedy: str) -> None:
    told = done.stderr.splitlines()
    assert done.returncode == 1
    assert len(told) == 2, done.stderr
    assert told[0].startswith("error: ")
    assert told[1].startswith("  try: ")
    assert cause in told[0]
    assert remedy in told[1]


def test_a_python_that_is_not_there(folder: Path) -> None:
    _assert_says(_set_up(folder, "no-such-python"), "There is no no-such-python that runs.", "make PYTHON=")


@pytest.mark.parametrize("version", ["3.9", "3.14"])
def test_another_python_than_supported(folder: Path, version: str) -> None:
    done = _set_up(folder, _fake_python(folder, "exit 0", version))
    _assert_says(done, f"Python 3.11 to 3.13 is needed, found {version}.", "make PYTHON=python3.12")


@pytest.mark.parametrize(
    ("output", "cause", "remedy"),
    [
        ("ensurepip is not available. On Debian you need python3-venv", "module venv is missing", "python3-venv"),
        ("OSError: [Errno 28] No space left on device", "no room left on the disk", "Free 3 GB"),
        ("Error: [Errno 13] Permission denied: '.venv'", "can't be written", "Make the folder writable"),
        ("Temporary failure in name resolution", "The package registry can't be reached.", "HTTPS_PROXY"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES FROM THE FILE", "not the one that small.lock names", "PIP_INDEX_URL"),
        ("something else went wrong", "something else went wrong", "make clean"),
    ],
)
def test_what_fails_on_the_way_has_one_cause_and_one_remedy(folder: Path, output: str, cause: str, remedy: str) -> None:
    done = _set_up(folder, _fake_python(folder, f'echo "{output}" >&2; exit 1'))
    assert "make the environment" in done.stdout
    _assert_says(done, cause, remedy)


def _environment_whose_programs(folder: Path, do: str) -> str:
    """The commands by which a fake Python makes an environment whose python and uv do this."""
    program = folder / "program"
    program.write_text(f"#!/bin/sh\n{do}\n")
    program.chmod(0o700)
    return "mkdir -p .venv/bin; cp program .venv/bin/python; cp program .venv/bin/uv"


def test_a_registry_that_is_out_of_reach(folder: Path) -> None:
    made = _environment_whose_programs(folder, "echo 'NewConnectionError: [Errno 111] Connection refused'; exit 1")
    done = _set_up(folder, _fake_python(folder, made))
    assert "fetch the installer" in done.stdout
    _assert_says(done, "The package registry can't be reached.", "HTTPS_PROXY")


def test_an_environment_that_does_not_run_is_made_anew(folder: Path) -> None:
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to("/nowhere/python")
    done = _set_up(folder, _fake_python(folder, "exit 1"))
    assert "remove an environment that does not run" in done.stdout
    assert not (folder / ".venv").exists()


def test_each_step_is_a_line_with_its_seconds(folder: Path) -> None:
    done = _set_up(folder, _fake_python(folder, _environment_whose_programs(folder, "exit 0")))
    assert done.returncode == 0, done.stderr
    steps = done.stdout.splitlines()[1:]
    begins = ["make the environment", "fetch the installer", "install 1 packages"]
    assert all(step.strip().startswith(begin) for step, begin in zip(steps, begins, strict=True))
    assert all(step.endswith(" s") and step.split()[-2].isdigit() for step in steps)

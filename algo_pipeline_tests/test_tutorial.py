"""docs/tutorial.md is walked from its first command to its last, and shows what a reader then sees."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from algo_pipeline_tests.live_shop import exit_code
from algo_pipeline_tests.pages import DOCS, fences

_STEPS = [fence for fence in fences((DOCS / "tutorial.md").read_text("utf-8")) if fence.language != "text"]
_URL = "http://127.0.0.1:8900"
_ELSEWHERE = (("make",), (".",), ("algo-pipeline", "ui"))
"""Commands that other tests run: the set-up, the activation of the environment, and the web UIs."""

Run = Callable[..., tuple[int, str]]


def _commands(text: str) -> list[list[str]]:
    return [shlex.split(line) for line in text.splitlines()]


@contextmanager
def _sandbox(arguments: list[str], folder: Path) -> Iterator[dict[str, str]]:
    """The tutorial's sandbox on a free port, and the settings that it prints."""
    program = [sys.executable, "-c", "from algo_pipeline.cli.main import main; main()"]
    command = [*program, *arguments[1:], "--port", "0", "--json"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["environment"]
        finally:
            process.terminate()


@pytest.fixture
def reader(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    dagster_template: Path,
    mlflow_template: Path,
) -> Run:
    """A reader's folder, in which a command is run in this process; what is empty at first is not made anew."""
    for name in [name for name in os.environ if name.startswith("ALGO_TRADER_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("ALGO_TRADER_CHALLENGER", "false")  # it takes longest, and the page shows nothing of it
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "artifacts" / "sandbox"
    shutil.copytree(dagster_template, home / "dagster", symlinks=True)
    (home / "mlruns").mkdir()
    shutil.copy(mlflow_template, home / "mlruns" / "mlflow.db")

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = exit_code(monkeypatch, *arguments)
        return code, "".join(capsys.readouterr())

    return run


def test_every_command_does_what_the_page_says(tmp_path: Path, reader: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    n_sandbox, opening = _opening()
    for line in opening[:-1]:
        monkeypatch.setenv(*line[1].split("=", 1))
    with _sandbox(opening[-1], tmp_path) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        url = environment["ALGO_TRADER_ALPACA_TRADING_URL"]
        for step in _STEPS[n_sandbox + 1 :]:
            said = "".join(_done(line, reader, url) for line in _commands(step.text))
            _assert_shown(step.output or "", said.replace(url, _URL))


def _opening() -> tuple[int, list[list[str]]]:
    """The step that starts the sandbox: its place, and its commands, settings first."""
    for number, step in enumerate(_STEPS):
        commands = _commands(step.text)
        if commands[-1][:2] == ["algo-pipeline", "sandbox"]:
            assert all(command[0] == "export" for command in commands[:-1])
            return number, commands
    raise AssertionError("the tutorial starts no sandbox")


def _done(line: list[str], reader: Run, url: str) -> str:
    """What a command says."""
    if any(line[: len(known)] == list(known) for known in _ELSEWHERE):
        return ""
    if line[0] == "curl":
        answer = requests.post(line[3].replace(_URL, url), data=line[5], timeout=10)
        assert [*line[1:3], line[4]] == ["-X", "POST", "-d"]
        assert answer.ok, answer.text
        return answer.text
    assert line[0] == "algo-pipeline", line
    code, said = reader(*line[1:])
    assert code == 0, f"{shlex.join(line)}\n{said}"
    return said


def _assert_shown(shown: str, said: str) -> None:
    """Every line that the page shows was said, in this order; ``…`` stands for what it leaves out."""
    rest = _plain(said)
    for part in filter(None, map(_plain, shown.replace("…", "\n").splitlines())):
        assert part in rest, f"the page shows {part!r}, the command says:\n{said}"
        rest = rest.split(part, 1)[1]


def _plain(text: str) -> str:
    """How it was set in columns does not matter."""
    return re.sub(r"\s+", " ", text).strip()

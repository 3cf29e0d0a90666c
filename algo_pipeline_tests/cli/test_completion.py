"""Help and completion answer at once, whatever the commands themselves have to load."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from algo_pipeline.cli.commands import COMMANDS
from algo_pipeline.cli.main import cli

_COMMAND = "import sys; sys.argv[0] = 'algo-pipeline'; from algo_pipeline.cli.main import main; main()"
_HEAVY = ("numpy", "pandas", "pydantic", "dagster", "mlflow", "sklearn", "rich")
_LOADED = "import atexit, sys; atexit.register(lambda: print(' '.join(sys.modules), file=sys.stderr)); "


def _completed(words: str, place: int, shell: str = "bash") -> tuple[list[str], set[str]]:
    """What is offered for the word at ``place``, and the modules that were loaded for it."""
    environment = {
        **os.environ,
        "_ALGO_PIPELINE_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(place),
    }
    done = subprocess.run(
        [sys.executable, "-c", _LOADED + _COMMAND], env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout.splitlines(), set(done.stderr.split())


def test_a_command_is_completed_without_loading_any_of_them() -> None:
    offered, loaded = _completed("algo-pipeline re", 1)
    assert offered == ["plain,research", "plain,resume", "plain,rehearse", "plain,replay", "plain,reproduce"]
    assert not loaded.intersection(_HEAVY)
    assert not [name for name in loaded if name.startswith("algo_pipeline.") and name.endswith(tuple(COMMANDS))]


def test_an_option_and_its_values_are_completed() -> None:
    assert _completed("algo-pipeline research --s", 2)[0] == ["plain,--source", "plain,--symbol"]
    assert _completed("algo-pipeline research --source s", 3)[0] == ["plain,simulated"]


def test_shells_that_show_help_are_given_it() -> None:
    offered, _ = _completed("algo-pipeline doc", 1, "zsh")
    assert offered == ["plain", "doctor", COMMANDS["doctor"].summary]


def test_the_help_of_all_commands_loads_none_of_them_and_fits_eighty_columns() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOADED + _COMMAND, "--help"],
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not set(done.stderr.split()).intersection(_HEAVY)
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines if line.startswith("  ") and line.split()[0] in COMMANDS] == [*COMMANDS]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_the_function_of_its_name_and_its_help_fits_eighty_columns(name: str) -> None:
    context = click.Context(cli, info_name="algo-pipeline", terminal_width=80)
    command = cli.get_command(context, name)
    assert command is not None
    assert command.name == name
    text = command.get_help(click.Context(command, parent=context, info_name=name, terminal_width=80))
    assert [line for line in text.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize(("shell", "sign"), [("bash", "complete -o"), ("zsh", "#compdef"), ("fish", "complete --no-f")])
def test_the_script_of_a_shell_is_printed_and_asks_this_program(
    shell: str, sign: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["completion", shell], prog_name="algo-pipeline", standalone_mode=False)
    script = capsys.readouterr().out
    assert sign in script
    assert "_ALGO_PIPELINE_COMPLETE=" in script


def test_bash_itself_completes_with_the_script(tmp_path: Path) -> None:
    program = tmp_path / "algo-pipeline"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{_COMMAND}" "$@"\n')
    program.chmod(0o700)
    script = (
        "set -e; source <(algo-pipeline completion bash); COMP_WORDS=(algo-pipeline lead); COMP_CWORD=1; "
        '_algo_pipeline_completion algo-pipeline; echo "${COMPREPLY[@]}"'
    )
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "leaderboard", done.stderr

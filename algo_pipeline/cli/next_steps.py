"""What to type next, exactly as it works where the reader is."""

from __future__ import annotations

import shlex
from pathlib import Path

from algo_pipeline.common.config import Settings

_DEMO = Path("artifacts/demo")


def is_demo(settings: Settings) -> bool:
    """Whether these are the settings of ``make demo``."""
    return settings.artifacts_dir == _DEMO


def ui_command(settings: Settings) -> str:
    """The command that serves the web UIs over these settings: make's in a checkout, else our own."""
    if not Path("Makefile").exists() or not Path("pyproject.toml").exists():
        return "algo-pipeline ui"
    return "make ui DEMO=1" if is_demo(settings) else "make ui"


def in_shell(command: str, settings: Settings) -> str:
    """A command with the settings that it needs to look at the demo, if these are the demo's."""
    if not is_demo(settings):
        return command
    return f"ALGO_TRADER_ARTIFACTS_DIR={shlex.quote(str(_DEMO))} .venv/bin/{command}"


def file_link(path: Path) -> str:
    """A path as terminals open it by a click."""
    return path.absolute().as_uri()

"""What to type next, exactly as it works where the reader is."""

from __future__ import annotations

import shlex
from pathlib import Path

from algo_pipeline.common.config import PREFIX, Settings

_DEMO = Path("artifacts/demo")
_MARKET = ("simulated_seed", "simulated_signal_strength", "simulated_years")


def is_demo(settings: Settings) -> bool:
    """Whether these are the settings of ``make demo``."""
    return settings.artifacts_dir == _DEMO


def ui_command(settings: Settings) -> str:
    """The command that serves the web UIs over these settings: make's in a checkout, else our own."""
    if not Path("Makefile").exists() or not Path("pyproject.toml").exists():
        return "algo-pipeline ui"
    return "make ui DEMO=1" if is_demo(settings) else "make ui"


def in_shell(command: str, settings: Settings) -> str:
    """A command with the settings that it needs to look at the demo and its market, if these are the demo's."""
    if not is_demo(settings):
        return command
    told = {name: getattr(settings, name) for name in _MARKET if _differs(settings, name)}
    needed = {"artifacts_dir": _DEMO} | told
    words = (f"{PREFIX}{name.upper()}={shlex.quote(str(value))}" for name, value in needed.items())
    return f"{' '.join(words)} .venv/bin/{command}"


def _differs(settings: Settings, name: str) -> bool:
    return bool(getattr(settings, name) != Settings.model_fields[name].default)


def file_link(path: Path) -> str:
    """A path as terminals open it by a click."""
    return path.absolute().as_uri()

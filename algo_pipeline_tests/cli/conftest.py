"""A shop that trades in a sandbox, and the command in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from algo_pipeline_tests.live_shop import LiveShop, exit_code, live_shop


class Ended(NamedTuple):
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str]:
        """What --json says of a failure."""
        return dict(self.json()["error"])


Command = Callable[..., Ended]


@pytest.fixture
def live(tmp_path: Path, dagster_template: Path) -> Iterator[LiveShop]:
    with live_shop(tmp_path / "work", dagster_template) as made:
        yield made


@pytest.fixture
def command(live: LiveShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """``algo-pipeline`` with these arguments and settings, in the shop; no traceback whatever happens."""

    def run(*arguments: str, **settings: str) -> Ended:
        capsys.readouterr()
        ended = Ended(exit_code(monkeypatch, *arguments, **settings), *capsys.readouterr())
        assert "Traceback" not in ended.out + ended.err
        return ended

    return run

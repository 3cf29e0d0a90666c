"""A shop that trades in a sandbox, and the command in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from algo_pipeline_tests.cli.ended import Command, Ended
from algo_pipeline_tests.live_shop import LiveShop, exit_code, live_shop


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

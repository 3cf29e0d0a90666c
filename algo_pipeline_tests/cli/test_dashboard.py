"""dashboard: the status of the command as a page, as files, and where it refuses to listen."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from algo_pipeline.common.storage import to_json
from algo_pipeline.dashboard.reading import BARS_OF_DECISIONS, Reader
from algo_pipeline.dashboard.view_document import view_document
from algo_pipeline_tests.cli.ended import Command, Ended
from algo_pipeline_tests.live_shop import LiveShop, exit_code, hour
from algo_pipeline_tests.workshop import workshop


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """``algo-pipeline`` in a folder where nothing was done yet."""
    (tmp_path / "work").mkdir()

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        ended = Ended(exit_code(monkeypatch, *arguments), *capsys.readouterr())
        assert "Traceback" not in ended.out + ended.err
        return ended

    with workshop(tmp_path / "work").active():
        yield run


def test_it_shows_the_status_of_the_command(live: LiveShop, command: Command) -> None:
    live.deploy()
    command("replay", "--from", hour(0).isoformat(), "--to", hour(5).isoformat())
    told = command("status", "--json", "--last", str(BARS_OF_DECISIONS)).json()
    view = Reader(live.settings).view(hour(6))
    shown = json.loads(to_json(view_document(view)))["status"]
    for own in ("broker", "next_tick"):
        del told[own], shown[own]
    assert shown == told
    assert view.time.words.startswith("The sandbox's clock shows")


def test_it_exports(plain: Command, tmp_path: Path) -> None:
    ended = plain("dashboard", "--export", str(tmp_path / "public"))
    assert ended.code == 0
    assert "index.html" in ended.out
    assert "Live trading has not started" in (tmp_path / "public" / "index.html").read_text("utf-8")


def test_a_folder_that_cannot_be_written_is_told(plain: Command, tmp_path: Path) -> None:
    (tmp_path / "public").write_text("a file")
    ended = plain("dashboard", "--export", str(tmp_path / "public"))
    assert ended.code == 2
    assert "public" in ended.err


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::", "desk.example"])  # noqa: S104
def test_other_machines_see_nothing_without_a_name(plain: Command, host: str) -> None:
    ended = plain("dashboard", "--host", host)
    assert ended.code == 2
    assert "--allowed-host" in ended.err


@pytest.mark.parametrize("name", ["*", "http://desk.example", "desk.example:8800", "a*b", "", "desk/example"])
def test_a_name_that_is_none_is_refused(plain: Command, name: str) -> None:
    ended = plain("dashboard", "--allowed-host", name)
    assert ended.code == 2
    assert "without scheme and port" in ended.err


def test_a_port_that_is_taken_is_named(plain: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = plain("dashboard", "--port", str(port))
    assert ended.code == 1
    assert f"port {port}" in ended.err
    assert "ALGO_TRADER_DASHBOARD_PORT" in ended.err

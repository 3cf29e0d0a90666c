from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from algo_pipeline.cli import services
from algo_pipeline.cli.services import Service, ServiceError, serve
from algo_pipeline.common.config import Settings
from algo_pipeline_tests.workshop import workshop

_MARK = f"child-of-services-test-{os.getpid()}"
_LISTEN = (
    "import socket, sys, signal\n"
    "server = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
    "print('listening', flush=True)\n"
    "signal.pause()"
)
_DIE = "import sys; print('no such database', flush=True); sys.exit(3)"


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    handler = signal.getsignal(signal.SIGTERM)
    with workshop(tmp_path).active() as found:
        found.artifacts_dir.mkdir(parents=True)
        (found.artifacts_dir / "logs").mkdir()
        yield found
    signal.signal(signal.SIGTERM, handler)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _python(name: str, code: str, port: int | None = None) -> Service:
    return Service(name, (sys.executable, "-c", code, str(port), _MARK), port)


def _stand_in(monkeypatch: pytest.MonkeyPatch, *stand_ins: Service) -> None:
    monkeypatch.setattr(services, "_services", lambda *_: stand_ins)


def _children() -> list[str]:
    """Command lines of the living processes that this test started, their children included."""
    lines = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with suppress(OSError):
                line = (folder / "cmdline").read_bytes()
                lines += [line.decode()] if _MARK.encode() in line else []
    return lines


def _all_gone() -> bool:
    """Whether all of them are gone; a killed process may need a moment to vanish."""
    deadline = time.monotonic() + 10.0
    while _children() and time.monotonic() < deadline:
        os.sched_yield()
    return not _children()


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("dagster-webserver", "ALGO_TRADER_DAGSTER_PORT"),
        ("mlflow", "ALGO_TRADER_MLFLOW_PORT"),
        ("dashboard", "ALGO_TRADER_DASHBOARD_PORT"),
    ],
)
def test_a_taken_port_is_named_with_the_setting_that_moves_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, setting: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        _stand_in(monkeypatch, _python("code-server", _LISTEN, _free_port()), _python(name, _LISTEN, port))
        with pytest.raises(ServiceError) as caught:
            serve(settings, settings.artifacts_dir)
    assert f"Port {port}" in caught.value.message
    assert setting in caught.value.remedy
    assert _all_gone()


def test_a_child_that_dies_while_starting_is_reported_with_its_log(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_in(
        monkeypatch,
        _python("code-server", _LISTEN, _free_port()),
        _python("mlflow", _DIE, _free_port()),
    )
    with pytest.raises(ServiceError) as caught:
        serve(settings, settings.artifacts_dir)
    log = settings.artifacts_dir / "logs" / "mlflow.log"
    assert caught.value.message == "mlflow ended with exit code 3."
    assert str(log) in caught.value.remedy
    assert log.read_text() == "no such database\n"
    assert _all_gone()


def test_a_child_that_dies_later_ends_the_others(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    _stand_in(monkeypatch, _python("code-server", _LISTEN, _free_port()), _python("dagster-daemon", _DIE))
    with pytest.raises(ServiceError, match=r"dagster-daemon ended with exit code 3"):
        serve(settings, settings.artifacts_dir)
    assert _all_gone()


def test_a_missing_program_is_a_service_error(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    _stand_in(monkeypatch, Service("mlflow", (str(settings.artifacts_dir / "no-such-program"),), None))
    with pytest.raises(ServiceError, match="no-such-program"):
        serve(settings, settings.artifacts_dir)


def test_a_missing_folder_for_logs_is_made(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    (settings.artifacts_dir / "logs").rmdir()
    _stand_in(monkeypatch, _python("dagster-daemon", _DIE))
    with pytest.raises(ServiceError, match="exit code 3"):
        serve(settings, settings.artifacts_dir)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_every_child_and_their_children(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, sent: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    child = "subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()', sys.argv[2]])"
    parent = f"import subprocess, sys\n{child}\n{_LISTEN}"
    _stand_in(
        monkeypatch,
        _python("code-server", parent, _free_port()),
        _python("mlflow", _LISTEN, _free_port()),
    )
    seen: list[list[str]] = []
    watch, require_alive = services._watch, services._require_alive

    def interrupted_watch(*arguments: Any) -> None:
        seen.append(_children())
        monkeypatch.setattr(services, "_require_alive", lambda *_: os.kill(os.getpid(), sent))
        watch(*arguments)

    monkeypatch.setattr(services, "_watch", interrupted_watch)
    serve(settings, settings.artifacts_dir)
    assert services._require_alive is not require_alive
    assert len(seen[0]) == 3
    assert _all_gone()
    assert "Stopping" in capsys.readouterr().out

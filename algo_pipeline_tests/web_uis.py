"""The web UIs of a workshop, started as a user starts them, on ports that are free."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from algo_pipeline_tests.workshop import Workshop

_NAMES = ("DAGSTER", "MLFLOW", "DASHBOARD")
_READY = "Ctrl-C"
_STOP_TIMEOUT_S = 60


@dataclass(frozen=True)
class WebUis:
    """Addresses, without a slash at the end."""

    dagster: str
    mlflow: str
    dashboard: str


@contextmanager
def web_uis(shop: Workshop) -> Iterator[WebUis]:
    """``algo-pipeline ui``, from the moment that it says it is ready; stopped whatever happens in the block."""
    ports = [_free_port() for _ in _NAMES]
    changes = {f"ALGO_TRADER_{name}_PORT": str(port) for name, port in zip(_NAMES, ports, strict=True)}
    with shop.start("ui", **changes) as process:
        try:
            _await_line(process, _READY)
            yield WebUis(*(f"http://127.0.0.1:{port}" for port in ports))
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=_STOP_TIMEOUT_S)


def _await_line(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return
    _, errors = process.communicate()
    raise AssertionError(f"algo-pipeline ui ended before it was ready: {errors}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])

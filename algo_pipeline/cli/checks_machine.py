"""What ``doctor`` looks at on this machine: disk, folders, ports."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import urllib.request
from pathlib import Path
from urllib.error import URLError

from algo_pipeline.cli.checks import Check, fail, ok, warn
from algo_pipeline.cli.services import HOST
from algo_pipeline.common.config import Settings
from algo_pipeline.common.formatting import number
from algo_pipeline.common.processes import port_owner, process_words

_SCARCE_GB, _TOO_LITTLE_GB = 2.0, 0.2
_ANSWER_S = 2.0


def disk(settings: Settings) -> Check:
    """Room for journal, bars and models."""
    free_gb = shutil.disk_usage(_existing(settings.artifacts_dir)).free / 1e9
    words = f"{number(free_gb, 1)} GB free at {settings.artifacts_dir}"
    remedy = "Free disk space, or set ALGO_TRADER_ARTIFACTS_DIR to another disk; docs/operations.md says what may go."
    if free_gb < _TOO_LITTLE_GB:
        return fail("disk", words, remedy)
    return warn("disk", words, remedy) if free_gb < _SCARCE_GB else ok("disk", words)


def artifacts_folder(settings: Settings) -> Check:
    """Whether the journal could be written."""
    folder = _existing(settings.artifacts_dir / "live")
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return fail(
            "artifacts",
            f"{folder} can't be written: {error.strerror or error}.",
            "Make the folder writable, or set ALGO_TRADER_ARTIFACTS_DIR to another one.",
        )
    return ok("artifacts", f"{settings.artifacts_dir} can be written")


def dagster_port(settings: Settings) -> Check:
    """Free, or taken by the web UI itself."""
    return _port("dagster port", settings.dagster_port, "server_info", "dagster", "ALGO_TRADER_DAGSTER_PORT")


def mlflow_port(settings: Settings) -> Check:
    """Free, or taken by MLflow itself."""
    return _port("mlflow port", settings.mlflow_port, "health", "OK", "ALGO_TRADER_MLFLOW_PORT")


def dashboard_port(settings: Settings) -> Check:
    """Free, or taken by the dashboard itself."""
    return _port("dashboard port", settings.dashboard_port, "healthz", '{"ok":', "ALGO_TRADER_DASHBOARD_PORT")


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    path = path.absolute()
    return next(each for each in (path, *path.parents) if each.exists())


def _port(name: str, port: int, page: str, sign: str, setting: str) -> Check:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(_ANSWER_S)
        if probe.connect_ex((HOST, port)) != 0:
            return ok(name, f"{port} is free")
    if sign in _page(f"http://{HOST}:{port}/{page}"):
        return ok(name, f"{port} is in use by the web UI itself")
    pid = port_owner(port)
    if pid is None:
        return warn(name, f"{port} is taken by another program.", f"Stop it, or choose another port with {setting}.")
    remedy = f"Stop it (kill {pid}), or choose another port with {setting}."
    return warn(name, f"{port} is taken by {process_words(pid)}.", remedy)


def _page(url: str) -> str:
    """What a server of this machine answers; empty if it is nothing that can be read."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_ANSWER_S) as answer:
            return str(answer.read(4096).decode(errors="replace"))
    except (URLError, OSError, ValueError):
        return ""

"""Child processes of the UI command: started in order, watched, and stopped together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import click

from algo_pipeline.common.config import Settings
from algo_pipeline.common.errors import AlgoPipelineError
from algo_pipeline.common.storage import write_text

HOST = "127.0.0.1"
_READY_TIMEOUT_S = 90.0
_STOP_TIMEOUT_S = 15.0
_POLL_S = 0.2


class ServiceError(AlgoPipelineError):
    """A web UI could not be started or died."""

    code = "service"


@dataclass(frozen=True, slots=True)
class Service:
    """One child process; ``port`` is None for one that listens nowhere."""

    name: str
    command: tuple[str, ...]
    port: int | None


def serve(settings: Settings, home: Path) -> None:
    """Start everything, print the links, and wait until a signal or a death ends it.

    Raises
    ------
    ServiceError
        If a port is taken, or a process dies or is not ready in time; its log is named.
    """
    code_port = _free_port()
    workspace = home / "workspace.yaml"
    write_text(workspace, _WORKSPACE.format(host=HOST, port=code_port))
    logs = settings.artifacts_dir / "logs"
    signal.signal(signal.SIGTERM, _interrupt)
    click.echo("Starting Dagster, MLflow and the dashboard …")
    with ExitStack() as stack:
        running = []
        for service in _services(settings, workspace, code_port):
            _require_free(service)
            process = stack.enter_context(_started(service, logs, _environment(settings)))
            running.append((service, process))
            _wait_until_ready(service, process, logs)
        click.echo("\n".join(_links(settings)))
        click.echo("Ctrl-C stops everything.")
        _watch(running, logs)


def _links(settings: Settings) -> tuple[str, ...]:
    """Where everything is, a line each, in columns."""
    # Without the parameter MLflow opens with its pages for language models.
    runs = f"http://{HOST}:{settings.mlflow_port}/#/experiments?workflowType=machine_learning"
    rows = (
        ("Dagster", f"http://{HOST}:{settings.dagster_port}/assets", "assets, runs, schedules"),
        ("MLflow", runs, "runs and models"),
        ("Dashboard", f"http://{HOST}:{settings.dashboard_port}", "the live account: equity, decisions, risk, costs"),
    )
    name_width, url_width = (max(len(row[place]) for row in rows) for place in (0, 1))
    links = (f"{name:<{name_width}}  {url:<{url_width}}  {what}" for name, url, what in rows)
    return (*links, f"{'Reports':<{name_width}}  {settings.artifacts_dir / 'backtest'}/<symbol>/report.html")


def _services(settings: Settings, workspace: Path, code_port: int) -> tuple[Service, ...]:
    python, dagster_port = sys.executable, str(settings.dagster_port)
    bin_dir = Path(python).parent
    mlflow = (
        *(str(bin_dir / "mlflow"), "server"),
        *("--host", HOST, "--port", str(settings.mlflow_port), "--workers", "1"),
        *("--artifacts-destination", _artifact_root(settings), "--allowed-hosts", "localhost:*,127.0.0.1:*"),
    )
    code = (
        *(str(bin_dir / "dagster"), "api", "grpc", "-m", "algo_pipeline.definitions", "-d", "."),
        *("-h", HOST, "-p", str(code_port)),
    )
    dashboard = (
        *(str(bin_dir / "algo-pipeline"), "dashboard"),
        *("--host", HOST, "--port", str(settings.dashboard_port)),
    )
    return (
        Service("code-server", code, code_port),
        Service("dagster-daemon", (str(bin_dir / "dagster-daemon"), "run", "-w", str(workspace)), None),
        Service(
            "dagster-webserver",
            (str(bin_dir / "dagster-webserver"), "-w", str(workspace), "-h", HOST, "-p", dagster_port),
            settings.dagster_port,
        ),
        Service("mlflow", mlflow, settings.mlflow_port),
        Service("dashboard", dashboard, settings.dashboard_port),
    )


def _artifact_root(settings: Settings) -> str:
    return settings.mlflow_artifacts().as_uri()


def _environment(settings: Settings) -> Mapping[str, str]:
    return {
        **os.environ,
        "DAGSTER_DISABLE_TELEMETRY": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Not an argument: it may hold a password, and arguments are for all to see.
        "MLFLOW_BACKEND_STORE_URI": settings.mlflow_uri(),
        # Job execution would start ten processes that nothing here uses.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


@contextmanager
def _started(service: Service, logs: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    logs.mkdir(parents=True, exist_ok=True)
    with _log_path(service, logs).open("ab") as log:
        try:
            # A session of its own: Ctrl-C reaches the command alone, which then stops its children in order.
            process = subprocess.Popen(  # noqa: S603 - our own commands
                service.command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=dict(environment),
                start_new_session=True,
            )
        except OSError as error:
            raise ServiceError(f"{service.name} could not be started: {error}.", "Run `make setup` again.") from error
        try:
            yield process
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process and its children to end, wait for it, then kill what is left of them."""
    _signal_group(process, signal.SIGTERM)
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        _signal_group(process, signal.SIGKILL)
        process.wait()
    _signal_group(process, signal.SIGKILL)


def _signal_group(process: subprocess.Popen[bytes], sent: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, sent)


def _wait_until_ready(service: Service, process: subprocess.Popen[bytes], logs: Path) -> None:
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while service.port is not None and not _is_listening(service.port):
        _require_alive(service, process, logs)
        if time.monotonic() > deadline:
            raise ServiceError(
                f"{service.name} was not ready after {_READY_TIMEOUT_S:.0f} s.", f"See {_log_path(service, logs)}."
            )
        time.sleep(_POLL_S)


def _watch(running: list[tuple[Service, subprocess.Popen[bytes]]], logs: Path) -> None:
    try:
        while True:
            for service, process in running:
                _require_alive(service, process, logs)
            time.sleep(_POLL_S)
    except KeyboardInterrupt:
        click.echo("\nStopping …")


def _require_alive(service: Service, process: subprocess.Popen[bytes], logs: Path) -> None:
    if process.poll() is not None:
        raise ServiceError(
            f"{service.name} ended with exit code {process.returncode}.", f"See {_log_path(service, logs)}."
        )


def _require_free(service: Service) -> None:
    if service.port is not None and _is_listening(service.port):
        setting = {
            "dagster-webserver": "ALGO_TRADER_DAGSTER_PORT",
            "mlflow": "ALGO_TRADER_MLFLOW_PORT",
            "dashboard": "ALGO_TRADER_DASHBOARD_PORT",
        }
        raise ServiceError(
            f"Port {service.port} of {HOST}, which {service.name} needs, is taken by another program.",
            f"Stop that program, or choose another port with {setting.get(service.name, 'the settings')}.",
        )


def _log_path(service: Service, logs: Path) -> Path:
    return logs / f"{service.name}.log"


def _is_listening(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


_WORKSPACE = """load_from:
  - grpc_server:
      host: {host}
      port: {port}
      location_name: algo_pipeline
"""

"""The services of the compose file as processes of this machine: same commands, environment and files."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from algo_pipeline_tests.deploy.compose import ROOT, ComposeService, read_compose
from algo_pipeline_tests.deploy.postgres import Postgres, running_postgres

_PORTS_IN_CONTAINERS = ("3000", "4000", "5000", "5432", "8800", "8900")
_PLACES = {
    "/app/dagster": "dagster",
    "/srv/artifacts": "artifacts",
    "/srv/mlflow": "mlflow",
    "/run/secrets": "secrets",
    "/tmp": "tmp",  # noqa: S108 - of the containers
}
_PLACE = re.compile("|".join(rf"(?<![\w.]){place}(?![\w.])" for place in _PLACES))
_CACHES = frozenset({"NUMBA_CACHE_DIR", "MPLCONFIGDIR"})  # the image's are filled when it is built; ours are warm too
_READY_S = 120.0
_POLL_S = 0.2
_CHECK_POLL_S = 1.0
_STOP_S = 20.0
_IMAGE_ENVIRONMENT = re.compile(r"^(?:ENV | {4})([A-Z_]+)=(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the paths, ports and host names of the containers lie on this machine.

    Parameters
    ----------
    root : Path
        Folder of everything that is written.
    ports : mapping
        Free ports of 127.0.0.1 by the port in the container.
    settings : mapping
        What a person writes into ``.env``.
    """

    root: Path
    ports: Mapping[str, int]
    settings: Mapping[str, str]

    def native(self, text: str) -> str:
        """The same text with the paths, host names and ports of this machine."""
        text = _PLACE.sub(lambda found: f"{self.root / _PLACES[found[0]]}", text)
        text = re.sub(r"http://mlflow:", "http://127.0.0.1:", text)
        text = re.sub(r"host: code-server", "host: 127.0.0.1", text).replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        ports = "|".join(self.ports)
        return re.sub(rf"(?<!\d)({ports})(?!\d)", lambda found: str(self.ports[found[0]]), text)

    def native_settings(self) -> dict[str, str]:
        """The settings with the ports of this machine."""
        return {name: self.native(value) for name, value in self.settings.items()}

    def url(self, container_port: str) -> str:
        """Root of what a container serves."""
        return f"http://127.0.0.1:{self.ports[container_port]}"


@dataclass
class Fleet:
    """The running processes by the name of their service."""

    ground: Ground
    postgres: Postgres
    services: Mapping[str, ComposeService]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, *names: str) -> None:
        """Start services side by side, and wait until the file's own health checks say that they are healthy."""
        for name in names:
            self._launch(name)
        deadline = time.monotonic() + _READY_S
        for name in names:
            # A check costs a second of processor time: first wait for the port, which costs none.
            self._wait_until(lambda name=name: self._is_listening(name), name, deadline, _POLL_S)
            self._wait_until(lambda name=name: self.is_healthy(name), name, deadline, _CHECK_POLL_S)

    def _wait_until(self, condition: Callable[[], bool], name: str, deadline: float, poll_s: float) -> None:
        while not condition():
            assert self.processes[name].poll() is None, f"{name} ended: {self.tail(name)}"
            assert time.monotonic() < deadline, f"{name} is not healthy: {self.tail(name)}"
            time.sleep(poll_s)

    def _is_listening(self, name: str) -> bool:
        """Whether a service answers at its port; one without a port needs a moment, and no more is known of it."""
        command = self.services[name].command
        ports = [self.ground.ports[part] for part in command if part in self.ground.ports]
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            return all(probe.connect_ex(("127.0.0.1", port)) == 0 for port in ports)

    def _launch(self, name: str) -> None:
        self.log(name).parent.mkdir(exist_ok=True)
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                _entry(self.ground.native(part) for part in self.services[name].command),
                env=self.environment(name),
                cwd=self.ground.root / "work",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a container is killed with everything in it
            )

    def is_healthy(self, name: str) -> bool:
        """What the file's health check says."""
        done = self._exec(name, *(self.ground.native(part) for part in self.services[name].health_check))
        return done.returncode == 0

    def exec(self, name: str, *command: str) -> str:
        """What ``docker compose exec`` prints of a command in the container of a service; it has to succeed."""
        done = self._exec(name, *command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _exec(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            _program(command),
            env=self.environment(name),
            cwd=self.ground.root / "work",
            capture_output=True,
            text=True,
            check=False,
        )

    def kill(self, name: str) -> None:
        """End a service and all that it started at once, as when its container is killed."""
        self._end(name, signal.SIGKILL)

    def stop(self, name: str) -> None:
        """Ask a service to end, as ``docker compose stop`` does."""
        self._end(name, signal.SIGTERM)

    def _end(self, name: str, sent: signal.Signals) -> None:
        process = self.processes.pop(name)
        with suppress(ProcessLookupError):
            if sent == signal.SIGKILL:
                os.killpg(process.pid, sent)
            else:
                process.send_signal(sent)
        try:
            process.wait(_STOP_S)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def pids(self) -> list[int]:
        """Every process of every service: a service's processes share its session."""
        sessions = {process.pid for process in self.processes.values()}
        found = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
        return [pid for pid in found if _session(pid) in sessions]

    def environment(self, name: str) -> dict[str, str]:
        """The whole environment of a service: the image's, the settings' and the file's own."""
        service = self.services[name]
        own = {key: self.ground.native(str(value)) for key, value in service.environment.items()}
        settings = self.ground.native_settings() if "env_file" in service.document else {}
        image = {key: self.ground.native(value) for key, value in image_environment().items() if key not in _CACHES}
        return {"LANG": "C.UTF-8"} | image | {"PATH": f"{_bin()}{os.pathsep}/usr/bin:/bin"} | settings | own

    def log(self, name: str) -> Path:
        """Where its output goes."""
        return self.ground.root / "logs" / f"{name}.log"

    def tail(self, name: str) -> str:
        """The end of its output."""
        return self.log(name).read_text()[-3000:]


def image_environment() -> dict[str, str]:
    """What the image's last stage puts into the environment."""
    stage = (ROOT / "deploy" / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    return dict(_IMAGE_ENVIRONMENT.findall(stage))


@contextmanager
def fleet(root: Path, settings: Mapping[str, str]) -> Iterator[Fleet]:
    """A database server, and nothing else yet; whatever is started from it ends with the block."""
    ground = Ground(root, dict(zip(_PORTS_IN_CONTAINERS, free_ports(len(_PORTS_IN_CONTAINERS)), strict=True)), settings)
    for name in ("artifacts", "mlflow", "dagster", "tmp", "work"):
        (root / name).mkdir()
    for name in ("dagster.yaml", "workspace.yaml"):
        text = (ROOT / "deploy" / name).read_text()
        (root / "dagster" / name).write_text(ground.native(text))
    with running_postgres(ground.ports["5432"]) as postgres, ExitStack() as stack:
        shutil.copytree(postgres.secrets, root / "secrets")
        made = Fleet(ground, postgres, read_compose())
        stack.callback(_stop_all, made)
        yield made


def _stop_all(made: Fleet) -> None:
    for name in reversed(list(made.processes)):
        made.kill(name)


def free_ports(n: int) -> list[int]:
    """So many ports of 127.0.0.1 that nobody listens on."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(n)]
        return [int(probe.getsockname()[1]) for probe in probes]


def _bin() -> Path:
    return Path(sys.executable).parent


def _session(pid: int) -> int | None:
    """Of a process; None of one that has ended."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def _entry(command: Iterator[str]) -> list[str]:
    """The command behind the image's entry point."""
    return ["/bin/sh", str(ROOT / "deploy" / "entrypoint.sh"), *_program(command)]


def _program(command: Iterator[str] | tuple[str, ...] | list[str]) -> list[str]:
    name, *arguments = command
    return [str(_bin() / name), *arguments]

"""A PostgreSQL of Debian's on a free port of 127.0.0.1, prepared by the script that the image would run."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from algo_pipeline_tests.deploy.compose import ROOT, read_compose
from algo_pipeline_tests.services import required_program

PACKAGE = "postgresql"
_WAIT_S = "60"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server.

    Parameters
    ----------
    port : int
        On 127.0.0.1.
    secrets : Path
        Folder as ``deploy/make-secrets`` made it, its service files pointing here.
    programs : Path
        Folder of ``psql``, ``pg_dump`` and so on.
    """

    port: int
    secrets: Path
    programs: Path

    def service_file(self, name: str) -> Path:
        """Where a client finds host, role and password of ``dagster`` or ``mlflow``."""
        return self.secrets / f"{name}_database"

    def query(self, name: str, sql: str) -> list[str]:
        """Rows of a query in the database of ``dagster`` or ``mlflow``, columns joined by ``|``."""
        environment = {**os.environ, "PGSERVICEFILE": str(self.service_file(name))}
        command = [str(self.programs / "psql"), f"service={name}", "--tuples-only", "--no-align", "--command", sql]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.split("\n")[:-1]


@contextmanager
def running_postgres(port: int) -> Iterator[Postgres]:
    """Make a data folder, start the server and stop it at the end; skips where PostgreSQL is not installed."""
    programs = required_program("initdb", PACKAGE).resolve().parent
    # Not below pytest's folder: that is closed to the user whom the server runs as.
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        secrets = make_secrets(root / "secrets", port)
        shutil.chown(root, _user()) if _user() else None
        environment = read_compose()["postgres"].environment
        _as_server(
            [str(programs / "initdb"), "--pgdata", str(root / "data"), "--username", environment["POSTGRES_USER"],
             "--no-sync", "--auth-local=trust", "--encoding=UTF8", *environment["POSTGRES_INITDB_ARGS"].split()]
        )  # fmt: skip
        options = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={root} -c fsync=off"
        control = [str(programs / "pg_ctl"), "--pgdata", str(root / "data"), "--silent", "--wait", "--timeout", _WAIT_S]
        _as_server([*control, "--log", str(root / "server.log"), "--options", options, "start"])
        try:
            _make_databases(environment, root, port, programs)
            yield Postgres(port, secrets, programs)
        finally:
            _as_server([*control, "--mode", "immediate", "stop"])


def make_secrets(folder: Path, port: int) -> Path:
    """Passwords as a deployment makes them, for a server on a port of this machine."""
    subprocess.run([str(ROOT / "deploy" / "make-secrets"), str(folder)], check=True, capture_output=True)
    for path in folder.glob("*_database"):
        text = path.read_text()
        path.write_text(text.replace("host=postgres\n", "host=127.0.0.1\n").replace("port=5432\n", f"port={port}\n"))
    return folder


def _make_databases(environment: Mapping[str, str], root: Path, port: int, programs: Path) -> None:
    """Run the script of the deployment as the image does: over the server's socket."""
    given = {
        **os.environ,
        **environment,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PGHOST": str(root),
        "PGPORT": str(port),
        "SECRETS_DIR": str(root / "secrets"),
    }
    script = [str(ROOT / "deploy" / "postgres" / "databases.sh")]
    subprocess.run(script, env=given, check=True, capture_output=True)


def _user() -> str | None:
    """Whom the server runs as: PostgreSQL refuses the superuser; None is whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _as_server(command: list[str]) -> None:
    # Output goes nowhere: the server keeps what it inherits open.
    subprocess.run(
        command, user=_user(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        check=True, cwd="/", extra_groups=[] if _user() else None,
    )  # fmt: skip

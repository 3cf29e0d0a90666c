"""A real dagster-daemon and gRPC code server over a trading floor, started as ``algo-pipeline ui`` starts them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from algo_pipeline.cli import services
from algo_pipeline.cli.services import HOST, Service
from algo_pipeline.common.storage import write_text
from algo_pipeline_tests.proofs.stamps import STAMPS
from algo_pipeline_tests.proofs.trading_floor import TradingFloor

_MODULE = "algo_pipeline_tests.proofs.bench_definitions"
_ROOT = Path(__file__).parents[2]


@contextmanager
def daemon_and_code_server(floor: TradingFloor) -> Iterator[Path]:
    """Both run while the block lasts, on the bench's definitions; yields the file of time stamps."""
    home, stamps, logs = floor.root / "dagster", floor.root / "stamps.jsonl", floor.root / "logs"
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").symlink_to(_ROOT / "dagster.yaml")
    port = services._free_port()
    workspace = home / "workspace.yaml"
    write_text(workspace, services._WORKSPACE.format(host=HOST, port=port))
    environment = _environment(floor, stamps)
    with ExitStack() as stack:
        for service in _services(workspace, port):
            process = stack.enter_context(services._started(service, logs, environment))
            services._wait_until_ready(service, process, logs)
        yield stamps


def _services(workspace: Path, port: int) -> tuple[Service, ...]:
    programs = Path(sys.executable).parent
    where = ("-d", str(_ROOT), "-h", HOST, "-p", str(port))
    code = (str(programs / "dagster"), "api", "grpc", "-m", _MODULE, *where)
    daemon = (str(programs / "dagster-daemon"), "run", "-w", str(workspace))
    return Service("code-server", code, port), Service("dagster-daemon", daemon, None)


def _environment(floor: TradingFloor, stamps: Path) -> Mapping[str, str]:
    """As on a machine whose second start finds Python's compiled files, whatever this process was told about them."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    python = {"PYTHONPATH": str(_ROOT), "PYTHONPYCACHEPREFIX": str(floor.root / "pycache")}
    telemetry = {"DAGSTER_DISABLE_TELEMETRY": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
    return {**inherited, **floor.environment(), **telemetry, **python, STAMPS: str(stamps)}

"""A folder in which the whole pipeline works for a test: its own artifacts, Dagster home and MLflow store."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from algo_pipeline.common.config import Settings, load_settings

UNTIL = "2020-09-07T00:00Z"
N_BARS = 6_000
"""Hours from 2020-01-01 to ``UNTIL``."""
_COMMAND = "from algo_pipeline.cli.main import main; main()"


@dataclass(frozen=True)
class Workshop:
    """Where a pipeline works and the settings it works with."""

    root: Path
    environment: Mapping[str, str]

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def mlflow_db(self) -> Path:
        return self.root / "mlruns" / "mlflow.db"

    @property
    def mlflow_uri(self) -> str:
        return f"sqlite:///{self.mlflow_db}"

    def research(self, name: str, extension: str) -> Path:
        """A stored asset of BTC/USD on simulated bars."""
        return self.artifacts / "research" / "simulated" / name / f"BTC-USD.{extension}"

    @contextmanager
    def active(self) -> Iterator[Settings]:
        """This process works here: its settings in the environment and the folder current, all put back after."""
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("ALGO_TRADER_")]:
                patch.delenv(name)
            patch.setenv("DAGSTER_HOME", str(self.artifacts / "dagster"))
            for name, value in self.environment.items():
                patch.setenv(name, value)
            patch.chdir(self.root)
            yield load_settings(env_file=None)

    def start(self, *arguments: str, **changes: str) -> subprocess.Popen[str]:
        """Start ``algo-pipeline`` here in a process of its own."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("ALGO_TRADER_")}
        return subprocess.Popen(
            [sys.executable, "-c", _COMMAND, *arguments],
            cwd=self.root,
            env={**inherited, **self.environment, **changes},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run ``algo-pipeline`` here to its end."""
        with self.start(*arguments, **changes) as process:
            out, err = process.communicate(timeout=200)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def copy(self, root: Path) -> Workshop:
        """The same at another place, on which a test may work."""
        shutil.copytree(self.root, root, dirs_exist_ok=True, symlinks=True)
        _move_mlflow(root / "mlruns" / "mlflow.db", str(self.root), str(root))
        return workshop(root, None, **{key: value for key, value in self.environment.items() if key not in _PLACES})


_PLACES = ("ALGO_TRADER_ARTIFACTS_DIR", "ALGO_TRADER_MLFLOW_TRACKING_URI", "DAGSTER_HOME")


def workshop(root: Path, mlflow_template: Path | None = None, **settings: str) -> Workshop:
    """A workshop in ``root``: one year of simulated BTC/USD, two folds, no challenger unless asked for."""
    environment = {
        "ALGO_TRADER_ARTIFACTS_DIR": str(root / "artifacts"),
        "ALGO_TRADER_MLFLOW_TRACKING_URI": f"sqlite:///{root / 'mlruns' / 'mlflow.db'}",
        "DAGSTER_HOME": str(root / "artifacts" / "dagster"),
        "ALGO_TRADER_SYMBOLS": "BTC/USD",
        "ALGO_TRADER_DATA_SOURCE": "simulated",
        "ALGO_TRADER_SIMULATED_YEARS": "1",
        "ALGO_TRADER_SIMULATED_SIGNAL_STRENGTH": "0.3",
        "ALGO_TRADER_N_FOLDS": "2",
        "ALGO_TRADER_CHALLENGER": "false",
        "DAGSTER_DISABLE_TELEMETRY": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **settings,
    }
    if mlflow_template is not None:
        (root / "mlruns").mkdir(parents=True, exist_ok=True)
        shutil.copy(mlflow_template, root / "mlruns" / "mlflow.db")
    return Workshop(root, environment)


def fingerprints(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below ``folder``; locks, which hold nothing, are left out."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def _move_mlflow(path: Path, old: str, new: str) -> None:
    """Let the addresses in MLflow's database point below ``new``."""
    with closing(sqlite3.connect(path)) as database, database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for _, column, kind, *_ in database.execute(f"PRAGMA table_info({table})").fetchall():
                if kind.upper().startswith(("VARCHAR", "TEXT")):
                    database.execute(
                        f"UPDATE {table} SET {column} = replace({column}, ?, ?) WHERE {column} LIKE ?",  # noqa: S608
                        (old, new, f"%{old}%"),
                    )

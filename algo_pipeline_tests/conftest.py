"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from algo_pipeline_tests.workshop import UNTIL, Workshop, workshop

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler.loadscope import LoadScopeScheduling

_DEFAULT_BARS_DIR = Path(__file__).parents[2] / "shared" / "data"
_LONGEST = ("browser", "deploy", "proofs")
"""Folders whose tests take longest: they start first, so that no worker waits for another at the end."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, folder by folder, in whatever order they were shuffled into."""
    place = {name: number for number, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: place.get(item.path.parent.name, len(place)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Several workers: the tests of a module run in one of them, for they share what it made; a browser's world too."""
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class ByModule(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = Path(nodeid.split("::", 1)[0])
            return path.parent.name if path.parent.name == "browser" else str(path)

    return ByModule(config, log)


@pytest.fixture(autouse=True)
def settings_left_as_found() -> Iterator[None]:
    """No test may leave a setting to those after it, which run in any order."""
    before = _settings()
    yield
    assert _settings() == before


def _settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("ALGO_TRADER_")}


@pytest.fixture(scope="session")
def real_bars() -> Callable[[str], pd.DataFrame]:
    """Loader of real hourly bars by name (``BTCUSDT``); skips where the folder of test bars is absent."""
    folder = Path(os.environ.get("TEST_BARS_DIR", _DEFAULT_BARS_DIR))

    def load(name: str) -> pd.DataFrame:
        path = folder / f"{name}_1h.parquet"
        if not path.exists():
            pytest.skip(f"real bars are not available: set TEST_BARS_DIR to the folder that holds {path.name}")
        bars = pd.read_parquet(path).set_index("timestamp")
        bars.index = bars.index.as_unit("ns")
        return bars

    return load


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database: making one takes seconds, copying it none."""
    from algo_pipeline.registry.mlflow_registry import MlflowRegistry

    path = tmp_path_factory.mktemp("mlflow_template") / "mlflow.db"
    MlflowRegistry(f"sqlite:///{path}").alias_version("nothing", "nobody")
    return path


@pytest.fixture(scope="session")
def dagster_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty Dagster home: making one takes seconds, copying it none."""
    from algo_pipeline.defs.instance import open_instance

    made = workshop(tmp_path_factory.mktemp("dagster_template"))
    with made.active() as settings, open_instance(settings):
        return made.artifacts / "dagster"


@pytest.fixture(scope="session")
def documentation_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation as a site, built without a warning. Only to be read."""
    folder = tmp_path_factory.mktemp("documentation_site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=Path(__file__).parents[1],
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


SECRETS = {
    "ALGO_TRADER_ALPACA_API_KEY": "MARKERkey71c9",
    "ALGO_TRADER_ALPACA_SECRET_KEY": "MARKERsecret8d2e",
    "ALGO_TRADER_ALERT_URLS": "https://hooks.example/MARKERalert5f0a",
}


@pytest.fixture(scope="session")
def materialized(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Workshop:
    """The whole graph, challenger included, run once from the shell with secrets set. Only to be read, or copied."""
    made = workshop(tmp_path_factory.mktemp("pipeline"), mlflow_template, **SECRETS, ALGO_TRADER_CHALLENGER="true")
    done = made.run("research", "--until", UNTIL, "--json")
    (made.root / "stdout.json").write_text(done.stdout)
    (made.root / "stderr.txt").write_text(done.stderr)
    assert done.returncode == 0, done.stderr + done.stdout
    return made

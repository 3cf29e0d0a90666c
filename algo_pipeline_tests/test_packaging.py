"""The wheel holds all that the program needs outside of its checkout, and says what it is."""

from __future__ import annotations

import email.message
import email.parser
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[1]
_PROJECT: dict[str, Any] = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
_BUILD = "import setuptools.build_meta as build, sys; build.build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a wheel is built from, without anything else that lies about in a checkout."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(_ROOT / name, source)
    shutil.copytree(_ROOT / "algo_pipeline", source / "algo_pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    return source


@pytest.fixture(scope="module")
def unpacked(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel as an installer unpacks it."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-c", _BUILD, folder], check=False, cwd=source, capture_output=True, text=True, timeout=100
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def metadata(unpacked: Path) -> email.message.Message:
    (path,) = unpacked.glob("*.dist-info/METADATA")
    return email.parser.Parser().parsestr(path.read_text(encoding="utf-8"))


def _run(unpacked: Path, folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ALGO_TRADER_", "DAGSTER"))}
    environment = {**inherited, "PYTHONPATH": str(unpacked), "ALGO_TRADER_DATA_SOURCE": "simulated"}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=100
    )


def test_it_holds_the_package_and_nothing_else(source: Path, unpacked: Path) -> None:
    files = (path for path in unpacked.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    made = {path.relative_to(unpacked).as_posix() for path in files}  # other tests run from there
    wanted = {path.relative_to(source).as_posix() for path in (source / "algo_pipeline").rglob("*") if path.is_file()}
    assert {name for name in made if ".dist-info/" not in name} == wanted
    assert {"algo_pipeline/py.typed", "algo_pipeline/defs/dagster.yaml"} <= made


def test_it_carries_its_licence(unpacked: Path, metadata: email.message.Message) -> None:
    (licence,) = unpacked.glob("*.dist-info/licenses/LICENSE")
    assert "Apache License" in licence.read_text()
    assert (metadata["License-Expression"], metadata["Version"]) == ("Apache-2.0", _PROJECT["version"])


def test_its_version_is_the_newest_of_the_changelog() -> None:
    headings = [line for line in (_ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## [")]
    assert headings[0] == "## [Unreleased]"
    assert headings[1].startswith(f"## [{_PROJECT['version']}] - ")


def test_outside_of_the_checkout_the_command_runs_from_the_wheel(unpacked: Path, tmp_path: Path) -> None:
    code = "import algo_pipeline, sys; print(algo_pipeline.__file__, file=sys.stderr); "
    done = _run(unpacked, tmp_path, f"{code}from algo_pipeline.cli.main import main; main()", "doctor", "--json")
    assert Path(done.stderr.splitlines()[0]).is_relative_to(unpacked)
    assert {check["name"] for check in json.loads(done.stdout)["checks"]} >= {"settings", "python", "schedule"}


def test_outside_of_the_checkout_dagster_has_its_settings(unpacked: Path, tmp_path: Path) -> None:
    code = (
        "from algo_pipeline.common.config import load_settings\n"
        "from algo_pipeline.defs.instance import open_instance\n"
        "with open_instance(load_settings()) as instance: print(instance.run_retries_enabled)"
    )
    done = _run(unpacked, tmp_path, code)
    assert done.stdout.strip() == "True", done.stderr
    settings = tmp_path / "artifacts" / "dagster" / "dagster.yaml"
    assert settings.resolve() == (unpacked / "algo_pipeline" / "defs" / "dagster.yaml").resolve()


def test_the_repository_has_dagsters_settings_once() -> None:
    assert (_ROOT / "dagster.yaml").resolve() == _ROOT / "algo_pipeline" / "defs" / "dagster.yaml"

"""Rules that the image's recipe keeps; what its steps do was tried by running them, which a test has no network for."""

from __future__ import annotations

import re
import shlex
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

from algo_pipeline_tests.deploy.compose import ROOT, read_compose

_DOCKERFILE = ROOT / "deploy" / "Dockerfile"
_ENTRY = ROOT / "deploy" / "entrypoint.sh"


def _instructions() -> list[tuple[str, str]]:
    """Every instruction and its argument, continued lines joined, comments left out."""
    kept = "\n".join(line for line in _DOCKERFILE.read_text().splitlines() if not line.startswith("#"))
    lines = re.sub(r"\\\n\s*", "", kept).splitlines()
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines if line.strip()]


def _arguments(name: str) -> list[str]:
    return [argument for instruction, argument in _instructions() if instruction == name]


def _ignored(path: str) -> bool:
    """Whether ``.dockerignore`` keeps a path of the repository out of the build; the last rule that fits decides."""
    out = False
    for rule in (ROOT / ".dockerignore").read_text().splitlines():
        if rule and not rule.startswith("#"):
            pattern = rule.removeprefix("!")
            if fnmatch(path, pattern) or path == pattern or path.startswith(f"{pattern}/"):
                out = not rule.startswith("!")
    return out


def test_both_stages_start_from_one_pinned_python_that_the_project_supports() -> None:
    images = {argument.split(" ")[0] for argument in _arguments("FROM")}
    assert len(images) == 1
    assert re.fullmatch(r"python:3\.1[123]\.\d+-slim-bookworm", images.pop())


def test_the_image_ends_as_a_numbered_user_without_rights_the_one_of_compose() -> None:
    assert _arguments("USER")[-1] == "10001:10001"
    assert {service.document["user"] for service in read_compose().values() if service.is_ours} == {"10001:10001"}


def test_everything_that_is_installed_is_known_by_its_hash() -> None:
    installs = [step for step in _arguments("RUN") if "pip install" in step]
    assert installs
    assert all("--require-hashes" in step or "--no-index" in step for step in installs)


def test_the_image_is_not_built_with_what_only_developers_need() -> None:
    assert not [name for name in ("ADD", "ARG", "MAINTAINER", "VOLUME") if _arguments(name)]
    assert not [step for step in _arguments("RUN") if re.search(r"\b(sudo|curl|wget|git)\b", step)]
    assert "python -m venv --without-pip /app/venv" in _arguments("RUN")
    assert [argument for argument in _arguments("COPY") if "--from" in argument] == ["--from=build /app /app"]


def test_packages_of_the_system_leave_no_lists_behind() -> None:
    [step] = [step for step in _arguments("RUN") if "apt-get" in step]
    assert "--no-install-recommends" in step
    assert step.endswith("rm -rf /var/lib/apt/lists/*")


def test_commands_are_executed_without_a_shell_between() -> None:
    assert all(argument.startswith("[") for name in ("ENTRYPOINT", "CMD") for argument in _arguments(name))
    assert _ENTRY.read_text().rstrip().endswith('exec "$@"')


def test_what_is_copied_exists_and_is_part_of_the_build() -> None:
    for argument in _arguments("COPY"):
        if "--from" in argument:
            continue
        *sources, _ = [word for word in shlex.split(argument) if not word.startswith("--")]
        for source in sources:
            assert (ROOT / source).exists()
            assert not _ignored(source)


@pytest.mark.parametrize("path", [".env", "artifacts/live/state.json", "mlruns/mlflow.db", "deploy/secrets/proxy_key"])
def test_keys_and_data_of_this_machine_stay_out_of_the_image(path: str) -> None:
    assert _ignored(path)


def test_no_secret_is_baked_in() -> None:
    assert not [argument for argument in _arguments("ENV") if re.search("PASSWORD|SECRET|TOKEN|API_KEY", argument)]


def test_the_entry_point_fills_the_cache_of_kernels_once_and_hands_over(tmp_path: Path) -> None:
    kernels, cache = tmp_path / "kernels", tmp_path / "cache"
    kernels.mkdir()
    (kernels / "compiled").write_text("machine code")
    script = _ENTRY.read_text().replace("/app/kernels", str(kernels))
    environment = {"NUMBA_CACHE_DIR": str(cache), "PATH": "/usr/bin:/bin"}
    for _ in range(2):
        shell = ["/bin/sh", "-c", script, "entrypoint.sh", "echo", "two words", "three"]
        done = subprocess.run(shell, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout == "two words three\n"
    assert [path.name for path in cache.iterdir()] == ["compiled"]


def test_passwords_are_made_once_and_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make = [str(ROOT / "deploy" / "make-secrets"), str(folder)]
    subprocess.run(make, check=True, capture_output=True)
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(made) == {"postgres_password", "dagster_database", "mlflow_database"}
    assert folder.stat().st_mode & 0o077 == 0
    passwords = [re.findall(r"[0-9a-f]{48}$", text.strip()) for text in made.values()]
    assert len({found[0] for found in passwords}) == 3
    subprocess.run(make, check=True, capture_output=True)
    assert {path.name: path.read_text() for path in folder.iterdir()} == made

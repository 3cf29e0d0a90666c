"""A program that is missing skips a test, or fails it where everything has to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from algo_pipeline_tests import services
from algo_pipeline_tests.services import REQUIRED, required_program

MISSING = "a-program-that-nobody-has"


def _program(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_program_on_the_search_path_is_found(tmp_path, monkeypatch):
    expected = _program(tmp_path / "bin" / "browser")
    monkeypatch.setenv("PATH", str(expected.parent))
    assert required_program("browser", "chromium") == expected


def test_the_newest_postgresql_is_found_off_the_search_path(tmp_path, monkeypatch):
    _program(tmp_path / "9.6" / "bin" / "dbserver")
    expected = _program(tmp_path / "15" / "bin" / "dbserver")
    monkeypatch.setattr(services, "_DEBIAN_POSTGRESQL", tmp_path)
    assert required_program("dbserver", "postgresql") == expected


@pytest.mark.parametrize("value", [None, "", "0"])
def test_a_missing_program_skips_the_test_and_names_the_package(monkeypatch, value):
    monkeypatch.delenv(REQUIRED, raising=False)
    if value is not None:
        monkeypatch.setenv(REQUIRED, value)
    with pytest.raises(pytest.skip.Exception, match="apt-get install some-package"):
        required_program(MISSING, "some-package")


def test_a_missing_program_is_a_failure_where_it_is_required(monkeypatch):
    monkeypatch.setenv(REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="apt-get install some-package"):
        required_program(MISSING, "some-package")

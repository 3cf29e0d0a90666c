"""Programs of the machine that some tests drive: a browser, a database."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

REQUIRED = "REQUIRE_SERVICES"
"""Environment variable: set to 1 where everything has to be tested, a missing program is a failure."""
_DEBIAN_POSTGRESQL = Path("/usr/lib/postgresql")


def required_program(name: str, package: str) -> Path:
    """Where a program is; a test that needs one that is missing is skipped.

    Parameters
    ----------
    name : str
        Of the program. Those of PostgreSQL's server, which Debian keeps off the search path, are found too.
    package : str
        The Debian package that brings it, for the reason.

    Raises
    ------
    pytest.skip.Exception
        If it is missing.
    pytest.fail.Exception
        If it is missing and ``REQUIRE_SERVICES`` is set.
    """
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *_server_folders()]))
    if found:
        return Path(found)
    reason = f"{name} is not installed (Debian and Ubuntu: apt-get install {package})"
    if os.environ.get(REQUIRED, "") not in ("", "0"):
        pytest.fail(f"{reason}, and {REQUIRED} asks for it.", pytrace=False)
    pytest.skip(reason)


def _server_folders() -> list[str]:
    """Folders of PostgreSQL's programs, the newest version first."""
    folders = _DEBIAN_POSTGRESQL.glob("*/bin")
    return [str(folder) for folder in sorted(folders, key=lambda folder: float(folder.parent.name), reverse=True)]

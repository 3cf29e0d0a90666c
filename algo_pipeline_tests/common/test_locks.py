from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from algo_pipeline.common.errors import BusyError, StorageError
from algo_pipeline.common.locks import file_lock

_HOLD = """
import sys
from pathlib import Path
from algo_pipeline.common.locks import file_lock
with file_lock(Path(sys.argv[1]), "x", 0.0):
    print("held", flush=True)
    sys.stdin.read()
"""


def _holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lock_that_another_process_holds_is_refused_and_its_death_releases_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / ".lock"
    process = _holder(path)
    try:
        with pytest.raises(BusyError, match=r"Another run .*\.lock"), file_lock(path, "Another run", 0.0):
            pass
    finally:
        process.kill()
        process.wait()
    with file_lock(path, "Another run", 0.0):
        assert path.exists()


def test_the_lock_is_free_after_its_context_and_after_an_error_in_it(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with pytest.raises(ValueError, match="inside"), file_lock(path, "x", 0.0):
        raise ValueError("inside")
    with file_lock(path, "x", 0.0):
        pass


def test_a_lock_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="ALGO_TRADER_ARTIFACTS_DIR"), file_lock(tmp_path / "file" / "x", "x", 0.0):
        pass

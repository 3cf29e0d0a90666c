"""Who listens on a port and who holds a lock, as Linux tells it."""

from __future__ import annotations

import fcntl
import os
import socket
import sys
from pathlib import Path

import pytest

from algo_pipeline.common.processes import lock_holders, port_owner, process_words

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux has /proc")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - a test's own socket
def test_a_listener_is_found_and_a_closed_port_has_none(host: str) -> None:
    with socket.create_server((host, 0)) as listener:
        port = listener.getsockname()[1]
        assert port_owner(port) == os.getpid()
    assert port_owner(port) is None


def test_who_only_connects_owns_no_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as caller:
        assert port_owner(caller.getsockname()[1]) is None


def test_locks_of_both_kinds_name_their_holder_once_until_they_are_released(tmp_path: Path) -> None:
    path, other = tmp_path / "a.lock", tmp_path / "b.lock"
    other.touch()
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        fcntl.lockf(file, fcntl.LOCK_EX)
        assert lock_holders([path, tmp_path / "none.lock"]) == (os.getpid(),)
        assert lock_holders([other]) == ()
    assert lock_holders([path]) == ()


def test_a_process_is_named_by_its_command_without_folders() -> None:
    words = process_words(os.getpid())
    assert words.startswith(f"process {os.getpid()} (")
    assert Path(sys.executable).name.split("3")[0] in words
    assert "/" not in words.split(" (")[1].split(" ")[0]


def test_a_process_that_has_ended_is_told_by_its_number() -> None:
    assert process_words(2**22 + 1) == f"process {2**22 + 1}"

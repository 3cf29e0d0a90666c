from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from algo_pipeline.common.errors import StorageError
from algo_pipeline.live.files import DiskFiles


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is synced, in order: ``file`` or ``folder``."""
    order: list[str] = []

    def fsync(descriptor: int) -> None:
        order.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")

    monkeypatch.setattr(os, "fsync", fsync)
    return order


def test_a_file_that_is_absent_is_empty(tmp_path: Path) -> None:
    files = DiskFiles()
    assert (files.size(tmp_path / "none"), files.read(tmp_path / "none", 5, 9)) == (0, b"")


def test_pieces_are_read_by_their_offsets(tmp_path: Path) -> None:
    files, path = DiskFiles(), tmp_path / "live" / "file"
    files.append(path, b"abc")
    files.append(path, b"defg")
    assert (files.size(path), files.read(path)) == (7, b"abcdefg")
    assert (files.read(path, 2), files.read(path, 2, 4), files.read(path, 9)) == (b"cdefg", b"cd", b"")
    files.truncate(path, 4)
    assert files.read(path) == b"abcd"


def test_the_name_of_a_new_file_is_synced_with_it_and_only_once(tmp_path: Path, synced: list[str]) -> None:
    files, path = DiskFiles(), tmp_path / "file"
    for _ in range(3):
        files.append(path, b"line")
        files.sync(path)
    assert synced == ["file", "folder", "file", "file"]


def test_the_name_of_a_file_that_another_process_made_is_synced_too(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "file").write_bytes(b"line")
    DiskFiles().sync(tmp_path / "file")
    assert synced == ["file", "folder"]


def test_a_file_that_was_moved_away_and_made_again_has_its_name_synced_again(tmp_path: Path, synced: list[str]) -> None:
    files, path = DiskFiles(), tmp_path / "file"
    files.append(path, b"line")
    files.sync(path)
    path.rename(tmp_path / "away")
    files.append(path, b"line")
    files.sync(path)
    assert synced == ["file", "folder", "file", "folder"]


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    files, path = DiskFiles(), tmp_path / "live" / "state.json"
    for content in (b"a long first content", b"short"):
        files.replace(path, content)
        assert path.read_bytes() == content
    assert [each.name for each in path.parent.iterdir()] == ["state.json"]


def test_a_replacement_that_failed_leaves_the_old_content(tmp_path: Path) -> None:
    files, path = DiskFiles(), tmp_path / "state.json"
    files.replace(path, b"old")
    (tmp_path / ".state.json.tmp").mkdir()
    with pytest.raises(StorageError, match=r"state\.json could not be written"):
        files.replace(path, b"new")
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("verb", ["size", "read", "append", "sync", "truncate"])
def test_every_failure_names_the_file(tmp_path: Path, verb: str) -> None:
    (tmp_path / "live").write_text("a file in the way")
    path = tmp_path / "live" / "file"
    arguments = {"append": (b"line",), "truncate": (0,)}.get(verb, ())
    with pytest.raises(StorageError, match=r"live/file could not be (read|written): ") as caught:
        getattr(DiskFiles(), verb)(path, *arguments)
    assert caught.value.remedy

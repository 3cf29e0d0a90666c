"""An audit file is the same bytes for the same content, and anything that is none of ours is refused."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from algo_pipeline.common.audit_archive import MANIFEST, read_archive, write_archive
from algo_pipeline.common.errors import CorruptFileError, StorageError

FILES = {"b.txt": b"two", "a/one.json": b"{}"}


def written(path: Path) -> Path:
    write_archive(path, "run", {"run_id": "r"}, {"numpy": "2"}, FILES)
    return path


def rezipped(path: Path, members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def members(path: Path) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def test_the_same_content_gives_the_same_bytes_in_whatever_order_and_at_whatever_time(tmp_path):
    one = write_archive(tmp_path / "1.zip", "run", {"run_id": "r"}, {}, FILES)
    two = write_archive(tmp_path / "2.zip", "run", {"run_id": "r"}, {}, dict(reversed(FILES.items())))
    assert one == two
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_what_was_written_is_read_back(tmp_path):
    found = read_archive(written(tmp_path / "a.zip"))
    assert (found.kind, found.subject, found.environment) == ("run", {"run_id": "r"}, {"numpy": "2"})
    assert found.files == FILES
    assert found.problems == {}


def test_changed_missing_and_added_files_are_named(tmp_path):
    whole = dict(members(written(tmp_path / "a.zip")))
    changed = rezipped(tmp_path / "c.zip", list({**whole, "b.txt": b"too"}.items()))
    assert read_archive(changed).problems == {"b.txt": "does not match its hash"}
    missing = rezipped(tmp_path / "m.zip", [(n, d) for n, d in whole.items() if n != "b.txt"])
    assert read_archive(missing).problems == {"b.txt": "is listed, but not there"}
    added = rezipped(tmp_path / "x.zip", [*whole.items(), ("more.txt", b"")])
    assert read_archive(added).problems == {"more.txt": "is there, but not listed"}


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/../../up", "a\\..\\up", "C:/x", "a//b", ".hidden", "é"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    path = rezipped(tmp_path / "t.zip", [*members(written(tmp_path / "a.zip")), (name, b"x")])
    with pytest.raises(CorruptFileError, match="has a member named"):
        read_archive(path)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = rezipped(tmp_path / "b.zip", [("zeros", bytes(50_000_000))], zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    with pytest.raises(CorruptFileError, match="compressed or encrypted member, zeros"):
        read_archive(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path):
    path = rezipped(tmp_path / "d.zip", [*members(written(tmp_path / "a.zip")), ("b.txt", b"two")])
    with pytest.raises(CorruptFileError, match="two members named"):
        read_archive(path)


def test_more_members_than_such_a_file_has_are_refused(tmp_path):
    path = rezipped(tmp_path / "n.zip", [(f"f{n}", b"") for n in range(1_001)])
    with pytest.raises(CorruptFileError, match="1,001 members"):
        read_archive(path)


@pytest.mark.parametrize("length", [0, 10, 200, -30, -1])
def test_a_truncated_file_is_refused(tmp_path, length):
    path = written(tmp_path / "a.zip")
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CorruptFileError, match="is damaged"):
        read_archive(path)


def test_a_flipped_byte_is_refused_or_named(tmp_path):
    path = written(tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    data[data.index(b"two")] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(CorruptFileError, match=r"b\.txt"):  # the zip's own checksum
        read_archive(path)


@pytest.mark.parametrize(
    "manifest",
    [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, json.dumps({"format": "other", "format_version": 1}).encode()],
    ids=["empty", "list", "no keys", "no text", "deep", "foreign"],
)
def test_a_manifest_that_is_none_is_refused(tmp_path, manifest):
    with pytest.raises(CorruptFileError):
        read_archive(rezipped(tmp_path / "f.zip", [(MANIFEST, manifest)]))


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(StorageError, match="could not be read"):
        read_archive(tmp_path / "none.zip")


def test_a_zip_of_a_version_that_is_not_read_is_refused(tmp_path):
    path = written(tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 6] = 99  # the version that the first member of the directory asks for
    path.write_bytes(bytes(data))
    with pytest.raises(CorruptFileError, match="is damaged: zip file version"):
        read_archive(path)

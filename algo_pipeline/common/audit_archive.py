"""One file that holds evidence: a zip with a manifest of hashes, the same bytes for the same content on every machine.

Members are stored, never compressed: nothing can swell while it is read, and no version of a compressor changes a
byte. Members are read into memory; nothing is ever unpacked to the disk.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from algo_pipeline.common.errors import CorruptFileError
from algo_pipeline.common.storage import read_bytes, to_json, write_bytes

MANIFEST = "manifest.json"
FORMAT = "algo-pipeline audit"
FORMAT_VERSION = 1
MAX_BYTES = 1 << 30
MAX_MEMBERS = 1_000
_DATE = (1980, 1, 1, 0, 0, 0)
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")
_REMEDY = "Export it again, or ask for an undamaged copy."


@dataclass(frozen=True, slots=True)
class AuditArchive:
    """What an audit file holds.

    Attributes
    ----------
    kind : str
        ``run`` or ``hour``.
    subject : mapping
        What it is about.
    environment : mapping of str to str
        Versions and machine that made it.
    files : mapping of str to bytes
        By name; the manifest is none of them.
    problems : mapping of str to str
        Files that are not what the manifest says, by name.
    """

    kind: str
    subject: Mapping[str, Any]
    environment: Mapping[str, str]
    files: Mapping[str, bytes]
    problems: Mapping[str, str]


def write_archive(
    path: Path, kind: str, subject: Mapping[str, Any], environment: Mapping[str, str], files: Mapping[str, bytes]
) -> str:
    """Write an audit file atomically; its SHA-256.

    Raises
    ------
    StorageError
        If it can't be written.
    """
    listed = {name: {"bytes": len(files[name]), "sha256": _sha256(files[name])} for name in sorted(files)}
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "subject": dict(subject),
        "environment": dict(environment),
        "files": listed,
    }
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in [(MANIFEST, to_json(manifest).encode()), *((name, files[name]) for name in sorted(files))]:
            member = zipfile.ZipInfo(name, _DATE)
            member.create_system, member.external_attr = 3, 0o644 << 16
            archive.writestr(member, data)
    data = buffer.getvalue()
    write_bytes(path, data)
    return _sha256(data)


def read_archive(path: Path) -> AuditArchive:
    """Read an audit file, trusting nothing in it.

    Raises
    ------
    CorruptFileError
        If it is no audit file of ours, is damaged, or has members that such a file never has.
    StorageError
        If it can't be read.
    """
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise _corrupt(path, f"has {path.stat().st_size:,} bytes; at most {MAX_BYTES:,} are expected")
    members = _members(path, read_bytes(path))
    manifest = _manifest(path, members)
    files = {name: data for name, data in members.items() if name != MANIFEST}
    return AuditArchive(
        manifest["kind"], manifest["subject"], manifest["environment"], files, _problems(manifest["files"], files)
    )


def _members(path: Path, data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            infos = archive.infolist()
            _require_plain(path, infos, len(data))
            return {info.filename: archive.read(info) for info in infos}
    # Made-up headers end zipfile in more than BadZipFile: offsets beyond any file, names that are no text, and (as a
    # RuntimeError) versions of the format that it does not read.
    except (zipfile.BadZipFile, EOFError, RuntimeError, ValueError, OverflowError) as error:
        raise _corrupt(path, f"is damaged: {error}") from error


def _require_plain(path: Path, infos: list[zipfile.ZipInfo], n_bytes: int) -> None:
    """Refuse names that lead elsewhere, compression, encryption, and sizes that the file can't hold."""
    if len(infos) > MAX_MEMBERS:
        raise _corrupt(path, f"has {len(infos):,} members; at most {MAX_MEMBERS:,} are expected")
    seen: set[str] = set()
    for info in infos:
        if _NAME.fullmatch(info.filename) is None:
            raise _corrupt(path, f"has a member named {info.filename!r}, which no audit file has")
        if info.filename in seen:
            raise _corrupt(path, f"has two members named {info.filename}")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1 or info.file_size != info.compress_size:
            raise _corrupt(path, f"has a compressed or encrypted member, {info.filename}; such a file has none")
        seen.add(info.filename)
    if sum(info.file_size for info in infos) > n_bytes:
        raise _corrupt(path, "has members larger than itself")


def _manifest(path: Path, members: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        manifest = json.loads(members[MANIFEST])
        known = (manifest["format"], manifest["format_version"])
        is_whole = (
            isinstance(manifest["kind"], str)
            and all(isinstance(manifest[name], dict) for name in ("subject", "environment", "files"))
            and all({"bytes", "sha256"} == set(entry) for entry in manifest["files"].values())
        )
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise _corrupt(path, f"has no readable {MANIFEST}") from error
    if known != (FORMAT, FORMAT_VERSION) or not is_whole:
        raise _corrupt(path, f"is not of the format {FORMAT!r}, version {FORMAT_VERSION}")
    return dict(manifest)


def _problems(listed: Mapping[str, Mapping[str, Any]], files: Mapping[str, bytes]) -> dict[str, str]:
    problems = {name: "is listed, but not there" for name in listed if name not in files}
    for name, data in files.items():
        if name not in listed:
            problems[name] = "is there, but not listed"
        elif (listed[name]["bytes"], listed[name]["sha256"]) != (len(data), _sha256(data)):
            problems[name] = "does not match its hash"
    return problems


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _corrupt(path: Path, what: str) -> CorruptFileError:
    return CorruptFileError(f"{path} {what}.", _REMEDY)

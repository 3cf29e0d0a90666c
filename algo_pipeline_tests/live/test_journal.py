from __future__ import annotations

import dataclasses
import hashlib
import json
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import ConfigValueError, CorruptFileError, StorageError
from algo_pipeline.common.types import Symbol
from algo_pipeline.live.events import DETAIL_KEYS, Entry, Event
from algo_pipeline.live.files import DiskFiles
from algo_pipeline.live.journal import Journal
from algo_pipeline_tests.live.disk import CrashingFiles, RefusingFiles, SimulatedCrash
from algo_pipeline_tests.live.lines import BTC, HOUR, decision, halt, hour, intent, mark, one_of_each, random_entries

AT = pd.Timestamp("2024-01-01T01:00:05.250Z")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


def torn_path(folder: Path) -> Path:
    return folder / "decisions.jsonl.torn"


class TestLines:
    def test_a_line_has_its_keys_in_order(self, journal: Journal) -> None:
        journal.append([decision()], AT)
        document = json.loads(journal.path.read_bytes())
        assert list(document) == [
            *("timestamp", "symbol", "event", "signal", "prob", "action", "order_id", "details"),
            *("at", "seq", "previous"),
        ]
        assert document | {"details": None} == {
            "timestamp": "2024-01-01T00:00:00+00:00",
            "symbol": "BTC/USD",
            "event": "decision",
            "signal": "LONG",
            "prob": 0.61,
            "action": "enter",
            "order_id": None,
            "details": None,
            "at": "2024-01-01T01:00:05.250000+00:00",
            "seq": 1,
            "previous": "0" * 64,
        }

    def test_each_line_carries_the_hash_of_the_bytes_of_the_line_before(self, journal: Journal) -> None:
        journal.append([mark(0), decision(0)], AT)
        journal.append([mark(1)], AT)
        texts = journal.path.read_bytes().split(b"\n")
        previous = [json.loads(text)["previous"] for text in texts[:3]]
        assert previous == ["0" * 64, *(hashlib.sha256(text).hexdigest() for text in texts[:2])]
        assert texts[3] == b""

    def test_what_append_returns_is_what_is_read(self, journal: Journal) -> None:
        returned = journal.append(one_of_each(), AT)
        assert journal.read() == returned == Journal(journal.path.parent).read()
        assert [line.event for line in returned] == [entry.event for entry in one_of_each()]
        assert [line.seq for line in returned] == list(range(1, 15))
        assert returned[-1].end == journal.path.stat().st_size

    def test_there_is_one_of_each_event_in_these_tests(self) -> None:
        assert {entry.event for entry in one_of_each()} == set(Event) == set(DETAIL_KEYS)

    def test_reading_starts_at_the_end_of_any_line(self, journal: Journal) -> None:
        lines = journal.append(one_of_each(), AT)
        for position, line in enumerate(lines):
            assert journal.read(line.end) == lines[position + 1 :]

    def test_reading_inside_a_line_is_refused(self, journal: Journal) -> None:
        (line,) = journal.append([mark()], AT)
        with pytest.raises(ConfigValueError, match="ends at byte 7"):
            journal.read(7)
        with pytest.raises(ConfigValueError, match="ends at byte"):
            journal.read(line.end + 1)

    def test_an_absent_journal_has_no_lines_and_reading_makes_no_file(self, journal: Journal, tmp_path: Path) -> None:
        assert journal.read() == ()
        assert journal.verify() == 0
        assert list(tmp_path.iterdir()) == []

    def test_nothing_to_append_writes_nothing(self, journal: Journal, tmp_path: Path) -> None:
        assert journal.append([], AT) == ()
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("sign", ["\u2028", "\u0085", "\x0b", "\x1c", "\r", "\n", "\r\n", "\x00", "\udc80"])
    def test_a_reason_with_any_sign_stays_one_line(self, journal: Journal, sign: str) -> None:
        entry = dataclasses.replace(halt(), details={**halt().details, "reason": f"first{sign}second"})
        journal.append([entry, mark()], AT)
        assert journal.path.read_bytes().count(b"\n") == 2
        assert journal.read()[0].details["reason"] == f"first{sign}second"

    def test_amounts_are_plain_digits_and_what_is_undefined_is_null(self, journal: Journal) -> None:
        details = {
            **mark().details,
            "equity": np.float64(1.5),
            "cash": Decimal("1E-7"),
            "holdings": {BTC: Decimal("0.10")},
            "broker_equity": float("nan"),
            "more": {"at": hour(0), "all": (np.int64(3), True, None)},
        }
        entry = Entry(hour(0), Event.MARK, prob=float("nan"), details=details)
        (line,) = journal.append([entry], AT)
        assert line.prob is None
        assert line.details["broker_equity"] is None
        assert (line.details["equity"], line.details["cash"]) == (1.5, "0.0000001")
        assert line.details["holdings"] == {"BTC/USD": "0.10"}
        assert line.details["more"] == {"at": "2024-01-01T00:00:00+00:00", "all": [3, True, None]}

    def test_an_entry_that_lacks_a_detail_or_could_not_be_read_back_is_refused_before_anything_is_written(
        self, journal: Journal
    ) -> None:
        incomplete = Entry(hour(0), Event.HALT, details={"number": 1, "reason": "x"})
        unreadable = dataclasses.replace(mark(), details={**mark().details, "equity": float("nan")})
        undefined = dataclasses.replace(mark(), details={**mark().details, "cash": Decimal("NaN")})
        strange = Entry(hour(0), Event.HALT, details={"number": {1}, "reason": "x", "flatten": False})
        naive = Entry(pd.Timestamp("2024-01-01"), Event.HALT, details=halt().details)
        for entry in (incomplete, unreadable, undefined, strange, naive):
            with pytest.raises(ConfigValueError):
                journal.append([mark(), entry], AT)
        assert journal.read() == ()
        journal.append([mark()], AT)
        assert journal.verify() == 1

    def test_times_in_another_zone_are_written_in_utc(self, journal: Journal) -> None:
        entry = dataclasses.replace(mark(), timestamp=pd.Timestamp("2024-01-01T02:00+02:00"))
        (line,) = journal.append([entry], AT)
        assert str(line.timestamp) == "2024-01-01 00:00:00+00:00"

    @given(st.lists(st.lists(random_entries, max_size=4), max_size=6))
    @settings(max_examples=50, deadline=None)
    def test_any_entries_in_any_batches_make_one_chain(
        self, tmp_path_factory: pytest.TempPathFactory, batches: list[list[Entry]]
    ) -> None:
        folder = tmp_path_factory.mktemp("journal")
        returned = [line for batch in batches for line in Journal(folder, CrashingFiles()).append(batch, AT)]
        assert list(Journal(folder).read()) == returned
        assert Journal(folder).verify() == sum(map(len, batches))


class TestDurability:
    def test_a_batch_is_one_write_and_is_synced_before_append_returns(self, tmp_path: Path) -> None:
        files = CrashingFiles()
        Journal(tmp_path, files).append(one_of_each(), AT)
        assert files.calls == [("append", "decisions.jsonl"), ("sync", "decisions.jsonl")]

    def test_what_a_dead_process_wrote_is_synced_before_it_is_built_upon(self, tmp_path: Path) -> None:
        with pytest.raises(SimulatedCrash):
            Journal(tmp_path, CrashingFiles(at=0, after=True)).append([intent()], AT)
        files = CrashingFiles()
        Journal(tmp_path, files).append([mark()], AT)
        assert [verb for verb, _ in files.calls] == ["sync", "append", "sync"]

    @pytest.mark.parametrize("after", [False, True])
    def test_a_crash_at_any_step_leaves_all_lines_of_a_batch_or_none(self, tmp_path: Path, after: bool) -> None:
        for step in range(2):
            folder = tmp_path / str(step)
            before = Journal(folder).append([mark(), decision()], AT)
            with pytest.raises(SimulatedCrash):
                Journal(folder, CrashingFiles(at=step + 1, after=after)).append([mark(1), decision(1)], AT)
            assert len(Journal(folder).read()) - len(before) in (0, 2)
            Journal(folder).append([mark(2)], AT)
            assert Journal(folder).verify() in (3, 5)
            assert not torn_path(folder).exists()

    def test_a_batch_torn_at_any_byte_leaves_its_whole_lines_and_the_rest_is_set_aside(self, tmp_path: Path) -> None:
        clean = Journal(tmp_path / "clean")
        clean.append([mark()], AT)
        clean.append([decision(1), intent(1)], AT)
        first, second, third = clean.path.read_bytes().splitlines(keepends=True)
        for n_bytes in range(0, len(second + third), 7):
            folder = tmp_path / "torn" / str(n_bytes)
            Journal(folder, CrashingFiles()).append([mark()], AT)
            crashing = CrashingFiles(at=1, torn_bytes=n_bytes)
            with pytest.raises(SimulatedCrash):
                Journal(folder, crashing).append([decision(1), intent(1)], AT)
            n_lines = 1 if n_bytes < len(second) else 2
            assert len(Journal(folder).read()) == n_lines
            rest = [decision(1), intent(1)][n_lines - 1 :]
            Journal(folder, CrashingFiles()).append(rest, AT)
            assert (folder / "decisions.jsonl").read_bytes() == first + second + third
            torn = (second + third)[:n_bytes][0 if n_lines == 1 else len(second) :]
            assert (torn_path(folder).read_bytes() if torn else b"\n") == torn + b"\n"

    def test_every_incomplete_last_line_is_none(self, journal: Journal) -> None:
        journal.append([mark(), decision()], AT)
        content = journal.path.read_bytes()
        first = content.index(b"\n") + 1
        for size in range(first, len(content)):
            journal.path.write_bytes(content[:size])
            assert len(journal.read()) == 1

    def test_a_crash_while_a_torn_line_is_moved_loses_nothing(self, tmp_path: Path) -> None:
        for step in range(5):
            for after in (False, True):
                folder = tmp_path / f"{step}-{after}"
                journal = Journal(folder)
                journal.append([mark()], AT)
                with journal.path.open("ab") as file:
                    file.write(b'{"timestamp": "2024')
                with pytest.raises(SimulatedCrash):
                    Journal(folder, CrashingFiles(at=step, after=after)).append([mark(1)], AT)
                Journal(folder).append([mark(2)], AT)
                assert Journal(folder).verify() in (2, 3)
                assert torn_path(folder).read_bytes().startswith(b'{"timestamp": "2024\n')

    def test_a_second_torn_line_is_added_to_the_first(self, journal: Journal, tmp_path: Path) -> None:
        for torn in (b"{one", b"{two"):
            journal.append([mark()], AT)
            with journal.path.open("ab") as file:
                file.write(torn)
        assert journal.set_torn_line_aside()
        assert not journal.set_torn_line_aside()
        assert torn_path(tmp_path).read_bytes() == b"{one\n{two\n"
        assert journal.verify() == 2

    def test_reading_passes_over_a_torn_line_and_touches_no_file(self, journal: Journal, tmp_path: Path) -> None:
        lines = journal.append([mark(), decision()], AT)
        with journal.path.open("ab") as file:
            file.write(b'{"timestamp"')
        content = journal.path.read_bytes()
        assert journal.read() == lines
        assert journal.path.read_bytes() == content
        assert not torn_path(tmp_path).exists()

    @pytest.mark.parametrize(
        "end",
        [
            b"\x00" * 700,
            b'{"timestamp": "20' + b"\x00" * 5000,
            b"\x00" * 20_000 + b"\n",
            b'{"a"' + b"\x00" * 90 + b"}\n",
            b"\n",
        ],
    )
    def test_what_a_power_cut_leaves_at_the_end_is_torn(self, journal: Journal, tmp_path: Path, end: bytes) -> None:
        lines = journal.append([mark(), decision()], AT)
        with journal.path.open("ab") as file:
            file.write(end)
        assert journal.read() == lines
        Journal(tmp_path).append([intent()], AT)
        assert journal.verify() == 3
        assert torn_path(tmp_path).read_bytes() == end + b"\n"

    def test_a_whole_line_without_its_newline_is_torn(self, journal: Journal, tmp_path: Path) -> None:
        journal.append([mark()], AT)
        second = journal.append([intent()], AT)
        journal.path.write_bytes(journal.path.read_bytes()[:-1])
        assert len(journal.read()) == 1
        assert Journal(tmp_path).append([intent()], AT) == second
        assert torn_path(tmp_path).exists()

    def test_a_journal_that_is_nothing_but_a_torn_line_starts_anew(self, journal: Journal) -> None:
        journal.path.write_bytes(b'{"timestamp": ')
        (line,) = journal.append([mark()], AT)
        assert (line.seq, line.previous) == (1, "0" * 64)
        assert journal.verify() == 1

    def test_lines_longer_than_a_piece_of_reading_are_found(self, journal: Journal, tmp_path: Path) -> None:
        long = dataclasses.replace(halt(), details={**halt().details, "reason": "x" * 200_000})
        journal.append([mark(), long], AT)
        with journal.path.open("ab") as file:
            file.write(b"y" * 50_000)
        Journal(tmp_path).append([mark()], AT)
        assert Journal(tmp_path).verify() == 3

    def test_lines_of_another_process_are_continued(self, journal: Journal, tmp_path: Path) -> None:
        journal.append([mark()], AT)
        Journal(tmp_path).append([halt()], AT)
        (line,) = journal.append([mark(1)], AT)
        assert line.seq == 3
        assert journal.verify() == 3


class TestRefusedByTheDisk:
    def test_a_full_disk_is_a_storage_error_that_names_the_file_and_leaves_the_journal_as_it_was(
        self, journal: Journal
    ) -> None:
        lines = journal.append([mark()], AT)
        with file_size_limit(lines[0].end + 100), pytest.raises(StorageError, match=r"decisions\.jsonl could not"):
            journal.append([decision(), intent()], AT)
        assert journal.path.stat().st_size == lines[0].end
        journal.append([intent()], AT)
        assert journal.verify() == 2

    def test_lines_that_could_not_be_synced_are_taken_back(self, tmp_path: Path) -> None:
        files = RefusingFiles()
        journal = Journal(tmp_path, files)
        lines = journal.append([mark()], AT)
        files.refused = {"sync"}
        with pytest.raises(StorageError, match="Input/output"):
            journal.append([intent()], AT)
        files.refused = set()
        assert journal.read() == lines
        journal.append([halt()], AT)
        assert journal.verify() == 2

    def test_lines_that_could_neither_be_synced_nor_taken_back_are_continued(self, tmp_path: Path) -> None:
        files = RefusingFiles()
        journal = Journal(tmp_path, files)
        journal.append([mark()], AT)
        files.refused = {"sync", "truncate"}
        with pytest.raises(StorageError, match="Input/output"):
            journal.append([intent()], AT)
        files.refused = set()
        (line,) = journal.append([halt()], AT)
        assert (line.seq, journal.verify()) == (3, 3)

    @pytest.mark.parametrize("in_the_way", ["live", "live/decisions.jsonl"])
    def test_a_place_that_cant_be_written_is_a_storage_error(self, tmp_path: Path, in_the_way: str) -> None:
        if in_the_way == "live":
            (tmp_path / "live").write_text("a file in the way")
        else:
            (tmp_path / in_the_way).mkdir(parents=True)
        with pytest.raises(StorageError, match=r"decisions\.jsonl") as caught:
            Journal(tmp_path / "live").append([mark()], AT)
        assert caught.value.remedy


class TestDamage:
    @pytest.fixture
    def texts(self, journal: Journal) -> list[bytes]:
        journal.append([mark(), decision(), intent(), mark(1)], AT)
        return journal.path.read_bytes().splitlines(keepends=True)

    @pytest.mark.parametrize(
        ("found", "put"),
        [
            (b'"action": "enter"', b'"action": "none"'),
            (b"0.61", b"0.62"),
            (b'"event": "decision"', b'"event": "decisive"'),
            (b'"symbol": "BTC/USD"', b'"symbol": "BTC USD"'),
            (b'"symbol"', b'"Symbol"'),
            (b"+00:00", b""),
            (b"{", b"["),
            (b'"seq": 2', b'"seq": "2"'),
            (b'"seq": 2', b'"seq": 3'),
            (b"LONG", b"L\xffNG"),
            (b"LONG", b"L\x00NG"),
        ],
    )
    def test_a_changed_line_is_an_error_with_file_line_and_way_out(
        self, journal: Journal, texts: list[bytes], found: bytes, put: bytes
    ) -> None:
        assert found in texts[1]
        texts[1] = texts[1].replace(found, put, 1)
        journal.path.write_bytes(b"".join(texts))
        with pytest.raises(CorruptFileError, match=r"Line [23] of .*decisions\.jsonl is damaged") as caught:
            journal.verify()
        assert "resume --adopt --reason" in caught.value.remedy
        assert "move it away" in caught.value.remedy

    @pytest.mark.parametrize(
        ("kept", "bad"),
        [([1, 2, 3], 1), ([0, 2, 3], 2), ([0, 1, 3], 3), ([0, 2, 1, 3], 2), ([0, 0, 1], 2), ([0, 1, 2, 3, 3], 5)],
    )
    def test_a_removed_moved_or_repeated_line_is_named(
        self, journal: Journal, texts: list[bytes], kept: list[int], bad: int
    ) -> None:
        journal.path.write_bytes(b"".join(texts[position] for position in kept))
        with pytest.raises(CorruptFileError, match=f"Line {bad} "):
            journal.read()

    @pytest.mark.parametrize("hole", [b"", b"\n", b"\x00" * 512 + b"\n"])
    def test_a_hole_in_the_middle_is_damage_not_a_torn_line(
        self, journal: Journal, texts: list[bytes], hole: bytes
    ) -> None:
        half = len(texts[1]) // 2
        journal.path.write_bytes(texts[0] + texts[1][:half] + hole + texts[2] + texts[3])
        with pytest.raises(CorruptFileError, match="Line 2 "):
            journal.read()

    def test_the_part_that_is_read_must_continue_the_line_before_it(self, journal: Journal, texts: list[bytes]) -> None:
        changed = texts[1].replace(b"enter", b"enteR")
        journal.path.write_bytes(texts[0] + changed + texts[2] + texts[3])
        with pytest.raises(CorruptFileError, match="Line 3 "):
            journal.read(len(texts[0] + changed))

    def test_damage_is_never_repaired(self, journal: Journal, texts: list[bytes], tmp_path: Path) -> None:
        damaged = texts[0] + texts[2] + texts[3]
        journal.path.write_bytes(damaged)
        for _ in range(2):
            with pytest.raises(CorruptFileError):
                Journal(tmp_path).verify()
        assert journal.path.read_bytes() == damaged
        assert not torn_path(tmp_path).exists()

    @pytest.mark.parametrize("end", [b"\xff\xfe\n", b"{}\n", b'{"timestamp": "2024"\n', b"a\x00b\n"])
    def test_a_last_line_that_was_changed_is_damage_not_a_torn_line(
        self, journal: Journal, texts: list[bytes], tmp_path: Path, end: bytes
    ) -> None:
        damaged = b"".join(texts) + end
        journal.path.write_bytes(damaged)
        with pytest.raises(CorruptFileError, match="Line 5 "):
            journal.read()
        with pytest.raises(CorruptFileError, match=r"decisions\.jsonl is damaged: its last line"):
            Journal(tmp_path).append([mark(5)], AT)
        assert journal.path.read_bytes() == damaged

    @given(position=st.integers(0, 10**6), value=st.integers(0, 255))
    @settings(max_examples=200, deadline=None)
    def test_no_changed_byte_before_the_last_line_goes_unnoticed(
        self, tmp_path_factory: pytest.TempPathFactory, position: int, value: int
    ) -> None:
        journal = Journal(tmp_path_factory.mktemp("journal"), CrashingFiles())
        journal.append([mark(), decision(), intent()], AT)
        content = bytearray(journal.path.read_bytes())
        position %= len(b"".join(bytes(content).splitlines(keepends=True)[:2]))
        if content[position] == value:
            return
        content[position] = value
        journal.path.write_bytes(content)
        with pytest.raises(CorruptFileError, match=r"Line [123] "):
            journal.verify()


def test_hash_at_is_that_of_the_line_which_ends_there(journal: Journal) -> None:
    lines = journal.append([mark(), decision(), intent()], AT + HOUR)
    assert journal.hash_at(0) == "0" * 64
    assert [journal.hash_at(line.end) for line in lines] == [line.sha256 for line in lines]
    assert [journal.hash_at(line.end - 1) for line in lines] == [None] * 3
    assert journal.hash_at(lines[-1].end + 1) is None


def test_only_the_end_of_a_long_journal_is_read_to_append(tmp_path: Path) -> None:
    Journal(tmp_path).append([mark(number) for number in range(2000)], AT)
    files = CrashingFiles()
    Journal(tmp_path, files).append([mark()], AT)
    assert files.bytes_read < 100_000 < DiskFiles().size(tmp_path / "decisions.jsonl")


def test_symbols_are_read_as_symbols(journal: Journal) -> None:
    journal.append([decision(), mark()], AT)
    assert [line.symbol for line in journal.read()] == [Symbol("BTC", "USD"), None]


@contextmanager
def file_size_limit(n_bytes: int) -> Iterator[None]:
    """Let every file of this process end at ``n_bytes``: the kernel then writes short, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)

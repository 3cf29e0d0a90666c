from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from algo_pipeline.common.errors import CorruptFileError, StorageError
from algo_pipeline.common.storage import json_hash
from algo_pipeline.registry.ledger import PromotionLedger
from algo_pipeline_tests.registry.samples import entry


@pytest.fixture
def ledger(tmp_path: Path) -> PromotionLedger:
    return PromotionLedger(tmp_path)


def test_an_absent_ledger_has_no_lines(ledger: PromotionLedger) -> None:
    assert ledger.lines() == []
    assert not ledger.path.exists()


def test_each_line_carries_its_own_hash_and_that_of_the_line_before(ledger: PromotionLedger) -> None:
    for version in "123":
        ledger.append(entry(version))
    first, second, third = (json.loads(text) for text in ledger.path.read_text().splitlines())
    assert (first["previous"], second["previous"], third["previous"]) == ("", first["hash"], second["hash"])
    for line in (first, second, third):
        assert line.pop("hash") == json_hash(line)


def test_a_line_says_what_was_decided(ledger: PromotionLedger) -> None:
    ledger.append(entry("4", "3", passed=False, trading="flat"))
    (line,) = ledger.lines()
    assert {key: line[key] for key in ("who", "from_version", "to_version", "trading", "passed")} == {
        "who": "gate",
        "from_version": "3",
        "to_version": "4",
        "trading": "flat",
        "passed": False,
    }
    assert line["figures"] == {"log_loss_minus_base_rate": -0.1 - 0.2, "undefined": None, "rule": "first"}


@pytest.mark.parametrize("sign", ["\u2028", "\u0085", "\x0b", "\x1c", "\r", "\n"])
def test_a_reason_with_a_line_separator_stays_one_line(ledger: PromotionLedger, sign: str) -> None:
    ledger.append(entry("1", reason=f"first{sign}second"))
    ledger.append(entry("2"))
    assert ledger.lines()[0]["reason"] == f"first{sign}second"


def test_a_torn_last_line_is_ignored_and_set_aside_by_the_next_append(ledger: PromotionLedger) -> None:
    ledger.append(entry("1"))
    ledger.append(entry("2"))
    whole = ledger.path.read_bytes()
    last = whole.splitlines()[-1]
    ledger.path.write_bytes(whole + last[: len(last) // 2])
    assert [line["to_version"] for line in ledger.lines()] == ["1", "2"]
    ledger.append(entry("3"))
    assert [line["to_version"] for line in ledger.lines()] == ["1", "2", "3"]
    assert ledger.path.with_suffix(".jsonl.torn").read_bytes() == last[: len(last) // 2]
    assert ledger.path.read_bytes().startswith(whole)


def test_a_line_torn_at_any_byte_even_inside_a_sign_is_set_aside(tmp_path: Path) -> None:
    reference = PromotionLedger(tmp_path / "whole")
    reference.append(entry("1"))
    reference.append(entry("2"))
    first, second = reference.path.read_bytes().splitlines(keepends=True)
    for cut in range(len(second)):
        ledger = PromotionLedger(tmp_path / f"torn-{cut}")
        ledger.path.parent.mkdir(parents=True, exist_ok=True)
        ledger.path.write_bytes(first + second[:cut])
        assert len(ledger.lines()) == 1
        if cut % 40 == 0 or second[cut] >= 0x80:
            ledger.append(entry("2"))
            assert ledger.path.read_bytes() == first + second


@pytest.mark.parametrize(
    ("found", "put"),
    [
        (b'"to_version": "2"', b'"to_version": "9"'),
        (b'"passed": true', b'"passed": false'),
        (b"{", b"["),
        (b"\xe2", b"\xff"),
    ],
)
def test_a_changed_line_in_the_middle_is_named(ledger: PromotionLedger, found: bytes, put: bytes) -> None:
    for version in "123":
        ledger.append(entry(version))
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    damaged = b"".join([lines[0], lines[1].replace(found, put, 1), lines[2]])
    ledger.path.write_bytes(damaged)
    with pytest.raises(CorruptFileError, match=r"Line 2 of .*promotions\.jsonl"):
        ledger.lines()
    with pytest.raises(CorruptFileError, match="Line 2"):
        ledger.append(entry("4"))
    assert ledger.path.read_bytes() == damaged


@pytest.mark.parametrize(("kept", "bad"), [([1, 2], 1), ([0, 2], 2), ([0, 2, 1], 2), ([0, 0, 1], 2)])
def test_a_removed_moved_or_repeated_line_is_named(ledger: PromotionLedger, kept: list[int], bad: int) -> None:
    for version in "123":
        ledger.append(entry(version))
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(b"".join(lines[position] for position in kept))
    with pytest.raises(CorruptFileError, match=f"Line {bad} "):
        ledger.lines()


def test_appends_at_the_same_time_make_one_chain(ledger: PromotionLedger, tmp_path: Path) -> None:
    start = threading.Barrier(4)

    def append(writer: int) -> None:
        start.wait()
        for number in range(5):
            PromotionLedger(tmp_path).append(entry(f"{writer}-{number}"))

    threads = [threading.Thread(target=append, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    versions = [line["to_version"] for line in ledger.lines()]
    assert sorted(versions) == sorted(f"{writer}-{number}" for writer in range(4) for number in range(5))


def test_a_folder_that_cant_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "registry").write_text("a file in the way")
    with pytest.raises(StorageError) as caught:
        PromotionLedger(tmp_path).append(entry("1"))
    assert "ALGO_TRADER_ARTIFACTS_DIR" in caught.value.remedy

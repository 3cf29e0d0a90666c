from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import CorruptFileError, StorageError
from algo_pipeline.common.storage import json_hash
from algo_pipeline.registry import chained_lines
from algo_pipeline.registry.chained_lines import ChainedLines


@pytest.fixture
def chain(tmp_path: Path) -> ChainedLines:
    return ChainedLines(tmp_path / "folder" / "events.jsonl")


def numbers(chain: ChainedLines) -> list[int]:
    return [line["n"] for line in chain.lines()]


def test_lines_carry_the_hash_of_their_plain_content_and_of_the_line_before(chain: ChainedLines) -> None:
    chain.append([{"n": 1, "text": "für \u2028 ✓", "x": 0.1 + 0.2, "none": None}, {"n": 2}])
    first, second = (json.loads(text) for text in chain.path.read_bytes().split(b"\n")[:-1])
    assert (first["previous"], second["previous"]) == ("", first["hash"])
    for line in (first, second):
        assert line.pop("hash") == json_hash(line)


def test_a_batch_is_one_write_and_one_fsync(chain: ChainedLines, monkeypatch: pytest.MonkeyPatch) -> None:
    chain.append([{"n": 0}])
    synced: list[int] = []
    monkeypatch.setattr(chained_lines.os, "fsync", synced.append)
    chain.append({"n": n} for n in range(1, 5_000))
    assert len(synced) == 1
    assert numbers(chain) == list(range(5_000))


def test_new_lines_are_made_from_all_lines_before_them(chain: ChainedLines) -> None:
    for _ in range(3):
        chain.extend(lambda lines: [{"n": 10 * len(lines)}])
    assert numbers(chain) == [0, 10, 20]


def test_nothing_to_append_makes_no_file(chain: ChainedLines) -> None:
    chain.append([])
    assert not chain.path.exists()


def test_an_end_that_was_cut_off_is_told(chain: ChainedLines) -> None:
    chain.append([{"n": n} for n in range(3)])
    whole = chain.path.read_bytes().splitlines(keepends=True)
    for kept in (0, 1, 2):
        chain.path.write_bytes(b"".join(whole[:kept]))
        with pytest.raises(CorruptFileError, match=f"hold the 3 lines written so far; the file has {kept}"):
            chain.lines()
        with pytest.raises(CorruptFileError):
            chain.append([{"n": 3}])


def test_a_file_that_was_deleted_is_told_until_its_head_is_moved_away_too(chain: ChainedLines) -> None:
    chain.append([{"n": 1}])
    chain.path.unlink()
    with pytest.raises(CorruptFileError, match="the file is missing") as caught:
        chain.append([{"n": 2}])
    assert not chain.path.exists()
    assert "events.jsonl.head" in caught.value.remedy
    chain.path.with_name("events.jsonl.head").unlink()
    chain.append([{"n": 2}])
    assert numbers(chain) == [2]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"lines": "x", "hash": ""}', b"\xff\x00", b'{"lines": 1e999}', b"[" * 99_999]
)
def test_a_head_lost_with_the_power_proves_less_and_harms_nothing(chain: ChainedLines, content: bytes) -> None:
    chain.append([{"n": 1}])
    chain.path.with_name("events.jsonl.head").write_bytes(content)
    assert numbers(chain) == [1]
    chain.append([{"n": 2}])
    assert numbers(chain) == [1, 2]


def test_a_whole_chain_of_something_else_is_damage(chain: ChainedLines) -> None:
    chain.append([{"n": 1}, {"n": 2}])
    assert len(ChainedLines(chain.path, ["n"]).lines()) == 2
    other = ChainedLines(chain.path, ["n", "symbol"])
    with pytest.raises(CorruptFileError, match="Line 1 of"):
        other.lines()
    with pytest.raises(CorruptFileError):
        other.append([{"n": 3, "symbol": "BTC/USD"}])


def test_a_head_that_lags_behind_is_caught_up_by_the_next_append(chain: ChainedLines) -> None:
    head = chain.path.with_name("events.jsonl.head")
    chain.append([{"n": 1}])
    old = head.read_bytes()
    chain.append([{"n": 2}])
    head.write_bytes(old)  # killed after the lines were written
    assert numbers(chain) == [1, 2]
    chain.append([{"n": 3}])
    assert json.loads(head.read_bytes())["lines"] == 3


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_changed_byte_that_changes_a_meaning_is_found(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    chain = ChainedLines(tmp_path_factory.mktemp("chain") / "events.jsonl")
    chain.append([{"n": n, "text": "word"} for n in range(4)])
    lines, content = chain.lines(), bytearray(chain.path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    chain.path.write_bytes(content)
    try:
        assert chain.lines() == lines  # a blank between two values, say
    except CorruptFileError:
        return


_WRITER = """
import sys
from pathlib import Path
from algo_pipeline.registry.chained_lines import ChainedLines
chain = ChainedLines(Path(sys.argv[1]))
for number in range(25):
    chain.extend(lambda lines: [{"writer": sys.argv[2], "n": number, "before": len(lines)}] * 2)
"""


def test_processes_that_write_at_the_same_time_make_one_chain(chain: ChainedLines) -> None:
    command = [sys.executable, "-c", _WRITER, str(chain.path)]
    writers = [subprocess.Popen([*command, name]) for name in "abc"]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    lines = chain.lines()
    assert [line["before"] for line in lines] == [place // 2 * 2 for place in range(150)]
    assert {name: [line["n"] for line in lines if line["writer"] == name] for name in "abc"} == {
        name: [number // 2 for number in range(50)] for name in "abc"
    }


def test_a_full_disk_is_told_and_what_it_cut_off_is_set_aside(
    chain: ChainedLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.append([{"n": 1}])

    def full(descriptor: int) -> None:
        chain.path.write_bytes(chain.path.read_bytes()[:-9])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(chained_lines.os, "fsync", full)
        with pytest.raises(StorageError, match="No space left"):
            chain.append([{"n": 2}])
    assert numbers(chain) == [1]
    chain.append([{"n": 3}])
    assert numbers(chain) == [1, 3]
    assert chain.path.with_name("events.jsonl.torn").read_bytes().startswith(b'{"n": 2')

"""The harness of the benchmarks: turns, warm-up, agreement, ratios."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from benchmarks import harness
from benchmarks.__main__ import SUBJECTS, main, subjects
from benchmarks.harness import Effort, Lap, Row, Tool, UnequalWorkError, race, readable, table, timed, unchanged

PATIENT = Effort(rounds=3, least=3, seconds=1e9)


class Recorder:
    """Tools with made-up laps that write down who ran on what."""

    def __init__(self):
        self.calls = []

    def tool(self, name, seconds, figure=math.nan, **options):
        def lap(data):
            self.calls.append((name, data))
            return Lap(seconds(data) if callable(seconds) else seconds, figure)

        return Tool(name, lap, **options)


@pytest.fixture
def recorder():
    return Recorder()


class TestRace:
    def test_tools_take_turns_and_every_round_has_data_of_its_own(self, recorder):
        race([recorder.tool("a", 1.0), recorder.tool("b", 1.0)], 10, lambda number: number, PATIENT)
        assert recorder.calls == [(name, number) for number in range(4) for name in "ab"]

    def test_the_first_round_warms_up_and_is_not_measured(self, recorder):
        tool = recorder.tool("a", lambda number: {0: 99.0, 1: 3.0, 2: 1.0, 3: 2.0}[number])
        assert race([tool], 10, unchanged, PATIENT) == [Row("a", 10, median=2.0, best=1.0, laps=3, ratio=1.0)]

    def test_without_a_warm_up_the_first_round_is_measured(self, recorder):
        tool = recorder.tool("a", float)
        assert race([tool], 10, unchanged, Effort(rounds=2, least=2, seconds=1e9, warm_up=False))[0].median == 1.5

    def test_ratios_are_of_medians_to_the_first_tool(self, recorder):
        rows = race([recorder.tool("a", 2.0), recorder.tool("b", 5.0)], 10, unchanged, PATIENT)
        assert [row.ratio for row in rows] == [1.0, 2.5]

    def test_a_tool_that_has_used_up_its_seconds_sits_out_once_it_has_the_least_laps(self, recorder):
        tools = [recorder.tool("quick", 0.1), recorder.tool("slow", 50.0)]
        rows = race(tools, 10, unchanged, Effort(rounds=8, least=5, seconds=10.0))
        assert [row.laps for row in rows] == [8, 5]

    def test_no_data_are_made_for_a_round_without_tools(self, recorder):
        made = []
        race([recorder.tool("slow", 50.0)], 10, made.append, Effort(rounds=8, least=2, seconds=10.0))
        assert len(made) == 3

    def test_a_tool_too_slow_for_the_size_does_not_enter(self, recorder):
        tools = [recorder.tool("a", 1.0), recorder.tool("b", 1.0, largest=9)]
        assert [row.name for row in race(tools, 10, unchanged, PATIENT)] == ["a"]

    def test_laps_of_a_part_of_the_work_are_scaled(self, recorder):
        rows = race([recorder.tool("a", 1.0), recorder.tool("b", 1.0, scale=50.0)], 10, unchanged, PATIENT)
        assert rows[1].median == 50.0

    def test_different_figures_end_the_race(self, recorder):
        tools = [recorder.tool("a", 1.0, 100.0), recorder.tool("b", 1.0), recorder.tool("c", 1.0, 100.001)]
        with pytest.raises(UnequalWorkError, match=r"c reached 100\.001, a 100\.0"):
            race(tools, 10, unchanged, PATIENT)

    def test_figures_within_the_tolerance_and_missing_ones_agree(self, recorder):
        tools = [recorder.tool("a", 1.0), recorder.tool("b", 1.0, 100.0), recorder.tool("c", 1.0, 100.0 + 1e-7)]
        assert len(race(tools, 10, unchanged, PATIENT)) == 3


def test_a_lap_measures_the_work_and_not_its_preparation(monkeypatch):
    clock = iter([10.0, 12.5])
    events = []
    fake = SimpleNamespace(perf_counter=lambda: events.append("clock") or next(clock))
    monkeypatch.setattr(harness, "time", fake)
    lap = timed(events.append, lambda data: events.append("prepare") or data + 1)
    found = lap(1)
    assert events == ["prepare", "clock", 2, "clock"]
    assert found.seconds == 2.5
    assert math.isnan(found.figure)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.000155, "0.155 ms"), (0.0123456, "12.3 ms"), (1.0, "1 s"), (45.678, "45.7 s")]
)
def test_times_are_read_in_the_unit_that_suits(seconds, text):
    assert readable(seconds) == text


def test_a_table_has_a_line_per_row_under_its_title():
    lines = table(
        "Title", [Row("ours", 37_660, 0.001, 0.0009, 5, 1.0), Row("theirs", 37_660, 2.0, 1.5, 5, 2000.0)]
    ).splitlines()
    assert lines[1] == "Title"
    assert lines[3].split() == ["ours", "37,660", "1", "ms", "0.9", "ms", "1", "5"]
    assert lines[4].split() == ["theirs", "37,660", "2", "s", "1.5", "s", "2,000", "5"]


def test_subjects_are_named_by_commas():
    assert subjects("sweep,backtest") == ["sweep", "backtest"]


def test_an_unknown_subject_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        main(["--only", "backtest,nonsense"])
    message = capsys.readouterr().err
    assert "no subject nonsense" in message
    assert all(name in message for name in SUBJECTS)

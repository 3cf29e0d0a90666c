"""Long work is shown as a bar on a terminal, as a plain line now and then elsewhere, and not at all to programs."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys

import pytest
from rich.console import Console

from algo_pipeline.cli.live_bar import _bar_on, _LiveBar, _PlainLines, shown_progress
from algo_pipeline.common.progress import listening, tell, tracked

_WORK = """
from algo_pipeline.cli.live_bar import shown_progress
from algo_pipeline.common.progress import tell, tracked
import sys
with shown_progress(quiet=False):
    tell("BTC/USD model")
    for fit in tracked(range(3), "fits"):
        pass
    print("a line", file=sys.stderr)
    tell("BTC/USD evaluation")
print("the result")
"""

_LOGGED = """
from algo_pipeline.cli.live_bar import shown_progress
from algo_pipeline.common.progress import tell
from algo_pipeline.defs.progress import ProgressHandler
import logging
with shown_progress(quiet=False):
    tell("BTC/USD features")
    ProgressHandler("BTC/USD").handle(logging.makeLogRecord({"levelno": logging.INFO, "msg": "features are made"}))
"""


def _on_a_terminal(code: str) -> tuple[str, str]:
    """Run with stderr on a terminal; what stdout, a pipe, and the terminal got."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=theirs, env=environment) as work:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # the other end is closed
            pass
        out, _ = work.communicate(timeout=30)
    os.close(ours)
    return out.decode(), shown.decode()


def test_a_terminal_gets_a_bar_that_leaves_only_the_lines_behind_and_stdout_only_the_result() -> None:
    out, shown = _on_a_terminal(_WORK)
    assert out == "the result\n"
    assert "a line" in shown
    assert "\x1b[?25h" in shown  # the cursor is back
    assert shown.rstrip("\r\n").endswith("\x1b[2K")  # the bar's line is cleared


def test_the_line_of_an_asset_stands_above_the_bar_and_not_behind_it() -> None:
    _, shown = _on_a_terminal(_LOGGED)
    assert "\r\x1b[2K         BTC/USD  features are made\r\n" in shown


def test_without_a_terminal_there_is_no_control_character(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress(quiet=False):
        tell("BTC/USD model")
        list(tracked(range(100), "fits"))
    shown = capsys.readouterr()
    assert (shown.out, "\x1b" in shown.err, "\r" in shown.err) == ("", False, False)


def test_a_program_is_shown_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress(quiet=True):
        list(tracked(range(100), "fits"))
    assert capsys.readouterr() == ("", "")


def test_the_bar_names_the_step_and_counts_the_outer_of_nested_work() -> None:
    terminal = io.StringIO()
    bar = _bar_on(Console(file=terminal, force_terminal=True, width=80))
    with listening(_LiveBar(bar).hear):
        tell("BTC/USD leaderboard")
        for _ in tracked(range(2), "candidates"):
            list(tracked(range(9), "fits"))
            (task,) = bar.tasks
            assert task.description == "BTC/USD leaderboard, candidates"
            assert task.total == 2
        tell("BTC/USD promotion")
    (task,) = bar.tasks
    assert (task.description, task.total, task.fields["count"]) == ("BTC/USD promotion", None, "")


def test_one_piece_is_no_progress_worth_a_bar() -> None:
    bar = _bar_on(Console(file=io.StringIO(), force_terminal=True))
    with listening(_LiveBar(bar).hear):
        tell("BTC/USD check")
        list(tracked(("whole",), "fits"))
    assert bar.tasks[0].description == "BTC/USD check"


def test_plain_lines_come_every_ten_seconds_and_never_for_what_is_done() -> None:
    clock = iter(range(0, 1000, 4))
    lines: list[str] = []
    with listening(_PlainLines(lambda: next(clock), lines.append).hear):
        tell("BTC/USD challenger")
        list(tracked(range(9), "fits"))
    assert lines
    assert all(line.startswith("         BTC/USD challenger, fits: ") for line in lines)
    assert len(lines) <= 4
    assert not any("9 of 9" in line for line in lines)

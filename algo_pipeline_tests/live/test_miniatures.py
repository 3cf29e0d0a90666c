from __future__ import annotations

import random
from pathlib import Path

import pytest

from algo_pipeline.common.miniature import GREEN, MAX_CHARACTERS, RED
from algo_pipeline.common.types import Symbol
from algo_pipeline.live.costs import FillCost
from algo_pipeline.live.journal import Journal
from algo_pipeline.live.miniatures import decision_strip, slippage
from algo_pipeline.live.recent_lines import recent_lines
from algo_pipeline_tests.live.lines import decision, hour, lines_of, mark, started

_SYMBOLS = tuple(Symbol(base, "USD") for base in ("ADA", "BTC", "ETH", "SOL", "XRP"))


def _coded(colour: str) -> str:
    return colour.replace("#", "%23") + "'"


def _cost(bps: float | None) -> FillCost:
    return FillCost(hour(0), "BTC/USD", "buy", 1.0, 100.0, 100.0, 100.0, bps)


def test_a_strip_shows_when_a_symbol_was_entered_and_left() -> None:
    shown = decision_strip(lines_of(decision(0), decision(1, action="exit", signal="FLAT")), hour(1))
    assert "BTC/USD" in shown
    assert _coded(GREEN) in shown
    assert _coded(RED) in shown


def test_hours_before_and_after_the_span_are_left_out() -> None:
    lines = lines_of(decision(0, action="exit"), decision(5, action="enter"), decision(9, action="exit"))
    dots = [part for part in decision_strip(lines, hour(6), hours=3).split("%3Cpath") if "stroke-linecap" in part]
    assert [part.count("h0") for part in dots] == [1, 0]


@pytest.mark.parametrize("n_symbols", [1, 2, 5])
def test_days_of_restless_trading_are_seen_at_once(n_symbols: int) -> None:
    rng = random.Random(n_symbols)
    entries = [
        decision(bar, symbol, action=rng.choice(["enter", "exit", "none"]))
        for bar in range(96)
        for symbol in _SYMBOLS[:n_symbols]
    ]
    shown = decision_strip(lines_of(*entries), hour(95))
    assert len(shown) <= MAX_CHARACTERS
    assert shown.count("%3Ctext") == min(n_symbols, 3)


def test_nothing_decided_is_told() -> None:
    assert "nothing was decided lately" in decision_strip(lines_of(started(), mark()), hour(0))
    assert "nothing was decided lately" in decision_strip((), hour(0))


def test_slippage_is_shown_beside_what_is_assumed() -> None:
    shown = slippage([_cost(bps) for bps in (3.0, None, -4.25)], assumed_bps=5.0)
    assert "last -4.2 bps" in shown
    assert "assumed 5.0 bps" in shown
    assert len(slippage([_cost(float(bps)) for bps in range(99)], 5.0)) <= MAX_CHARACTERS
    assert "no fill lately" in slippage([_cost(None)], 5.0)


def test_the_end_of_a_journal_is_read_without_what_came_before(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert recent_lines(journal) == ()
    whole = journal.append([started(), *(mark(bar) for bar in range(50))], hour(60))
    assert recent_lines(journal) == whole
    tail = recent_lines(journal, n_bytes=2_000)
    assert 1 < len(tail) < 20
    assert tail == whole[-len(tail) :]

"""A tally that is taken line by line says what the whole journal says."""

from __future__ import annotations

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.live.events import Outcome
from algo_pipeline.live.monitoring import session_figures
from algo_pipeline.live.tally import DECIDED_BARS_KEPT, JournalTally, tally_of
from algo_pipeline.live.watch_report import shadow_scores
from algo_pipeline_tests.live.lines import (
    decision,
    hour,
    intent,
    lines_of,
    mark,
    missed,
    one_of_each,
    random_entries,
    result,
    shadow,
    skipped_stale,
    started,
    watched,
)


@given(st.lists(random_entries, max_size=25), st.integers(0, 25))
@settings(max_examples=60, deadline=None)
def test_asking_in_between_changes_nothing(entries: list[object], asked_after: int) -> None:
    lines = lines_of(*entries)  # type: ignore[arg-type]
    tally = tally_of(lines[:asked_after])
    tally.session.figures()
    tally.shadows.scores()
    for line in lines[asked_after:]:
        tally.take(line)
    figures, expected = tally.session.figures(), session_figures(lines)
    pd.testing.assert_series_equal(figures.equity, expected.equity)
    pd.testing.assert_series_equal(figures.adjustments, expected.adjustments)
    pd.testing.assert_frame_equal(figures.closes, expected.closes)
    pd.testing.assert_frame_equal(figures.fills, expected.fills)
    assert tally.shadows.scores() == shadow_scores(lines)
    assert (tally.offset, tally.last_hash) == ((lines[-1].end, lines[-1].sha256) if lines else (0, "0" * 64))


def test_everything_is_counted() -> None:
    tally = tally_of(lines_of(*one_of_each(), missed(8, 9), skipped_stale(10), intent(11, "open")))
    assert (tally.n_decisions, tally.n_orders, tally.n_skipped, tally.n_missed_hours) == (1, 2, 2, 5)
    assert tally.outcomes() == dict.fromkeys(Outcome, 0) | {Outcome.FILLED: 1, Outcome.OPEN: 1}
    assert tally.newest_at == hour(12) + pd.Timedelta(minutes=1)
    assert tally.newest_decision_at == hour(2) + pd.Timedelta(minutes=1)


def test_the_last_result_of_an_order_is_how_it_ended() -> None:
    tally = tally_of(lines_of(started(), intent(0), result(0, outcome="abandoned_stale", filled="0"), result(0)))
    assert tally.outcomes()[Outcome.FILLED] == 1
    assert tally.outcomes()[Outcome.ABANDONED_STALE] == 0


def test_decisions_are_those_of_the_newest_bars_oldest_first() -> None:
    lines = lines_of(*(decision(bar) for bar in range(5)), mark(5))
    assert [line.timestamp for line in tally_of(lines).decisions(2)] == [hour(3), hour(4)]
    assert JournalTally().decisions(3) == ()


def test_only_the_newest_bars_are_kept() -> None:
    tally = tally_of(lines_of(*(decision(bar) for bar in range(DECIDED_BARS_KEPT + 3))))
    kept = tally.decisions(10 * DECIDED_BARS_KEPT)
    assert (len(kept), kept[0].timestamp) == (DECIDED_BARS_KEPT, hour(3))
    assert tally.n_decisions == DECIDED_BARS_KEPT + 3


def test_a_challengers_score_follows_what_becomes_known() -> None:
    lines = lines_of(*(entry for bar in range(4) for entry in (watched(bar), shadow(bar))))
    tally = tally_of(lines)
    (before,) = tally.shadows.scores()
    for line in lines_of(*lines, watched(4))[len(lines) :]:
        tally.take(line)
    (after,) = tally.shadows.scores()
    assert (before.hours, after.hours) == (2, 3)

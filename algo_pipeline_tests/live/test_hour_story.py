"""What the journal says about an hour is gathered whole, and nothing of another hour or pair with it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pandas as pd

from algo_pipeline.live.alert_reading import alerts_between
from algo_pipeline.live.events import Event
from algo_pipeline.live.hour_story import hour_story
from algo_pipeline.live.journal import Journal
from algo_pipeline_tests.live.lines import (
    BTC,
    ETH,
    decision,
    hour,
    intent,
    kill_switch,
    mark,
    missed,
    result,
    started,
)


def story(folder: Path, bar: int, symbol=BTC):
    journal = Journal(folder)
    entries = [
        started(0),
        mark(0, equity=1000.0),
        mark(1, equity=1010.0),
        kill_switch(1),
        decision(1),
        decision(1, ETH),
        intent(1, "a"),
        intent(1, "e", ETH),
        result(1, "a", outcome="open", filled="0.2"),
        missed(2, 3),
        result(1, "a", outcome="partial", filled="0.3"),
        mark(4, equity=990.0),
        decision(4, action="exit"),
        mark(5, equity=980.0),
    ]
    journal.append(entries, hour(6))
    return hour_story(journal.lines(), hour(bar), symbol)


def test_an_hour_has_its_own_decision_order_and_every_result_whenever_it_was_written(tmp_path):
    found = story(tmp_path, 1)
    assert found.decision.symbol == BTC
    assert [line.order_id for line in found.intents] == ["a"]
    assert [line.details["filled_quantity"] for line in found.results] == ["0.2", "0.3"]
    assert (found.holding_before, found.holding_after) == (Decimal(0), Decimal("0.3"))
    assert [line.event for line in found.events] == [Event.KILL_SWITCH]


def test_equity_is_that_of_the_marks_around_the_hour(tmp_path):
    found = story(tmp_path, 1)
    marks = (found.mark_before, found.mark, found.mark_after)
    assert [line.details["equity"] for line in marks] == [1000.0, 1010.0, 990.0]


def test_the_other_pair_has_its_own_story(tmp_path):
    found = story(tmp_path, 1, ETH)
    assert (found.decision.symbol, [line.order_id for line in found.intents]) == (ETH, ["e"])
    assert found.results == ()


def test_a_missed_hour_is_told_as_missed(tmp_path):
    found = story(tmp_path, 3)
    assert found.is_known
    assert found.missed is not None
    assert (found.decision, found.holding_after) == (None, None)


def test_an_hour_that_the_journal_does_not_know_is_not_known(tmp_path):
    assert not story(tmp_path, 9).is_known


def test_alerts_of_a_span_are_read_back_and_torn_lines_passed_over(tmp_path):
    line = '{{"at": "{}", "severity": "info", "code": "c", "title": "{}", "text": "", "told": true}}\n'
    texts = [line.format(hour(n).isoformat(), n) for n in range(4)]
    (tmp_path / "alerts.log").write_text(texts[0] + "torn{\n" + "".join(texts[1:]))
    assert [alert.title for alert in alerts_between(tmp_path, hour(1), hour(3))] == ["1", "2"]
    assert alerts_between(tmp_path / "none", hour(0), pd.Timestamp.max.tz_localize("UTC")) == ()

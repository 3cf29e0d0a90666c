from __future__ import annotations

import dataclasses
import json
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import CorruptFileError, StorageError
from algo_pipeline.common.storage import json_hash
from algo_pipeline.common.types import Side
from algo_pipeline.live.events import Entry, Outcome
from algo_pipeline.live.journal import Journal
from algo_pipeline.live.lines import render_line
from algo_pipeline.live.state import BarRecord, Intent, LiveState, StateStore, apply, fold
from algo_pipeline_tests.live.disk import CrashingFiles, SimulatedCrash
from algo_pipeline_tests.live.lines import (
    BTC,
    ETH,
    adjustment,
    decision,
    difference,
    halt,
    hour,
    intent,
    kill_switch,
    lines_of,
    mark,
    missed,
    one_of_each,
    random_entries,
    reconciled,
    result,
    resume,
    skipped_stale,
    started,
)


def after(*entries: Entry, state: LiveState | None = None) -> LiveState:
    return fold(state or LiveState(), lines_of(*entries))


class TestFold:
    def test_every_line_moves_the_place_in_the_chain(self) -> None:
        lines = lines_of(*one_of_each())
        state = fold(LiveState(), lines)
        assert (state.seq, state.last_hash, state.offset) == (14, lines[-1].sha256, lines[-1].end)

    def test_the_start_names_the_account_and_what_it_holds(self) -> None:
        state = after(started(cash="1000.50", account="paper-1", BTC="0.25"))
        assert (state.account_id, state.cash) == ("paper-1", Decimal("1000.50"))
        assert state.holdings == {BTC: Decimal("0.25")}

    def test_a_mark_sets_equity_peak_and_drawdown_and_opens_its_bar(self) -> None:
        state = after(started(BTC="0.25"), mark(3, 950.0, 1000.0, 0.05))
        assert (state.equity, state.peak, state.drawdown) == (950.0, 1000.0, 0.05)
        assert state.last_bar == hour(3)
        assert state.bar is not None
        assert (state.bar.timestamp, state.bar.mark) == (hour(3), mark(3, 950.0, 1000.0, 0.05).details)
        assert state.holdings == {BTC: Decimal("0.25")}

    def test_decisions_and_intents_of_the_bar_are_kept_until_a_newer_bar(self) -> None:
        state = after(mark(1), decision(1), decision(1, ETH, "FLAT", "exit"), intent(1, "a"), intent(1, "b", ETH))
        assert state.bar is not None
        assert list(state.bar.decisions) == [BTC, ETH]
        assert (state.bar.decisions[ETH].signal, state.bar.decisions[ETH].action) == ("FLAT", "exit")
        assert state.bar.decisions[BTC].prob == 0.61
        assert state.bar.intents == ("a", "b")
        newer = after(mark(2), state=state)
        assert newer.bar == BarRecord(hour(2), mark(2).details)

    def test_a_line_of_an_older_bar_does_not_touch_the_newest_bars_record(self) -> None:
        state = after(mark(5), decision(5))
        assert after(mark(4), decision(4), intent(4), state=state).bar == state.bar

    def test_a_crash_between_the_lines_of_a_bar_leaves_those_that_were_written(self) -> None:
        state = after(mark(1), decision(1))
        assert state.bar is not None
        assert list(state.bar.decisions) == [BTC]
        assert state.bar.intents == ()

    def test_the_kill_switch_names_its_bar_and_stays_until_a_person_resumes(self) -> None:
        state = after(mark(4, 890.0, 1000.0, 0.11), kill_switch(4), mark(5, 1100.0, 1100.0), reconciled(5))
        assert state.killed_at == hour(4)
        state = after(resume(6, peak=890.0), state=state)
        assert (state.killed_at, state.peak, state.equity, state.drawdown) == (None, 890.0, 890.0, 0.0)

    def test_an_intent_is_open_from_its_line_on(self) -> None:
        state = after(intent(1, "x", ETH, "buy", "0.123456"))
        assert state.open_intents == {
            "x": Intent("x", ETH, Side.BUY, Decimal("0.123456"), hour(1), "d", hour(2) + pd.Timedelta(minutes=1))
        }
        assert state.n_orders == 1
        assert state.exiting == frozenset()

    @pytest.mark.parametrize("outcome", ["filled", "partial", "unfilled", "refused"])
    def test_a_known_end_closes_an_intent(self, outcome: str) -> None:
        state = after(intent(1), result(1, outcome=outcome))
        assert state.open_intents == {}
        assert state.abandoned == {}

    def test_a_result_without_an_end_keeps_the_intent_open_with_what_is_filled(self) -> None:
        state = after(intent(1), result(1, outcome="open", filled="0.2"))
        assert state.open_intents["a"].filled == Decimal("0.2")
        assert state.open_intents["a"].outcome is Outcome.OPEN
        assert state.open_intents["a"].settled_at is None

    def test_an_abandoned_intent_is_remembered_for_a_day_of_lines(self) -> None:
        state = fold(LiveState(), lines_of(intent(1), result(1, outcome="abandoned_stale", filled="0"), at=hour(2)))
        assert state.open_intents == {}
        assert state.abandoned["a"].settled_at == hour(2)
        assert fold(state, lines_of(mark(25), at=hour(26))).abandoned == state.abandoned
        assert fold(state, lines_of(mark(25), at=hour(26) + pd.Timedelta("1s"))).abandoned == {}

    def test_a_day_counts_from_when_it_was_abandoned_not_from_when_it_was_intended(self) -> None:
        state = fold(LiveState(), lines_of(intent(1), at=hour(2)))
        state = fold(state, lines_of(result(1, outcome="abandoned_stale", filled="0"), at=hour(40)))
        assert list(fold(state, lines_of(mark(60), at=hour(61))).abandoned) == ["a"]

    def test_an_abandoned_intent_that_is_found_after_all_is_settled_or_open_again(self) -> None:
        state = after(intent(1), result(1, outcome="abandoned_stale", filled="0"))
        filled = after(result(2, outcome="filled"), state=state)
        assert (filled.abandoned, filled.open_intents) == ({}, {})
        resting = after(result(2, outcome="open", filled="0.1"), state=state)
        assert (resting.abandoned, list(resting.open_intents)) == ({}, ["a"])

    def test_an_exit_is_in_force_from_its_intent_until_the_remainder_counts_as_flat(self) -> None:
        state = after(intent(1, "a", BTC, "sell"), result(1, "a", BTC, "sell", "partial", filled_bar=2))
        assert state.exiting == {BTC}
        assert after(reconciled(2, flat=("ETH/USD",)), state=state).exiting == {BTC}
        assert after(reconciled(2, flat=("BTC/USD", "ETH/USD")), state=state).exiting == frozenset()

    def test_the_bar_of_the_last_exit_is_that_of_the_last_sell_that_filled(self) -> None:
        state = after(
            intent(1, "a", BTC, "sell"),
            result(1, "a", BTC, "sell", filled_bar=2),
            intent(3, "b", BTC, "buy"),
            result(3, "b", BTC, "buy", filled_bar=4),
            intent(5, "c", BTC, "sell"),
            result(5, "c", BTC, "sell", outcome="refused", filled="0", filled_bar=None),
        )
        assert state.last_exit_bar == {BTC: hour(2)}

    def test_reconciliation_replaces_cash_and_holdings(self) -> None:
        state = after(started(cash="5", BTC="1"), reconciled(1, cash="7.25", ETH="2"))
        assert (state.cash, state.holdings) == (Decimal("7.25"), {ETH: Decimal(2)})

    def test_an_adjustment_moves_the_peak(self) -> None:
        assert after(mark(1), adjustment(1, delta=50.0, before=1000.0)).peak == 1050.0

    def test_a_difference_stops_trading_until_a_person_resumes(self) -> None:
        state = after(difference(1, "why"), mark(2))
        assert state.stopped == "why"
        assert after(resume(2), state=state).stopped is None

    def test_a_halt_is_counted_and_in_force_until_a_person_resumes(self) -> None:
        state = after(halt(1, 1), resume(2), halt(3, 2))
        assert (state.halted, state.n_halts) == ("going on holiday", 2)
        state = after(resume(4), state=state)
        assert (state.halted, state.n_halts) == (None, 2)

    def test_a_resume_alone_keeps_orders_and_holdings(self) -> None:
        state = after(started(BTC="1"), intent(1, "a", BTC, "sell"))
        resumed = after(resume(2), state=state)
        assert (resumed.open_intents, resumed.exiting) == (state.open_intents, state.exiting)
        assert (resumed.cash, resumed.holdings) == (state.cash, state.holdings)

    def test_a_resume_that_adopts_starts_from_what_the_account_holds(self) -> None:
        state = after(
            started(cash="10", BTC="1"),
            intent(1, "a"),
            result(1, outcome="abandoned_stale", filled="0"),
            intent(1, "b", BTC, "sell"),
            resume(2, adopt=True, cash="77.5", ETH="3"),
        )
        assert (state.open_intents, state.abandoned, state.exiting) == ({}, {}, frozenset())
        assert (state.cash, state.holdings) == (Decimal("77.5"), {ETH: Decimal(3)})

    def test_missed_and_skipped_bars_are_accounted_for_and_time_never_runs_back(self) -> None:
        assert after(missed(3, 7)).last_bar == hour(7)
        assert after(skipped_stale(9)).last_bar == hour(9)
        assert after(skipped_stale(9), missed(3, 7), mark(2), skipped_stale(1)).last_bar == hour(9)

    def test_orders_are_counted_by_the_utc_date_of_their_line(self) -> None:
        late = pd.Timestamp("2024-01-01T23:59:59Z")
        state = fold(LiveState(), lines_of(intent(21, "a"), intent(22, "b"), at=late))
        assert state.orders_today == ("2024-01-01", 2)
        state = fold(state, lines_of(intent(23, "c"), at=late + pd.Timedelta("2s")))
        assert state.orders_today == ("2024-01-02", 1)
        assert state.n_orders == 3


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    return StateStore(tmp_path)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path)
    journal.append(one_of_each(), hour(8))
    return journal


def rewritten(store: StateStore, **changes: object) -> None:
    content = json.loads(store.path.read_text())["content"]
    content["state"] |= changes
    store.path.write_text(json.dumps({"sha256": json_hash(content), "content": content}))


class TestStore:
    def test_no_files_are_the_empty_state(self, store: StateStore, tmp_path: Path) -> None:
        assert store.load(Journal(tmp_path)) == LiveState()
        assert list(tmp_path.iterdir()) == []

    def test_the_state_is_made_from_the_journal_alone(self, store: StateStore, journal: Journal) -> None:
        state = store.load(journal)
        assert state == fold(LiveState(), journal.read())
        assert (state.seq, state.offset) == (14, journal.path.stat().st_size)

    @given(st.lists(random_entries, max_size=25), st.data())
    @settings(max_examples=150, deadline=None)
    def test_a_state_saved_at_any_line_and_the_rest_equal_the_whole_journal(
        self, tmp_path_factory: pytest.TempPathFactory, entries: list[Entry], data: st.DataObject
    ) -> None:
        folder = tmp_path_factory.mktemp("live")
        store, journal = StateStore(folder), Journal(folder, CrashingFiles())
        split = data.draw(st.integers(0, len(entries)))
        gap = data.draw(st.integers(0, 40))
        journal.append(entries[:split], hour(60))
        store.save(store.load(journal))
        journal.append(entries[split:], hour(60 + gap))
        resumed = store.load(Journal(folder))
        store.path.unlink()
        assert resumed == store.load(Journal(folder)) == fold(LiveState(), journal.read())

    def test_a_saved_state_spares_reading_the_journal(self, tmp_path: Path, store: StateStore) -> None:
        journal = Journal(tmp_path)
        journal.append([mark(number) for number in range(3000)], hour(3000))
        store.save(store.load(journal))
        files = CrashingFiles()
        state = StateStore(tmp_path, files).load(Journal(tmp_path, files))
        assert state.seq == 3000
        assert files.bytes_read < 100_000 < journal.path.stat().st_size

    def test_the_saved_state_is_used(self, store: StateStore, journal: Journal) -> None:
        store.save(store.load(journal))
        rewritten(store, n_orders=41)
        journal.append([intent(8, "new")], hour(9))
        assert store.load(journal).n_orders == 42

    @pytest.mark.parametrize("content", [b"", b"{", b"\x00" * 300, b"[]", b'{"sha256": "", "content": {}}', b"\xff"])
    def test_a_damaged_file_is_made_again(self, store: StateStore, journal: Journal, content: bytes) -> None:
        state = store.load(journal)
        store.path.write_bytes(content)
        assert store.load(journal) == state

    def test_a_changed_figure_breaks_the_checksum(self, store: StateStore, journal: Journal) -> None:
        state = store.load(journal)
        store.save(state)
        store.path.write_text(store.path.read_text().replace('"n_orders": 1', '"n_orders": 7'))
        assert store.load(journal) == state

    @pytest.mark.parametrize(
        "changes",
        [
            {"offset": 10**9},
            {"offset": 7},
            {"last_hash": "00" * 32},
            {"offset": 0},
            {"cash": "much"},
            {"cash": "NaN1"},
            {"bar": {}},
            {"open_intents": [{}]},
            {"field_of_tomorrow": 1},
            {"orders_today": None},
        ],
    )
    def test_a_state_of_another_journal_or_shape_is_made_again(
        self, store: StateStore, journal: Journal, changes: dict[str, object]
    ) -> None:
        state = store.load(journal)
        store.save(state)
        rewritten(store, **changes)
        assert store.load(journal) == state

    def test_a_state_of_another_version_is_made_again(self, store: StateStore, journal: Journal) -> None:
        state = store.load(journal)
        store.save(state)
        content = json.loads(store.path.read_text())["content"] | {"version": 0}
        content["state"]["n_orders"] = 99
        store.path.write_text(json.dumps({"sha256": json_hash(content), "content": content}))
        assert store.load(journal) == state

    def test_a_new_journal_starts_a_new_state(self, store: StateStore, journal: Journal, tmp_path: Path) -> None:
        store.save(store.load(journal))
        journal.path.rename(tmp_path / "decisions.damaged.jsonl")
        assert store.load(Journal(tmp_path)) == LiveState()

    def test_lines_that_a_dead_process_did_not_sync_are_synced_before_they_are_acted_on(self, tmp_path: Path) -> None:
        with pytest.raises(SimulatedCrash):
            Journal(tmp_path, CrashingFiles(at=0, after=True)).append([intent()], hour(1))
        files = CrashingFiles()
        state = StateStore(tmp_path).load(Journal(tmp_path, files))
        assert (list(state.open_intents), files.calls) == (["a"], [("sync", "decisions.jsonl")])
        StateStore(tmp_path).save(state)
        StateStore(tmp_path).load(Journal(tmp_path, files))
        assert len(files.calls) == 1

    def test_a_torn_line_is_not_part_of_the_state(self, store: StateStore, journal: Journal) -> None:
        state = store.load(journal)
        with journal.path.open("ab") as file:
            file.write(b'{"timestamp": "2024-01-01T')
        assert store.load(journal) == state

    def test_damage_behind_the_saved_line_is_an_error(self, store: StateStore, journal: Journal) -> None:
        store.save(store.load(journal))
        journal.append([mark(8), mark(9)], hour(10))
        journal.path.write_bytes(journal.path.read_bytes().replace(b'"seq": 14', b'"seq": 24'))
        with pytest.raises(CorruptFileError, match="Line 14 "):
            store.load(journal)

    def test_an_impossible_line_is_an_error_with_the_way_out(self, store: StateStore, tmp_path: Path) -> None:
        wrong = dataclasses.replace(intent(), details={**intent().details, "quantity": "some"})
        (line,) = Journal(tmp_path).append([mark()], hour(1))
        with (tmp_path / "decisions.jsonl").open("ab") as file:
            file.write(render_line(wrong, hour(1), 2, line.sha256) + b"\n")
        with pytest.raises(CorruptFileError, match=r"Line 2 of .*can't be read as a intent line") as caught:
            store.load(Journal(tmp_path))
        assert "resume --adopt" in caught.value.remedy

    @pytest.mark.parametrize("after", [False, True])
    def test_a_crash_while_saving_leaves_the_old_state_or_the_new_one(
        self, store: StateStore, journal: Journal, tmp_path: Path, after: bool
    ) -> None:
        old = store.load(journal)
        store.save(old)
        journal.append([mark(9)], hour(10))
        new = store.load(journal)
        with pytest.raises(SimulatedCrash):
            StateStore(tmp_path, CrashingFiles(at=0, after=after)).save(new)
        assert json.loads(store.path.read_text())["content"]["state"]["seq"] == (new if after else old).seq
        assert store.load(journal) == new

    def test_a_folder_that_cant_be_written_is_a_storage_error(self, tmp_path: Path) -> None:
        (tmp_path / "live").write_text("a file in the way")
        with pytest.raises(StorageError, match=r"state\.json"):
            StateStore(tmp_path / "live").save(LiveState())

    def test_applying_line_by_line_is_what_loading_gives(self, store: StateStore, journal: Journal) -> None:
        state = store.load(journal)
        for line in journal.append([started(9), mark(10), intent(10, "z"), result(10, "z", filled_bar=11)], hour(11)):
            state = apply(state, line)
        assert state == store.load(journal)

"""What is gathered from the disk: nothing there yet, damaged, torn, replaced, or another's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from algo_pipeline.common.storage import to_json, write_text
from algo_pipeline.dashboard import reading
from algo_pipeline.dashboard.expectation import Standing
from algo_pipeline.dashboard.headlines import account_state
from algo_pipeline.dashboard.reading import Reader
from algo_pipeline.dashboard.status import way_out
from algo_pipeline.live.journal import Journal
from algo_pipeline.live.state import LiveState, StateStore, fold
from algo_pipeline.registry.bundle import BundleStore
from algo_pipeline_tests.dashboard.account import VERDICT, DiskAccount, account_in, traded
from algo_pipeline_tests.live.lines import BTC, decision, hour, mark, missed, started


def page_of(account: DiskAccount) -> str:
    with account.served() as browser:
        answer = browser.get("/?refresh=off")
    assert answer.status_code == 200
    return answer.text


class TestNothingYet:
    def test_an_empty_folder_says_that_trading_has_not_started(self, empty: DiskAccount) -> None:
        view = empty.view()
        assert account_state(view).title == "Not started"
        assert view.problems == ()
        page = page_of(empty)
        for words in ("Live trading has not started", "No bar has been marked yet", "Nothing has been decided yet"):
            assert words in page
        assert "No champion is deployed" in page

    def test_looking_leaves_no_trace(self, empty: DiskAccount, account: DiskAccount) -> None:
        before = {path: path.stat().st_mtime_ns for path in account.folder.rglob("*")}
        page_of(account)
        assert {path: path.stat().st_mtime_ns for path in account.folder.rglob("*")} == before

    def test_a_session_of_one_mark_is_shown(self, account: DiskAccount) -> None:
        account.journal_path.unlink()
        account.write(started(0, cash="5"), mark(0, 5.0, 5.0))
        view = account.view()
        assert (view.equity.n_hours, view.equity.band, view.equity.standing) == (0, None, Standing.UNKNOWN)
        assert "nothing to compare" in page_of(account)


class TestDamage:
    @pytest.mark.parametrize("line", range(10))
    def test_a_damaged_journal_is_shown_up_to_the_damage(self, account: DiskAccount, line: int) -> None:
        whole = Journal(account.live).read()
        texts = account.journal_path.read_bytes().split(b"\n")
        texts[line] = texts[line].replace(b'"event"', b'"evnt"', 1)
        account.journal_path.write_bytes(b"\n".join(texts))
        view = account.view()
        assert not view.is_journal_whole
        assert f"Line {line + 1} of" in view.problems[0].message
        assert "Restore" in view.problems[0].remedy
        assert view.status["equity"] == fold(LiveState(), whole[:line]).equity
        assert account_state(view).title == "Damaged"
        page = page_of(account)
        assert f"Line {line + 1} of" in page
        assert VERDICT in page  # the rest is shown

    def test_a_torn_last_line_is_no_damage(self, account: DiskAccount) -> None:
        with account.journal_path.open("ab") as file:
            file.write(b'{"timestamp": "2024-01-01T0')
        view = account.view()
        assert view.problems == ()
        assert view.status["equity"] == 100_200.0

    def test_a_damage_that_is_repaired_is_forgotten(self, account: DiskAccount) -> None:
        good = account.journal_path.read_bytes()
        reader = Reader(account.settings)
        account.journal_path.write_bytes(b"nonsense\n" + good)
        assert not reader.view(hour(4)).is_journal_whole
        account.journal_path.write_bytes(good)
        assert reader.view(hour(4)).is_journal_whole
        assert reader.view(hour(4)).n_decisions == 3

    def test_a_line_that_only_the_tally_cannot_read_is_a_damage_too(self, account: DiskAccount) -> None:
        odd = missed(3, 4)
        account.write(type(odd)(odd.timestamp, odd.event, details={**odd.details, "hours": "many"}))
        view = account.view()
        assert "Line 11 of" in view.problems[0].message
        assert (view.n_decisions, view.status["equity"]) == (3, 100_200.0)

    def test_a_damaged_state_file_is_made_again(self, account: DiskAccount) -> None:
        (account.live / "state.json").write_text("{")
        assert account.view().status["equity"] == 100_200.0

    @pytest.mark.parametrize(
        ("path", "what"),
        [
            ("live/champion/BTC-USD/bundle.json", "The champion of BTC/USD"),
            ("backtest/BTC-USD/report.json", "The backtest of BTC/USD"),
            ("backtest/BTC-USD/equity_curve.csv", "The backtest of BTC/USD"),
            ("registry/promotions.jsonl", "The promotions"),
        ],
    )
    @pytest.mark.parametrize("content", [b"\x00nonsense\n", b"{}\n", b"[1, 2]\n", b"timestamp,equity\nx,y\n"])
    def test_any_other_damaged_file_is_told_and_the_rest_is_shown(
        self, account: DiskAccount, path: str, what: str, content: bytes
    ) -> None:
        write_text(account.folder / path, content.decode())
        view = account.view()
        assert [problem.what for problem in view.problems] == [what]
        assert view.problems[0].message
        page = page_of(account)
        assert f"{what} could not be read" in page
        assert "100,200.00" in page

    def test_a_folder_where_a_file_should_be_is_told(self, account: DiskAccount) -> None:
        path = account.live / "alerts.log"
        path.unlink()
        path.mkdir()
        assert [problem.what for problem in account.view().problems] == ["The alerts"]

    @pytest.mark.parametrize("rows", ["inf", "0", "-1", "nan", ""])
    def test_a_curve_that_is_none_is_told(self, account: DiskAccount, rows: str) -> None:
        path = account.folder / "backtest/BTC-USD/equity_curve.csv"
        path.write_text(f"timestamp,equity\n2024-01-01T00:00:00Z,{rows}\n")
        assert [problem.what for problem in account.view().problems] == ["The backtest of BTC/USD"]
        path.write_text("timestamp,equity\n" + 2 * "2024-01-01T00:00:00Z,1\n")
        assert [problem.what for problem in account.view().problems] == ["The backtest of BTC/USD"]

    def test_a_backtest_that_one_symbol_lacks_leaves_nothing_to_expect(self, account: DiskAccount) -> None:
        both = account_in(account.folder, symbols="BTC/USD,ETH/USD")
        assert both.view().equity.band is not None
        both.deploy(source="file", symbol="ETH/USD")
        assert [champion.trading for champion in both.view().champions] == ["on", "on"]
        assert both.view().equity.band is None

    def test_an_account_without_money_is_shown(self, empty: DiskAccount) -> None:
        empty.write(started(0, cash="0"), mark(0, 0.0, 0.0), mark(1, 0.0, 0.0))
        empty.deploy(source="file")
        empty.backtest()
        assert "nan" not in page_of(empty).split("<main")[1].lower()

    def test_a_missing_curve_means_no_expectation(self, account: DiskAccount) -> None:
        (account.folder / "backtest/BTC-USD/equity_curve.csv").unlink()
        view = account.view()
        assert (view.equity.band, view.problems) == (None, ())


class TestFollowing:
    def test_what_has_not_changed_is_not_read_again(
        self, account: DiskAccount, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reader = Reader(account.settings)
        first = reader.view(hour(4))

        def never(*_: object) -> None:
            raise AssertionError("it was read again")

        for owner, name in ((Journal, "lines"), (BundleStore, "load"), (pd, "read_csv"), (reading, "read_alerts")):
            monkeypatch.setattr(owner, name, never)
        again = reader.view(hour(4))
        assert to_json(again.status) == to_json(first.status)
        assert again.equity is first.equity

    def test_lines_are_taken_in_as_they_come(self, empty: DiskAccount) -> None:
        reader = Reader(empty.settings)
        for entry in traded():
            empty.write(entry)
            found, anew = reader.view(hour(4)), empty.view(hour(4))
            assert to_json(found.status) == to_json(anew.status)
            assert found.costs == anew.costs
            assert found.equity.returns.tolist() == anew.equity.returns.tolist()

    def test_another_journal_in_its_place_is_read_from_its_start(self, account: DiskAccount, tmp_path: Path) -> None:
        reader = Reader(account.settings)
        assert reader.view(hour(4)).n_decisions == 3
        account.journal_path.unlink()
        account.write(started(0, cash="7"), mark(0, 7.0, 7.0), *(decision(bar) for bar in range(5)))
        view = reader.view(hour(4))
        assert (view.n_decisions, view.status["equity"], view.problems) == (5, 7.0, ())

    def test_a_journal_that_is_gone_is_no_account(self, account: DiskAccount) -> None:
        reader = Reader(account.settings)
        reader.view(hour(4))
        shutil.rmtree(account.live)
        view = reader.view(hour(4))
        assert (view.has_started, view.status["as_of_bar"], view.problems) == (False, None, ())

    def test_a_line_that_is_newer_than_the_state_is_left_for_the_next_time(
        self, account: DiskAccount, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lines = Journal(account.live).read()
        earlier = fold(LiveState(), lines[:7])
        with monkeypatch.context() as patch:
            patch.setattr(StateStore, "load", lambda *_: earlier)
            view = account.view()
        assert (view.status["equity"], view.status["session"]["hours"], view.n_decisions) == (100_300.0, 2, 1)

    def test_a_saved_state_ahead_of_what_was_read_is_no_trouble(self, account: DiskAccount) -> None:
        reader = Reader(account.settings)
        reader.view(hour(4))
        account.write(mark(3, 99_000.0, 100_300.0))
        store = StateStore(account.live)
        store.save(store.load(Journal(account.live)))
        assert reader.view(hour(4)).status["equity"] == 99_000.0

    def test_a_new_champion_and_a_new_backtest_are_seen(self, account: DiskAccount) -> None:
        reader = Reader(account.settings)
        first = reader.view(hour(4))
        account.deploy(source="file", model_version="77")
        account.backtest(hourly=1e-3)
        second = reader.view(hour(4))
        assert (first.champions[0].version, second.champions[0].version) == ("3", "77")
        assert first.equity.band is not None
        assert second.equity.band is not None
        assert second.equity.band.median[-1] > first.equity.band.median[-1] + 1e-3


class TestChampions:
    def test_its_recipe_age_and_verdict_are_told(self, account: DiskAccount) -> None:
        champion = account.view(hour(24 * 40)).champions[0]
        assert (champion.symbol, champion.trading, champion.verdict) == ("BTC/USD", "on", VERDICT)
        assert champion.is_verdict_its_own
        assert champion.age_days == 39  # its training ended on January 2
        assert champion.has_report

    def test_a_backtest_of_another_recipe_is_called_so(self, account: DiskAccount) -> None:
        account.backtest(recipe_hash="other")
        assert not account.view().champions[0].is_verdict_its_own
        assert "Verdict on another recipe" in page_of(account)

    def test_a_flat_champion_leads_one_to_expect_nothing(self, account: DiskAccount) -> None:
        from algo_pipeline.research.promotion import Trading

        account.deploy(source="file", trading=Trading.FLAT)
        view = account.view()
        assert view.equity.band is None
        assert account_state(view).title == "Flat"
        assert "No deployed model may trade" in page_of(account)

    def test_simulated_bars_are_announced(self, account: DiskAccount) -> None:
        assert "Simulated data." not in page_of(account)
        account.deploy()
        assert BundleStore(account.folder).load(BTC) is not None
        assert "Simulated data." in page_of(account)


def test_the_way_out_is_shown(account: DiskAccount) -> None:
    from algo_pipeline_tests.live.lines import difference

    account.write(difference(3))
    view = account.view()
    assert account_state(view).title == "Stopped"
    way = way_out(LiveState(stopped="x"), drift_abstention=False)
    assert way is not None
    assert way.replace('"', "&#34;") in page_of(account)

"""The hour's order of work, sentence by sentence."""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal

import pandas as pd
import pytest

from algo_pipeline.common.errors import (
    AmbiguousBrokerError,
    BrokerRefusedError,
    ConfigValueError,
    LeakageError,
    LiveStateError,
    LongWaitError,
    SourceBlockedError,
    SourceError,
    TransientSourceError,
    UnknownSymbolError,
)
from algo_pipeline.interfaces.strategy import Assessment, Band, Outlook, StrategyInterface
from algo_pipeline.live import deciding
from algo_pipeline.live.alerts import Severity
from algo_pipeline.live.champion import BarView
from algo_pipeline.live.events import Event
from algo_pipeline.live.session import Session
from algo_pipeline_tests.live.harness import BTC, ETH, Fault, Filling, World, broken_promises, lost_orders
from algo_pipeline_tests.live.lines import mark
from algo_pipeline_tests.live.worlds import LIVE, hour, one_entry, scripted


class Tiring(StrategyInterface):
    """A user's strategy that answers so many times, and breaks; and says less each time."""

    def __init__(self, answers: int, step: float = 0.0) -> None:
        self.left, self.score, self.step = answers, 0.5, step

    def band(self, round_trip_cost: float) -> Band:
        return Band(0.1, 0.0)

    def assess(self, outlook: Outlook, round_trip_cost: float) -> Assessment:
        self.left -= 1
        if self.left < 0:
            raise ConnectionError("too many requests")
        self.score += self.step
        return Assessment(self.score - self.step, 0.1)

    def explain(self, outlook: Outlook, round_trip_cost: float) -> str:
        return f"score {self.assess(outlook, round_trip_cost).score}" if not self.step else "once"

    def figures(self, outlook: Outlook, round_trip_cost: float) -> dict[str, float]:
        return super().figures(outlook, round_trip_cost) if not self.step else {"score": 0.5}

    def parameters(self) -> dict[str, float]:
        return {}


class Waiting(Tiring):
    """Waits for what never comes."""

    def band(self, round_trip_cost: float) -> Band:
        threading.Event().wait(30.0)
        return super().band(round_trip_cost)


def decisions(world: World, bar: pd.Timestamp) -> dict[str, tuple[str, str]]:
    return {
        str(line.symbol): (line.signal, line.action) for line in world.lines_of(Event.DECISION) if line.timestamp == bar
    }


def verdicts(world: World, bar: pd.Timestamp) -> list[str]:
    return [v for line in world.lines_of(Event.DECISION) if line.timestamp == bar for v in line.details["verdicts"]]


class TestOrderOfWork:
    def test_lines_of_an_hour_come_in_the_order_of_its_work(self, tmp_path):
        world = one_entry(tmp_path)
        world.tick(hour(0))
        events = [Event.STARTED, Event.MARK, Event.DECISION, Event.INTENT, Event.RESULT]
        assert [line.event for line in world.lines] == events

    def test_the_intent_is_synced_before_the_request(self, tmp_path):
        from algo_pipeline_tests.live.harness import CrashPoints

        world, points = one_entry(tmp_path), CrashPoints()
        world.tick(hour(0), points=points)
        place = points.steps.index("request place")
        assert points.steps[place - 2 : place] == ["append decisions.jsonl", "sync decisions.jsonl"]

    def test_mark_and_decisions_of_an_hour_are_one_write_and_one_sync(self, tmp_path):
        from algo_pipeline_tests.live.harness import CrashPoints

        world = scripted(tmp_path, {BTC: [0.5, 0.5]})
        world.tick(hour(0))
        points = CrashPoints()
        world.tick(hour(1), points=points)
        assert [line.event for line in world.lines[-2:]] == [Event.MARK, Event.DECISION]
        journal = [step for step in points.steps if step.endswith("decisions.jsonl")]
        # The first sync is of what earlier processes wrote.
        assert journal == ["sync decisions.jsonl", "append decisions.jsonl", "sync decisions.jsonl"]

    def test_a_mark_that_nothing_follows_is_journalled_at_the_end(self, tmp_path):
        world = one_entry(tmp_path)
        ledger = Session.of(world.account()).ledger
        marked = mark()
        ledger.note(marked)
        assert (ledger.state.marked_bar, world.lines) == (marked.timestamp, ())
        ledger.save()
        assert [line.event for line in world.lines] == [Event.MARK]
        assert ledger.state == world.state

    def test_the_state_is_saved_when_the_orders_are_out(self, tmp_path):
        from algo_pipeline_tests.live.harness import CrashPoints

        world, points = one_entry(tmp_path), CrashPoints()
        world.tick(hour(0), points=points)
        assert points.steps[-1] == "replace state.json"

    def test_sells_are_sent_and_settled_before_buys_and_buys_in_configured_order(self, tmp_path):
        world = scripted(tmp_path, {ETH: [0.5, 0.7], BTC: [0.7, 0.3]})
        world.tick(hour(0))
        world.tick(hour(1))
        assert [(symbol, side.value) for _, symbol, side, _ in world.broker.sent[1:]] == [(BTC, "sell"), (ETH, "buy")]
        both = scripted(tmp_path / "both", {ETH: [0.7], BTC: [0.7]})
        both.tick(hour(0))
        assert [symbol for _, symbol, _, _ in both.broker.sent] == [ETH, BTC]

    def test_a_rerun_of_a_decided_hour_does_nothing_more(self, tmp_path):
        world = one_entry(tmp_path)
        first = world.tick(hour(0))
        lines = world.lines
        again = world.run(hour(0))
        assert again.was_resumed
        assert (again.decisions, again.skipped) == (first.decisions, None)
        assert [line.event for line in world.lines[len(lines) :]] == [Event.RECONCILED]
        assert broken_promises(world) == lost_orders(world) == []

    def test_a_rerun_after_the_deadline_does_not_call_a_decided_hour_skipped(self, tmp_path):
        world = one_entry(tmp_path)
        world.tick(hour(0))
        world.clock.sleep(1200)
        assert world.run(hour(0)).skipped is None
        assert not world.lines_of(Event.SKIPPED_STALE)

    def test_a_dry_run_decides_and_writes_and_sends_nothing(self, tmp_path):
        world = one_entry(tmp_path)
        report = world.tick(hour(0), dry_run=True)
        assert [(d.action, d.details["quantity"]) for d in report.decisions] == [("enter", "200")]
        assert not tmp_path.joinpath("decisions.jsonl").exists()
        assert not tmp_path.joinpath("state.json").exists()
        assert (world.broker.sent, world.alerts.alerts) == ([], [])
        world.tick(hour(0))
        assert len(world.broker.sent) == 1

    def test_a_dry_run_of_a_decided_hour_shows_what_was_decided(self, tmp_path):
        world = one_entry(tmp_path)
        first = world.tick(hour(0))
        assert world.run(hour(0), dry_run=True).decisions == first.decisions


class TestTime:
    def test_a_bar_that_is_not_closed_is_refused(self, tmp_path):
        world = one_entry(tmp_path)
        world.clock.at = hour(1) - pd.Timedelta(seconds=1)
        with pytest.raises(ConfigValueError, match="closes at"):
            world.run(hour(0))

    def test_a_time_that_is_no_bar_is_refused(self, tmp_path):
        world = one_entry(tmp_path)
        world.clock.at = hour(5)
        with pytest.raises(ConfigValueError, match="whole hour"):
            world.run(hour(0) + pd.Timedelta(minutes=1))

    def test_a_bar_named_in_another_zone_is_the_same_bar_with_the_same_order(self, tmp_path):
        world = one_entry(tmp_path)
        world.tick(hour(0))
        for zone in ("Asia/Tokyo", "Europe/Berlin", "Asia/Kolkata"):
            assert world.run(hour(0).tz_convert(zone)).was_resumed
        assert list(world.broker.orders) == ["algo-BTC-USD-2024010100-b-d"]

    def test_too_late_records_skipped_stale_once_and_places_nothing(self, tmp_path):
        world = one_entry(tmp_path)
        world.clock.at = hour(1) + pd.Timedelta(seconds=601)
        assert "more than 600 s" in str(world.run(hour(0)).skipped)
        world.run(hour(0))
        (line,) = world.lines_of(Event.SKIPPED_STALE)
        assert line.details["delay_s"] == 601.0
        assert world.broker.sent == []
        assert not world.lines_of(Event.MARK)

    def test_features_that_take_too_long_send_nothing(self, tmp_path):
        world = one_entry(tmp_path)
        features = world.feed.features
        world.feed.features = lambda symbol, bar: (world.clock.sleep(700), features(symbol, bar))[1]
        assert "more than 600 s" in str(world.tick(hour(0)).skipped)
        assert world.broker.sent == []
        assert (decisions(world, hour(0)), len(world.lines_of(Event.SKIPPED_STALE))) == ({}, 1)

    def test_the_last_moment_still_decides(self, tmp_path):
        world = one_entry(tmp_path)
        world.clock.at = hour(1) + pd.Timedelta(seconds=600)
        assert world.run(hour(0)).skipped is None
        assert len(world.broker.sent) == 1

    def test_the_bar_is_polled_until_it_is_there(self, tmp_path):
        world = one_entry(tmp_path)
        world.feed.late_by_s = 120
        assert world.tick(hour(0)).skipped is None
        assert world.clock.now() >= hour(1) + pd.Timedelta(seconds=120)

    def test_a_bar_that_is_not_there_within_90_s_is_never_replaced_by_an_older_one(self, tmp_path):
        world = one_entry(tmp_path)
        world.tick(hour(0))
        world.feed.late_by_s = 200
        report = world.tick(hour(1))
        assert "no symbol has the bar" in str(report.skipped)
        assert world.clock.now() - (hour(2) + pd.Timedelta(minutes=1)) < pd.Timedelta(seconds=96)
        assert decisions(world, hour(1)) == {}

    def test_a_bar_that_comes_after_all_is_decided_on_while_there_is_time(self, tmp_path):
        world = one_entry(tmp_path)
        world.feed.late_by_s = 200
        world.tick(hour(0))
        world.clock.sleep(60)
        assert world.run(hour(0)).skipped is None
        assert len(world.broker.sent) == 1
        assert broken_promises(world) == []

    @pytest.mark.parametrize(
        "error",
        [UnknownSymbolError("no ETH here"), SourceBlockedError("banned"), LongWaitError("in 100 s"), KeyError("t")],
    )
    def test_a_source_that_will_not_answer_is_asked_once_and_keeps_no_other_symbol_waiting(self, tmp_path, error):
        world = scripted(tmp_path, {BTC: [0.7, 0.3], ETH: [0.5, 0.7]})
        world.tick(hour(0))
        shown, asked = world.feed.bars, []

        def bars(symbol, bar):
            if symbol == ETH:
                asked.append(bar)
                raise error
            return shown(symbol, bar)

        world.feed.bars = bars
        report = world.tick(hour(1))
        assert [order.intent.symbol for order in report.orders] == [BTC]
        assert (len(asked), report.delay_s) == (1, 60.0)
        assert verdicts(world, hour(1))[0].startswith("no bar 2024-01-01 01:00: ")

    def test_a_source_that_may_recover_is_polled(self, tmp_path):
        world, asked = one_entry(tmp_path), []

        def bars(symbol, bar, shown=world.feed.bars):
            asked.append(bar)
            if len(asked) < 4:
                raise TransientSourceError("503")
            return shown(symbol, bar)

        world.feed.bars = bars
        assert world.tick(hour(0)).skipped is None
        assert len(asked) == 4

    def test_why_no_symbol_has_the_bar_is_said(self, tmp_path):
        world = one_entry(tmp_path)
        world.feed.bars = lambda symbol, bar: (_ for _ in ()).throw(SourceBlockedError("not in your region (451)"))
        assert "not in your region (451)" in str(world.tick(hour(0)).skipped)

    def test_a_stale_hour_still_reconciles_and_settles(self, tmp_path):
        world = one_entry(tmp_path)
        world.broker.faults += [Fault("place", "after"), Fault("find", "before", 10_000)]
        world.tick(hour(0))
        assert world.state.open_intents
        world.broker.faults.clear()
        world.clock.at = hour(2) + pd.Timedelta(seconds=700)
        assert world.run(hour(1)).skipped is not None
        assert not world.state.open_intents
        assert world.state.holdings[BTC] > 0

    def test_a_backfill_of_an_older_bar_places_nothing_and_is_told_once(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.7, 0.7, 0.7]})
        world.tick(hour(0))
        world.tick(hour(3))
        for _ in range(2):
            assert "newer bar" in str(world.run(hour(1)).skipped)
            assert "newer bar" in str(world.run(hour(0)).skipped)
        assert [line.timestamp for line in world.lines_of(Event.SKIPPED_STALE)] == [hour(1)]
        assert len(world.broker.sent) == 1
        assert world.state.last_bar == hour(3)

    def test_missed_hours_are_told_once_before_the_bars_own_lines(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.5] * 6})
        world.tick(hour(0))
        report = world.tick(hour(4))
        (missed,) = world.lines_of(Event.MISSED)
        details = (missed.details["from"], missed.details["to"], missed.details["hours"])
        assert details == (hour(1).isoformat(), hour(3).isoformat(), 3)
        assert world.lines[missed.seq].event is Event.MARK
        assert report.missed_hours == 3
        world.run(hour(4))
        assert len(world.lines_of(Event.MISSED)) == 1

    def test_two_missed_hours_escalate_only_while_something_is_held(self, tmp_path):
        for probability, severity in ((0.5, Severity.WARNING), (0.7, Severity.CRITICAL)):
            world = scripted(tmp_path / str(probability), {BTC: [probability] + [0.5] * 5})
            world.tick(hour(0))
            world.tick(hour(3))
            (alert,) = [alert for alert in world.alerts.alerts if alert.code == "missed"]
            assert alert.severity is severity

    def test_two_hours_without_bars_while_holding_escalate(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7] + [0.5] * 5})
        world.tick(hour(0))
        world.feed.late_by_s = 400
        for n in (1, 2):
            world.tick(hour(n))
        severities = [alert.severity for alert in world.alerts.alerts if alert.code == "skipped"]
        assert severities == [Severity.WARNING, Severity.CRITICAL]

    def test_a_feed_that_looks_ahead_is_a_defect(self, tmp_path):
        world = one_entry(tmp_path)
        bars = world.bars[BTC]
        world.feed.bars = lambda symbol, bar: BarView(bars.index[:3], bars["close"].to_numpy()[:3])
        with pytest.raises(LeakageError):
            world.tick(hour(0))
        assert world.broker.sent == []


class TestMark:
    def test_the_first_mark_starts_the_peak_and_drawdown_follows_it(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.5, 0.5]}, {BTC: [100.0, 110.0, 99.0, 99.0, 99.0]})
        for n in range(3):
            world.tick(hour(n))
        marks = [line.details for line in world.lines_of(Event.MARK)]
        assert marks[0]["equity"] == marks[0]["peak"] == 100_000.0
        held = 200 * (1 - 0.0025)
        cash = 100_000 - 200 * 100 * 1.0005
        assert marks[1]["equity"] == marks[1]["peak"] == pytest.approx(cash + held * 110, rel=1e-12)
        assert marks[2]["drawdown"] == pytest.approx(1 - (cash + held * 99) / marks[1]["peak"], rel=1e-12)

    def test_the_kill_switch_sells_everything_latches_and_alerts(self, tmp_path):
        closes = {BTC: [100.0, 100.0, 40.0] + [40.0] * 5}
        world = scripted(tmp_path, {BTC: [0.7, 0.5, 0.9, 0.9, 0.9], ETH: [0.7, 0.5, 0.9, 0.9, 0.9]}, closes)
        for n in range(5):
            world.tick(hour(n))
        (line,) = world.lines_of(Event.KILL_SWITCH)
        assert line.timestamp == hour(2)
        assert decisions(world, hour(2)) == {"BTC/USD": ("LONG", "exit"), "ETH/USD": ("LONG", "exit")}
        assert decisions(world, hour(4)) == {"BTC/USD": ("LONG", "none"), "ETH/USD": ("LONG", "none")}
        assert not any(world.broker.held.values())
        assert "kill_switch" in world.alerts.codes

    def test_the_kill_switch_sells_a_symbol_without_a_bar_too(self, tmp_path):
        closes = {BTC: [100.0, 100.0, 40.0] + [40.0] * 5}
        whole = scripted(tmp_path, {BTC: [0.7, 0.5, 0.5], ETH: [0.7, 0.5, 0.5]}, closes)
        bars = {BTC: whole.bars[BTC], ETH: whole.bars[ETH].drop(hour(2))}
        world = World(tmp_path / "w", bars, {BTC: whole.probability[BTC], ETH: whole.probability[ETH]}, LIVE)
        for n in range(3):
            world.tick(hour(n))
        assert decisions(world, hour(2))["ETH/USD"] == ("HOLD", "exit")
        assert not any(world.broker.held.values())

    def test_features_that_break_do_not_keep_the_kill_switch_waiting(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.5, 0.5]}, {BTC: [100.0, 100.0, 40.0, 40.0, 40.0]})
        world.tick(hour(0))
        world.tick(hour(1))
        world.feed.broken = {BTC}
        world.tick(hour(2))
        assert world.state.killed_at == hour(2)
        assert not any(world.broker.held.values())

    @pytest.mark.parametrize("answers", range(6))
    def test_neither_does_a_strategy_that_breaks_when_it_is_asked_again(self, tmp_path, answers):
        world = scripted(tmp_path, {BTC: [0.7, 0.5, 0.5]}, {BTC: [100.0, 100.0, 40.0, 40.0, 40.0]})
        world.tick(hour(0))
        world.tick(hour(1))
        world.champions[BTC].own_strategy = Tiring(answers)
        world.tick(hour(2))
        assert world.state.killed_at == hour(2)
        assert not any(world.broker.held.values())

    def test_neither_does_a_strategy_that_never_answers(self, tmp_path, monkeypatch):
        monkeypatch.setattr(deciding, "ANSWER_LIMIT_S", 0.05)
        world = scripted(tmp_path, {BTC: [0.7, 0.5, 0.5]}, {BTC: [100.0, 100.0, 40.0, 40.0, 40.0]})
        world.tick(hour(0))
        world.tick(hour(1))
        world.champions[BTC].own_strategy = Waiting(1)
        world.tick(hour(2))
        assert world.state.killed_at == hour(2)
        assert not any(world.broker.held.values())
        assert "no_probability" in world.alerts.codes

    def test_a_crazy_bar_neither_marks_nor_trades_nor_kills(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.5, 0.3, 0.5]}, {BTC: [100.0, 100.0, 1.0, 100.0, 100.0, 100.0]})
        world.rules = replace(world.rules, price_band_bps=2500.0)
        for n in range(4):
            world.tick(hour(n))
        assert world.state.killed_at is None
        assert decisions(world, hour(2)) == {"BTC/USD": ("HOLD", "none")}
        assert "no second source confirms it" in verdicts(world, hour(2))[0]
        assert [line.details["closes"]["BTC/USD"] for line in world.lines_of(Event.MARK)] == [100.0] * 4
        assert decisions(world, hour(3)) == {"BTC/USD": ("HOLD", "none")}
        assert verdicts(world, hour(3)) == []
        assert "price_band" in world.alerts.codes

    def test_a_crazy_bar_that_the_second_source_confirms_is_real(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.5, 0.3]}, {BTC: [100.0, 100.0, 60.0, 60.0, 60.0]})
        world.rules = replace(world.rules, price_band_bps=2500.0)
        world.price_check = lambda symbol: 59.0 if world.clock.now() > hour(3) else None
        for n in range(3):
            world.tick(hour(n))
        assert decisions(world, hour(2)) == {"BTC/USD": ("FLAT", "exit")}

    def test_a_jump_that_lasts_is_believed_at_the_second_bar(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.5, 0.5, 0.5, 0.7]}, {BTC: [100.0, 100.0, 60.0, 60.0, 60.0, 60.0]})
        world.rules = replace(world.rules, price_band_bps=2500.0)
        for n in range(4):
            world.tick(hour(n))
        assert [line.details["closes"]["BTC/USD"] for line in world.lines_of(Event.MARK)] == [100, 100, 100, 60]
        assert decisions(world, hour(3)) == {"BTC/USD": ("LONG", "enter")}


class TestLimits:
    def test_entries_stop_at_the_daily_cap_and_exits_pass(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.3, 0.7], ETH: [0.7, 0.5, 0.3]})
        world.rules = replace(world.rules, max_orders_per_day=1)
        for n in range(3):
            world.tick(hour(n))
        assert [(symbol, side.value) for _, symbol, side, _ in world.broker.sent] == [(BTC, "buy"), (BTC, "sell")]
        assert verdicts(world, hour(0)) == ["the day's orders are used up"]
        assert "verdict" in world.alerts.codes

    def test_the_cap_counts_anew_on_the_next_day(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.3] + [0.5] * 22 + [0.7]})
        world.rules = replace(world.rules, max_orders_per_day=2)
        for n in (0, 1, 24):
            world.tick(hour(n))
        assert len(world.broker.sent) == 3

    def test_an_entry_that_the_second_source_speaks_against_is_not_made(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.3], ETH: [0.7, 0.5]})
        world.price_check = lambda symbol: 110.0 if symbol == BTC else None
        world.tick(hour(0))
        assert decisions(world, hour(0)) == {"BTC/USD": ("LONG", "none"), "ETH/USD": ("LONG", "enter")}
        assert "from the second source's 110" in verdicts(world, hour(0))[0]

    def test_neither_is_one_that_breaks(self, tmp_path):
        world = one_entry(tmp_path)
        world.price_check = lambda symbol: {}["price"]
        world.tick(hour(0))
        assert len(world.broker.sent) == 1

    def test_a_defect_that_ends_the_run_is_told_with_what_came_before_it(self, tmp_path):
        world = one_entry(tmp_path)
        world.broker.trading_blocked = True
        world.feed.bars = lambda symbol, bar: BarView(pd.DatetimeIndex([bar]), None)
        with pytest.raises(TypeError):
            world.tick(hour(0))
        assert world.alerts.codes == ["account_blocked", "run_defect"]

    def test_a_second_source_that_fails_is_no_objection(self, tmp_path):
        def fails(symbol: object) -> float | None:
            raise SourceError("down")

        world = one_entry(tmp_path)
        world.price_check = fails
        world.tick(hour(0))
        assert len(world.broker.sent) == 1

    def test_cash_that_an_objection_frees_goes_to_the_next_symbol(self, tmp_path):
        config = replace(LIVE, position_fraction=1.0, max_position_fraction=1.0)
        world = scripted(tmp_path, {BTC: [0.7], ETH: [0.7]}, config=config)
        world.price_check = lambda symbol: 200.0 if symbol == BTC else 100.0
        world.tick(hour(0))
        assert [symbol for _, symbol, _, _ in world.broker.sent] == [ETH]

    def test_a_blocked_account_enters_nothing(self, tmp_path):
        world = one_entry(tmp_path)
        world.broker.trading_blocked = True
        world.tick(hour(0))
        assert verdicts(world, hour(0)) == ["the broker blocks trading"]
        assert "account_blocked" in world.alerts.codes


class TestChampion:
    def test_a_champion_deployed_flat_records_its_signal_exits_and_never_enters(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.5, 0.7]})
        world.tick(hour(0))
        world.champions[BTC].trading = "flat"
        world.tick(hour(1))
        world.tick(hour(2))
        assert decisions(world, hour(1)) == {"BTC/USD": ("HOLD", "exit")}
        assert decisions(world, hour(2)) == {"BTC/USD": ("LONG", "none")}
        assert world.lines_of(Event.DECISION)[-1].prob == 0.7

    def test_the_champions_own_thresholds_decide(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.6]})
        world.champions[BTC].enter_threshold = 0.65
        world.tick(hour(0))
        assert decisions(world, hour(0)) == {"BTC/USD": ("HOLD", "none")}

    def test_no_champion_holds_and_says_so(self, tmp_path):
        world = one_entry(tmp_path)
        world.champions.clear()
        world.tick(hour(0))
        (line,) = world.lines_of(Event.DECISION)
        assert (line.signal, line.prob, line.details["reason"]) == ("HOLD", None, "no champion is deployed")

    def test_nan_holds_with_a_reason(self, tmp_path):
        world = scripted(tmp_path, {BTC: [float("nan")]})
        world.tick(hour(0))
        (line,) = world.lines_of(Event.DECISION)
        assert (line.signal, line.prob, line.details["reason"]) == ("HOLD", None, "a feature is not known")

    def test_features_that_break_hold_their_symbol_alone(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7], ETH: [0.7]})
        world.feed.broken = {BTC}
        world.tick(hour(0))
        assert decisions(world, hour(0)) == {"BTC/USD": ("HOLD", "none"), "ETH/USD": ("LONG", "enter")}
        assert "no_probability" in world.alerts.codes

    def test_a_decision_rests_on_one_answer_of_a_strategy_that_says_something_else_each_time(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7]})
        world.champions[BTC].own_strategy = Tiring(1, step=-1.0)
        world.tick(hour(0))
        (line,) = world.lines_of(Event.DECISION)
        assert (line.signal, line.details["strategy"]) == ("LONG", {"score": 0.5})

    def test_one_that_learnt_from_simulated_bars_trades_on_loopback_only(self, tmp_path):
        world = one_entry(tmp_path)
        world.champions[BTC].simulated = True
        world.tick(hour(0))
        world.rules = replace(world.rules, is_loopback=False)
        with pytest.raises(LiveStateError, match="simulated"):
            world.tick(hour(1))


class TestOrders:
    def test_a_buys_remainder_is_dropped(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.7, 0.7]})
        world.broker.filling = Filling(share=Decimal("0.3"))
        for n in range(3):
            world.tick(hour(n))
        assert len(world.broker.sent) == 1

    def test_an_exit_stays_in_force_until_nothing_is_left_hold_and_long_included(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.3, 0.5, 0.9, 0.9, 0.9]})
        world.tick(hour(0))
        world.broker.filling = Filling(share=Decimal("0.5"))
        world.tick(hour(1))
        world.tick(hour(2))
        assert decisions(world, hour(2)) == {"BTC/USD": ("HOLD", "exit")}
        world.broker.filling = Filling()
        world.tick(hour(3))
        assert decisions(world, hour(3)) == {"BTC/USD": ("LONG", "exit")}
        world.tick(hour(4))
        assert decisions(world, hour(4)) == {"BTC/USD": ("LONG", "enter")}
        world.tick(hour(5))
        assert decisions(world, hour(5)) == {"BTC/USD": ("LONG", "none")}
        assert broken_promises(world) == []

    def test_an_entry_ends_an_exit_whose_remainder_had_become_dust_by_the_price(self, tmp_path):
        closes = {BTC: [100.0, 100.0, 40.0, 40.0, 40.0, 40.0]}
        world = scripted(tmp_path, {BTC: [0.7, 0.3, 0.7, 0.5]}, closes, replace(LIVE, max_drawdown=1.0))
        world.tick(hour(0))
        world.broker.filling = Filling(share=Decimal("0.999"))
        world.tick(hour(1))
        world.broker.filling = Filling()
        world.tick(hour(2))
        assert decisions(world, hour(2)) == {"BTC/USD": ("LONG", "enter")}
        world.tick(hour(3))
        assert decisions(world, hour(3)) == {"BTC/USD": ("HOLD", "none")}

    def test_a_refused_exit_alerts_and_is_tried_again_on_the_next_bar(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.3, 0.5, 0.5]})
        world.tick(hour(0))
        world.broker.faults.append(Fault("place", "refuse"))
        world.tick(hour(1))
        world.tick(hour(2))
        assert not any(world.broker.held.values())
        (alert,) = [alert for alert in world.alerts.alerts if alert.code == "order_refused"]
        assert alert.severity is Severity.CRITICAL

    def test_a_sell_sells_what_is_available(self, tmp_path):
        world = one_entry(tmp_path)
        for n in range(3):
            world.tick(hour(n))
        assert world.broker.sent[-1][3] == Decimal("199.5")
        assert not any(world.broker.held.values())

    def test_an_order_of_unknown_outcome_blocks_its_symbol_alone(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.3, 0.5], ETH: [0.5, 0.7, 0.5]})
        world.broker.faults += [Fault("place", "after", of="BTC"), Fault("find", "before", 10_000, of="BTC")]
        world.tick(hour(0))
        assert "order_unknown" in world.alerts.codes
        world.tick(hour(1))
        assert decisions(world, hour(1)) == {"BTC/USD": ("FLAT", "none"), "ETH/USD": ("LONG", "enter")}
        assert verdicts(world, hour(1)) == ["the outcome of algo-BTC-USD-2024010100-b-d is unknown"]
        assert broken_promises(world) == []

    def test_unknown_for_hours_it_stays_blocked_and_ends_well(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.3, 0.3, 0.3]})
        world.broker.faults += [Fault("place", "after"), Fault("find", "before", 100_000)]
        for n in range(3):
            world.tick(hour(n))
        assert decisions(world, hour(2)) == {"BTC/USD": ("FLAT", "none")}
        world.broker.faults.clear()
        world.tick(hour(3))
        assert not any(world.broker.held.values())
        assert world.state.stopped is None
        assert broken_promises(world) == lost_orders(world) == []

    def test_an_abandoned_order_that_was_taken_after_all_is_adopted_with_an_alert(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.5, 0.3, 0.5]})
        world.broker.faults += [
            Fault("place", "after"),
            Fault("find", "absent", 10_000),
            Fault("place", "before", 10_000),
        ]
        world.tick(hour(0))
        assert world.state.abandoned
        world.broker.faults.clear()
        world.tick(hour(1))
        assert "late_order" in world.alerts.codes
        assert (world.state.stopped, world.state.abandoned) == (None, {})
        world.tick(hour(2))
        assert not any(world.broker.held.values())
        assert lost_orders(world) == []

    def test_fills_that_happened_while_away_are_explained_by_open_intents(self, tmp_path):
        world = one_entry(tmp_path)
        world.broker.faults += [Fault("place", "after"), Fault("find", "before", 10_000)]
        world.tick(hour(0))
        world.broker.faults.clear()
        world.tick(hour(3))
        assert world.state.stopped is None
        assert lost_orders(world) == []

    def test_a_failed_position_query_is_never_read_as_flat(self, tmp_path):
        world = one_entry(tmp_path)
        world.tick(hour(0))
        world.broker.faults.append(Fault("positions", "before", 10_000))
        before = world.lines
        with pytest.raises(AmbiguousBrokerError):
            world.tick(hour(1))
        assert world.lines == before
        assert "run_broker_ambiguous" in world.alerts.codes

    def test_a_refused_question_is_not_asked_again(self, tmp_path):
        world = one_entry(tmp_path)
        world.broker.faults.append(Fault("account", "refuse", 10_000))
        with pytest.raises(BrokerRefusedError):
            world.tick(hour(0))
        assert world.broker.requests["account"] == 1

    def test_a_broker_that_comes_back_within_a_minute_costs_no_hour(self, tmp_path):
        world = one_entry(tmp_path)
        world.broker.faults.append(Fault("account", "before", 3))
        assert world.tick(hour(0)).skipped is None

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.labels import LabelSpec, label_spec
from algo_pipeline.live.events import Event
from algo_pipeline.live.state import LiveState, fold
from algo_pipeline.live.state_records import from_document, to_document
from algo_pipeline.live.watch_records import AlarmKind, SymbolWatch
from algo_pipeline.research.drift import Drift
from algo_pipeline.research.sequential import CalibrationMonitor
from algo_pipeline_tests.live.harness import BTC, ETH, CrashPoints, FakeChampion, World, broken_promises, lost_orders
from algo_pipeline_tests.live.lines import hour as bar_of
from algo_pipeline_tests.live.lines import lines_of, watched
from algo_pipeline_tests.live.worlds import LIVE, flat_bars, hour

KEPT = replace(LIVE, max_drawdown=1.0)


class ScriptedWatch:
    """Outcomes from a table, features that drift from some bar on."""

    def __init__(self, outcomes: Mapping[Symbol, pd.Series], label: str = "direction_1h") -> None:
        self.outcomes, self.spec = outcomes, label_spec(label)
        self.drifts = False
        self.broken = False
        self.asked: list[pd.Timestamp] = []

    def label(self, symbol: Symbol) -> LabelSpec:
        if self.broken:
            raise RuntimeError("the watch broke")
        return self.spec

    def outcome(self, symbol: Symbol, bar: pd.Timestamp) -> float:
        self.asked.append(bar)
        return float(self.outcomes[symbol].get(bar, math.nan))

    def bins(self, symbol: Symbol, features: object) -> str:
        return "5"

    def strangest(self, symbol: Symbol, bins: Sequence[str]) -> Drift | None:
        return Drift("rsi_14", 9.0 if self.drifts else 1.0, 4.0)


def world(tmp_path, probability: Sequence[float], outcomes: Sequence[float], **options: object) -> World:
    bars = flat_bars([100.0] * (len(probability) + 2))
    index = bars.index[: len(probability)]
    made = World(tmp_path, {BTC: bars}, {BTC: pd.Series(list(probability), index=index, dtype=float)}, KEPT)
    made.watch = ScriptedWatch({BTC: pd.Series(list(outcomes), index=index)}, **options)
    return made


def wrong(n: int) -> list[float]:
    """Probabilities that outcomes of 0 contradict: an entry, an exit, and again."""
    return [0.9 if place % 2 == 0 else 0.4 for place in range(n)]


def run(made: World, n: int) -> None:
    for place in range(n):
        made.tick(hour(place))


class TestOutcomes:
    def test_a_label_of_one_hour_is_asked_for_two_bars_later_and_bet_on_once(self, tmp_path):
        made = world(tmp_path, [0.6] * 6, [1, 0, 1, 1, 0, 0])
        run(made, 6)
        assert made.watch.asked == [hour(0), hour(1), hour(2), hour(3)]
        expected = CalibrationMonitor(1)
        for place, outcome in enumerate([1, 0, 1, 1]):
            expected = expected.after(place, 0.6, 0.5, outcome)
        found = made.state.watches[BTC]
        assert found.calibration == expected
        assert [each.bar for each in found.pending] == [hour(4), hour(5)]

    def test_an_outcome_that_a_gap_hides_is_given_up(self, tmp_path):
        made = world(tmp_path, [0.6] * 5, [1, math.nan, 1, 1, 1])
        run(made, 5)
        assert made.state.watches[BTC].calibration.n_bets == 2
        assert made.watch.asked == [hour(0), hour(1), hour(2)]

    def test_hours_without_a_run_are_made_up_for(self, tmp_path):
        made = world(tmp_path, [0.6] * 9, [1] * 9)
        for place in (0, 1, 2, 7, 8):
            made.tick(hour(place))
        assert made.watch.asked == [hour(0), hour(1), hour(2)]
        assert made.state.watches[BTC].bins == ("5", "5", "5", "", "", "", "", "5", "5")

    def test_another_label_starts_the_test_anew(self, tmp_path):
        made = world(tmp_path, [0.6] * 8, [1] * 8)
        run(made, 5)
        made.watch.spec = label_spec("direction_4h")
        run(made, 8)
        found = made.state.watches[BTC]
        assert found.calibration is None
        assert [each.bar for each in found.pending] == [hour(5), hour(6), hour(7)]

    def test_what_is_seen_equals_the_fold_of_the_journal_and_survives_the_state_file(self, tmp_path):
        made = world(tmp_path, wrong(30), [0] * 30)
        run(made, 30)
        state = made.state
        assert state == fold(LiveState(), made.lines)
        assert from_document(to_document(state)) == state

    def test_a_model_without_probability_is_not_watched_on_that_bar(self, tmp_path):
        made = world(tmp_path, [0.6, math.nan, 0.6], [1, 1, 1])
        run(made, 3)
        assert [each.bar for each in made.state.watches[BTC].pending] == [hour(2)]
        assert [("watch" in line.details) for line in made.lines_of(Event.DECISION)] == [True, False, True]


class TestAlarm:
    @pytest.fixture
    def alarmed(self, tmp_path) -> World:
        made = world(tmp_path, wrong(24), [0] * 24)
        run(made, 20)
        return made

    def test_wrong_probabilities_end_in_abstention_told_once(self, alarmed):
        alarm = alarmed.state.alarms[BTC]
        assert alarm.kind is AlarmKind.CALIBRATION
        assert alarmed.alerts.codes.count("calibration_drift") == 1
        assert "verdict" not in alarmed.alerts.codes
        decisions = alarmed.lines_of(Event.DECISION)
        assert [line.details.get("abstained", False) for line in decisions] == [
            line.timestamp >= alarm.bar for line in decisions
        ]
        assert {line.action for line in decisions if line.timestamp >= alarm.bar} <= {"none", "exit"}
        assert any(
            line.signal == "LONG" and line.details["reason"] == f"no entry: it abstains: {alarm.text}"
            for line in decisions
        )

    def test_an_exit_passes_an_alarm(self, tmp_path):
        made = world(tmp_path, [0.9] * 19 + [0.1], [0] * 20)
        run(made, 19)
        assert BTC in made.state.alarms
        assert made.broker.held[BTC] > 0
        made.tick(hour(19))
        assert made.lines_of(Event.DECISION)[-1].action == "exit"
        assert made.broker.held[BTC] == 0

    def test_a_person_resumes_and_the_test_starts_anew_without_a_new_peak(self, alarmed):
        peak = alarmed.state.peak
        alarmed.resume()
        assert alarmed.state.alarms == {}
        assert alarmed.state.watches[BTC].calibration is None
        assert alarmed.state.peak == peak
        alarmed.tick(hour(20))
        assert alarmed.lines_of(Event.DECISION)[-1].action == "enter"
        with pytest.raises(ConfigValueError, match="neither halted nor stopped"):
            alarmed.resume()

    def test_without_abstention_the_alarm_is_told_and_trading_goes_on(self, tmp_path):
        made = world(tmp_path, wrong(24), [0] * 24)
        made.rules = replace(made.rules, drift_abstention=False)
        run(made, 21)
        alarm = made.state.alarms[BTC]
        assert made.alerts.codes.count("calibration_drift") == 1
        late = [line for line in made.lines_of(Event.DECISION) if line.timestamp > alarm.bar]
        assert "enter" in {line.action for line in late}
        assert not any("abstained" in line.details for line in late)

    def test_a_drifted_feature_ends_in_abstention_and_a_resume_forgets_its_week(self, tmp_path):
        made = world(tmp_path, [0.5, 0.5, 0.9, 0.9], [0] * 4)
        run(made, 2)
        made.watch.drifts = True
        made.tick(hour(2))
        assert made.state.alarms[BTC].kind is AlarmKind.FEATURES
        assert BTC not in made.broker.held
        assert made.alerts.codes == ["features_drift"]
        made.watch.drifts = False
        made.resume()
        assert made.state.watches[BTC].bins == ()
        made.tick(hour(3))
        assert made.lines_of(Event.DECISION)[-1].action == "enter"

    def test_one_symbols_alarm_leaves_another_trading(self, tmp_path):
        bars = flat_bars([100.0] * 24)
        tables = {symbol: pd.Series(wrong(22), index=bars.index[:22]) for symbol in (BTC, ETH)}
        made = World(tmp_path, {BTC: bars, ETH: bars}, tables, KEPT)
        ones = pd.Series([float(p > 0.5) for p in wrong(22)], index=bars.index[:22])
        made.watch = ScriptedWatch({BTC: ones * 0, ETH: ones})
        run(made, 21)
        assert set(made.state.alarms) == {BTC}
        last = {line.symbol: line.action for line in made.lines_of(Event.DECISION)[-2:]}
        assert last == {BTC: "none", ETH: "enter"}


class TestSafety:
    def test_a_broken_watch_changes_no_decision(self, tmp_path):
        made, twin = world(tmp_path / "a", wrong(8), [0] * 8), world(tmp_path / "b", wrong(8), [0] * 8)
        made.watch.broken, twin.watch = True, None
        run(made, 8)
        run(twin, 8)
        assert made.lines == twin.lines

    def test_a_silent_watch_changes_no_order(self, tmp_path):
        rng = np.random.default_rng(5)
        p = rng.uniform(0.4, 0.6, 60)
        made = world(tmp_path / "a", p, (rng.random(60) < p).astype(float))
        twin = world(tmp_path / "b", p, [0] * 60)
        twin.watch = None
        run(made, 60)
        run(twin, 60)
        assert made.state.alarms == {}
        assert made.broker.sent == twin.broker.sent
        assert len(made.broker.sent) > 10

    @pytest.mark.parametrize("where", ["before", "after", "torn"])
    def test_the_hour_of_an_alarm_may_die_anywhere(self, tmp_path, where):
        start = world(tmp_path / "start", wrong(24), [0] * 24)
        start.challengers = {BTC: FakeChampion(BTC)}
        first = world(tmp_path / "seen", wrong(24), [0] * 24)
        run(first, 20)
        alarm = first.state.alarms[BTC]
        at = int((alarm.bar - hour(0)) / pd.Timedelta(hours=1))
        run(start, at)
        probe = start.clone(tmp_path / "probe")
        points = CrashPoints()
        probe.tick(alarm.bar, points=points)
        for step in range(len(points.steps)):
            dying = start.clone(tmp_path / f"{where}-{step}")
            dying.until_the_end(alarm.bar, CrashPoints(step, where))
            assert broken_promises(dying) == []
            assert lost_orders(dying) == []
            assert dying.state.alarms == {BTC: alarm}
            assert "calibration_drift" in dying.alerts.codes


class TestShadows:
    def test_a_challenger_is_journalled_beside_the_champion_and_never_trades(self, tmp_path):
        made = world(tmp_path, [0.5, 0.9, 0.5], [0] * 3)
        made.champions[BTC].trading = "flat"
        made.challengers = {BTC: FakeChampion(BTC, sha256="e" * 64, model_version="9")}
        run(made, 3)
        lines = made.lines_of(Event.SHADOW)
        assert [(line.timestamp, line.symbol, line.prob, line.signal) for line in lines] == [
            (hour(0), BTC, 0.5, "HOLD"),
            (hour(1), BTC, 0.9, "LONG"),
            (hour(2), BTC, 0.5, "HOLD"),
        ]
        assert lines[0].details == {"bundle": "e" * 64, "model_version": "9"}
        assert made.broker.sent == []
        assert broken_promises(made) == []

    def test_a_second_run_of_the_hour_adds_no_shadow(self, tmp_path):
        made = world(tmp_path, [0.5, 0.5], [0] * 2)
        made.challengers = {BTC: FakeChampion(BTC)}
        run(made, 1)
        made.run(hour(0))
        assert len(made.lines_of(Event.SHADOW)) == 1

    def test_a_broken_challenger_disturbs_nothing(self, tmp_path):
        class Broken(FakeChampion):
            def probability(self, features: object) -> float:
                raise RuntimeError("broken")

        made, twin = world(tmp_path / "a", wrong(4), [0] * 4), world(tmp_path / "b", wrong(4), [0] * 4)
        made.challengers = {BTC: Broken(BTC)}
        run(made, 4)
        run(twin, 4)
        assert made.lines == twin.lines

    def test_it_is_asked_when_the_orders_are_out(self, tmp_path):
        made = world(tmp_path, [0.9], [0])

        class Asking(FakeChampion):
            def probability(self, features: object) -> float:
                assert made.broker.sent
                return 0.5

        made.challengers = {BTC: Asking(BTC)}
        run(made, 1)
        assert len(made.lines_of(Event.SHADOW)) == 1


class TestRecords:
    def test_the_last_week_is_kept(self):
        watch = SymbolWatch()
        for line in lines_of(*(watched(bar, bins=f"{bar:03d}") for bar in range(200))):
            watch = watch.after(line.timestamp, line.prob, line.details["watch"])
        assert watch.bins == tuple(f"{bar:03d}" for bar in range(32, 200))

    def test_a_gap_longer_than_the_week_leaves_only_what_came_after(self):
        watch = SymbolWatch()
        for line in lines_of(watched(0), watched(5000)):
            watch = watch.after(line.timestamp, line.prob, line.details["watch"])
        assert watch.bins == ("",) * 167 + ("5a",)

    def test_an_alarm_ends_the_betting(self):
        lines = lines_of(*(watched(bar) for bar in range(5)), watched(5, alarm="calibration"), watched(6), watched(7))
        watches = [SymbolWatch()]
        for line in lines:
            watches.append(watches[-1].after(line.timestamp, line.prob, line.details["watch"]))
        assert watches[6].alarm.bar == bar_of(5)
        assert watches[8].calibration == watches[6].calibration
        assert [each.bar for each in watches[8].pending] == [bar_of(6), bar_of(7)]
        assert watches[8].alarm == watches[6].alarm

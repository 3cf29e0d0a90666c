"""A person's halt and resume."""

from __future__ import annotations

from decimal import Decimal

import pytest

from algo_pipeline.common.errors import BrokerError, ConfigValueError, LiveStateError
from algo_pipeline.live.controls import halt, resume
from algo_pipeline.live.events import Event, Outcome
from algo_pipeline_tests.live.harness import (
    BTC,
    ETH,
    SOL,
    CrashPoints,
    Fault,
    Filling,
    SimulatedCrash,
    World,
    broken_promises,
    lost_orders,
)
from algo_pipeline_tests.live.worlds import hour, scripted


def holding_world(folder, later: float = 0.5) -> World:
    world = scripted(folder, {BTC: [0.7, 0.5, later, later, later, later], ETH: [0.5] * 6})
    world.tick(hour(0))
    world.tick(hour(1))
    return world


class TestHalt:
    def test_a_halt_stops_entries_and_lets_exits_pass(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.3, 0.5], ETH: [0.5, 0.7, 0.5]})
        world.tick(hour(0))
        world.halt(flatten=False)
        world.tick(hour(1))
        assert [(symbol, side.value) for _, symbol, side, _ in world.broker.sent[1:]] == [(BTC, "sell")]
        verdicts = [v for line in world.lines_of(Event.DECISION) for v in line.details["verdicts"]]
        assert verdicts == ["halted: a test halts"]

    def test_flatten_sells_everything_at_once_under_the_halts_number(self, tmp_path):
        world = holding_world(tmp_path)
        report = world.halt(flatten=True)
        assert [order.outcome for order in report.orders] == [Outcome.FILLED]
        assert world.broker.sent[-1][0].endswith("-s-h1")
        assert not any(world.broker.held.values())
        world.tick(hour(2))
        assert world.state.stopped is None
        assert broken_promises(world) == lost_orders(world) == []

    def test_what_a_flattening_halt_leaves_is_sold_on_later_bars_whatever_the_signal(self, tmp_path):
        world = holding_world(tmp_path, later=0.9)
        world.broker.filling = Filling(share=Decimal("0.5"))
        world.halt(flatten=True)
        world.broker.filling = Filling()
        world.tick(hour(2))
        assert not any(world.broker.held.values())
        world.tick(hour(3))
        assert len(world.broker.sent) == 3

    def test_each_halt_has_a_number_of_its_own(self, tmp_path):
        world = holding_world(tmp_path)
        world.broker.faults.append(Fault("place", "refuse"))
        assert world.halt(flatten=True).number == 1
        assert world.halt(flatten=True).number == 2
        assert world.broker.sent[-1][0].endswith("-s-h2")

    def test_a_buy_that_was_never_taken_is_not_sent_after_a_halt(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.5]})
        counted = CrashPoints()
        world.clone(tmp_path / "twin").tick(hour(0), points=counted)
        with pytest.raises(SimulatedCrash):
            world.tick(hour(0), points=CrashPoints(counted.steps.index("request place")))
        assert world.state.open_intents
        (result,) = world.halt(flatten=False).orders
        assert (result.outcome, world.broker.sent) == (Outcome.ABANDONED_STALE, [])
        world.run(hour(0))
        assert world.broker.sent == []

    def test_a_sale_of_unknown_outcome_is_not_repeated_by_a_halt(self, tmp_path):
        world = holding_world(tmp_path, later=0.3)
        world.broker.faults += [Fault("place", "before", 10_000), Fault("find", "before", 10_000)]
        world.tick(hour(2))
        world.broker.faults = [Fault("find", "before", 10_000)]
        requests = world.broker.requests["place"]
        report = world.halt(flatten=True)
        assert world.broker.requests["place"] == requests
        assert "outcome unknown" in report.notes[0]

    def test_resting_orders_are_cancelled_before_flattening(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.3, 0.5]})
        world.tick(hour(0))
        world.broker.filling = Filling(share=Decimal(0), rests=True)
        world.broker.faults.append(Fault("cancel", "before", 1_000))
        world.tick(hour(1))
        assert world.state.open_intents
        world.broker.faults.clear()
        world.broker.filling = Filling()
        report = world.halt(flatten=True)
        assert [order.outcome for order in report.orders] == [Outcome.UNFILLED, Outcome.FILLED]
        assert not any(world.broker.held.values())

    def test_it_is_journalled_even_if_the_broker_cannot_be_reached(self, tmp_path):
        world = holding_world(tmp_path)
        world.broker.faults.append(Fault("account", "before", 10_000))
        with pytest.raises(BrokerError):
            world.halt(flatten=True)
        world.broker.faults.clear()
        world.tick(hour(2))
        assert not any(world.broker.held.values())

    def test_a_persons_flattening_sells_even_where_a_difference_has_stopped_trading(self, tmp_path):
        world = holding_world(tmp_path)
        world.broker.held[BTC] += Decimal(1)
        world.tick(hour(2))
        world.halt(flatten=True)
        assert not any(world.broker.held.values())

    def test_it_needs_a_reason(self, tmp_path):
        world = holding_world(tmp_path)
        with pytest.raises(ConfigValueError, match="reason"):
            halt(world.account(), " ", flatten=False)


class TestResume:
    def test_after_the_kill_switch_the_peak_starts_again_at_the_present_equity(self, tmp_path):
        closes = {BTC: [100.0, 100.0, 40.0, 40.0, 40.0, 40.0, 40.0, 40.0]}
        world = scripted(tmp_path, {BTC: [0.7, 0.5, 0.5, 0.5, 0.7, 0.5]}, closes)
        for n in range(4):
            world.tick(hour(n))
        assert world.state.killed_at == hour(2)
        report = world.resume()
        assert report.peak == pytest.approx(float(world.broker.cash))
        world.tick(hour(4))
        assert (world.state.killed_at, world.state.drawdown) == (None, 0.0)
        assert world.broker.sent[-1][0].endswith("-b-d")

    def test_a_rerun_of_the_bar_that_killed_does_not_latch_again_after_a_resume(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.5, 0.5]}, {BTC: [100.0, 100.0, 40.0, 40.0, 40.0]})
        for n in range(3):
            world.tick(hour(n))
        world.resume()
        world.run(hour(2))
        assert world.state.killed_at is None
        assert broken_promises(world) == []

    def test_a_halt_ends(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.5, 0.7, 0.7]})
        world.tick(hour(0))
        world.halt(flatten=True)
        world.tick(hour(1))
        world.resume()
        world.tick(hour(2))
        assert len(world.broker.sent) == 1

    def test_without_adopt_a_difference_comes_back(self, tmp_path):
        world = holding_world(tmp_path)
        world.broker.held[BTC] += Decimal(1)
        world.tick(hour(2))
        world.resume()
        world.tick(hour(3))
        assert world.state.stopped is not None

    def test_adopt_starts_from_what_the_account_holds(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.5, 0.5, 0.5, 0.3]})
        world.tick(hour(0))
        world.tick(hour(1))
        world.broker.held[BTC] += Decimal(1)
        world.broker.foreign_order("algo-BTC-USD-2023123123-b-d", BTC, status="filled")
        world.broker.foreign_order("by-hand", BTC)
        world.tick(hour(2))
        world.resume(adopt=True)
        assert world.tick(hour(3)).skipped is None
        world.tick(hour(4))
        assert not any(world.broker.held.values())
        assert world.state.stopped is None

    def test_an_order_that_was_adopted_may_rest_for_ever(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.5] * 120})
        world.tick(hour(0))
        world.broker.foreign_order("by-hand", BTC)
        world.tick(hour(1))
        world.resume(adopt=True)
        for n in (2, 60, 110):
            world.tick(hour(n))
        assert world.state.stopped is None
        assert world.broker.orders["by-hand"].status == "new"

    def test_adopt_lets_holdings_outside_the_configured_symbols_rest_and_watches_them(self, tmp_path):
        world = holding_world(tmp_path)
        world.broker.bars[SOL] = world.bars[BTC]
        world.broker.held[SOL] = Decimal(5)
        world.tick(hour(2))
        world.resume(adopt=True)
        before = world.state.peak
        world.tick(hour(3))
        assert (world.state.stopped, world.state.peak) == (None, before)
        world.broker.held[SOL] = Decimal(4)
        world.tick(hour(4))
        assert world.state.stopped is not None

    def test_holdings_outside_the_configured_symbols_are_no_part_of_the_new_peak(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.7, 0.5]})
        world.broker.bars[SOL] = world.bars[BTC]
        world.broker.held[SOL] = Decimal(1000)  # as much as the cash
        assert world.tick(hour(0)).stopped is not None
        assert world.resume(adopt=True).peak == 100_000
        report = world.tick(hour(1))
        assert (report.peak, report.drawdown, report.killed_at) == (100_000, 0.0, None)
        assert "equity_differs" not in world.alerts.codes

    def test_adopt_begins_a_journal_where_the_files_were_lost(self, tmp_path):
        world = holding_world(tmp_path)
        tmp_path.joinpath("decisions.jsonl").unlink()
        tmp_path.joinpath("state.json").unlink()
        world.tick(hour(2))
        assert "journal does not know" in str(world.state.stopped)
        world.resume(adopt=True)
        assert world.tick(hour(3)).skipped is None
        assert world.state.holdings[BTC] == world.broker.held[BTC]

    def test_adopt_works_before_the_first_run(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.5, 0.3, 0.5]})
        world.broker.held[BTC] = Decimal(2)
        world.clock.at = hour(1)
        world.resume(adopt=True)
        world.tick(hour(1))
        assert not any(world.broker.held.values())

    def test_adopt_gives_up_intents_of_unknown_outcome(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.5, 0.5]})
        world.broker.faults += [Fault("place", "after"), Fault("find", "before", 10_000)]
        world.tick(hour(0))
        world.resume(adopt=True)
        assert not world.state.open_intents
        world.broker.faults.clear()
        assert world.tick(hour(1)).stopped is None

    def test_nothing_to_resume_is_said(self, tmp_path):
        world = holding_world(tmp_path)
        with pytest.raises(ConfigValueError, match="neither halted nor stopped"):
            world.resume()

    def test_it_needs_a_reason(self, tmp_path):
        world = holding_world(tmp_path)
        with pytest.raises(ConfigValueError, match="reason"):
            resume(world.account(), "", adopt=True)

    def test_another_accounts_files_are_refused(self, tmp_path):
        world = holding_world(tmp_path)
        world.broker.account_id = "acct-2"
        with pytest.raises(LiveStateError):
            world.resume(adopt=True)

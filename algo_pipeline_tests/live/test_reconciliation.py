"""Every way in which the account can differ from the journal has its answer."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algo_pipeline.common.errors import LiveStateError
from algo_pipeline.common.types import Side
from algo_pipeline.interfaces.broker import Account, Position
from algo_pipeline.live.events import Event
from algo_pipeline.live.limits import LiveRules
from algo_pipeline.live.reconciliation import Snapshot, compare, plain
from algo_pipeline.live.state import Intent, LiveState
from algo_pipeline.live.state_records import Fill
from algo_pipeline_tests.live.harness import BTC, ETH, SOL, Fault, Filling, World, broken_promises
from algo_pipeline_tests.live.worlds import LIVE, hour, scripted

RULES = LiveRules(trading=LIVE)


def holding_world(folder) -> World:
    """BTC is held from bar 1 on, and sold at bar 4."""
    world = scripted(folder, {BTC: [0.7, 0.5, 0.5, 0.5, 0.3, 0.5, 0.5]})
    world.tick(hour(0))
    world.tick(hour(1))
    return world


def the_difference(world: World) -> str:
    (line,) = world.lines_of(Event.DIFFERENCE)
    return str(line.details["reason"])


class TestAccount:
    def test_another_account_is_refused_before_anything_is_written(self, tmp_path):
        world = holding_world(tmp_path)
        before = world.lines
        world.broker.account_id = "acct-2"
        with pytest.raises(LiveStateError, match=r"acct-1.*acct-2"):
            world.tick(hour(2))
        assert world.lines == before

    def test_a_symbol_that_is_held_may_not_leave_the_configured_ones(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.5, 0.5], ETH: [0.5, 0.5, 0.5]})
        world.tick(hour(0))
        world.tick(hour(1))
        with pytest.raises(LiveStateError, match=r"BTC/USD is held .* no longer among the configured"):
            world.tick(hour(2), symbols=(ETH,))

    def test_nor_one_that_was_bought_the_hour_before(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.5, 0.5, 0.5], ETH: [0.7, 0.5, 0.5]})
        world.tick(hour(0))
        world.clock.at = hour(2) + pd.Timedelta(minutes=1)
        with pytest.raises(LiveStateError, match="ETH/USD is held"):
            world.run(hour(1), symbols=(BTC,))
        assert world.run(hour(1)).stopped is None

    def test_a_symbol_that_is_sold_may_leave(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.3, 0.5, 0.5], ETH: [0.5] * 4})
        for n in range(3):
            world.tick(hour(n))
        assert world.tick(hour(3), symbols=(ETH,)).skipped is None

    def test_dust_of_a_symbol_that_left_is_no_difference(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.3, 0.5, 0.5, 0.5, 0.5], ETH: [0.5] * 6})
        world.tick(hour(0))
        world.broker.filling = Filling(share=Decimal("0.9999"))
        for n in (1, 2):
            world.tick(hour(n))
        assert 0 < world.broker.held[BTC] < Decimal("0.1")
        for n in (3, 4, 5):
            assert world.tick(hour(n), symbols=(ETH,)).skipped is None
        world.broker.held[BTC] += 1
        world.clock.sleep(60)
        assert world.run(hour(5), symbols=(ETH,)).stopped is not None

    def test_holdings_at_the_first_start_are_the_start_and_are_told(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.5, 0.3]})
        world.broker.held[BTC] = Decimal("3")
        world.tick(hour(0))
        assert world.state.holdings == {BTC: Decimal("3")}
        assert "started_holding" in world.alerts.codes


class TestHoldings:
    def test_a_manual_trade_stops_trading_with_an_alert(self, tmp_path):
        world = holding_world(tmp_path)
        world.broker.held[BTC] -= Decimal("0.01")
        report = world.tick(hour(2))
        assert "199.49 held and 199.5 expected" in the_difference(world)
        assert report.stopped is not None
        assert "trading is stopped" in str(report.skipped)
        assert world.alerts.codes.count("difference") == 1

    def test_a_manual_trade_of_the_very_hour_of_our_own_is_seen_beyond_one_fee(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.5]})
        world.tick(hour(0))
        world.broker.held[BTC] -= Decimal("1.1")  # twice the fee of 0.5 that the fill may still owe
        world.tick(hour(1))
        assert world.state.stopped is not None

    def test_a_fee_that_is_not_posted_yet_is_no_difference(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.5]})
        world.tick(hour(0))
        world.broker.held[BTC] = Decimal(200)
        assert world.tick(hour(1)).stopped is None
        assert world.state.holdings[BTC] == 200

    def test_a_fee_that_is_posted_at_the_days_end_is_no_difference(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.5, 0.5, 0.5, 0.5, 0.5]})
        world.tick(hour(0))
        world.broker.held[BTC] = Decimal(200)
        world.tick(hour(1))
        world.tick(hour(2))
        assert world.state.fees_owed == {BTC: Decimal("0.5")}
        world.broker.held[BTC] = Decimal("199.5")
        assert world.tick(hour(3)).stopped is None
        assert world.state.fees_owed == {}
        world.broker.held[BTC] = Decimal("199.4")  # once is all that was owed
        assert world.tick(hour(4)).stopped is not None

    def test_a_fee_that_is_owed_explains_no_more_than_itself(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.5, 0.5, 0.5]})
        world.tick(hour(0))
        world.broker.held[BTC] = Decimal(200)
        world.tick(hour(1))
        world.broker.held[BTC] = Decimal("199.49")
        assert world.tick(hour(2)).stopped is not None

    def test_a_fee_is_owed_no_more_once_all_is_sold(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.3, 0.5, 0.5]})
        world.tick(hour(0))
        world.broker.held[BTC] = Decimal(200)
        world.tick(hour(1))
        assert world.tick(hour(2)).stopped is None
        assert (world.broker.held[BTC], world.state.fees_owed) == (0, {})

    def test_stopped_means_no_order_at_all_until_a_person_resumes(self, tmp_path):
        world = holding_world(tmp_path)
        world.broker.held[BTC] += Decimal(1)
        for n in (2, 3, 4, 5):
            world.tick(hour(n))
        assert len(world.broker.sent) == 1
        assert [line.timestamp for line in world.lines_of(Event.SKIPPED_STALE)] == [hour(n) for n in (2, 3, 4, 5)]
        assert world.alerts.codes.count("stopped") == 3

    def test_a_difference_that_passes_within_seconds_is_none(self, tmp_path):
        world = holding_world(tmp_path)
        positions, answers = world.broker._positions, [(), ()]
        world.broker._positions = lambda: answers.pop() if answers else positions()
        assert world.tick(hour(2)).stopped is None
        assert answers == []
        assert not world.lines_of(Event.DIFFERENCE)

    def test_a_holding_outside_the_configured_symbols_is_a_difference(self, tmp_path):
        world = holding_world(tmp_path)
        world.broker.bars[SOL] = world.bars[BTC]
        world.broker.held[SOL] = Decimal(5)
        world.tick(hour(2))
        assert "SOL/USD" in the_difference(world)
        assert "not among the configured symbols" in the_difference(world)

    def test_one_that_is_there_at_the_first_start_is_a_difference_too(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7]})
        world.broker.bars[SOL] = world.bars[BTC]
        world.broker.held[SOL] = Decimal(5)
        world.tick(hour(0))
        assert world.state.stopped is not None
        assert world.broker.sent == []

    @given(
        held=st.decimals(0, 100, places=6),
        bought=st.decimals("0.000001", 100, places=6),
        share=st.floats(-0.5, 1.0),
    )
    def test_anything_between_all_and_none_of_the_fee_is_explained(self, held, bought, share):
        fee = Decimal("0.0025")
        state = LiveState(holdings={BTC: held}, cash=Decimal(1000), fills=(Fill(BTC, Side.BUY, bought, Decimal(1)),))
        found = held + bought - bought * fee * Decimal(repr(share))
        snapshot = Snapshot(
            Account("a", Decimal(1000) - bought, Decimal(0)), {BTC: Position(BTC, found, found)}, (), ()
        )
        comparison = compare(snapshot, state, (BTC,), RULES)
        unexplained = share < 0 and bought * fee * Decimal(repr(-share)) > Decimal("1e-9")
        assert (comparison.difference is not None) == unexplained

    def test_so_is_what_an_abandoned_order_may_have_filled_after_all(self):
        intent = Intent("algo-x", BTC, Side.BUY, Decimal(10), hour(0), "d", hour(0))
        state = LiveState(cash=Decimal(5000), abandoned={"algo-x": intent})
        snapshot = Snapshot(Account("a", Decimal(4000), Decimal(0)), {BTC: Position(BTC, *[Decimal(10)] * 2)}, (), ())
        assert compare(snapshot, state, (BTC,), RULES).difference is None
        assert not compare(snapshot, state, (BTC,), RULES).is_settled

    @given(filled=st.decimals(0, 10, places=6), side=st.sampled_from(Side))
    def test_whatever_an_open_order_may_have_filled_is_explained_but_is_no_new_base(self, filled, side):
        intent = Intent("algo-x", BTC, side, Decimal(10), hour(0), "d", hour(0))
        state = LiveState(holdings={BTC: Decimal(10)}, cash=Decimal(5000), open_intents={"algo-x": intent})
        found = Decimal(10) + (filled if side is Side.BUY else -filled)
        snapshot = Snapshot(Account("a", Decimal(5000), Decimal(0)), {BTC: Position(BTC, found, found)}, (), ())
        comparison = compare(snapshot, state, (BTC,), RULES)
        assert (comparison.difference, comparison.is_settled) == (None, False)


class TestOrdersAtTheBroker:
    def test_an_open_order_that_nobody_journalled_stops_trading(self, tmp_path):
        world = holding_world(tmp_path)
        world.broker.foreign_order("0b0c-by-hand", BTC)
        world.tick(hour(2))
        assert "0b0c-by-hand" in the_difference(world)

    @pytest.mark.parametrize(("hours_ago", "stops"), [(47, True), (49, False)])
    def test_an_order_of_ours_that_the_journal_lost_stops_trading_for_48_hours(self, tmp_path, hours_ago, stops):
        world = scripted(tmp_path, {BTC: [0.5] * 60})
        world.clock.at = hour(1)
        world.broker.foreign_order("algo-BTC-USD-2023123123-b-d", BTC, status="filled")
        world.clock.at = hour(1) + pd.Timedelta(hours=hours_ago)
        world.run(hour(hours_ago))
        assert (world.state.stopped is not None) == stops

    def test_a_closed_order_of_somebody_else_is_their_own_matter(self, tmp_path):
        world = holding_world(tmp_path)
        world.broker.foreign_order("0b0c-by-hand", BTC, status="canceled")
        assert world.tick(hour(2)).stopped is None

    def test_our_own_orders_stay_known_for_the_48_hours(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.3] + [0.5] * 60})
        for n in (0, 1, 30, 47, 49, 60):
            world.tick(hour(n))
        assert world.state.stopped is None

    def test_an_order_of_ours_that_rests_after_its_end_is_cancelled(self, tmp_path):
        world = holding_world(tmp_path)
        (order_id,) = world.broker.orders
        world.broker.orders[order_id] = world.broker.orders[order_id].__class__(
            **{**_fields(world.broker.orders[order_id]), "status": "new"}
        )
        world.tick(hour(2))
        assert world.broker.orders[order_id].status == "canceled"
        assert "leftover_order" in world.alerts.codes

    def test_while_stopped_open_intents_are_looked_up_and_not_sent(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.5]})
        world.broker.faults += [Fault("place", "before", 10_000), Fault("find", "before", 10_000)]
        world.tick(hour(0))
        sent = world.broker.requests["place"]
        world.broker.faults.clear()
        world.broker.foreign_order("by-hand", BTC)
        world.clock.at = hour(1) + pd.Timedelta(seconds=580)
        world.run(hour(0))
        assert world.broker.requests["place"] == sent


class TestCash:
    @pytest.mark.parametrize("delta", ["5000", "-5000", "1234567.89"])
    def test_a_deposit_or_withdrawal_moves_the_peak_by_the_same_amount_and_trading_goes_on(self, tmp_path, delta):
        world = holding_world(tmp_path)
        peak, drawdown = world.state.peak, world.state.peak - world.state.equity
        world.broker.cash += Decimal(delta)
        report = world.tick(hour(2))
        (line,) = world.lines_of(Event.ADJUSTMENT)
        assert Decimal(line.details["delta_usd"]) == Decimal(delta)
        assert world.state.peak == pytest.approx(peak + float(delta), rel=1e-12)
        assert world.state.peak - world.state.equity == pytest.approx(drawdown, abs=1e-6)
        assert (report.skipped, world.state.killed_at) == (None, None)
        world.tick(hour(3))
        assert len(world.lines_of(Event.ADJUSTMENT)) == 1

    def test_a_deposit_beside_a_sale_is_known_to_the_cent(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.3, 0.5]})
        world.tick(hour(0))
        world.tick(hour(1))
        world.broker.cash += Decimal(1000)
        world.tick(hour(2))
        (line,) = world.lines_of(Event.ADJUSTMENT)
        assert Decimal(line.details["delta_usd"]) == 1000

    def test_cents_and_late_fees_are_no_adjustment(self, tmp_path):
        world = scripted(tmp_path, {BTC: [0.7, 0.3, 0.5, 0.5]})
        for n in range(2):
            world.tick(hour(n))
        world.broker.cash += Decimal("49.8")  # the sell's fee is posted at the end of the day
        world.tick(hour(2))
        world.broker.cash -= Decimal("49.8")
        world.tick(hour(3))
        assert not world.lines_of(Event.ADJUSTMENT)

    def test_the_journals_cash_is_the_brokers_to_the_last_digit(self, tmp_path):
        world = holding_world(tmp_path)
        assert world.state.cash == world.broker.cash
        assert world.state.holdings == {BTC: world.broker.held[BTC]}
        assert broken_promises(world) == []


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("1.50", "1.5"),
        ("1E+3", "1000"),
        ("0.000000001", "0.000000001"),
        ("100", "100"),
        ("0.00", "0"),
        ("-2.50", "-2.5"),
    ],
)
def test_amounts_are_written_in_plain_digits(amount, text):
    assert plain(Decimal(amount)) == text


def _fields(order) -> dict:
    return {name: getattr(order, name) for name in order.__dataclass_fields__}

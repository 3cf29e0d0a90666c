from __future__ import annotations

import dataclasses
import math
from decimal import Decimal

import pandas as pd
import pytest

from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.sandbox.market import Market
from algo_pipeline.sandbox.orders import Refusal
from algo_pipeline.sandbox.venue import FillMode, Venue
from algo_pipeline_tests.market import without_rows
from algo_pipeline_tests.sandbox.rig import BTC, FIRST, HOUR, NO_COSTS, bars_of, ns, order, steady, venue

D = Decimal
MINUTE = pd.Timedelta(minutes=1)
IN_BAR_5 = FIRST + 5 * HOUR + 10 * MINUTE  # bar 5 opens at 105


def placed(at_venue: Venue, *arguments, **more):
    """Place an order and return what has become of it."""
    at_venue.place(order(*arguments, **more))
    return at_venue.ledger.order_of_client(more.get("client_order_id", "one"))


def later(at_venue: Venue, by: pd.Timedelta):
    at_venue.clock.advance(int(by.value))
    at_venue.catch_up()
    return at_venue.ledger.order_of_client("one")


class TestParity:
    def test_a_buy_fills_in_full_at_the_open_of_the_bar_that_runs(self):
        made = venue(steady(20), IN_BAR_5)
        done = placed(made, "buy", "2", tif="ioc")
        assert (done.status, done.filled_quantity, done.average_price) == ("filled", 2, D("105.05250"))

    def test_the_acknowledgement_knows_of_no_fill(self):
        taken = venue(steady(20), IN_BAR_5).place(order("buy", "2"))
        assert (taken.status, taken.filled_quantity, taken.average_price) == ("pending_new", 0, None)

    def test_a_buys_fee_is_taken_from_the_coin_and_a_sells_from_the_cash(self):
        made = venue(steady(20), IN_BAR_5)
        placed(made, "buy", "2")
        assert made.ledger.cash == D("100000") - 2 * D("105.0525")
        assert made.ledger.holding(BTC).quantity == D("2") * D("0.9975")
        placed(made, "sell", "1.995", client_order_id="two")
        assert made.ledger.cash == D("100000") - 2 * D("105.0525") + D("1.995") * D("104.9475") * D("0.9975")
        assert made.ledger.held_symbols() == ()
        made.ledger.verify()

    def test_a_buys_fee_may_be_taken_from_cash_as_the_plain_backtest_does(self):
        made = venue(steady(20), IN_BAR_5, BacktestConfig(fee_in_base=False))
        placed(made, "buy", "2")
        assert made.ledger.cash == D("100000") - 2 * D("105.0525") * D("1.0025")
        assert made.ledger.holding(BTC).quantity == 2

    def test_exactly_at_an_open_the_order_fills_at_that_open(self):
        assert placed(venue(steady(20), FIRST + 5 * HOUR, NO_COSTS), "buy", "1").average_price == 105

    def test_in_a_gap_it_fills_at_the_open_of_the_next_bar_there_is(self):
        made = venue(without_rows(steady(20), 5, 6), IN_BAR_5, NO_COSTS)
        assert placed(made, "buy", "1").average_price == 107

    def test_after_the_last_bar_nothing_fills(self):
        made = venue(steady(5), IN_BAR_5)
        assert (placed(made, "buy", "1").status, made.ledger.cash) == ("canceled", 100_000)

    def test_what_cash_cannot_cover_shrinks_on_the_step_and_the_rest_is_canceled(self):
        made = venue(steady(20), IN_BAR_5, dataclasses.replace(NO_COSTS, initial_cash=1000.0))
        done = placed(made, "buy", "10", tif="ioc")
        assert (done.status, done.filled_quantity) == ("canceled", D("9.523809"))  # 1000/105 = 9.5238095…
        assert made.ledger.cash == 1000 - D("9.523809") * 105

    def test_a_buy_that_cash_shrinks_below_the_smallest_holding_fills_nothing(self):
        made = venue(steady(20), IN_BAR_5, dataclasses.replace(NO_COSTS, initial_cash=9.0))
        done = placed(made, "buy", "10", tif="ioc")
        assert (done.status, done.filled_quantity, made.ledger.cash) == ("canceled", 0, 9)

    def test_a_notional_order_buys_what_it_pays_for_on_the_ninth_decimal(self):
        done = placed(venue(steady(20), IN_BAR_5, NO_COSTS), "buy", None, notional="1000")
        assert (done.status, done.filled_quantity) == ("filled", D("9.523809523"))

    @pytest.mark.parametrize("held", ["234335.68025929276", "234335.68025929275"])
    @pytest.mark.parametrize("towards", [0.0, math.inf])
    def test_a_sell_of_what_a_double_can_tell_of_all_there_is_sells_all(self, held, towards):
        made = venue(steady(20), IN_BAR_5)
        made.transfer(BTC, D(held))
        nearest = float(held)
        on_the_wire = nearest if (D(nearest) < D(held)) is (towards == 0.0) else math.nextafter(nearest, towards)
        done = placed(made, "sell", repr(on_the_wire))
        assert (done.status, done.filled_quantity, made.ledger.held_symbols()) == ("filled", D(held), ())

    def test_a_sell_of_less_leaves_the_rest(self):
        made = venue(steady(20), IN_BAR_5)
        made.transfer(BTC, D("1.2345678901"))
        placed(made, "sell", "1.2345678900")
        assert made.ledger.holding(BTC).quantity == D("0.0000000001")

    def test_the_smallest_order_is_judged_by_the_close_the_decision_saw(self):
        made = venue(bars_of([(100, 101, 99, 100), (90, 91, 89, 90), (90, 91, 89, 90)]), FIRST + HOUR, NO_COSTS)
        assert placed(made, "buy", "0.1").average_price == 90  # worth 10 at the close of 100, 9 at the open


class TestRefusals:
    @pytest.fixture
    def made(self):
        return venue(steady(20), IN_BAR_5, NO_COSTS, FillMode.REALISTIC, partial_fill_probability=0.0)

    @staticmethod
    def refusal(made, *arguments, **more):
        with pytest.raises(Refusal) as refused:
            made.place(order(*arguments, **more))
        return refused.value

    def test_an_id_is_used_once(self, made):
        placed(made, "buy", "1")
        no = self.refusal(made, "buy", "1")
        assert (no.status, no.code, no.message) == (422, 40010001, "client_order_id must be unique")
        assert len(made.ledger.orders) == 1

    def test_an_order_below_ten_dollars_is_too_small(self, made):
        no = self.refusal(made, "buy", "0.09")
        assert (no.status, no.code) == (403, 40310000)
        assert no.message == "cost basis must be >= minimal amount of order 10"

    def test_a_buy_beyond_the_cash_is_refused_in_realistic_mode(self, made):
        no = self.refusal(made, "buy", "1000")
        assert (no.status, no.code, no.details["available"]) == (403, 40310000, "100000")
        assert no.message.startswith("insufficient balance for USD (requested: ")
        assert made.ledger.orders == ()

    def test_a_sell_beyond_the_holding_is_refused_in_every_mode(self, made):
        for at_venue in (made, venue(steady(20), IN_BAR_5, NO_COSTS)):
            placed(at_venue, "buy", "1")
            no = self.refusal(at_venue, "sell", "1.000000001", client_order_id="two")
            assert no.message == "insufficient balance for BTC (requested: 1.000000001, available: 1)"
            assert no.details == {"available": "1", "balance": "1", "symbol": "BTC"}

    def test_a_blocked_account_takes_no_orders(self, made):
        made.block(blocked=True)
        assert self.refusal(made, "buy", "1").message == "new orders are rejected by user request"
        made.block(blocked=False)
        assert placed(made, "buy", "1").status == "filled"

    def test_a_symbol_without_a_price_yet_is_not_tradable(self):
        early = venue(steady(20), FIRST - HOUR, NO_COSTS)
        assert self.refusal(early, "buy", "1").status == 422

    def test_an_order_that_is_over_cannot_be_canceled(self, made):
        done = placed(made, "buy", "1")
        with pytest.raises(Refusal, match="filled"):
            made.cancel(done)


class TestLimits:
    FALLS_TO_90 = bars_of([(100, 101, 99, 100), (100, 101, 90, 95), (95, 96, 94, 95), (80, 81, 79, 80)])

    def test_a_limit_that_the_price_meets_fills_at_once_and_not_worse(self):
        made = venue(self.FALLS_TO_90, FIRST + 30 * MINUTE, NO_COSTS)
        assert (placed(made, "buy", "1", "105").status, made.ledger.fills[0].price) == ("filled", 100)

    def test_slippage_counts_when_it_is_met(self):
        made = venue(steady(20), IN_BAR_5)  # the open is 105, the offer 105.0525
        assert placed(made, "buy", "1", "105.05").status == "new"
        assert placed(made, "buy", "1", "105.0525", client_order_id="two").status == "filled"

    def test_it_rests_until_a_bar_trades_through_it_and_then_fills_at_the_limit(self):
        made = venue(self.FALLS_TO_90, FIRST + 30 * MINUTE, NO_COSTS)
        assert placed(made, "buy", "1", "95").status == "new"
        assert later(made, HOUR / 2).status == "new"
        done = later(made, HOUR)
        assert (done.status, done.average_price) == ("filled", 95)

    def test_a_touch_is_not_enough(self):
        made = venue(self.FALLS_TO_90, FIRST + 30 * MINUTE, NO_COSTS)
        placed(made, "buy", "1", "90")
        assert later(made, 2 * HOUR).status == "new"

    def test_a_bar_that_opens_beyond_it_fills_it_at_the_open(self):
        made = venue(self.FALLS_TO_90, FIRST + 30 * MINUTE, NO_COSTS)
        placed(made, "buy", "1", "85")
        done = later(made, 3 * HOUR)
        assert (done.status, done.average_price) == ("filled", 80)

    def test_prices_from_before_the_order_do_not_count(self):
        made = venue(self.FALLS_TO_90, FIRST + HOUR + 50 * MINUTE, NO_COSTS, FillMode.REALISTIC)
        placed(made, "buy", "1", "91")  # the low of 90 was at 1:40
        assert later(made, HOUR).status == "new"

    def test_a_sell_fills_when_the_high_goes_beyond_its_limit(self):
        made = venue(steady(20), IN_BAR_5, NO_COSTS)
        placed(made, "buy", "1", client_order_id="two")
        placed(made, "sell", "1", "107.25")
        assert later(made, 2 * HOUR).status == "new"
        assert (later(made, HOUR).status, made.ledger.fills[-1].price) == ("filled", D("107.25"))

    def test_immediate_or_cancel_does_not_rest(self):
        made = venue(steady(20), IN_BAR_5, NO_COSTS)
        assert placed(made, "buy", "1", "100", tif="ioc").status == "canceled"

    def test_what_rests_holds_back_cash_and_coin_until_it_is_canceled(self):
        made = venue(steady(20), IN_BAR_5, NO_COSTS)
        placed(made, "buy", "10", client_order_id="holding")
        buy = placed(made, "buy", "100", "90", client_order_id="buy")
        sell = placed(made, "sell", "4", "200", client_order_id="sell")
        assert made.ledger.free_cash() == 100_000 - 1050 - 9000
        assert made.ledger.free_quantity(BTC) == 6
        with pytest.raises(Refusal, match="available: 6"):
            made.place(order("sell", "7", client_order_id="more"))
        made.cancel(buy)
        made.cancel(sell)
        assert (made.ledger.free_cash(), made.ledger.free_quantity(BTC)) == (98_950, 10)

    def test_a_rested_order_may_pay_the_makers_fee(self):
        made = venue(self.FALLS_TO_90, FIRST + 30 * MINUTE, maker_fee_bps=15.0)
        placed(made, "buy", "1", "95")
        later(made, 2 * HOUR)
        assert made.ledger.fills[0].fee_in_coin == D("0.0015")


class TestRealistic:
    def test_it_fills_at_the_price_inside_the_bar(self):
        made = venue(bars_of([(100, 130, 70, 120)] * 3), FIRST + 40 * MINUTE, NO_COSTS, FillMode.REALISTIC)
        placed(made, "buy", "1")
        assert made.ledger.fills[0].price == 130

    def test_prices_and_fees_end_at_the_ninth_decimal(self):
        made = venue(bars_of([(1 / 3, 1 / 3, 1 / 3, 1 / 3)] * 3), FIRST, mode=FillMode.REALISTIC)
        placed(made, "buy", "100.123456789")
        fill = made.ledger.fills[0]
        assert (fill.price, fill.fee_in_coin) == (D("0.333500000"), D("0.250308642"))

    def test_a_part_of_the_orders_fills_in_part_only(self):
        made = venue(steady(20), IN_BAR_5, NO_COSTS, FillMode.REALISTIC, seed=3)
        done = [placed(made, "buy", "1", tif="ioc", client_order_id=f"order {i}") for i in range(200)]
        partly = [order for order in done if order.status == "canceled"]
        assert 8 <= len(partly) <= 34  # 20 expected; 1 in 10,000 seeds lies outside
        assert all(0 < order.filled_quantity < 1 for order in partly)
        assert all(order.filled_quantity == 1 for order in done if order.status == "filled")

    def test_the_same_seed_makes_the_same_parts(self):
        def filled(seed):
            made = venue(steady(20), IN_BAR_5, NO_COSTS, partial_fill_probability=0.5, seed=seed)
            return [placed(made, "buy", "1", client_order_id=f"{i}").filled_quantity for i in range(20)]

        assert filled(5) == filled(5) != filled(6)

    def test_the_rest_of_an_order_that_stays_fills_when_time_goes_on(self):
        made = venue(steady(20), IN_BAR_5, NO_COSTS, partial_fill_probability=1.0)
        first = placed(made, "buy", "1")
        assert (first.status, first.is_open) == ("partially_filled", True)
        second = later(made, MINUTE)
        assert 0 < first.filled_quantity < second.filled_quantity

    def test_latency_lets_it_wait_on_the_virtual_clock(self):
        made = venue(steady(20), IN_BAR_5, NO_COSTS, latency_s=2.0)
        assert placed(made, "buy", "1").status == "accepted"
        assert later(made, pd.Timedelta(seconds=1)).status == "accepted"
        assert later(made, pd.Timedelta(seconds=1)).status == "filled"

    def test_after_latency_the_price_of_its_turn_counts(self):
        made = venue(steady(20), IN_BAR_5, NO_COSTS, latency_s=3600.0)
        placed(made, "buy", "1")
        assert later(made, 3 * HOUR).average_price == 106

    def test_a_waiting_order_can_be_canceled(self):
        made = venue(steady(20), IN_BAR_5, NO_COSTS, latency_s=2.0)
        made.cancel(placed(made, "buy", "1"))
        assert (later(made, HOUR).status, made.ledger.cash) == ("canceled", 100_000)


class TestAccount:
    def test_creation_times_are_unique_and_ascending_on_a_clock_that_stands(self):
        made = venue(steady(20), IN_BAR_5)
        times = [placed(made, "buy", "1", client_order_id=f"{i}").created_ns for i in range(5)]
        assert times == [ns(IN_BAR_5) + 1000 * i for i in range(5)]

    def test_a_reset_account_is_another_one(self):
        made = venue(steady(20), IN_BAR_5)
        before = made.ledger.account_id
        placed(made, "buy", "1")
        made.reset(D(5000))
        assert made.ledger.account_id != before
        assert (made.ledger.cash, made.ledger.orders, made.ledger.held_symbols()) == (5000, (), ())

    def test_the_same_seed_opens_the_same_account_and_another_seed_another(self):
        ids = [venue(steady(9), FIRST, seed=seed).ledger.account_id for seed in (1, 1, 2)]
        assert ids[0] == ids[1] != ids[2]

    def test_someone_can_trade_by_hand_at_a_price(self):
        made = venue(steady(20), IN_BAR_5, NO_COSTS)
        done = made.trade_by_hand(order("buy", "3"), D("77"))
        assert (done.status, made.ledger.cash, made.ledger.holding(BTC).quantity) == ("filled", 100_000 - 231, 3)
        made.ledger.verify()

    def test_coin_may_come_and_go_without_an_order(self):
        made = venue(steady(20), IN_BAR_5)
        made.transfer(BTC, D("0.5"))
        made.transfer(BTC, D("-0.2"))
        made.transfer(None, D("-1000"))
        assert (made.ledger.holding(BTC).quantity, made.ledger.cash) == (D("0.3"), 99_000)
        made.ledger.verify()
        with pytest.raises(ValueError, match="can't leave"):
            made.transfer(BTC, D("-0.4"))

    def test_the_market_keeps_its_order_of_symbols(self):
        assert Market({BTC: steady(3)}).symbols == (BTC,)

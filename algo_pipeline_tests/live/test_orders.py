"""An intent comes to a known outcome, whatever the broker answers or loses."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.live.events import Outcome
from algo_pipeline.live.orders import Executor, Mandate, order_id
from algo_pipeline.live.state import Intent
from algo_pipeline_tests.live.harness import BTC, FakeBroker, Fault, Filling, VirtualClock
from algo_pipeline_tests.live.worlds import LIVE, flat_bars, hour

BAR = hour(0)
CLOSE = hour(1)
NOW = CLOSE + pd.Timedelta(minutes=1)
DEADLINE = CLOSE + pd.Timedelta(minutes=10)
_bases = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=15)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW)


@pytest.fixture
def broker(clock) -> FakeBroker:
    return FakeBroker({BTC: flat_bars([100.0] * 30)}, LIVE, clock)


@pytest.fixture
def executor(broker, clock) -> Executor:
    return Executor(broker, clock)


def an_intent(side: Side = Side.BUY, quantity: str = "1.5") -> Intent:
    return Intent(order_id("algo", BTC, BAR, side, "d"), BTC, side, Decimal(quantity), BAR, "d", NOW)


def fresh(patience_s: float = 60.0) -> Mandate:
    return Mandate(never_sent=True, send_until=DEADLINE, patient_until=NOW + pd.Timedelta(seconds=patience_s))


def resumed(clock: VirtualClock, patience_s: float = 60.0) -> Mandate:
    return Mandate(False, DEADLINE, clock.now() + pd.Timedelta(seconds=patience_s))


class TestOrderId:
    def test_it_names_strategy_symbol_bar_side_and_purpose(self):
        assert order_id("algo", BTC, hour(13), Side.SELL, "h2") == "algo-BTC-USD-2024010113-s-h2"

    @given(base=_bases, quote=_bases, n=st.integers(1, 999_999_999))
    def test_it_is_ascii_and_at_most_48_characters(self, base, quote, n):
        made = order_id("algo123", Symbol(base, quote), hour(0), Side.BUY, f"h{n}")
        assert made.isascii()
        assert len(made) <= 48

    def test_long_symbols_that_start_alike_stay_apart(self):
        one, other = Symbol("A" * 15, "USDT"), Symbol("A" * 15, "USDC")
        assert order_id("algo", one, BAR, Side.BUY, "d") != order_id("algo", other, BAR, Side.BUY, "d")


class TestConfirmed:
    def test_a_filled_order_says_how_much_at_what_price_in_which_bar(self, executor):
        done = executor.settle(an_intent(), fresh())
        assert (done.outcome, done.filled, done.average_price) == (Outcome.FILLED, Decimal("1.5"), Decimal("100.05"))
        assert done.filled_bar == hour(1)

    def test_a_partial_fill_that_ended_is_partial(self, executor, broker):
        broker.filling = Filling(share=Decimal("0.4"))
        done = executor.settle(an_intent(), fresh())
        assert (done.outcome, done.filled) == (Outcome.PARTIAL, Decimal("0.6"))

    def test_what_rests_is_polled_for_20_s_then_cancelled_and_confirmed(self, executor, broker, clock):
        broker.filling = Filling(share=Decimal("0.4"), rests=True)
        done = executor.settle(an_intent(), fresh())
        assert (done.outcome, done.filled) == (Outcome.PARTIAL, Decimal("0.6"))
        assert broker.requests["cancel"] == 1
        assert 20 <= (clock.now() - NOW).total_seconds() <= 25

    def test_an_order_that_rests_unfilled_is_cancelled_and_unfilled(self, executor, broker):
        broker.filling = Filling(share=Decimal(0), rests=True)
        assert executor.settle(an_intent(), fresh()).outcome is Outcome.UNFILLED

    def test_an_order_that_will_not_be_cancelled_stays_open(self, executor, broker):
        broker.filling = Filling(share=Decimal(0), rests=True)
        broker.faults.append(Fault("cancel", "before", 99))
        assert executor.settle(an_intent(), fresh()).outcome is Outcome.OPEN

    def test_a_lost_answer_to_a_cancellation_is_looked_up(self, executor, broker):
        broker.filling = Filling(share=Decimal(0), rests=True)
        broker.faults.append(Fault("cancel", "after"))
        assert executor.settle(an_intent(), fresh()).outcome is Outcome.UNFILLED

    def test_an_order_rejected_after_its_acceptance_is_refused(self, executor, broker):
        broker.filling = Filling(rejects=True)
        assert executor.settle(an_intent(), fresh()).outcome is Outcome.REFUSED

    def test_an_accepted_order_that_look_ups_do_not_see_yet_is_not_taken_for_lost(self, executor, broker):
        broker.faults.append(Fault("find", "absent", 5))
        assert executor.settle(an_intent(), fresh()).outcome is Outcome.FILLED
        assert len(broker.sent) == 1


class TestRefused:
    def test_a_refusal_is_final_and_not_sent_again(self, executor, broker):
        broker.faults.append(Fault("place", "refuse"))
        done = executor.settle(an_intent(), fresh())
        assert (done.outcome, broker.requests["place"], broker.requests["find"]) == (Outcome.REFUSED, 1, 0)
        assert "says no" in done.note

    def test_a_repetition_that_is_refused_is_looked_for_and_not_sent_a_third_time(self, executor, broker, clock):
        broker.faults += [Fault("place", "before"), Fault("place", "refuse", 99)]
        done = executor.settle(an_intent(), fresh())
        assert (done.outcome, broker.requests["place"]) == (Outcome.REFUSED, 2)
        assert clock.now() - NOW >= pd.Timedelta(seconds=10)

    def test_a_refused_repetition_is_no_proof_that_the_first_was_not_taken(self, executor, broker):
        # The first order took the cash, so that the repetition is refused while look-ups lag behind.
        broker.faults += [Fault("place", "after"), Fault("find", "absent", 3), Fault("place", "refuse")]
        done = executor.settle(an_intent(), fresh())
        assert (done.outcome, done.filled) == (Outcome.FILLED, Decimal("1.5"))
        assert len(broker.orders) == 1


class TestAmbiguous:
    def test_an_answer_lost_after_the_order_was_taken_is_adopted(self, executor, broker):
        broker.faults.append(Fault("place", "after"))
        assert executor.settle(an_intent(), fresh()).outcome is Outcome.FILLED
        assert len(broker.sent) == 1

    def test_not_found_twice_two_seconds_apart_sends_the_same_id_again(self, executor, broker, clock):
        broker.faults.append(Fault("place", "before"))
        done = executor.settle(an_intent(), fresh())
        assert done.outcome is Outcome.FILLED
        assert [sent[0] for sent in broker.sent] == [an_intent().order_id]
        assert broker.requests["place"] == 2
        assert clock.now() - NOW >= pd.Timedelta(seconds=2)

    def test_found_at_the_second_look_is_not_sent_again(self, executor, broker):
        broker.faults += [Fault("place", "after"), Fault("find", "absent", 1)]
        assert executor.settle(an_intent(), fresh()).outcome is Outcome.FILLED
        assert broker.requests["place"] == 1

    def test_a_used_id_is_looked_up_and_adopted(self, executor, broker):
        broker.faults += [Fault("place", "after"), Fault("find", "absent", 2)]
        assert executor.settle(an_intent(), fresh()).outcome is Outcome.FILLED
        assert (len(broker.sent), len(broker.orders)) == (2, 1)

    def test_an_unclear_look_up_never_counts_as_not_found(self, executor, broker):
        broker.faults += [Fault("place", "before"), Fault("find", "before", 10_000)]
        assert executor.settle(an_intent(), fresh()).outcome is Outcome.OPEN
        assert broker.requests["place"] == 1

    def test_a_refused_look_up_says_nothing_about_the_order(self, executor, broker):
        broker.faults += [Fault("place", "after"), Fault("find", "refuse", 2)]
        assert executor.settle(an_intent(), fresh()).outcome is Outcome.FILLED
        assert len(broker.sent) == 1

    def test_sending_stops_at_the_deadline_and_two_not_founds_10_s_later_abandon(self, executor, broker, clock):
        broker.faults.append(Fault("place", "before", 10_000))
        sends: list[pd.Timestamp] = []
        place = broker.place_order
        broker.place_order = lambda *a: (sends.append(clock.now()), place(*a))[1]
        done = executor.settle(an_intent(), fresh(patience_s=3600))
        assert done.outcome is Outcome.ABANDONED_STALE
        assert max(sends) <= DEADLINE
        assert len(sends) > 5
        assert clock.now() - max(sends) >= pd.Timedelta(seconds=10)

    def test_ten_seconds_are_waited_after_a_send_at_the_last_moment(self, broker, clock):
        clock.at = DEADLINE
        broker.faults.append(Fault("place", "before"))
        done = Executor(broker, clock).settle(an_intent(), Mandate(True, DEADLINE, DEADLINE))
        assert done.outcome is Outcome.ABANDONED_STALE
        assert broker.requests["place"] == 1
        assert clock.now() - DEADLINE >= pd.Timedelta(seconds=10)

    def test_after_the_deadline_it_is_looked_up_and_never_sent(self, broker, clock):
        clock.at = DEADLINE + pd.Timedelta(seconds=1)
        done = Executor(broker, clock).settle(an_intent(), resumed(clock))
        assert (done.outcome, broker.requests["place"]) == (Outcome.ABANDONED_STALE, 0)

    def test_an_intent_an_hour_old_is_abandoned_without_waiting_10_s(self, broker, clock):
        clock.at = DEADLINE + pd.Timedelta(hours=1)
        Executor(broker, clock).settle(an_intent(), resumed(clock))
        assert clock.now() - DEADLINE - pd.Timedelta(hours=1) <= pd.Timedelta(seconds=3)

    def test_the_broker_down_past_the_deadline_leaves_it_open(self, broker, clock):
        clock.at = DEADLINE + pd.Timedelta(hours=1)
        broker.faults.append(Fault("find", "before", 10_000))
        assert Executor(broker, clock).settle(an_intent(), resumed(clock)).outcome is Outcome.OPEN

    def test_what_may_not_be_sent_is_only_looked_up(self, executor, broker, clock):
        done = executor.settle(an_intent(), Mandate(False, None, NOW + pd.Timedelta(seconds=60)))
        assert (done.outcome, broker.requests["place"]) == (Outcome.ABANDONED_STALE, 0)
        assert clock.now() - NOW >= pd.Timedelta(seconds=10)

    def test_another_process_may_have_sent_it_so_it_is_looked_up_first(self, executor, broker, clock):
        intent = an_intent()
        broker.place_order(intent.symbol, intent.quantity, intent.side, intent.order_id)
        assert executor.settle(intent, resumed(clock)).outcome is Outcome.FILLED
        assert len(broker.sent) == 1


class TestLateOrders:
    def test_an_abandoned_order_found_after_all_is_told(self, executor, broker):
        intent = an_intent()
        assert executor.look_up(intent) is None
        broker.place_order(intent.symbol, intent.quantity, intent.side, intent.order_id)
        found = executor.look_up(intent)
        assert found is not None
        assert found.outcome is Outcome.FILLED

    def test_a_look_up_that_fails_finds_nothing(self, executor, broker):
        broker.faults.append(Fault("find", "before"))
        assert executor.look_up(an_intent()) is None

    def test_another_order_under_our_id_is_noted(self, executor, broker):
        intent = an_intent()
        broker.place_order(BTC, Decimal(9), Side.BUY, intent.order_id)
        found = executor.look_up(intent)
        assert found is not None
        assert "instead of buy 1.5 BTC/USD" in found.note

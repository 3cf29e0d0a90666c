"""The pure decision: its worked examples, and its equality with the kernel's own step."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.backtest.kernel_rules import KernelRules, action_at_close, entry_order
from algo_pipeline.common.types import Signal
from algo_pipeline.interfaces.strategy import Outlook
from algo_pipeline.live.decision import (
    NEVER_EXITED,
    SymbolView,
    account_equity,
    decide,
    is_flat,
    peak_and_drawdown,
    unit_cash,
)
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline.strategy.signal_to_trade import Action
from algo_pipeline_tests.live.harness import BTC, ETH, SOL
from algo_pipeline_tests.live.worlds import LIVE

CASH = Decimal(100_000)


def view(probability: float = 0.7, held: str = "0", **changes) -> SymbolView:
    return SymbolView(**{"symbol": BTC, "close": 100.0, "held": Decimal(held), "probability": probability} | changes)


def one(*args, **options):
    (decision,) = decide(100_000.0, CASH, [view(*args, **options.pop("view", {}))], LIVE, **options)
    return decision


class TestEntries:
    def test_a_fifth_of_equity_is_bought_on_the_step(self):
        decision = one(0.7)
        assert (decision.signal, decision.action, decision.quantity) == (Signal.LONG, Action.ENTER, 200.0)

    def test_a_buy_is_capped_by_free_cash_with_its_buffer(self):
        rules = replace(LIVE, position_fraction=1.0, max_position_fraction=1.0)
        (decision,) = decide(100_000.0, CASH, [view()], rules)
        # 100000 / (100 · 1.0005 · 1.005), on the step
        assert decision.quantity == 994.527611

    def test_earlier_buys_of_the_bar_set_cash_aside(self):
        rules = replace(LIVE, position_fraction=0.6, max_position_fraction=0.6)
        first, second = decide(100_000.0, CASH, [view(), view(symbol=ETH)], rules)
        assert first.quantity == 600.0
        assert second.quantity == pytest.approx(
            (100_000 - 600 * unit_cash(100.0, rules)) / unit_cash(100.0, rules), abs=1e-6
        )

    def test_cash_set_aside_before_a_crash_counts_too(self):
        rules = replace(LIVE, position_fraction=0.6, max_position_fraction=0.6)
        _, second = decide(100_000.0, CASH, [view(), view(symbol=ETH)], rules)
        (resumed,) = decide(100_000.0, CASH, [view(symbol=ETH)], rules, reserved=600 * unit_cash(100.0, rules))
        assert resumed == second

    def test_sells_of_the_bar_are_no_cash_yet(self):
        rules = replace(LIVE, position_fraction=0.6, max_position_fraction=0.6)
        _, buy = decide(100_000.0, Decimal(0), [view(0.1, "1000"), view(symbol=ETH)], rules)
        assert (buy.action, buy.verdicts) == (
            Action.NOTHING,
            ("the buy would be worth less than the minimum, or cash is used up",),
        )

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"no_entry": "halted: lunch"}, "halted: lunch"),
            ({"no_order": "the outcome of x is unknown"}, "the outcome of x is unknown"),
            ({"exits_only": True}, "the champion is deployed flat"),
        ],
    )
    def test_what_forbids_an_entry_is_a_recorded_verdict(self, changes, why):
        decision = one(0.7, view=changes)
        assert (decision.action, decision.quantity, decision.verdicts) == (Action.NOTHING, 0.0, (why,))
        assert decision.signal is Signal.LONG

    def test_the_cooldown_forbids_until_its_bars_have_passed(self):
        rules = replace(LIVE, cooldown_bars=3)
        early, due = (decide(1e5, CASH, [view(bars_since_exit=n)], rules)[0] for n in (2, 3))
        assert (early.action, early.verdicts) == (Action.NOTHING, ("cooldown, 2 bars since the exit",))
        assert due.action is Action.ENTER

    def test_exits_of_the_bar_use_up_the_days_orders_first(self):
        views = [view(0.7), view(0.1, "5", symbol=ETH), view(0.7, symbol=SOL)]
        actions = [d.action for d in decide(1e5, CASH, views, LIVE, orders_left=2)]
        assert actions == [Action.ENTER, Action.EXIT, Action.NOTHING]


class TestExits:
    def test_a_flat_signal_sells_all_that_is_held(self):
        decision = one(0.3, "1.25")
        assert (decision.action, decision.quantity) == (Action.EXIT, 1.25)

    def test_with_no_orders_left_an_exit_still_passes(self):
        assert one(0.3, "1.25", orders_left=0).action is Action.EXIT

    def test_no_entry_and_a_limit_never_hold_an_exit(self):
        assert one(0.3, "1.25", view={"no_entry": "halted"}).action is Action.EXIT

    def test_an_unknown_order_holds_an_exit(self):
        decision = one(0.3, "1.25", view={"no_order": "the outcome of x is unknown"})
        assert (decision.action, decision.verdicts) == (Action.NOTHING, ("the outcome of x is unknown",))

    @pytest.mark.parametrize("probability", [0.5, 0.9, math.nan])
    def test_an_exit_in_force_sells_whatever_the_signal(self, probability):
        assert one(probability, "1", view={"exiting": True}).action is Action.EXIT

    def test_an_exit_whose_remainder_is_dust_is_over(self):
        assert one(0.9, "0.05", view={"exiting": True}).action is Action.ENTER
        assert one(0.5, "0.05", view={"exiting": True}).action is Action.NOTHING

    @pytest.mark.parametrize("changes", [{}, {"why_no_bar": "no bar"}])
    def test_what_must_be_sold_is_sold_with_or_without_a_bar(self, changes):
        decision = one(0.9, "1", view=changes, must_exit="the kill switch")
        assert (decision.action, decision.reason) == (Action.EXIT, "exit: the kill switch")

    def test_a_symbol_without_a_bar_holds_otherwise(self):
        decision = one(0.1, "1", view={"why_no_bar": "no bar"})
        assert (decision.signal, decision.action, decision.verdicts) == (Signal.HOLD, Action.NOTHING, ("no bar",))
        assert math.isnan(decision.probability)


class TestMarks:
    def test_equity_adds_holdings_to_cash_in_the_order_of_the_closes(self):
        holdings = {ETH: Decimal("0.1"), BTC: Decimal("0.2"), SOL: Decimal(9)}
        assert account_equity(Decimal("0.3"), holdings, {BTC: 1.1, ETH: 2.2}) == 0.3 + 0.2 * 1.1 + 0.1 * 2.2

    def test_the_first_equity_is_the_peak_even_if_it_is_nothing(self):
        assert peak_and_drawdown(50.0, 0.0) == (50.0, 0.0)
        assert peak_and_drawdown(0.0, 0.0) == (0.0, 0.0)

    def test_drawdown_is_from_the_peak(self):
        assert peak_and_drawdown(75.0, 100.0) == (100.0, 0.25)

    def test_what_no_order_can_sell_is_nothing_held(self):
        rules = replace(LIVE, min_notional=0.0)
        assert is_flat(Decimal("9e-10"), 60_000.0, rules)
        assert not is_flat(Decimal("1e-9"), 60_000.0, rules)


@settings(deadline=None)
@given(
    probability=st.floats(0, 1) | st.just(math.nan),
    held=st.sampled_from(["0", "0.05", "0.1", "3"]),
    bars_since_exit=st.integers(0, 5) | st.just(NEVER_EXITED),
    cooldown=st.integers(0, 5),
    killed=st.booleans(),
)
def test_the_action_is_the_kernels(probability, held, bars_since_exit, cooldown, killed):
    rules = replace(LIVE, cooldown_bars=cooldown)
    expected = Action(
        action_at_close(probability, float(held), 100.0, bars_since_exit, killed, KernelRules.from_config(rules))
    )
    seen = view(probability, held, bars_since_exit=bars_since_exit)
    (decision,) = decide(1e5, CASH, [seen], rules, must_exit="killed" if killed else None)
    assert decision.action is expected


class TestCostAware:
    """24 hours of 1 % each: an expected move of 390.9 bps, against the round trip's 60 bps."""

    STRATEGY = CostAwareStrategy(24)

    def decided(self, probability, held="0", **changes):
        known = {"strategy": self.STRATEGY, "base_rate": 0.52, "volatility": 0.01} | changes
        return one(probability, held, view=known)

    def test_an_edge_that_pays_for_its_round_trip_enters_up_to_the_cap(self):
        decision = self.decided(0.62)
        assert (decision.signal, decision.action, decision.quantity) == (Signal.LONG, Action.ENTER, 200.0)
        assert decision.reason == "enter: edge 78.2 bps reaches the round trip's 60 bps (expected move 391 bps)"

    def test_a_small_surplus_is_a_small_bet(self):
        decision = self.decided(0.598)  # 0.98 bps above the hurdle, half of it over 24 bps of variance: 2 % of equity
        assert decision.action is Action.ENTER
        assert decision.quantity == pytest.approx(20.4, abs=0.2)

    def test_an_edge_below_the_cost_holds_and_says_so(self):
        decision = self.decided(0.524)
        assert (decision.signal, decision.action) == (Signal.HOLD, Action.NOTHING)
        assert decision.reason == "edge 3.1 bps is below the round trip's 60 bps (expected move 391 bps)"
        assert decision.figures["edge_bps"] == pytest.approx(3.127, abs=0.001)
        assert decision.figures["round_trip_cost_bps"] == pytest.approx(60.0)

    def test_a_holding_stays_until_no_edge_is_left(self):
        assert self.decided(0.524, held="3").action is Action.NOTHING
        left = self.decided(0.519, held="3")
        assert (left.signal, left.action, left.quantity) == (Signal.FLAT, Action.EXIT, 3.0)

    def test_without_a_volatility_it_holds_and_says_so(self):
        decision = self.decided(0.9, volatility=math.nan)
        assert (decision.signal, decision.action) == (Signal.HOLD, Action.NOTHING)
        assert decision.reason == "the volatility or the base rate is not known"

    def test_a_bet_too_small_to_order_is_told(self):
        decision = self.decided(0.5967542)
        assert (decision.signal, decision.action) == (Signal.LONG, Action.NOTHING)
        assert "worth less than the minimum" in decision.reason


@settings(deadline=None)
@given(
    probability=st.floats(0, 1) | st.just(math.nan),
    base_rate=st.floats(0.2, 0.8),
    volatility=st.floats(0, 0.3) | st.just(math.nan),
    held=st.sampled_from(["0", "0.05", "3"]),
    killed=st.booleans(),
    strategy=st.builds(CostAwareStrategy, st.sampled_from([1, 24]), edge_multiple=st.floats(0, 2)),
)
def test_a_cost_aware_action_is_the_kernels(probability, base_rate, volatility, held, killed, strategy):
    kernel_rules = KernelRules.from_config(LIVE, strategy.band(LIVE.round_trip_cost))
    outlook = Outlook(probability, base_rate, volatility)
    score, limit = strategy.assess(outlook, LIVE.round_trip_cost)
    expected = Action(action_at_close(score, float(held), 100.0, NEVER_EXITED, killed, kernel_rules))
    seen = view(probability, held, base_rate=base_rate, volatility=volatility, strategy=strategy)
    (decision,) = decide(1e5, CASH, [seen], LIVE, must_exit="killed" if killed else None)
    quantity = entry_order(1e5, 1e5, float(held), 100.0, limit, kernel_rules) if expected is Action.ENTER else None
    if quantity == 0.0:
        assert decision.action is Action.NOTHING
    else:
        assert decision.action is expected
    if decision.action is Action.ENTER:
        assert decision.quantity == quantity

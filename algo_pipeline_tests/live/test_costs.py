"""What trading cost: slippage against the close decided on, and fees as the account shows them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.live.costs import FeeTally, fill_costs, summarize_slippage
from algo_pipeline.live.monitoring import session_figures
from algo_pipeline_tests.live.harness import BTC, ETH
from algo_pipeline_tests.live.lines import (
    adjustment,
    intent,
    lines_of,
    random_entries,
    reconciled,
    result,
    resume,
    started,
)
from algo_pipeline_tests.live.worlds import LIVE, random_world, scripted


def fees_of(*entries: object) -> tuple[float, float, float | None]:
    tally = FeeTally()
    for line in lines_of(*entries):  # type: ignore[arg-type]
        tally.take(line)
    found = tally.summary()
    return found.fees_usd, found.notional_usd, found.mean_bps


class TestSlippage:
    def test_a_buy_above_its_close_and_a_sale_below_cost_something(self) -> None:
        bought = (intent(0, "a"), result(0, "a", price=42_042.5005, filled_bar=1))  # the close is 42,000.50
        sold = (intent(1, "b", side="sell"), result(1, "b", side="sell", price=41_958.4995, filled_bar=2))
        costs = fill_costs(session_figures(lines_of(started(), *bought, *sold)).fills)
        assert [cost.slippage_bps for cost in costs] == pytest.approx([10.0, 10.0], rel=1e-3)
        assert [cost.side for cost in costs] == ["buy", "sell"]

    def test_the_mean_is_weighted_by_notional(self) -> None:
        small = (intent(0, "a", quantity="1"), result(0, "a", filled="1", price=42_000.5, filled_bar=1))
        large = (intent(1, "b", quantity="3"), result(1, "b", filled="3", price=42_000.5 * 1.002, filled_bar=2))
        found = summarize_slippage(fill_costs(session_figures(lines_of(started(), *small, *large)).fills))
        assert found.mean_bps == pytest.approx(20.0 * 3.006 / 4.006)
        assert found.worst_bps == pytest.approx(20.0)
        assert found.cost_usd == pytest.approx(found.mean_bps * found.notional_usd / 1e4)

    def test_a_fill_whose_close_or_price_is_not_known_has_no_slippage(self) -> None:
        unknown = fill_costs(session_figures(lines_of(started(), result(0, "x"))).fills)
        assert [cost.slippage_bps for cost in unknown] == [None]
        assert summarize_slippage(unknown).mean_bps is None
        assert fill_costs(session_figures(lines_of(started(), result(0, "x", price=None))).fills) == ()

    def test_a_market_that_stands_still_shows_the_brokers_slippage(self, tmp_path: Path) -> None:
        world = scripted(tmp_path, {BTC: [0.7, 0.5, 0.3, 0.5]}, config=replace(LIVE, slippage_bps=7.0))
        for bar in world.times:
            world.tick(bar)
        costs = fill_costs(session_figures(world.lines).fills)
        assert [cost.slippage_bps for cost in costs] == pytest.approx([7.0, 7.0])


class TestFees:
    def test_a_fee_in_coin_is_what_the_coin_lacks(self) -> None:
        lines = (started(cash="100000"), intent(0), result(0), reconciled(1, cash="78995", BTC="0.49875"))
        assert fees_of(*lines) == pytest.approx((0.00125 * 42_010, 21_005.0, 25.0))

    def test_a_fee_in_cash_is_what_the_cash_lacks(self) -> None:
        sold = (intent(0, side="sell"), result(0, side="sell"))
        lines = (started(cash="0", BTC="0.5"), *sold, reconciled(1, cash="20984"))  # 21,005 less 21
        assert fees_of(*lines) == pytest.approx((21.0, 21_005.0, 21.0 / 21_005 * 1e4))

    def test_nothing_is_known_before_the_account_was_reconciled(self) -> None:
        assert fees_of(started(cash="100000"), intent(0), result(0)) == (0.0, 0.0, None)

    def test_money_that_came_is_no_fee(self) -> None:
        lines = (started(cash="1000"), adjustment(1, 50.0), reconciled(1, cash="1050"))
        assert fees_of(*lines) == (0.0, 0.0, None)

    def test_a_result_that_is_told_twice_counts_once(self) -> None:
        first = result(0, outcome="partial", filled="0.2")
        lines = (started(cash="100000"), intent(0), first, result(0), reconciled(1, cash="78995", BTC="0.49875"))
        assert fees_of(*lines)[2] == pytest.approx(25.0)

    def test_what_a_person_adopts_starts_anew(self) -> None:
        adopted = resume(1, adopt=True, cash="5", BTC="9")
        assert fees_of(started(cash="100000"), intent(0), result(0), adopted, reconciled(2, cash="5", BTC="9")) == (
            0.0,
            0.0,
            None,
        )

    @pytest.mark.parametrize(("seed", "fee_in_base"), [(3, True), (4, False)])
    def test_the_brokers_rate_is_found_on_a_random_market(self, tmp_path: Path, seed: int, fee_in_base: bool) -> None:
        config = replace(LIVE, fee_in_base=fee_in_base, max_drawdown=1.0, fee_bps=31.0)
        world = random_world(tmp_path, seed, (BTC, ETH), 40, config)
        tally = FeeTally()
        for bar in world.times:
            world.tick(bar)
        for line in world.lines:
            tally.take(line)
        found = tally.summary()
        assert found.notional_usd > 0
        assert found.mean_bps == pytest.approx(31.0, rel=1e-3)

    @given(st.lists(random_entries, max_size=30))
    @settings(max_examples=60, deadline=None)
    def test_any_journal_can_be_tallied(self, entries: list[object]) -> None:
        fees, notional, _ = fees_of(*entries)
        assert isinstance(fees, float)
        assert isinstance(notional, float)

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest

from algo_pipeline.live.alerts import Severity
from algo_pipeline.live.monitoring import (
    FILL_COLUMNS,
    is_holding,
    missed_span,
    overdue_hours,
    session_figures,
    severity_of_missed,
)
from algo_pipeline.live.state import LiveState
from algo_pipeline_tests.live.lines import (
    BTC,
    ETH,
    HOUR,
    adjustment,
    hour,
    intent,
    lines_of,
    mark,
    one_of_each,
    result,
    resume,
)


class TestMissed:
    @pytest.mark.parametrize("bar", [0, 4, 5, 6])
    def test_nothing_is_missed_up_to_the_next_bar(self, bar: int) -> None:
        assert missed_span(LiveState(last_bar=hour(5)), hour(bar)) is None

    def test_nothing_is_missed_before_the_first_bar(self) -> None:
        assert missed_span(LiveState(), hour(5)) is None

    def test_the_bars_between_are_missed(self) -> None:
        assert missed_span(LiveState(last_bar=hour(5)), hour(7)) == (hour(6), hour(6), 1)
        assert missed_span(LiveState(last_bar=hour(5)), hour(30)) == (hour(6), hour(29), 24)


class TestOverdue:
    def test_a_bar_is_overdue_once_its_decision_can_no_longer_come(self) -> None:
        state, close = LiveState(last_bar=hour(5)), hour(6) + HOUR
        assert overdue_hours(state, close) is None
        assert overdue_hours(state, close + pd.Timedelta(seconds=599.9)) is None
        assert overdue_hours(state, close + pd.Timedelta(seconds=600)) == (hour(6), hour(6), 1)
        assert overdue_hours(state, close, max_decision_delay_s=0.0) == (hour(6), hour(6), 1)
        assert overdue_hours(state, close + 3 * HOUR) == (hour(6), hour(8), 3)

    def test_nothing_is_overdue_where_live_trading_never_started_or_the_clock_went_back(self) -> None:
        assert overdue_hours(LiveState(), hour(5)) is None
        assert overdue_hours(LiveState(last_bar=hour(5)), hour(2)) is None

    @pytest.mark.parametrize(
        ("hours", "holding", "severity"),
        [
            (1, True, Severity.WARNING),
            (2, True, Severity.CRITICAL),
            (9, True, Severity.CRITICAL),
            (9, False, Severity.WARNING),
        ],
    )
    def test_two_missed_hours_while_holding_are_critical(self, hours: int, holding: bool, severity: Severity) -> None:
        assert severity_of_missed(hours, holding=holding) is severity


class TestHolding:
    def test_a_holding_counts_from_the_worth_of_the_smallest_order(self) -> None:
        def held(quantity: str) -> bool:
            state = LiveState(holdings={BTC: Decimal(quantity)}, closes={BTC: 50_000.0})
            return is_holding(state, min_notional=10.0)

        assert [held(quantity) for quantity in ("0", "0.000199", "0.0002", "1")] == [False, False, True, True]

    def test_a_holding_without_a_price_counts(self) -> None:
        assert is_holding(LiveState(holdings={ETH: Decimal("0.000001")}), min_notional=10.0)

    def test_an_adopted_holding_that_is_not_traded_does_not_count(self) -> None:
        assert not is_holding(LiveState(holdings={ETH: Decimal(1)}, outside=frozenset({ETH})), min_notional=10.0)


class TestSessionFigures:
    def test_an_empty_journal_has_empty_figures_of_the_right_types(self) -> None:
        figures = session_figures([])
        assert len(figures.equity) == len(figures.fills) == len(figures.adjustments) == 0
        assert str(figures.equity.index.dtype) == str(figures.fills["timestamp"].dtype) == "datetime64[ns, UTC]"
        assert figures.equity.dtype == figures.fills["quantity"].dtype == float
        assert tuple(figures.fills.columns) == FILL_COLUMNS

    def test_the_equity_curve_is_that_of_the_marks(self) -> None:
        figures = session_figures(lines_of(mark(1, 1000.0), mark(2, 1010.5), mark(4, 990.25)))
        assert figures.equity.to_dict() == {hour(1): 1000.0, hour(2): 1010.5, hour(4): 990.25}
        assert figures.equity.index.name == "timestamp"

    def test_deposits_and_withdrawals_are_told_apart_from_returns(self) -> None:
        figures = session_figures(lines_of(adjustment(1, 50.0), adjustment(1, 25.0), adjustment(3, -10.0)))
        assert figures.adjustments.to_dict() == {hour(1): 75.0, hour(3): -10.0}

    def test_growth_is_what_trading_alone_would_have_made(self) -> None:
        # 1000 gains 10 %; 900 comes in before the second mark; 2000 then loses 5 %.
        figures = session_figures(lines_of(mark(1, 1000.0), adjustment(2, 900.0), mark(2, 2000.0), mark(4, 1900.0)))
        assert figures.growth.tolist() == pytest.approx([1000.0, 1100.0, 1045.0])
        assert figures.growth.index.equals(figures.equity.index)

    def test_money_that_comes_after_a_bar_was_marked_is_shown_by_the_next_mark(self) -> None:
        figures = session_figures(lines_of(mark(1, 1000.0), adjustment(1, 500.0), mark(2, 1500.0)))
        assert figures.adjustments.to_dict() == {hour(2): 500.0}
        assert figures.growth.tolist() == [1000.0, 1000.0]

    def test_money_from_before_the_first_mark_is_its_start(self) -> None:
        figures = session_figures(lines_of(adjustment(1, 500.0), mark(1, 1500.0), mark(2, 1515.0)))
        assert figures.growth.tolist() == pytest.approx([1500.0, 1515.0])

    def test_what_a_person_adopts_is_no_return(self) -> None:
        lines = lines_of(mark(1, 1000.0), resume(1, adopt=True, peak=400.0), mark(2, 410.0))
        assert session_figures(lines).growth.tolist() == pytest.approx([1000.0, 1010.0])

    def test_closes_are_those_of_the_marks(self) -> None:
        figures = session_figures(lines_of(mark(1), mark(2)))
        assert figures.closes.to_dict() == {"BTC/USD": {hour(1): 42000.5, hour(2): 42000.5}}

    def test_an_order_is_one_fill_with_all_that_it_traded(self) -> None:
        figures = session_figures(
            lines_of(
                intent(1, "b", ETH, "sell", "3"),
                result(1, "a", BTC, outcome="open", filled="0.2", price=100.0, filled_bar=2),
                result(1, "b", ETH, "sell", filled="3", price=10.0, filled_bar=2),
                result(1, "c", ETH, outcome="unfilled", filled="0", price=None),
                result(2, "a", BTC, outcome="partial", filled="0.25", price=104.0, filled_bar=2),
            )
        )
        assert figures.fills.replace({float("nan"): None}).to_dict("records") == [
            {
                "timestamp": hour(2),
                "side": "sell",
                "quantity": 3.0,
                "price": 10.0,
                "notional": 30.0,
                "symbol": "ETH/USD",
                "order_id": "b",
                "reference": 42000.5,
            },
            {
                "timestamp": hour(2),
                "side": "buy",
                "quantity": 0.25,
                "price": 104.0,
                "notional": 26.0,
                "symbol": "BTC/USD",
                "order_id": "a",
                "reference": None,
            },
        ]

    def test_a_fill_without_a_bar_lies_in_the_bar_after_the_decision(self) -> None:
        figures = session_figures(lines_of(result(7, filled_bar=None)))
        assert list(figures.fills["timestamp"]) == [hour(8)]

    def test_a_fill_without_a_price_is_kept(self) -> None:
        figures = session_figures(lines_of(result(7, price=None)))
        assert figures.fills[["price", "notional"]].isna().all(axis=None)

    def test_any_line_is_read(self) -> None:
        figures = session_figures(lines_of(*one_of_each()))
        assert (len(figures.equity), len(figures.adjustments), len(figures.fills)) == (1, 2, 1)

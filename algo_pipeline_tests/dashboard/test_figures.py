"""A session tells its figures as the report does, and those of a year only when it is long enough to know them."""

from __future__ import annotations

import math

import pytest

from algo_pipeline.backtest.metrics import METRIC_NAMES
from algo_pipeline.dashboard.figures import YEARLY_FROM_HOURS, left_out_words, session_figures

_METRICS = dict.fromkeys(METRIC_NAMES, 0.5) | {"sharpe": math.nan, "costs_paid": 177.83}
_YEARLY = {"CAGR", "Sharpe ratio", "Sortino ratio", "Calmar ratio", "Turnover"}


@pytest.mark.parametrize("hours", [1, 24, YEARLY_FROM_HOURS - 1])
def test_a_short_session_has_no_figures_of_a_year_and_says_so(hours: int) -> None:
    titles = {title for title, _ in session_figures(_METRICS, hours)}
    assert titles.isdisjoint(_YEARLY)
    assert {"Total return", "Maximum drawdown", "Costs paid"} <= titles
    assert "from 30 days on" in left_out_words(hours)


def test_a_long_session_has_all_of_them_in_words() -> None:
    told = dict(session_figures(_METRICS, YEARLY_FROM_HOURS))
    assert told.keys() >= _YEARLY
    assert (told["Sharpe ratio"], told["Costs paid"], told["Win rate"]) == ("–", "177.83 USD", "50.0%")
    assert left_out_words(YEARLY_FROM_HOURS) == ""


def test_nothing_is_told_of_a_session_without_metrics() -> None:
    assert session_figures({}, 0) == []

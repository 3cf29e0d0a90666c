"""The backtest report is a page that answers: its list of trades can be filtered."""

from __future__ import annotations

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from algo_pipeline_tests.browser.conftest import Camera
from algo_pipeline_tests.browser.world import BTC, World

ROWS_A_PAGE = 25


@pytest.fixture
def trades(world: World) -> pd.DataFrame:
    return pd.read_csv(world.shop.artifacts / "backtest" / BTC.slug / "trades.csv", parse_dates=["entry_time"])


@pytest.fixture
def report(world: World, page: Page) -> Page:
    page.goto(world.report())
    return page


def test_filtering_the_trades_changes_the_rows_and_their_summary(
    report: Page, trades: pd.DataFrame, camera: Camera
) -> None:
    rows, summary = report.locator("#trade-table tbody tr"), report.locator("#trade-summary")
    winners = int((trades["pnl"] > 0).sum())
    assert 0 < winners < len(trades)
    expect(summary).to_contain_text(f"{len(trades)} of {len(trades)} trades")
    expect(rows).to_have_count(min(len(trades), ROWS_A_PAGE))
    report.locator("#trade-filters").get_by_label("Outcome").select_option("Winners")
    expect(summary).to_contain_text(f"{winners} of {len(trades)} trades")
    expect(rows).to_have_count(min(winners, ROWS_A_PAGE))
    expect(report.locator("#trade-table .loss-text")).to_have_count(0)
    report.locator("#trade-filters").scroll_into_view_if_needed()
    camera("report 1 winners")
    report.get_by_role("button", name="Clear").click()
    expect(summary).to_contain_text(f"{len(trades)} of {len(trades)} trades")


def test_a_day_that_is_searched_for_leaves_its_trades_alone(report: Page, trades: pd.DataFrame) -> None:
    day = f"{trades['entry_time'].iloc[len(trades) // 2]:%Y-%m-%d}"
    report.get_by_label("Entered from").fill(day)
    report.get_by_label("until").fill(day)
    that_day = trades[trades["entry_time"].dt.strftime("%Y-%m-%d") == day]
    expect(report.locator("#trade-table tbody tr")).to_have_count(len(that_day))


def test_a_search_that_nothing_matches_says_so(report: Page) -> None:
    report.get_by_label("Containing").fill("1999-12-31")
    expect(report.locator("#trade-summary")).to_have_text("No trade matches.")
    expect(report.locator("#trade-table tbody tr")).to_have_count(0)

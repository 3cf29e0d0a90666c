"""Dagster's web UI does what a user of Dagster expects: materialize, test a tick, read a run."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from algo_pipeline_tests.browser.conftest import Camera
from algo_pipeline_tests.browser.dagster_ui import LOCATION, await_end_of_run
from algo_pipeline_tests.browser.world import World

TRAINING = ("model", "calibrator", "oos_probabilities", "evaluation", "registered_model", "challenger")
DECIDED = re.compile(r"BTC/USD LONG, enter.*; buy BTC/USD filled")
BOX, GREEN = "[style*='--minimal-border']", re.compile("--minimal-border: var\\(--color-accent-green\\)")


def test_the_graph_is_materialized_from_its_page_and_turns_green(world: World, page: Page, camera: Camera) -> None:
    page.goto(f"{world.uis.dagster}{LOCATION}/jobs/research")
    page.get_by_role("button", name="Materialize all").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="All", exact=True).click()
    expect(dialog.get_by_text("BTC-USD").first).to_be_visible()
    camera("dagster 1 materialize all")
    dialog.get_by_role("button", name="Launch 1 run").click()
    page.get_by_role("region", name="Notifications").get_by_role("link", name="View").click()
    assert await_end_of_run(page, within_s=300) == "SUCCESS"
    expect(page.get_by_text("Errored (0)")).to_be_visible()
    expect(page.get_by_text("Not executed")).to_have_count(0)
    camera("dagster 2 run of the graph")
    page.goto(f"{world.uis.dagster}{LOCATION}/asset-groups/training/lineage")
    for name in TRAINING:
        box = page.locator(BOX).filter(has=page.get_by_text(name, exact=True))
        expect(box).to_have_attribute("style", GREEN)
    camera("dagster 3 group training")


def test_a_tick_is_tested_from_the_schedules_page_and_trades(world: World, page: Page, camera: Camera) -> None:
    orders = len(world.sandbox.ledger()["orders"])
    page.goto(f"{world.uis.dagster}{LOCATION}/schedules/hourly_decision")
    _turn_off(page.get_by_role("checkbox"))
    world.say(long=True)
    hour = world.next_hour()
    page.get_by_role("button", name="Preview tick result").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Continue").click()
    expect(dialog.get_by_text("1 run requests")).to_be_visible()
    camera("dagster 4 preview of a tick")
    dialog.get_by_role("button", name="Launch all").click()
    expect(page.get_by_text(f"partition: {hour}")).to_be_visible()
    page.locator("a[href^='/runs/']").first.click()
    assert await_end_of_run(page, within_s=300) == "SUCCESS"
    page.get_by_placeholder("Filter…").fill("in short")
    expect(page.get_by_text(DECIDED).first).to_be_visible()
    camera("dagster 5 run of an hour")
    assert len(world.sandbox.ledger()["orders"]) == orders + 1
    page.goto(f"{world.uis.dagster}/runs")
    expect(page.get_by_text("decision: BTC/USD LONG").first).to_be_visible()
    expect(page.get_by_text("order: bought").first).to_be_visible()
    camera("dagster 6 runs")
    page.goto(f"{world.uis.dashboard}/?refresh=off")
    decided = page.locator("#decisions table tbody tr").filter(has_text=f"{hour[:10]} {hour[11:]}").first
    expect(decided).to_contain_text("LONG")
    expect(decided).to_contain_text("enter")
    camera("dashboard after the tick")


def _turn_off(schedule: Locator) -> None:
    """Else its own tick, once an hour, would come before the tested one."""
    if schedule.is_checked():
        schedule.dispatch_event("click")
    expect(schedule).not_to_be_checked()

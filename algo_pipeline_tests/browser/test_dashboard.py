"""The dashboard can be read on a phone, a tablet and a desktop, light and dark, and shows what the account did."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from algo_pipeline_tests.browser.conftest import Camera
from algo_pipeline_tests.browser.world import World

SECTIONS = ("equity", "positions", "decisions", "risk", "slippage", "alerts", "champions", "next")
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def dashboard(world: World, page: Page) -> Page:
    page.goto(f"{world.uis.dashboard}/?refresh=off")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("device", "width"), [("phone", 375), ("tablet", 768), ("desktop", 1440)])
def test_every_section_fits_the_screen(dashboard: Page, camera: Camera, device: str, width: int, scheme: str) -> None:
    dashboard.emulate_media(color_scheme=scheme)
    dashboard.set_viewport_size({"width": width, "height": 900})
    assert dashboard.evaluate(TOO_WIDE) <= 0
    for name in SECTIONS:
        section = dashboard.locator(f"section#{name}")
        expect(section).to_be_visible()
        expect(section.get_by_role("heading").first).to_be_visible()
        box = section.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    camera(f"dashboard {device} {scheme}")


def test_it_shows_the_hours_that_were_traded(dashboard: Page) -> None:
    rows = dashboard.locator("#decisions table tbody tr")
    expect(rows.first).to_contain_text("BTC/USD")
    for action in ("enter", "exit"):
        expect(rows.filter(has_text=action).first).to_be_visible()


def test_it_refreshes_what_is_read(world: World, page: Page) -> None:
    """The page asks for itself again, and asks nobody else."""
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.goto(world.uis.dashboard)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert hosts == {world.uis.dashboard.removeprefix("http://")}

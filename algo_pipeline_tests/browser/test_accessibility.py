"""Our own pages can be used by everybody: no finding of axe that is serious or critical, light or dark."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from algo_pipeline_tests.browser.world import World

SERIOUS = ("serious", "critical")


@pytest.fixture
def addresses(world: World) -> dict[str, str]:
    return {
        "dashboard": f"{world.uis.dashboard}/?refresh=off",
        "report": world.report(),
        "sweep": world.report("sweep/sweep.html"),
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["dashboard", "report", "sweep"])
def test_a_page_has_no_serious_finding(page: Page, addresses: dict[str, str], name: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(addresses[name])
    found = Axe().run(page).response["violations"]
    assert [finding["id"] for finding in found if finding["impact"] in SERIOUS] == []

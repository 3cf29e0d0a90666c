"""The documentation site can be read by everybody, on a phone too, asks nobody else, and finds what is searched for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from algo_pipeline_tests.browser.conftest import Camera

KINDS_OF_PAGE = ("index", "tutorial", "results")
WIDE = ("runbook", "reference/python", "results")
SERIOUS = ("serious", "critical")
PHONE = {"width": 375, "height": 800}


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def root(documentation_site: Path) -> Iterator[str]:
    """Where the site is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(documentation_site)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", KINDS_OF_PAGE)
def test_a_page_has_no_serious_finding(page: Page, root: str, name: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(PHONE)
    page.goto(f"{root}/{name}.html")
    expect(page.get_by_role("dialog", name="Search", include_hidden=True)).to_be_attached()
    found = Axe().run(page).response["violations"]
    assert [finding["id"] for finding in found if finding["impact"] in SERIOUS] == []


@pytest.mark.parametrize("name", WIDE)
def test_a_page_fits_a_phone_and_asks_nobody_else(page: Page, root: str, name: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size(PHONE)
    page.goto(f"{root}/{name}.html")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert asked
    assert [url for url in asked if not url.startswith((root, "data:", "blob:"))] == []


def test_what_is_searched_for_is_found(page: Page, root: str, camera: Camera) -> None:
    page.goto(f"{root}/index.html")
    page.get_by_placeholder("Search").click()
    expect(page.locator(".md-search-result__meta")).to_have_text("Type to start searching")  # its index is there
    page.get_by_placeholder("Search").press_sequentially("kill_switch")  # it listens to keys
    expect(page.locator(".md-search-result__link").first).to_be_visible()
    camera("documentation search")
    assert page.locator(".md-search-result__link[href*='runbook']").count() > 0

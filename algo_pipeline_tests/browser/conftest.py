"""A headless Chromium that visits the web UIs of a small world, and keeps pictures of what it saw."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from algo_pipeline_tests.browser.world import World, browser_world
from algo_pipeline_tests.services import required_program

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Camera = Callable[[str], None]
_PICTURES = Path(os.environ.get("SCREENSHOTS_DIR", Path(__file__).parents[2] / "artifacts" / "screenshots"))
_PATIENCE_MS = 30_000
"""How long a page may take to show what is expected: long enough for a machine with other work."""
_MOST_SECONDS = 900
_FAILED = pytest.StashKey[bool]()
_FOLDER = Path(__file__).parent


def pytest_itemcollected(item: pytest.Item) -> None:
    """Making the world takes minutes on a busy machine."""
    if _FOLDER in item.path.parents:
        item.add_marker(pytest.mark.timeout(_MOST_SECONDS))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remember a failure for the fixture that takes its picture."""
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture(scope="session")
def chromium() -> Path:
    return required_program("chromium", "chromium")


@pytest.fixture(scope="package")
def world(chromium: Path, tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Iterator[World]:
    with browser_world(tmp_path_factory.mktemp("world"), mlflow_template) as made:
        yield made


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    """Of one module: while it lives there is an event loop, in which other modules' tests could not start theirs."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A tab of a desktop's size; a failed test leaves its picture."""
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        yield page
        if request.node.stash.get(_FAILED, False):
            _photograph(page, f"failed {request.node.originalname}")


@pytest.fixture
def camera(page: Page) -> Camera:
    """Keep a picture of the tab as it is, under a name."""
    return lambda name: _photograph(page, name)


def _photograph(page: Page, name: str) -> None:
    _PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=_PICTURES / f"{re.sub('[^a-z0-9]+', '-', name.lower())}.png")

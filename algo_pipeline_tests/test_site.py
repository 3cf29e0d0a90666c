"""The documentation site builds without a warning, asks nobody for anything, and leaves no page out."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from algo_pipeline_tests.pages import DOCS, ROOT
from algo_pipeline_tests.site_pages import NAMES

# What a browser fetches by itself; links that a reader may follow are not among them.
_FETCHED = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src", "video": "src"}
_NOT_FETCHED = {"canonical", "next", "prev", "alternate"}


class _Fetches(HTMLParser):
    """Collects the addresses that a browser asks for when it opens a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        address = given.get(_FETCHED.get(tag, ""))
        if address and given.get("rel") not in _NOT_FETCHED:
            self.addresses.append(address)


def test_every_page_has_one_place_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2].partition("\nhooks:\n")[0]
    pages = [str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")]
    assert sorted(re.findall(r"([\w/-]+\.md)$", navigation, re.MULTILINE)) == sorted(
        [*pages, *(name.lower() for name in NAMES)]
    )


def test_every_page_is_in_the_site(documentation_site: Path) -> None:
    expected = {page.relative_to(DOCS).with_suffix(".html") for page in DOCS.rglob("*.md")}
    assert expected <= {page.relative_to(documentation_site) for page in documentation_site.rglob("*.html")}


def test_no_page_fetches_anything_from_elsewhere(documentation_site: Path) -> None:
    foreign = {
        f"{page.name}: {address}"
        for page in documentation_site.rglob("*.html")
        for address in _Fetches(page.read_text("utf-8")).addresses
        if re.match(r"(https?:)?//", address)
    }
    assert not foreign


def test_no_style_fetches_anything_from_elsewhere(documentation_site: Path) -> None:
    styles = [*documentation_site.rglob("*.css"), *documentation_site.rglob("*.svg")]
    assert styles
    assert not [path for path in styles if re.search(r"(url\(|@import\s+)['\"]?(https?:)?//", path.read_text("utf-8"))]


def test_what_a_page_fetches_is_there(documentation_site: Path) -> None:
    missing = {
        f"{page.name}: {address}"
        for page in documentation_site.rglob("*.html")
        if page.name != "404.html"  # its addresses begin at the root of a server
        for address in _Fetches(page.read_text("utf-8")).addresses
        if not address.startswith("data:") and not (page.parent / address.partition("#")[0].partition("?")[0]).exists()
    }
    assert not missing


def test_the_public_interface_is_shown_with_its_parameters(documentation_site: Path) -> None:
    page = (documentation_site / "reference" / "python.html").read_text("utf-8")
    for name in ("build_features", "run_backtest", "run_sweep", "ModelInterface", "StrategyInterface"):
        assert re.search(rf'id="algo_pipeline\.[\w.]*{name}"', page), name
    assert ":::" not in page

"""The dashboard over HTTP: what it answers, to whom, and what never leaves it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from algo_pipeline.dashboard.reading import Reader
from algo_pipeline_tests.dashboard.account import DiskAccount, account_in, traded
from algo_pipeline_tests.live.lines import halt

PATHS = ("/", "/data.json", "/metrics", "/healthz", "/reports/BTC-USD")
SECTIONS = ("equity", "positions", "decisions", "risk", "slippage", "alerts", "champions", "next")


class Outline(HTMLParser):
    """Tags with their attributes, and that every element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "line", "rect", "circle", "polyline", "polygon", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


class TestPages:
    def test_the_page_has_every_section_under_its_name(self, account: DiskAccount) -> None:
        with account.served() as browser:
            outline = Outline(browser.get().text)
        assert not outline.open
        ids = [attributes["id"] for _, attributes in outline.found if "id" in attributes]
        assert len(ids) == len(set(ids))
        sections = {attributes.get("id"): attributes for tag, attributes in outline.found if tag == "section"}
        assert set(SECTIONS) <= set(sections)
        assert all(attributes["aria-labelledby"] in ids for attributes in sections.values())

    def test_data_are_json_and_health_is_told(self, account: DiskAccount) -> None:
        with account.served() as browser:
            data, health = browser.get("/data.json"), browser.get("/healthz")
        assert data.headers["content-type"] == "application/json"
        assert data.json()["status"]["equity"] == 100_200.0
        assert health.json() == {"ok": True}

    def test_it_loads_itself_again_unless_told_not_to(self, account: DiskAccount) -> None:
        with account.served() as browser:
            assert "<script>" in browser.get().text
            still = browser.get("/?refresh=off").text
        assert "<script" not in still
        assert "It does not refresh itself" in still

    def test_what_is_written_while_it_runs_is_shown(self, account: DiskAccount) -> None:
        with account.served() as browser:
            before = browser.get("/data.json").json()["status"]["halted"]
            account.write(halt(3))
            after = browser.get("/data.json").json()["status"]["halted"]
        assert (before, after) == (None, {"reason": "going on holiday", "flatten": False})

    def test_the_report_of_a_configured_symbol_is_served_in_a_box_of_its_own(self, account: DiskAccount) -> None:
        with account.served() as browser:
            report, other = browser.get("/reports/BTC-USD"), browser.get("/reports/ETH-USD")
            outside = browser.get("/reports/..%2f..%2flive")
        assert "the report" in report.text
        assert report.headers["content-security-policy"].startswith("sandbox allow-scripts; default-src 'none'")
        assert (other.status_code, outside.status_code) == (404, 404)


class TestDoor:
    @pytest.mark.parametrize("path", PATHS)
    def test_it_can_be_read_and_nothing_else(self, account: DiskAccount, path: str) -> None:
        with account.served() as browser:
            assert browser.get(path).status_code == 200
            assert browser.get(path, "HEAD").text == ""
            for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
                assert browser.get(path, method).status_code == 405

    @pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost:8800", "LOCALHOST", "[::1]:8800"])
    def test_this_machine_may_ask(self, empty: DiskAccount, host: str) -> None:
        with empty.served() as browser:
            assert browser.get(Host=host).status_code == 200

    @pytest.mark.parametrize(
        "host", ["evil.example", "127.0.0.1.evil.example", "localhost.", "127.1", "", "a@localhost"]
    )
    @pytest.mark.parametrize("path", ["/", "/data.json", "/metrics", "/healthz"])
    def test_no_other_name_may(self, empty: DiskAccount, host: str, path: str) -> None:
        with empty.served("desk.example") as browser:
            refused = browser.get(path, Host=host)
            assert refused.status_code == 400
            assert "algo" not in refused.text
            assert browser.get(path, Host="desk.example").status_code == 200

    @pytest.mark.parametrize("path", [*PATHS, "/nothing"])
    def test_every_answer_tells_browsers_to_keep_to_it(self, account: DiskAccount, path: str) -> None:
        with account.served() as browser:
            for answer in (browser.get(path), browser.get(path, Host="evil.example")):
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["x-frame-options"] == "DENY"
                assert answer.headers["referrer-policy"] == "no-referrer"
                assert answer.headers["cache-control"] == "no-store"
                assert "default-src 'none'" in answer.headers["content-security-policy"]
                assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
                assert "access-control-allow-origin" not in answer.headers
                assert "server" not in answer.headers

    def test_its_own_style_and_script_are_all_that_may_run(self, account: DiskAccount) -> None:
        with account.served() as browser:
            answer = browser.get()
        policy = answer.headers["content-security-policy"]
        (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
        (script,) = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
        assert f"style-src {hash_of(style)};" in policy
        assert f"script-src {hash_of(script)};" in policy
        assert "unsafe" not in policy
        assert not any("style" in attributes for _, attributes in Outline(answer.text).found)
        assert not any(name.startswith("on") for _, attributes in Outline(answer.text).found for name in attributes)


class TestWhatNeverLeavesIt:
    def test_a_secret_that_slipped_into_the_journal_is_masked(self, tmp_path) -> None:
        secret = 'k"<&>ey-of-mine'
        account = account_in(tmp_path, alpaca_api_key=secret, alert_urls="tgram://123:abc/456")
        entry = halt(3)
        account.write(*traded(), type(entry)(entry.timestamp, entry.event, details={**entry.details, "reason": secret}))
        account.alert("sent to tgram://123:abc/456")
        with account.served() as browser:
            texts = [browser.get(path).text for path in ("/", "/data.json", "/metrics")]
        for text in texts:
            assert "ey-of-mine" not in text
            assert "123:abc" not in text
        assert "**********" in texts[0]
        assert json.loads(texts[1])["status"]["halted"]["reason"] == "**********"

    def test_text_from_outside_is_escaped(self, empty: DiskAccount) -> None:
        empty.write(*traded())
        empty.alert("<script>alert(1)</script>", text="<img src=x onerror=alert(1)>")
        with empty.served() as browser:
            page = browser.get("/?refresh=off").text
        assert "<script>" not in page
        assert "<img" not in page
        assert "&lt;script&gt;" in page

    def test_half_a_surrogate_pair_from_outside_ends_no_page(self, empty: DiskAccount) -> None:
        empty.write(*traded())
        empty.alert("the file \udcff.csv is missing")
        with empty.served() as browser:
            page, data = browser.get("/"), browser.get("/data.json")
        assert "the file ?.csv is missing" in page.text
        assert [each["title"] for each in data.json()["alerts"]] == ["the file \udcff.csv is missing"]

    def test_a_defect_is_told_to_the_log_and_not_to_the_reader(
        self, account: DiskAccount, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object) -> None:
            raise ZeroDivisionError("the very cause")

        monkeypatch.setattr(Reader, "view", broken)
        with account.served() as browser:
            answer = browser.get()
            assert browser.get("/healthz").status_code == 200
        assert answer.status_code == 500
        assert "the very cause" not in answer.text
        assert "Traceback" not in answer.text

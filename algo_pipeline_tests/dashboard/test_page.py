"""The page says what ``status --json`` says, number by number, and stands alone as a file."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest

from algo_pipeline.common.formatting import count, minute, number, percent, significant
from algo_pipeline.common.storage import to_json
from algo_pipeline.dashboard.export import export_dashboard
from algo_pipeline.dashboard.figures import session_figures
from algo_pipeline.dashboard.headlines import account_state
from algo_pipeline.dashboard.page import render_page
from algo_pipeline.dashboard.reading import BARS_OF_DECISIONS
from algo_pipeline.dashboard.status import BrokerAnswer, status_document
from algo_pipeline.dashboard.view import View
from algo_pipeline.live.events import Entry
from algo_pipeline.live.state import LiveState, fold
from algo_pipeline.live.tally import tally_of
from algo_pipeline_tests.dashboard.account import DiskAccount, account_in, traded_account
from algo_pipeline_tests.live.harness import BTC, ETH, World
from algo_pipeline_tests.live.lines import decision, difference, halt, hour, kill_switch, missed, watched
from algo_pipeline_tests.live.worlds import LIVE, random_world


def text_of(page: str) -> str:
    """What a reader sees, in one line."""
    body = re.sub(r"<style>.*?</style>|<script>.*?</script>|<svg.*?</svg>", " ", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def section(page: str, name: str) -> str:
    """The text of one section."""
    return text_of(page.split(f'<section id="{name}"')[1].split("</section>", maxsplit=1)[0])


def status_of(world: World, account: DiskAccount) -> dict[str, object]:
    """What the command would say of the same journal at the same time."""
    lines, now = world.lines, account.view(world.clock.now()).time.now
    nobody = BrokerAnswer("not asked", "", None, now)
    state, tally = fold(LiveState(), lines), tally_of(lines)
    return status_document(account.settings, state, tally, nobody, world.clock.now(), BARS_OF_DECISIONS)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_number_of_a_random_account_is_that_of_its_status(tmp_path: Path, seed: int) -> None:
    world = random_world(tmp_path / "artifacts" / "live", seed, (BTC, ETH), 30, LIVE)
    for bar in world.times:
        world.tick(bar)
    account = account_in(tmp_path / "artifacts", symbols="BTC/USD,ETH/USD")
    status = status_of(world, account)
    view = account.view(world.clock.now())
    page = render_page(view, 100)
    own = {"broker": None}
    assert to_json({**view.status, **own}) == to_json({**status, **own})
    assert_says(page, view, status)


def assert_says(page: str, view: View, status: dict) -> None:
    now, positions, risk = (section(page, "equity"), section(page, "positions"), section(page, "risk"))
    session = status["session"]
    assert number(status["equity"], 2) in text_of(page)
    assert f"{percent(status['drawdown'], 2)} of {percent(status['kill_switch']['max_drawdown'], 0)}" in risk
    for row in status["positions"]:
        told = (row["symbol"], row["quantity"], significant(row["close"]), number(row["value_usd"], 2))
        assert " ".join((*told, percent(row["share_of_equity"]))) in positions
    assert number(float(status["cash"]), 2) in positions
    figures = session_figures(session["metrics"], session["hours"])
    assert all(f"{title} {value}" in now for title, value in figures)
    assert percent(session["metrics"]["total_return"], 2, signed=True) == percent(
        view.equity.total_return, 2, signed=True
    )
    decided = section(page, "decisions")
    for row in status["decisions"][-12:]:
        cells = (minute(row["bar"]), row["symbol"], row["signal"], row["action"], row["reason"])
        assert " ".join((*cells, number(row["prob"], 4), row["quantity"])) in decided
    assert f"{count(session['missed_hours'])} h" in section(page, "next")
    assert minute(status["next_tick"]) in section(page, "next")


def test_obstacles_are_told_with_their_way_out(empty: DiskAccount) -> None:
    empty.write(*(watched(bar) for bar in range(4)), watched(4, alarm="calibration"), difference(5))
    page = render_page(empty.view(hour(6)), 100)
    told = text_of(page.split('id="obstacles"')[1].split("</div>")[0])
    assert "Stopped: 0.5 BTC nobody ordered" in told
    assert "BTC/USD, since 2024-01-01 04:00 UTC: odd" in told
    assert 'Way out: algo-pipeline resume --adopt --reason "…"' in told


def test_entries_and_exits_stand_apart_from_the_hours(account: DiskAccount) -> None:
    decided = section(render_page(account.view(), 100), "decisions")
    acted, hours = decided.split("Entries and exits")[1].split("Hour by hour")
    assert acted.count("BTC/USD") == 1
    assert " enter " in acted
    assert hours.count("BTC/USD") == 3


@pytest.mark.parametrize(
    ("entry", "title", "kind"),
    [
        (None, "Trading", "good"),
        (halt(3), "Halted", "bad"),
        (kill_switch(3), "Kill switch", "bad"),
        (difference(3), "Stopped", "bad"),
        (watched(3, alarm="calibration"), "Abstaining", "bad"),
    ],
)
def test_the_state_is_the_worst_of_what_is_known(tmp_path: Path, entry: Entry, title: str, kind: str) -> None:
    account = traded_account(tmp_path, drift_abstention=True)
    account.write(*([] if entry is None else [entry]))
    state = account_state(account.view())
    assert (state.title, state.kind) == (title, kind)
    assert f"<title>{title} · paper account</title>" in render_page(account.view(), 100)


def test_overdue_hours_are_told(account: DiskAccount) -> None:
    page = render_page(account.view(hour(40)), 100)
    assert "36 h have passed without a decision" in text_of(page)
    assert "36: 2024-01-01 03:00 to 2024-01-02 14:00 UTC" in section(page, "next")


def test_a_decision_without_a_probability_is_shown(empty: DiskAccount) -> None:
    made = decision(0)
    empty.write(
        type(made)(made.timestamp, made.event, made.symbol, "HOLD", None, "none", None, made.details), missed(1, 2)
    )
    assert "2024-01-01 00:00 BTC/USD HOLD none probability 0.61 is at or above 0.55 – 0.004761" in section(
        render_page(empty.view(), 100), "decisions"
    )


class TestExport:
    def test_it_needs_no_server_and_loads_nothing(self, account: DiskAccount, tmp_path: Path) -> None:
        page = export_dashboard(account.settings, tmp_path / "public", hour(4))
        text = page.read_text("utf-8")
        assert sorted(path.name for path in page.parent.iterdir()) == ["data.json", "index.html"]
        assert "<script" not in text
        links = re.findall(r'(?:href|src)="([^"]*)"', text)
        assert {link for link in links if not link.startswith("#")} == {"data:,"}
        assert "url(" not in text
        assert "100,200.00" in text_of(text)
        assert json.loads((page.parent / "data.json").read_text("utf-8"))["status"]["equity"] == 100_200.0

    def test_the_same_account_is_exported_to_the_same_bytes(self, account: DiskAccount, tmp_path: Path) -> None:
        first = export_dashboard(account.settings, tmp_path / "a", hour(4)).read_bytes()
        assert export_dashboard(account.settings, tmp_path / "b", hour(4)).read_bytes() == first

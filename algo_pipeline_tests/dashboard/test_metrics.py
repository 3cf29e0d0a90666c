"""Metrics for Prometheus: their names and values, read back by the client's own parser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from algo_pipeline_tests.dashboard.account import DiskAccount, account_in
from algo_pipeline_tests.live.harness import BTC, ETH
from algo_pipeline_tests.live.lines import decision, halt, hour, intent, kill_switch, missed, watched
from algo_pipeline_tests.live.worlds import LIVE, random_world

DOCS = Path(__file__).parents[2] / "docs" / "dashboard.md"


def scraped(account: DiskAccount, accept: str = "text/plain") -> dict[str, dict[tuple[str, ...], float]]:
    """Values by name and labels, without the prefix."""
    with account.served() as browser:
        answer = browser.get("/metrics", accept=accept)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    values: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            name = sample.name.removeprefix("algo_pipeline_")
            assert name != sample.name
            assert family.documentation
            values.setdefault(name, {})[tuple(sample.labels.values())] = sample.value
    return values


def test_a_worked_account(account: DiskAccount) -> None:
    found = scraped(account)
    expected = {
        "equity_usd": 100_200.0,
        "peak_usd": 100_300.0,
        "cash_usd": 78_995.0,
        "drawdown_ratio": 100.0 / 100_300.0,
        "drawdown_limit_ratio": 0.1,
        "return_ratio": 0.002,
        "decisions_total": 3.0,
        "missed_hours_total": 0.0,
        "skipped_hours_total": 0.0,
        "overdue_hours": 0.0,
        "kill_switch_latched": 0.0,
        "halted": 0.0,
        "stopped": 0.0,
        "open_intents": 0.0,
        "journal_readable": 1.0,
        "last_bar_timestamp_seconds": hour(2).timestamp(),
        "last_decision_timestamp_seconds": hour(3).timestamp() + 60.0,
        "next_tick_timestamp_seconds": hour(4).timestamp() + 60.0,
        "fees_bps": 25.0,
        "slippage_bps": (42_010.0 / 42_000.5 - 1.0) * 1e4,
    }
    assert {name: found[name][()] for name in expected} == pytest.approx(expected)
    assert found["position_quantity"] == {("BTC/USD",): 0.49875}
    assert found["position_value_usd"] == {("BTC/USD",): pytest.approx(0.49875 * 42_000.5)}
    assert found["champion_trading"] == {("BTC/USD",): 1.0}
    assert found["orders_total"][("filled",)] == 1.0
    assert sum(found["orders_total"].values()) == 1.0
    assert found["alerts_total"] == {("info",): 0.0, ("warning",): 1.0, ("critical",): 0.0}
    assert len(found["build_info"]) == 1


def test_what_keeps_trading_is_one(empty: DiskAccount) -> None:
    empty.write(decision(0), kill_switch(0), halt(0), missed(1, 2), intent(3, "open"))
    found = scraped(empty)
    for name in ("kill_switch_latched", "halted", "open_intents"):
        assert found[name][()] == 1.0
    assert found["missed_hours_total"][()] == 2.0
    assert found["orders_total"][("open",)] == 1.0


def test_the_watch_has_its_evidence_and_alarm(empty: DiskAccount) -> None:
    empty.write(*(watched(bar) for bar in range(4)), watched(4, alarm="calibration"))
    found = scraped(empty)
    assert found["watch_alarm"] == {("BTC/USD",): 1.0}
    assert found["watch_evidence_ratio"][("BTC/USD",)] > 0


def test_before_the_start_nothing_of_an_account_is_claimed(empty: DiskAccount) -> None:
    found = scraped(empty)
    assert "equity_usd" not in found
    assert "last_decision_timestamp_seconds" not in found
    assert found["decisions_total"][()] == 0.0
    assert found["champion_trading"] == {("BTC/USD",): 0.0}


def test_a_damaged_journal_is_told(account: DiskAccount) -> None:
    text = account.journal_path.read_bytes()
    account.journal_path.write_bytes(text.replace(b"100300.0", b"100301.0", 1))
    assert scraped(account)["journal_readable"][()] == 0.0


def test_overdue_hours_are_counted_by_the_clock(account: DiskAccount) -> None:
    account.journal_path.unlink()
    (account.live / "state.json").unlink(missing_ok=True)
    account.write(decision(-5))
    assert scraped(account)["overdue_hours"][()] == 0.0  # a decision alone accounts for no bar
    account.write(missed(-4, -3))
    assert scraped(account)["overdue_hours"][()] == 5.0  # bars -2 to 2; bar 3 closed just now


def test_a_scraper_may_ask_for_open_metrics(account: DiskAccount) -> None:
    with account.served() as browser:
        answer = browser.get("/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_the_rules_in_the_documentation_are_about_metrics_that_exist(account: DiskAccount) -> None:
    account.write(*(watched(bar) for bar in range(3, 6)))
    blocks = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)]
    (scrape,), (group,) = blocks[0]["scrape_configs"], blocks[1]["groups"]
    assert scrape["static_configs"] == [{"targets": [f"127.0.0.1:{account.settings.dashboard_port}"]}]
    named = {name for rule in group["rules"] for name in re.findall(r"algo_pipeline_(\w+)", rule["expr"])}
    assert named <= set(scraped(account)) | {"overdue_hours"}
    assert len({rule["alert"] for rule in group["rules"]}) == len(group["rules"]) == 6


@pytest.mark.parametrize("seed", [4, 5])
def test_metrics_of_a_random_account_are_those_of_its_status(tmp_path: Path, seed: int) -> None:
    world = random_world(tmp_path / "live", seed, (BTC, ETH), 25, LIVE)
    for bar in world.times:
        world.tick(bar)
    account = account_in(tmp_path, symbols="BTC/USD,ETH/USD")
    found, status = scraped(account), account.view().status
    assert found["equity_usd"][()] == status["equity"]
    assert found["drawdown_ratio"][()] == status["drawdown"]
    assert sum(found["orders_total"].values()) == status["session"]["orders"]
    held = {(row["symbol"],): float(row["quantity"]) for row in status["positions"]}
    assert {key: value for key, value in found["position_quantity"].items() if value} == held
    assert found["return_ratio"][()] == pytest.approx(status["session"]["metrics"]["total_return"])


def test_every_metric_is_documented_and_every_documented_one_exists(account: DiskAccount) -> None:
    account.write(*(watched(bar) for bar in range(3, 6)))
    table = [
        line.split("|")[1] for line in DOCS.read_text("utf-8").splitlines() if line.startswith("| `algo_pipeline_")
    ]
    told = {
        name.removeprefix("algo_pipeline_").removeprefix("_")
        for row in table
        for name in re.findall(r"`([a-z_]+)", row)
    }
    assert told == set(scraped(account))

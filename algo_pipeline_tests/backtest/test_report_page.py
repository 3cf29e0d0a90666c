from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import accumulate
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.backtest.engine import BacktestConfig
from algo_pipeline.backtest.report import ReportInputs, render_html, render_markdown
from algo_pipeline.backtest.report_evidence import evidence_rows, trial_rows
from algo_pipeline.backtest.report_figures import headlines, key_figures
from algo_pipeline.backtest.report_glossary import GLOSSARY
from algo_pipeline.backtest.report_payload import MAX_POINTS, MAX_TRADES
from algo_pipeline.backtest.trades import TRADE_COLUMNS
from algo_pipeline.research.trials import TrialSummary
from algo_pipeline_tests.backtest.report_samples import (
    NO_EVALUATION,
    constant_inputs,
    make_inputs,
    sample_inputs,
)
from algo_pipeline_tests.market import random_bars, without_rows

VOID = {"meta", "link", "input", "br", "hr", "img"}
LIMIT_BYTES = 2_000_000


class Page(HTMLParser):
    """Collects tags and text, and fails on any tag that is not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif not self.open or self.open[-1] != "style":
            self.text.append(data)

    def attributes(self, name: str) -> list[str]:
        return [value or "" for _, attrs in self.tags for key, value in attrs.items() if key == name]


def _data(page: str) -> dict[str, Any]:
    block = re.search(r'<script type="application/json" id="report-data">(.*?)</script>', page, re.DOTALL)
    assert block
    document: dict[str, Any] = json.loads(block.group(1))
    return document


def _curve(packed: dict[str, Any]) -> np.ndarray:
    return np.array(list(accumulate(packed["deltas"]))) / packed["scale"]


def _times(grid: dict[str, Any]) -> pd.DatetimeIndex:
    steps = np.repeat(grid["steps"][::2], grid["steps"][1::2])
    return pd.to_datetime(np.concatenate([[grid["start"]], steps]).cumsum() * 60, unit="s", utc=True)


@pytest.fixture(scope="module")
def sample_page() -> str:
    return render_html(sample_inputs())


def test_the_page_is_well_formed_with_unique_ids_and_every_reference_resolved(sample_page: str) -> None:
    page = Page(sample_page)
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    targets = [href.removeprefix("#") for href in page.attributes("href") if href.startswith("#")]
    referenced = [*targets, *page.attributes("aria-labelledby"), *page.attributes("aria-describedby")]
    assert set(referenced) <= set(ids)
    assert {f"term-{term.key}" for term in GLOSSARY} <= set(ids)


def test_it_needs_no_network(sample_page: str) -> None:
    page = Page(sample_page)
    links = [*page.attributes("src"), *page.attributes("href"), *page.attributes("action")]
    assert all(link.startswith("#") or link == "data:," for link in links)
    assert not re.search(r"https?://|@import|url\((?!#)|fetch\(|XMLHttpRequest|WebSocket", sample_page)


def test_it_has_landmarks_headers_and_labels(sample_page: str) -> None:
    page = Page(sample_page)
    names = [tag for tag, _ in page.tags]
    assert [names.count(tag) for tag in ("main", "header", "footer", "nav", "h1")] == [1] * 5
    assert all(attrs.get("scope") in {"col", "row"} for tag, attrs in page.tags if tag == "th")
    assert dict(page.tags)["html"]["lang"] == "en"
    plots = [attrs for tag, attrs in page.tags if tag == "div" and attrs.get("class") == "plot"]
    assert len(plots) == 8
    assert all(attrs["tabindex"] == "0" and attrs["aria-label"] for attrs in plots)


def test_the_embedded_trades_are_exact(sample_page: str) -> None:
    trades = sample_inputs().strategy.trades
    embedded = _data(sample_page)["trades"]
    assert embedded["total"] == len(trades) > 20
    for name in TRADE_COLUMNS[2:]:
        assert embedded[name] == trades[name].tolist()
    for name in TRADE_COLUMNS[:2]:
        assert pd.to_datetime(np.array(embedded[name]) * 60, unit="s", utc=True).tolist() == trades[name].tolist()


def test_the_embedded_curves_are_the_account_at_every_close(sample_page: str) -> None:
    inputs, curves = sample_inputs(), _data(sample_page)["curves"]
    assert (_times(curves) == inputs.bars.index + pd.Timedelta(hours=1)).all()
    for name, result in inputs.backtests.items():
        np.testing.assert_allclose(_curve(curves[name]), result.equity, atol=0.51)
    np.testing.assert_allclose(_curve(curves["drawdown"]), -inputs.strategy.curve["drawdown"], atol=1e-4)
    np.testing.assert_allclose(_curve(curves["close"]), inputs.bars["close"], rtol=1e-5)
    hold = _curve(curves["close"]) * curves["hold_per_close"]
    assert hold[-1] == pytest.approx(1e5 * (1.0 + inputs.strategy.metrics["buy_and_hold_return"]), rel=1e-5)


def test_the_figures_agree_between_page_markdown_and_metrics(sample_page: str) -> None:
    inputs = sample_inputs()
    markdown = render_markdown(inputs)
    shown = " ".join(" ".join(Page(sample_page).text).split())
    for figure in key_figures(inputs):
        values = (figure.strategy, figure.interval, figure.deployed, figure.at_zero_cost, figure.buy_and_hold)
        assert f"| {figure.title} | {' | '.join(values)} |" in markdown
        assert f"{figure.title} {' '.join(values)}" in shown
    for item in headlines(inputs):
        assert f"{item.title} {item.value} {item.meaning}" in shown
    for row in evidence_rows(inputs.grounds):
        values = (row.question, row.figure, row.interval, row.p_value, row.answer)
        assert f"| {' | '.join(values)} |" in markdown
        assert " ".join(values) in shown
    for title, figure in trial_rows(inputs.grounds):
        assert f"| {title} | {figure} |" in markdown
        assert f"{title} {figure}" in shown
    assert inputs.verdict in shown


def test_text_from_outside_is_inert() -> None:
    hostile = "</script><script>alert('x')</script><img src=x onerror=alert(1)>"
    inputs = sample_inputs()
    grounds = replace(inputs.grounds, trials=TrialSummary.unknown(hostile))
    changes = {"grounds": grounds, "notes": (hostile,), "recipe": hostile, "label": hostile, "source": hostile}
    changed = replace(inputs, model_version=hostile, recipe_hash="<script>", **changes)
    text = render_html(changed)
    page = Page(text)
    assert len(page.scripts) == 2
    assert not any(tag == "img" for tag, _ in page.tags)
    assert "onerror" not in {key for _, attrs in page.tags for key in attrs}
    assert html.escape(hostile, quote=True).replace("&#x27;", "&#39;") in text


def test_simulated_data_is_announced_first() -> None:
    assert "Simulated data." not in render_html(sample_inputs())
    shown = " ".join(Page(render_html(replace(sample_inputs(), source="simulated"))).text)
    assert shown.index("Simulated data.") < shown.index("Backtest report")


@pytest.mark.parametrize("inputs", [constant_inputs(1), constant_inputs(24, evaluation=NO_EVALUATION)])
def test_a_day_without_trades_folds_and_scores_renders_dashes(inputs: ReportInputs) -> None:
    text = render_html(inputs)
    shown = " ".join(" ".join(Page(text).text).split())
    assert "No trade was closed." in shown
    assert "nan" not in shown.lower().replace("finance", "")
    assert "Win rate – – – –" in shown
    data = _data(text)
    assert data["trades"]["pnl"] == []
    assert data["rolling"]["sharpe"] == []
    assert len(_times(data["curves"])) == len(inputs.bars)


def test_holes_between_bars_are_marked() -> None:
    bars = without_rows(random_bars(50), 10, 11, 30)
    oos = pd.DataFrame({"probability": 0.5, "outcome": 1.0, "base_rate": 0.5, "fold": 0}, index=bars.index)
    gaps = _data(render_html(make_inputs(bars, oos)))["gaps"]
    start = int(pd.Timestamp("2024-01-01").timestamp()) // 60
    assert gaps == [[start + 600, start + 720], [start + 1800, start + 1860]]


def _busy_inputs(n_bars: int) -> ReportInputs:
    """As many trades as bars allow: in and out in turn."""
    bars = random_bars(n_bars, seed=5, start="2020-01-01", price=40_000.0)
    probability = np.where(np.arange(n_bars) % 2 == 0, 0.9, 0.1)
    oos = pd.DataFrame({"probability": probability, "outcome": 1.0, "base_rate": 0.5, "fold": 0}, index=bars.index)
    return make_inputs(bars, oos, config=BacktestConfig(fee_bps=1.0, slippage_bps=0.0))


def test_four_years_of_hours_with_trades_in_every_other_one_stay_below_two_megabytes() -> None:
    inputs = _busy_inputs(4 * 8_766)
    assert len(inputs.strategy.trades) > 17_000
    text = render_html(inputs)
    assert len(text.encode()) < LIMIT_BYTES
    data = _data(text)
    assert data["trades"]["total"] == len(inputs.strategy.trades)
    assert data["trades"]["pnl"] == inputs.strategy.trades["pnl"].iloc[-MAX_TRADES:].tolist()
    assert sum(data["trade_returns"]["counts"]) == len(inputs.strategy.trades)
    assert "trades.csv beside it holds them all" in text


def test_a_longer_history_is_thinned_but_keeps_its_extremes() -> None:
    inputs = constant_inputs(MAX_POINTS + 5_000, start="2015-01-01")
    curves = _data(render_html(inputs))["curves"]
    close = _curve(curves["close"])
    assert len(close) <= MAX_POINTS
    assert close.min() == pytest.approx(inputs.bars["close"].min(), rel=1e-3)
    assert close.max() == pytest.approx(inputs.bars["close"].max(), rel=1e-5)
    assert len(_times(curves)) == len(close)

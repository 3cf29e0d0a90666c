from __future__ import annotations

import html
import io
import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.backtest.metrics import METRIC_NAMES
from algo_pipeline.backtest.sweep_figures import field_texts, judgement_figures, overfitting_sentence
from algo_pipeline.backtest.sweep_report import render_sweep_html, sweep_csv, sweep_document
from algo_pipeline.backtest.sweep_summary import TOP
from algo_pipeline_tests.backtest.sweep_samples import THRESHOLDS, sample_report, sample_sweep
from algo_pipeline_tests.backtest.test_report_page import LIMIT_BYTES, Page

COSTS = "fee_bps=0,25"
ALL = (*THRESHOLDS, "cooldown_bars=0,6", COSTS)


def data_of(page: str) -> dict[str, Any]:
    block = re.search(r'<script type="application/json" id="report-data">(.*?)</script>', page, re.DOTALL)
    assert block
    document: dict[str, Any] = json.loads(block.group(1))
    return document


def shown(page: str) -> str:
    return " ".join(" ".join(Page(page).text).split())


@pytest.fixture(scope="module")
def sample_page() -> str:
    return render_sweep_html(sample_report(*ALL))


class TestPage:
    def test_it_is_well_formed_with_unique_ids_and_every_reference_resolved(self, sample_page: str) -> None:
        page = Page(sample_page)
        ids = page.attributes("id")
        assert len(ids) == len(set(ids))
        targets = [href.removeprefix("#") for href in page.attributes("href") if href.startswith("#")]
        assert {*targets, *page.attributes("aria-labelledby")} <= set(ids)
        names = [tag for tag, _ in page.tags]
        assert [names.count(tag) for tag in ("main", "header", "footer", "nav", "h1")] == [1] * 5
        assert all(attrs.get("scope") in {"col", "row"} for tag, attrs in page.tags if tag == "th")

    def test_it_needs_no_network_and_forbids_it(self, sample_page: str) -> None:
        page = Page(sample_page)
        links = [*page.attributes("src"), *page.attributes("href"), *page.attributes("action")]
        assert all(link.startswith("#") or link == "data:," for link in links)
        assert not re.search(r"https?://|@import|url\((?!#)|fetch\(|XMLHttpRequest|WebSocket", sample_page)
        assert any(content.startswith("default-src 'none'") for content in page.attributes("content"))

    def test_the_verdict_comes_first(self, sample_page: str) -> None:
        text = shown(sample_page)
        verdict = sample_report(*ALL).verdict
        assert text.index(verdict) < text.index("Combinations 18") < text.index("How it was judged")

    def test_every_combination_is_in_the_map_in_the_order_of_the_table(self, sample_page: str) -> None:
        data, rows = data_of(sample_page), sample_sweep(*ALL).rows
        assert [field["name"] for field in data["fields"]] == list(rows.columns[:4])
        places = np.unravel_index(np.arange(len(rows)), [len(field["texts"]) for field in data["fields"]])
        for field, place in zip(data["fields"], places, strict=True):
            assert [float(field["texts"][at]) for at in place] == rows[field["name"]].tolist()
        by_title = {metric["title"]: metric["values"] for metric in data["metrics"]}
        np.testing.assert_allclose(by_title["Sharpe ratio"], rows["sharpe"], atol=6e-4)
        np.testing.assert_allclose(by_title["Total return"], rows["total_return"], atol=6e-5)
        assert by_title["Trades"] == rows["n_trades"].tolist()

    def test_the_map_starts_at_the_judged_costs_and_marks_the_configured_cell(self, sample_page: str) -> None:
        fields = {field["name"]: field for field in data_of(sample_page)["fields"]}
        assert fields["fee_bps"]["judged"] == 1
        assert fields["enter_threshold"]["judged"] is None
        assert {name: field["own"] for name, field in fields.items()} == {
            "enter_threshold": 1,
            "exit_threshold": 1,
            "cooldown_bars": 0,
            "fee_bps": 1,
        }

    def test_the_distribution_holds_every_judged_trial_and_both_marks(self, sample_page: str) -> None:
        sharpes, judged = data_of(sample_page)["sharpes"], sample_report(*ALL).summary.judged
        assert sum(sharpes["counts"]) == judged.n_trials
        assert sharpes["bar"] == pytest.approx(judged.bar, abs=1e-4)
        assert sharpes["top"] == pytest.approx(judged.sharpe, abs=1e-4)
        assert sharpes["edges"][-1] == pytest.approx(judged.sharpe, abs=1e-4)

    def test_the_figures_of_the_judgement_are_shown(self, sample_page: str) -> None:
        text = shown(sample_page)
        for figure in judgement_figures(sample_report(*ALL).summary.judged):
            assert f"{figure.title} {figure.meaning} {figure.value}" in text

    def test_the_probability_of_overfitting_stands_beside_the_verdict(self, sample_page: str) -> None:
        sentence = overfitting_sentence(sample_report(*ALL).summary.judged)
        assert sentence.startswith("Probability of backtest overfitting 0.")
        text = shown(sample_page)
        assert text.index("Verdict") < text.index(sentence) < text.index("Map A setting worth keeping")

    def test_the_best_twenty_are_listed(self) -> None:
        report = sample_report("enter_threshold=0.51:0.6:10", "exit_threshold=0.4,0.45,0.48")
        page = Page(render_sweep_html(report))
        assert len(report.summary.top) == TOP
        ranks = re.findall(r'<tr><th scope="row">(\d+)</th>', render_sweep_html(report))
        assert ranks == [str(rank) for rank in range(1, TOP + 1)]
        assert "All 30 combinations are in sweep.csv." in " ".join(" ".join(page.text).split())

    def test_whether_the_kill_switch_was_off_is_said(self, sample_page: str) -> None:
        assert "The kill switch is off in every combination" in shown(sample_page)
        assert "part of the sweep" in shown(render_sweep_html(sample_report(*THRESHOLDS, "max_drawdown=0.1")))

    def test_simulated_bars_are_announced_before_all_else(self, sample_page: str) -> None:
        assert "Simulated data." not in sample_page
        text = shown(render_sweep_html(sample_report(*ALL, source="simulated")))
        assert text.index("Simulated data.") < text.index("Parameter sweep")

    def test_text_from_outside_is_inert(self) -> None:
        hostile = "</script><script>alert('x')</script><img src=x onerror=alert(1)>"
        text = render_sweep_html(replace(sample_report(*ALL), label=hostile, source=hostile, recipe=hostile))
        page = Page(text)
        assert len(page.scripts) == 2
        assert not any(tag == "img" for tag, _ in page.tags)
        assert html.escape(hostile, quote=True).replace("&#x27;", "&#39;") in text

    @pytest.mark.parametrize(
        "assignments",
        [
            ("enter_threshold=0.998,0.999",),
            ("fee_bps=0,10,25",),
            ("max_drawdown=0.1,0.2", "fee_in_base=true,false", "cash_buffer_bps=none,10"),
            ("enter_threshold=0.55", "cooldown_bars=1,2"),
        ],
        ids=["no trade", "costs only", "words", "one choice"],
    )
    def test_any_grid_makes_a_page(self, assignments: tuple[str, ...]) -> None:
        text = render_sweep_html(sample_report(*assignments))
        assert "nan" not in shown(text).lower()
        assert data_of(text)["fields"]

    def test_trades_without_a_rank_are_not_called_none(self) -> None:
        text = shown(render_sweep_html(sample_report("enter_threshold=0.52,0.55", n_bars=20)))
        assert "2 of 2 combinations traded, none on days enough" in text
        assert "Combinations traded, but none has this figure: Sharpe ratio." in text
        assert "No combination traded" not in text

    def test_where_one_trial_competes_there_is_no_luck_to_draw(self) -> None:
        text = render_sweep_html(sample_report("fee_bps=0,10,25"))
        assert Page(text).attributes("data-chart") == ["map"]
        assert "The only combination" in shown(text)
        assert "Under other conditions" in shown(text)

    def test_ten_thousand_combinations_stay_below_two_megabytes(self) -> None:
        report = sample_report("enter_threshold=0.5:0.7:100", "exit_threshold=0.3:0.5:100", n_bars=600)
        text = render_sweep_html(report)
        assert len(data_of(text)["metrics"][0]["values"]) == 10_000
        assert len(text.encode()) < LIMIT_BYTES


def test_the_table_reads_back_as_the_very_same_numbers() -> None:
    sweep = sample_sweep(*ALL)
    back = pd.read_csv(io.StringIO(sweep_csv(sweep)), float_precision="round_trip")
    pd.testing.assert_frame_equal(back, sweep.rows, check_exact=True, check_dtype=False)


def test_the_document_says_what_the_page_says() -> None:
    report = sample_report(*ALL, metric="calmar")
    document = sweep_document(report)
    judged = report.summary.judged
    assert document["combinations"] == 36
    assert document["verdict"] == report.verdict
    assert document["judged"]["deflated_sharpe_ratio"] == judged.deflated
    assert document["judged"]["probability_of_backtest_overfitting"] == judged.overfitting.probability
    assert document["judged"]["overfitting"]["trials"] == judged.n_trials
    assert document["judged"]["best"]["sharpe"] == pytest.approx(judged.sharpe, rel=1e-9)
    assert [each["conditions"]["fee_bps"] for each in document["by_conditions"]] == [0.0, 25.0]
    assert document["held"]["max_drawdown"] == 1.0
    assert "fee_bps" not in document["held"]
    assert set(METRIC_NAMES) < set(document["top"][0])
    calmars = [row["calmar"] for row in document["top"]]
    assert calmars == sorted(calmars, reverse=True)


def test_undefined_is_null_in_the_document() -> None:
    judged = sweep_document(sample_report("enter_threshold=0.998,0.999"))["judged"]
    assert judged["best"] is judged["sharpe"] is judged["deflated_sharpe_ratio"] is None
    assert judged["probability_of_backtest_overfitting"] is None


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((0.5, 0.55), ["0.50", "0.55"]),
        ((0.0, 10.0, 25.0), ["0", "10", "25"]),
        ((0, 6), ["0", "6"]),
        ((1e-6, 0.001), ["1e-06", "0.001"]),
        ((None, 10.0), ["none", "10"]),
        ((True, False), ["true", "false"]),
        ((0.123456789,), ["0.1235"]),
        ((0.50001, 0.50002), ["0.50001", "0.50002"]),
    ],
)
def test_values_of_a_field_are_written_alike(values: tuple[object, ...], texts: list[str]) -> None:
    assert field_texts(values) == texts

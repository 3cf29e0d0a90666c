"""What a report says of a strategy other than fixed thresholds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from algo_pipeline.backtest.report import ReportInputs, render_html, render_markdown, report_document
from algo_pipeline.backtest.report_payload import chart_payload
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline_tests.backtest.report_samples import sample_inputs


@pytest.fixture(scope="module")
def inputs() -> ReportInputs:
    made = sample_inputs()
    return replace(made, strategy=replace(made.strategy, strategy=CostAwareStrategy(24, 1.5)))


def test_the_document_names_strategy_and_parameters(inputs: ReportInputs) -> None:
    named = report_document(inputs)["trading_strategy"]
    assert named == {"name": "cost_aware", "horizon_bars": 24, "edge_multiple": 1.5, "kelly_fraction": 0.5}
    assert report_document(sample_inputs())["trading_strategy"]["name"] == "thresholds"


def test_the_rules_tell_the_hurdle_instead_of_thresholds(inputs: ReportInputs) -> None:
    text, plain = render_markdown(inputs), render_markdown(sample_inputs())
    assert "reaches 1.5 times the round trip's 60 bps" in text
    assert "Enter at a probability of" not in text
    assert "Enter at a probability of" in plain


def test_the_histogram_of_probabilities_marks_no_thresholds_that_are_not_used(inputs: ReportInputs) -> None:
    config = sample_inputs().config
    marked = chart_payload(sample_inputs())["thresholds"]
    assert marked == [("Exit at", config.exit_threshold), ("enter at", config.enter_threshold)]
    assert chart_payload(inputs)["thresholds"] == []


def test_the_page_lists_the_parameters_among_the_rules(inputs: ReportInputs) -> None:
    page = render_html(inputs)
    assert "<code>edge_multiple</code></th><td>1.5</td>" in page
    assert "<code>strategy</code></th><td>cost_aware</td>" in page

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from algo_pipeline.backtest.report import render_html, render_markdown, report_document
from algo_pipeline.backtest.report_evidence import evidence_rows, trial_rows
from algo_pipeline.backtest.report_figures import bounds_text
from algo_pipeline.common.formatting import number
from algo_pipeline.research.statistics import Interval
from algo_pipeline.research.trials import TrialSummary
from algo_pipeline_tests.backtest.report_samples import SOME_EVIDENCE, sample_inputs


def test_each_question_has_its_figure_its_p_value_and_an_answer() -> None:
    rows = evidence_rows(sample_inputs().grounds)
    assert [(row.question, row.p_value, row.answer) for row in rows] == [
        ("Predictive skill", "0.001", "shown"),
        ("Edge at zero cost", "0.012", "shown"),
        ("Edge after costs", "0.800", "not shown"),
        ("More than luck", "–", "not shown"),
    ]
    assert (rows[0].figure, rows[0].interval) == ("log-loss skill 0.40%", "0.20% to 0.60%")
    assert rows[1].figure == "+35.0% a year beyond its exposure"
    assert rows[2].figure == "−40.0% a year beyond its exposure"


def test_a_signal_whose_probabilities_are_no_better_than_the_base_rate_is_no_skill() -> None:
    worse = replace(SOME_EVIDENCE, log_loss_skill=-0.001, log_loss_skill_interval=Interval(-0.003, 0.001))
    row = evidence_rows(replace(sample_inputs().grounds, evidence=worse))[0]
    assert (row.figure, row.p_value, row.answer) == ("log-loss skill −0.10%", "0.001", "not shown")


def test_too_few_trades_are_said_to_be_so() -> None:
    grounds = replace(sample_inputs().grounds, evidence=replace(SOME_EVIDENCE, n_entries=29))
    assert evidence_rows(grounds)[2].figure == "29 entries, too few to judge"


def test_a_damaged_ledger_is_told_in_every_form_of_the_report() -> None:
    inputs = sample_inputs()
    lost = replace(
        inputs, grounds=replace(inputs.grounds, trials=TrialSummary.unknown("line 3 of the ledger is damaged"))
    )
    assert trial_rows(lost.grounds)[0] == (
        "Trials of this symbol and label",
        "0 or more: line 3 of the ledger is damaged",
    )
    assert trial_rows(lost.grounds)[2] == ("Deflated Sharpe ratio", "–")
    for text in (render_markdown(lost), render_html(lost)):
        assert "DSR unknown: line 3 of the ledger is damaged" in text
    document = report_document(lost)
    assert document["trials"]["n_trials"] == 0
    assert document["trials"]["deflated_sharpe_ratio"] is None
    assert document["trials"]["problem"] == "line 3 of the ledger is damaged"


def test_the_document_holds_evidence_trials_and_intervals() -> None:
    inputs = sample_inputs()
    document = report_document(inputs)
    assert document["evidence"] == SOME_EVIDENCE.to_document()
    assert document["findings"] == {"skill": "shown", "edge": "before_costs"}
    assert document["trials"]["n_trials"] == 62
    assert document["trials"]["deflated_sharpe_ratio"] == inputs.grounds.deflated
    assert set(document["intervals"]) == {"sharpe", "max_drawdown", "profit_factor"}
    bounds = document["intervals"]["sharpe"]
    assert bounds["lower"] < document["metrics"]["strategy"]["sharpe"] < bounds["upper"]


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (None, "–"),
        (Interval(math.nan, math.nan), "–"),
        (Interval(math.inf, math.inf), "–"),
        (Interval(0.8, 1.25), "0.80 to 1.25"),
        (Interval(0.8, math.inf), "0.80 or more"),
    ],
)
def test_bounds_read_as_a_range(interval: Interval | None, text: str) -> None:
    assert bounds_text(interval, number) == text


def test_no_sharpe_ratio_is_told_before_its_interval_and_its_deflation() -> None:
    inputs = sample_inputs()
    text = render_markdown(inputs)
    sharpe = next(line for line in text.splitlines() if line.startswith("| Sharpe ratio |"))
    bounds = inputs.intervals["sharpe"]
    assert f"{number(bounds.lower)} to {number(bounds.upper)}" in sharpe
    assert text.index("DSR") < text.index("Sharpe ratio |")

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import pytest

from algo_pipeline.backtest.report import ReportInputs, report_document
from algo_pipeline.backtest.report_document import cost_figures
from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline_tests.backtest.report_samples import NO_EVALUATION, constant_inputs, sample_inputs


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def test_the_document_is_strict_json_and_says_everything() -> None:
    document = report_document(sample_inputs())
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert list(document) == [
        *("symbol", "label", "source", "simulated", "recipe", "recipe_hash", "model", "span"),
        *("verdict", "findings", "evidence", "trials", "luck_probability"),
        *("config", "trading_strategy", "metrics", "intervals", "kill_switch_at", "evaluation"),
        *("folds", "reliability", "monthly_returns", "drawdowns", "costs", "notes"),
    ]
    assert document["span"] == {
        "start": "2024-01-01T00:00:00+00:00",
        "end": "2024-03-24T08:00:00+00:00",
        "bars": 2_000,
    }


def test_its_numbers_are_those_of_the_backtests_and_the_evaluation() -> None:
    inputs = sample_inputs()
    document = report_document(inputs)
    for name in ("strategy", "deployed", "at_zero_cost"):
        expected = {k: _plain(v) for k, v in inputs.backtests[name].metrics.items()}
        assert document["metrics"][name] == expected
    assert document["config"] == asdict(inputs.config)
    assert inputs.deployed.kill_switch_at is not None
    assert document["kill_switch_at"] == inputs.deployed.kill_switch_at.isoformat()
    assert document["evaluation"]["oos"]["auc"] == inputs.evaluation.oos.auc
    assert [fold["log_loss_skill"] for fold in document["folds"]] == [
        fold.log_loss_skill for fold in inputs.evaluation.folds
    ]


def test_the_folds_returns_compound_to_the_whole() -> None:
    inputs = sample_inputs()
    folds = report_document(inputs)["folds"]
    assert math.prod(1.0 + fold["return"] for fold in folds) == pytest.approx(
        1.0 + inputs.strategy.metrics["total_return"]
    )
    assert math.prod(1.0 + fold["buy_and_hold_return"] for fold in folds) == pytest.approx(
        1.0 + inputs.strategy.metrics["buy_and_hold_return"]
    )


def test_fees_and_slippage_add_up_to_the_costs_of_the_metrics() -> None:
    inputs = sample_inputs()
    costs = cost_figures(inputs)
    assert costs["fees"] > 0.0
    assert costs["fees"] + costs["slippage"] == pytest.approx(inputs.strategy.metrics["costs_paid"], rel=1e-9)


def test_what_is_undefined_is_null() -> None:
    document = report_document(constant_inputs(5, evaluation=NO_EVALUATION))
    assert document["metrics"]["strategy"]["win_rate"] is None
    assert document["luck_probability"] is None
    assert document["costs"]["mean_trade_bps"] is None
    assert document["kill_switch_at"] is None
    assert (document["folds"], document["drawdowns"], document["reliability"]) == ([], [], [])


def test_backtests_of_other_bars_are_refused() -> None:
    inputs = sample_inputs()
    with pytest.raises(ConfigValueError, match="The strategy backtest covers 2000 bars, the report 1999"):
        replace(inputs, bars=inputs.bars.iloc[:-1])


def test_a_report_needs_a_bar() -> None:
    inputs = sample_inputs()
    with pytest.raises(ConfigValueError, match="at least one bar"):
        ReportInputs(**{**vars(inputs), "bars": inputs.bars.iloc[:0]})

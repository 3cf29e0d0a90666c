from __future__ import annotations

from dataclasses import replace

from algo_pipeline.backtest.report import render_markdown
from algo_pipeline.common.formatting import minute, number, percent
from algo_pipeline.research.trials import TrialSummary
from algo_pipeline_tests.backtest.report_samples import NO_EVALUATION, constant_inputs, sample_inputs


def _rows(text: str) -> dict[str, list[str]]:
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in reversed(lines)}


def test_the_key_figures_are_those_of_the_metrics_with_buy_and_hold_beside_each() -> None:
    inputs = sample_inputs()
    rows = _rows(render_markdown(inputs))
    names = ("strategy", "deployed", "at_zero_cost")
    metrics = [inputs.backtests[name].metrics for name in names]
    hold = percent(inputs.strategy.metrics["buy_and_hold_return"], signed=True)
    strategy, *others = (percent(m["total_return"], signed=True) for m in metrics)
    assert rows["Total return"] == [strategy, "–", *others, hold]
    strategy, *others = (number(m["sharpe"]) for m in metrics)
    bounds = inputs.intervals["sharpe"]
    interval = f"{number(bounds.lower)} to {number(bounds.upper)}"
    assert rows["Sharpe ratio"][:4] == [strategy, interval, *others]
    assert rows["Trades"][4] == "–"


def test_it_opens_with_the_verdict_and_names_the_kill_switch() -> None:
    inputs = sample_inputs()
    text = render_markdown(inputs)
    assert text.index(inputs.verdict) < text.index("## Result")
    assert f"latched on {minute(inputs.deployed.kill_switch_at)} UTC" in text
    assert "never latched" in render_markdown(constant_inputs(50))


def test_simulated_data_is_announced() -> None:
    assert "Simulated data" not in render_markdown(sample_inputs())
    assert "**Simulated data.**" in render_markdown(replace(sample_inputs(), source="simulated"))


def test_text_from_outside_can_neither_break_the_page_nor_run() -> None:
    hostile = "a|b\n# title <script>alert(1)</script>"
    inputs = sample_inputs()
    grounds = replace(inputs.grounds, trials=TrialSummary.unknown(hostile))
    text = render_markdown(replace(inputs, notes=(hostile,), grounds=grounds, recipe=hostile))
    assert "<script" not in text
    assert "\n# title" not in text
    assert "a\\|b" in text


def test_a_single_bar_without_folds_and_trades_renders_dashes() -> None:
    rows = _rows(render_markdown(constant_inputs(1, evaluation=NO_EVALUATION)))
    assert rows["Sharpe ratio"] == ["–", "–", "–", "–", "–"]
    assert rows["AUC"] == ["–", "–"]

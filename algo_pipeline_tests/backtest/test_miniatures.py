from __future__ import annotations

import pytest

from algo_pipeline.backtest import miniatures
from algo_pipeline.common.miniature import MAX_CHARACTERS, RED
from algo_pipeline_tests.backtest.report_samples import constant_inputs, sample_inputs
from algo_pipeline_tests.market import random_bars, without_rows

_RED = RED.replace("#", "%23")


def test_a_price_marks_its_gaps_and_only_those() -> None:
    bars = random_bars(5_000)
    assert _RED not in miniatures.price(bars)
    holed = miniatures.price(without_rows(bars, *range(900, 1_000)))
    assert _RED in holed
    assert "1 gaps" in holed


def test_a_price_with_many_gaps_is_still_seen_at_once() -> None:
    shown = miniatures.price(without_rows(random_bars(5_000), *range(3, 4_990, 7)))
    assert len(shown) <= MAX_CHARACTERS


def test_no_bars_are_told() -> None:
    assert "no bars" in miniatures.price(random_bars(3).iloc[:0])


@pytest.mark.parametrize("n_bars", [1, 2, 300])
def test_equity_is_seen_at_once_with_the_two_returns(n_bars: int) -> None:
    inputs = constant_inputs(n_bars)
    shown = miniatures.equity(inputs.bars, inputs.strategy)
    assert len(shown) <= MAX_CHARACTERS
    assert "strategy" in shown


def test_equity_tells_the_deepest_drawdown() -> None:
    inputs = sample_inputs()
    shown = miniatures.equity(inputs.bars, inputs.strategy)
    deepest = f"{100 * inputs.strategy.metrics['max_drawdown']:.1f}%25"
    assert f"drawdown at most {deepest}" in shown

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from algo_pipeline.backtest.plots import equity_and_drawdown, monthly_heatmap, price_with_trades
from algo_pipeline.common.plotting import DEPLOYED, GAIN, HOLD, LOSS, PRICE, STRATEGY
from algo_pipeline_tests.backtest.report_samples import constant_inputs, sample_inputs
from algo_pipeline_tests.market import random_bars, without_rows
from algo_pipeline_tests.png import has_colour, pixels


def test_equity_shows_strategy_deployed_and_buy_and_hold() -> None:
    inputs = sample_inputs()
    png = equity_and_drawdown(inputs.bars, inputs.strategy, inputs.deployed)
    assert pixels(png).shape[:2] == (360, 640)
    assert all(has_colour(png, colour) for colour in (STRATEGY, DEPLOYED, HOLD))
    assert not has_colour(equity_and_drawdown(inputs.bars, inputs.strategy), DEPLOYED)


def test_price_shows_winners_and_losers() -> None:
    inputs = sample_inputs()
    png = price_with_trades(inputs.bars, inputs.strategy.trades)
    assert all(has_colour(png, colour) for colour in (PRICE, GAIN, LOSS))
    assert not has_colour(price_with_trades(inputs.bars), GAIN)


def test_a_gap_changes_the_picture() -> None:
    bars = random_bars(500)
    flat = bars.assign(close=100.0)
    assert price_with_trades(without_rows(flat, *range(200, 260))) != price_with_trades(flat)


@pytest.mark.parametrize("n_bars", [1, 2, 30])
def test_short_spans_without_trades_are_drawn(n_bars: int) -> None:
    inputs = constant_inputs(n_bars)
    for png in (
        equity_and_drawdown(inputs.bars, inputs.strategy, inputs.deployed),
        price_with_trades(inputs.bars, inputs.strategy.trades),
        monthly_heatmap(inputs.strategy.equity, 1e5),
    ):
        assert pixels(png).shape[:2] == (360, 640)


def test_months_are_coloured_by_their_sign() -> None:
    days = pd.date_range("2023-12-01", periods=92, freq="D", tz="UTC")
    rising = monthly_heatmap(pd.Series(range(100, 192), days, dtype=float), 99.0)
    falling = monthly_heatmap(pd.Series(range(192, 100, -1), days, dtype=float), 193.0)
    assert has_colour(rising, "#86c5bb", 500)
    assert not has_colour(rising, "#e0a093", 500)
    assert has_colour(falling, "#e0a093", 500)


def test_drawing_leaves_no_global_state_behind() -> None:
    code = (
        "import sys, algo_pipeline.backtest.plots as b, algo_pipeline.research.plots as r;"
        "assert not any(name.startswith('matplotlib') for name in sys.modules), 'imported too early';"
        "from algo_pipeline_tests.market import random_bars;"
        "b.price_with_trades(random_bars(50));"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

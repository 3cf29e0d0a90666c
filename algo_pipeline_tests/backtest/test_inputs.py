from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.backtest.engine import BacktestConfig, run_backtest
from algo_pipeline.common.errors import DataValidationError
from algo_pipeline_tests.market import random_bars


@pytest.mark.parametrize("values", [["x", "y", "z"], [0.7 + 1j, 0.5, 0.3], [0.7, {}, 0.3]], ids=str)
def test_probabilities_that_are_no_numbers_are_refused(values: list[object]) -> None:
    bars = random_bars(3)
    with pytest.raises(DataValidationError, match="Probabilities must be numbers; found"):
        run_backtest(bars, pd.Series(values, index=bars.index))


def test_nothing_known_may_be_written_in_any_way() -> None:
    bars = random_bars(4)
    written = pd.Series([0.7, None, pd.NA, 0.3], index=bars.index, dtype=object)
    plain = pd.Series([0.7, np.nan, np.nan, 0.3], index=bars.index)
    assert run_backtest(bars, written).fills.equals(run_backtest(bars, plain).fills)
    assert len(run_backtest(bars, plain).fills) == 1


def test_prices_at_both_ends_of_what_is_valid_end_in_a_result() -> None:
    prices = np.array([1e-128, 1e-128, 1e128, 1e128, 1e-128, 1e-128, 1e-128])
    bars = random_bars(len(prices)).assign(open=prices, high=prices, low=prices, close=prices)
    probability = pd.Series([0.7, 0.5, 0.3, 0.5, 0.7, 0.5, 0.5], index=bars.index)
    result = run_backtest(bars, probability, BacktestConfig(max_drawdown=1.0, min_notional=0.0))
    assert result.fills["side"].tolist() == ["buy", "sell"]  # the third order is for more coin than a double counts

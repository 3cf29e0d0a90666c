from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.backtest.conditions import market_conditions
from algo_pipeline.backtest.engine import run_backtest
from algo_pipeline.common.errors import DataValidationError
from algo_pipeline.data.features import build_features
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline_tests.market import random_bars, without_rows

DAILY = CostAwareStrategy(24)


def test_the_volatility_is_the_feature_to_the_bit_gaps_included() -> None:
    bars = without_rows(random_bars(2_000, seed=3), 100, 101, 700, 1_500)
    feature = build_features(bars)["realized_vol_24"]
    found = market_conditions(bars)["volatility"]
    np.testing.assert_array_equal(found.to_numpy(), feature.to_numpy())


def test_the_volatility_is_the_feature_on_real_bars(real_bars: Callable[[str], pd.DataFrame]) -> None:
    bars = real_bars("SOLUSDT")
    feature = build_features(bars)["realized_vol_24"]
    pd.testing.assert_series_equal(
        market_conditions(bars)["volatility"], feature, check_names=False, check_exact=True, check_freq=False
    )


def test_a_volatility_knows_nothing_of_later_bars() -> None:
    bars = random_bars(300, seed=1)
    whole, cut = market_conditions(bars)["volatility"], market_conditions(bars.iloc[:200])["volatility"]
    np.testing.assert_array_equal(whole.to_numpy()[:200], cut.to_numpy())


def test_base_rates_come_from_the_folds_and_are_unknown_elsewhere() -> None:
    bars = random_bars(30, seed=2)
    given = pd.Series([0.5, 0.52], index=bars.index[[10, 20]])
    found = market_conditions(bars, given)["base_rate"]
    assert found.dropna().to_dict() == given.to_dict()
    assert market_conditions(bars, 0.4)["base_rate"].unique().tolist() == [0.4]


def test_without_conditions_it_knows_no_volatility_in_the_first_day_and_holds() -> None:
    bars = random_bars(60, seed=5, volatility=0.02)
    sure = pd.Series(0.95, index=bars.index)
    result = run_backtest(bars, sure, strategy=DAILY)
    assert result.fills["timestamp"].iloc[0] == bars.index[25]  # decided at the 25th bar, filled at the next


def test_conditions_of_more_bars_serve_a_window_of_them() -> None:
    bars = random_bars(60, seed=5, volatility=0.02)
    window = bars.iloc[30:]
    sure = pd.Series(0.95, index=window.index)
    result = run_backtest(window, sure, strategy=DAILY, conditions=market_conditions(bars))
    assert result.fills["timestamp"].iloc[0] == window.index[1]


def test_conditions_without_a_column_are_refused() -> None:
    bars = random_bars(30)
    with pytest.raises(DataValidationError, match="base_rate"):
        run_backtest(
            bars,
            pd.Series(0.5, index=bars.index),
            strategy=DAILY,
            conditions=market_conditions(bars)[["volatility"]],
        )

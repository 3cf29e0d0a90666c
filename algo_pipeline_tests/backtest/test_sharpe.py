from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.backtest.metrics import sharpe_ratio
from algo_pipeline.backtest.result import BacktestResult
from algo_pipeline.backtest.sharpe import rolling_sharpe, sharpe_estimate
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.research.sharpe_statistics import SharpeEstimate


def _days(values: np.ndarray) -> pd.Series:
    return pd.Series(values, pd.period_range("2024-01-01", periods=len(values), freq="D"))


def test_each_window_has_the_sharpe_ratio_of_the_metrics() -> None:
    returns = np.random.default_rng(0).normal(0.001, 0.02, 120)
    rolling = rolling_sharpe(_days(returns), days=90)
    assert len(rolling) == 31
    expected = [sharpe_ratio(returns[end - 90 : end]) for end in range(90, 121)]
    np.testing.assert_allclose(rolling["sharpe"], expected, rtol=1e-10)
    assert rolling.index[0] == pd.Period("2024-03-30", "D")


def test_a_normal_window_has_the_standard_error_of_the_literature() -> None:
    returns = np.tile([0.02, -0.01], 200)
    rolling = rolling_sharpe(_days(returns), days=400)
    mean, deviation, n = 0.005, 0.015, 400
    sharpe = mean / (deviation * math.sqrt(n / (n - 1)))
    error = math.sqrt(1.0 / (n - 1))  # two values only: no skewness, kurtosis 1, so the correction vanishes
    assert rolling["upper"].iloc[0] == pytest.approx(math.sqrt(365) * (sharpe + 1.959964 * error), rel=1e-6)
    assert rolling["lower"].iloc[0] == pytest.approx(math.sqrt(365) * (sharpe - 1.959964 * error), rel=1e-6)


def test_intervals_hold_the_true_ratio_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    true = math.sqrt(365) * 0.05
    held = 0
    for _ in range(400):
        row = rolling_sharpe(_days(rng.normal(0.05, 1.0, 250)), days=250).iloc[0]
        held += row["lower"] <= true <= row["upper"]
    assert 0.92 <= held / 400 <= 0.98


def test_a_backtests_estimate_is_that_of_its_daily_utc_returns() -> None:
    equity = pd.Series([101.0, 102.0, 99.0, 103.0], pd.date_range("2024-01-01", periods=4, freq="12h", tz="UTC"))
    nothing = pd.DataFrame()
    result = BacktestResult(BacktestConfig(initial_cash=100.0), equity.to_frame("equity"), nothing, nothing, {}, None)
    two_days = np.array([102.0 / 100.0 - 1.0, 103.0 / 102.0 - 1.0])
    assert sharpe_estimate(result) == SharpeEstimate.of(two_days)
    longer = pd.Series(np.cumprod([1.01, 0.98, 1.03, 1.0]), pd.date_range("2024-01-01", periods=4, freq="D", tz="UTC"))
    result = dataclasses.replace(result, config=BacktestConfig(initial_cash=1.0), curve=longer.to_frame("equity"))
    returns = np.array([0.01, -0.02, 0.03, 0.0])
    assert sharpe_estimate(result).sharpe == pytest.approx(returns.mean() / returns.std(ddof=1))


def test_a_flat_window_has_no_ratio_and_too_few_days_give_nothing() -> None:
    assert rolling_sharpe(_days(np.zeros(100)))["sharpe"].isna().all()
    assert rolling_sharpe(_days(np.zeros(89))).empty

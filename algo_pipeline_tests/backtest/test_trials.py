from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from algo_pipeline.backtest.engine import run_backtest
from algo_pipeline.backtest.sharpe import sharpe_estimate
from algo_pipeline.backtest.sweep_summary import summarize_sweep
from algo_pipeline.backtest.trials import backtest_trial, sweep_trials
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.research.trials import Forecast, TrialKind
from algo_pipeline_tests.backtest.sweep_samples import THRESHOLDS, sample_sweep

FORECAST = Forecast("BTC/USD", "direction_1h", "file", "a" * 64)
PLAIN = BacktestConfig()


def test_a_backtest_is_the_trial_of_its_own_daily_sharpe_ratio() -> None:
    sweep = sample_sweep(*THRESHOLDS)
    result = run_backtest(sweep.bars, sweep.probability, dataclasses.replace(PLAIN, max_drawdown=1e9))
    trial = backtest_trial(FORECAST, result, TrialKind.RESEARCH)
    assert trial.daily_sharpe == pytest.approx(result.metrics["sharpe"] / math.sqrt(365))
    assert trial.n_days == sharpe_estimate(result).n_days == 100
    assert (trial.forecast, trial.kind) == (FORECAST, TrialKind.RESEARCH)


def test_a_backtest_that_never_traded_has_no_sharpe_ratio() -> None:
    sweep = sample_sweep(*THRESHOLDS)
    never = dataclasses.replace(PLAIN, enter_threshold=1.0)
    assert math.isnan(
        backtest_trial(FORECAST, run_backtest(sweep.bars, sweep.probability, never), TrialKind.RESEARCH).daily_sharpe
    )


def test_the_trials_of_a_sweep_are_those_of_its_verdict_and_those_of_single_backtests() -> None:
    sweep = sample_sweep(*THRESHOLDS, "fee_bps=0,25")
    summary = summarize_sweep(sweep)
    trials = list(sweep_trials(FORECAST, sweep, summary))
    assert len(trials) == summary.judged.n_trials == 9
    assert len({trial.strategy_hash for trial in trials}) == 9
    assert np.var([trial.daily_sharpe for trial in trials], ddof=1) == pytest.approx(summary.judged.variance_of_trials)
    own = dataclasses.replace(PLAIN, max_drawdown=1e9)  # as research runs it: no kill switch, the configured costs
    single = backtest_trial(FORECAST, run_backtest(sweep.bars, sweep.probability, own), TrialKind.RESEARCH)
    (same,) = (trial for trial in trials if trial.strategy_hash == single.strategy_hash)
    assert same.daily_sharpe == pytest.approx(single.daily_sharpe, rel=1e-9)
    assert (same.n_days, same.kind) == (single.n_days, TrialKind.SWEEP)

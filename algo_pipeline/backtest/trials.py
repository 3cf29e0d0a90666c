"""Backtests and sweeps as trials: what each has to show."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from algo_pipeline.backtest.metrics import DAYS_PER_YEAR
from algo_pipeline.backtest.result import BacktestResult
from algo_pipeline.backtest.sharpe import sharpe_estimate
from algo_pipeline.backtest.sweep_summary import Sweep, SweepSummary
from algo_pipeline.research.trials import Forecast, Trial, TrialKind
from algo_pipeline.strategy.identity import strategy_hash

_ANNUAL = math.sqrt(DAYS_PER_YEAR)


def backtest_trial(forecast: Forecast, result: BacktestResult, kind: TrialKind) -> Trial:
    """The trial that a backtest with the kill switch off is."""
    estimate = sharpe_estimate(result)
    return Trial(forecast, strategy_hash(result.config, result.strategy), kind, estimate.sharpe, estimate.n_days)


def sweep_trials(forecast: Forecast, sweep: Sweep, summary: SweepSummary) -> Iterator[Trial]:
    """The trials of a sweep: each combination that traded, under the conditions that were judged.

    Combinations with the very same figures are one trial, as in the sweep's own verdict.
    """
    n_days = pd.DatetimeIndex(sweep.bars.index).normalize().nunique()
    for position, sharpe in zip(summary.trial_positions.tolist(), summary.trial_sharpes.tolist(), strict=True):
        chosen = strategy_hash(sweep.plan.config(position))
        yield Trial(forecast, chosen, TrialKind.SWEEP, sharpe / _ANNUAL, n_days)

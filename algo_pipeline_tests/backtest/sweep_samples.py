"""Small sweeps, made from a seed."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from algo_pipeline.backtest.sweep_grid import plan_sweep
from algo_pipeline.backtest.sweep_report import SweepReport
from algo_pipeline.backtest.sweep_summary import Sweep, summarize_sweep
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Symbol
from algo_pipeline_tests.market import random_bars

THRESHOLDS = ("enter_threshold=0.52,0.55,0.6", "exit_threshold=0.4,0.45,0.48")


def knowing_probability(bars: pd.DataFrame, knowledge: float, seed: int = 0) -> pd.Series:
    """Probabilities that know ``knowledge`` (0 to 1) of whether the next bar rises; the rest is noise."""
    rises = (bars["open"].shift(-2) > bars["open"].shift(-1)).to_numpy(dtype=np.float64)
    noise = np.random.default_rng(seed).normal(0.0, 0.06, len(bars))
    return pd.Series(np.clip(0.5 + 0.3 * knowledge * (rises - 0.5) + noise, 0.01, 0.99), index=bars.index)


def fair_bars(n_bars: int, seed: int) -> pd.DataFrame:
    """Bars of a market without any drift: holding the coin gains nothing on average, whenever it is held.

    A random walk of log prices gains half its variance, which would be an edge for whoever is long.
    """
    bars = random_bars(n_bars, seed=seed, volatility=0.01)
    fair = bars[["open", "high", "low", "close"]].mul(np.exp(-0.5 * 0.01**2 * np.arange(n_bars)), axis=0)
    return bars.assign(**fair)


@lru_cache(maxsize=16)
def sample_sweep(*assignments: str, n_bars: int = 2_400, knowledge: float = 0.5, seed: int = 0) -> Sweep:
    """A sweep of ``assignments`` on random bars."""
    bars = random_bars(n_bars, seed=seed)
    return Sweep.run(bars, knowing_probability(bars, knowledge, seed), plan_sweep(assignments, BacktestConfig()))


def sample_report(*assignments: str, source: str = "file", metric: str = "sharpe", **market: float) -> SweepReport:
    """Its report."""
    sweep = sample_sweep(*assignments, **market)  # type: ignore[arg-type]
    summary = summarize_sweep(sweep, metric)
    return SweepReport(Symbol("BTC", "USD"), "direction_1h", source, "logistic+platt", sweep, summary)

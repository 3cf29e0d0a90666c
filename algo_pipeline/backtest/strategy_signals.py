"""What a strategy asks for on out-of-sample rows, as the test of its edge reads it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from algo_pipeline.backtest.conditions import market_conditions
from algo_pipeline.backtest.timing import Signals
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Signal
from algo_pipeline.interfaces.strategy import Outlooks, StrategyInterface
from algo_pipeline.strategy.own import assess_bars


def strategy_signals(
    bars: pd.DataFrame, oos: pd.DataFrame, config: BacktestConfig, strategy: StrategyInterface
) -> Signals:
    """Signal and target fraction of every out-of-sample row.

    Parameters
    ----------
    bars : pd.DataFrame
        All bars of the symbol, so that the first rows know their volatility.
    oos : pd.DataFrame
        ``probability`` and ``base_rate`` by open time.
    config : BacktestConfig
        Costs and the cap of a position.
    strategy : StrategyInterface
        Assesses the rows.
    """
    outlooks = outlooks_of(bars, oos)
    scores, limits = assess_bars(strategy, outlooks, config.round_trip_cost)
    band = strategy.band(config.round_trip_cost)
    unless_long = np.where(scores <= band.exit, int(Signal.FLAT), int(Signal.HOLD))
    signals = np.where(scores >= band.enter, int(Signal.LONG), unless_long).astype(np.int64)
    fractions = np.minimum(config.target_fraction, np.broadcast_to(limits, len(scores)))
    return Signals(signals, np.ascontiguousarray(fractions))


def outlooks_of(bars: pd.DataFrame, oos: pd.DataFrame) -> Outlooks:
    """What was known at the close of every out-of-sample row; parameters as for :func:`strategy_signals`."""
    conditions = market_conditions(bars, oos["base_rate"]).loc[oos.index]
    probability = oos["probability"].to_numpy(dtype=np.float64)
    return Outlooks(probability, *(conditions[name].to_numpy() for name in ("base_rate", "volatility")))

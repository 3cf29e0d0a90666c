"""What a backtest returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from algo_pipeline.backtest.realism import PLAIN, ExecutionOptions
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.interfaces.strategy import StrategyInterface
from algo_pipeline.strategy.signal_to_trade import ThresholdStrategy


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """One symbol's backtest.

    Parameters
    ----------
    config : BacktestConfig
        The rules it ran under.
    curve : pd.DataFrame
        Index = the bars' open times; columns ``equity cash quantity drawdown``, all at close.
    trades : pd.DataFrame
        A row per closed round trip: ``entry_time exit_time quantity entry_price exit_price fees pnl return``.
    fills : pd.DataFrame
        A row per fill: ``timestamp side quantity price fee notional``.
    metrics : dict
        By the names in ``metrics.METRIC_NAMES``; undefined is NaN.
    kill_switch_at : pd.Timestamp or None
        Open time of the bar at whose close the kill switch latched.
    execution : ExecutionOptions
        How its orders met the market.
    strategy : StrategyInterface
        What turned probabilities into signals and sizes.
    """

    config: BacktestConfig
    curve: pd.DataFrame
    trades: pd.DataFrame
    fills: pd.DataFrame
    metrics: dict[str, float]
    kill_switch_at: pd.Timestamp | None
    execution: ExecutionOptions = PLAIN
    strategy: StrategyInterface = field(default_factory=ThresholdStrategy)

    @property
    def equity(self) -> pd.Series[float]:
        """Equity at close."""
        return self.curve["equity"]


@dataclass(frozen=True, slots=True)
class AccountResult:
    """A backtest of several symbols in one account; fields as in :class:`BacktestResult`, but for these.

    Parameters
    ----------
    curve : pd.DataFrame
        Index = every open time at which some symbol has a bar; columns ``equity cash drawdown``.
    quantities : pd.DataFrame
        The same index; a column per symbol.
    trades, fills : pd.DataFrame
        With a last column ``symbol``.
    """

    config: BacktestConfig
    curve: pd.DataFrame
    quantities: pd.DataFrame
    trades: pd.DataFrame
    fills: pd.DataFrame
    metrics: dict[str, float]
    kill_switch_at: pd.Timestamp | None
    execution: ExecutionOptions = PLAIN
    strategy: StrategyInterface = field(default_factory=ThresholdStrategy)

    @property
    def equity(self) -> pd.Series[float]:
        """Equity of the account at close."""
        return self.curve["equity"]

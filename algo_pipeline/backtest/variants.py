"""The three backtests that a report compares: the strategy, the strategy as deployed, and at zero cost."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import pandas as pd

from algo_pipeline.backtest.conditions import market_conditions
from algo_pipeline.backtest.engine import run_backtest
from algo_pipeline.backtest.result import BacktestResult
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.interfaces.strategy import StrategyInterface

_UNREACHABLE_DRAWDOWN = 1e9


@dataclass(frozen=True, slots=True)
class Variants:
    """Backtests of the same probabilities under related rules.

    Attributes
    ----------
    bars : pd.DataFrame
        The out-of-sample window they ran on.
    strategy : BacktestResult
        Kill switch off; statistics, verdicts and comparisons use this one.
    deployed : BacktestResult
        Kill switch on.
    at_zero_cost : BacktestResult
        Kill switch off, without fee and slippage.
    """

    bars: pd.DataFrame
    strategy: BacktestResult
    deployed: BacktestResult
    at_zero_cost: BacktestResult

    def metric_values(self) -> dict[str, float]:
        """Every finite metric, named ``strategy_…``, ``deployed_…`` and ``at_zero_cost_…``."""
        named = {"strategy": self.strategy, "deployed": self.deployed, "at_zero_cost": self.at_zero_cost}
        return {
            f"{kind}_{name}": value
            for kind, result in named.items()
            for name, value in result.metrics.items()
            if math.isfinite(value)
        }


def run_variants(
    bars: pd.DataFrame,
    probability: pd.Series[float],
    config: BacktestConfig,
    *,
    strategy: StrategyInterface | None = None,
    base_rate: pd.Series[float] | float = 0.5,
) -> Variants:
    """Backtest out-of-sample probabilities on the bars from the first of them to the last.

    Parameters
    ----------
    bars : pd.DataFrame
        All bars of the symbol.
    probability : pd.Series
        Stitched out-of-sample probabilities, by open time.
    config : BacktestConfig
        The rules as deployed.
    strategy : StrategyInterface, optional
        The fixed thresholds of ``config`` if omitted. One that counts costs is told that there are none where there
        are none.
    base_rate : pd.Series or float
        Of the folds' train parts, by open time, for a strategy that asks for it.
    """
    conditions = market_conditions(bars, base_rate) if strategy is not None and strategy.reads_conditions else None

    def run(rules: BacktestConfig) -> BacktestResult:
        return run_backtest(window, probability, rules, strategy=strategy, conditions=conditions)

    window = bars.loc[probability.index[0] : probability.index[-1]]
    unlimited = dataclasses.replace(config, max_drawdown=_UNREACHABLE_DRAWDOWN)
    free = dataclasses.replace(unlimited, fee_bps=0.0, slippage_bps=0.0)
    return Variants(
        bars=window,
        strategy=run(unlimited),
        deployed=run(config),
        at_zero_cost=run(free),
    )

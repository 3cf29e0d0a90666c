"""What a strategy knows of a bar beside its probability, and what it makes of whole markets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from algo_pipeline.backtest.inputs import Market
from algo_pipeline.common.errors import DataValidationError
from algo_pipeline.common.time import bar_numbers
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import FloatArray
from algo_pipeline.data.labels import daily_volatility
from algo_pipeline.interfaces.strategy import Band, Outlooks, StrategyInterface
from algo_pipeline.strategy.own import assess_bars

CONDITION_COLUMNS = ("volatility", "base_rate")


class MarketAssessments(NamedTuple):
    """A strategy's view of a market.

    ``scores`` has shape (n_symbols, n_bars), ``size_limits`` the same or (n_symbols, 1), one for every bar.
    """

    band: Band
    scores: FloatArray
    size_limits: FloatArray


def market_conditions(bars: pd.DataFrame, base_rate: pd.Series[float] | float = 0.5) -> pd.DataFrame:
    """Volatility and base rate of every bar.

    Parameters
    ----------
    bars : pd.DataFrame
        Valid bars: all that there are, so that the first bars traded know their volatility too.
    base_rate : pd.Series or float
        Share of ones in the train part of the fold whose model gave the bar's probability, by open time, or one for
        every bar.

    Returns
    -------
    pd.DataFrame
        Index as ``bars``; ``volatility`` is ``realized_vol_24`` bit for bit, NaN in the first day and across gaps;
        ``base_rate`` is NaN for bars that the series leaves out.
    """
    known = base_rate.reindex(bars.index) if isinstance(base_rate, pd.Series) else base_rate
    close, numbers = np.ascontiguousarray(bars["close"], np.float64), bar_numbers(pd.DatetimeIndex(bars.index))
    volatility = daily_volatility(close, numbers)
    return pd.DataFrame({"volatility": volatility, "base_rate": known}, index=bars.index, dtype=np.float64)


def assess_market(
    market: Market,
    frames: Sequence[pd.DataFrame],
    conditions: Sequence[pd.DataFrame | None],
    strategy: StrategyInterface,
    config: BacktestConfig,
) -> MarketAssessments:
    """Let the strategy assess every bar of every symbol at the costs of ``config``.

    Parameters
    ----------
    market : Market
        Checked bars and probabilities on one grid.
    frames, conditions : sequence
        Bars of each symbol in the market's order, and what :func:`market_conditions` made of them; None: of the bars
        alone. Neither is read by a strategy that needs the probability only.

    Raises
    ------
    DataValidationError
        If conditions lack a column.
    """
    cost = config.round_trip_cost
    made = [
        assess_bars(strategy, _outlooks(market, row, bars, given, strategy), cost)
        for row, (bars, given) in enumerate(zip(frames, conditions, strict=True))
    ]
    if len(made) == 1:  # a view: copying would cost as much as the simulation
        return MarketAssessments(strategy.band(cost), made[0].scores[None, :], made[0].size_limits[None, :])
    return MarketAssessments(strategy.band(cost), *map(np.stack, zip(*made, strict=True)))


def _outlooks(
    market: Market, row: int, bars: pd.DataFrame, given: pd.DataFrame | None, strategy: StrategyInterface
) -> Outlooks:
    probability = market.probabilities[row]
    if not strategy.reads_conditions:
        return Outlooks(probability, np.empty(0), np.empty(0))
    conditions = market_conditions(bars) if given is None else given
    missing = [name for name in CONDITION_COLUMNS if name not in conditions.columns]
    if missing:
        raise DataValidationError(
            f"Conditions must have the columns {', '.join(CONDITION_COLUMNS)}; missing are {', '.join(missing)}.",
            "Make them by market_conditions.",
        )
    on_grid = conditions if conditions.index.equals(market.times) else conditions.reindex(market.times)
    volatility, base_rate = (np.ascontiguousarray(on_grid[name], np.float64) for name in CONDITION_COLUMNS)
    return Outlooks(probability, base_rate, volatility)

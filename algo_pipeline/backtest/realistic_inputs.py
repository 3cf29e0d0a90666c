"""The venue as realistic orders meet it: highs, lows, slippage by volatility and the volume that may trade."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from algo_pipeline.backtest.conditions import MarketAssessments
from algo_pipeline.backtest.inputs import Market
from algo_pipeline.backtest.realism import ExecutionOptions
from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.time import epoch_ns
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import FloatArray, IntArray, RecordArray
from algo_pipeline.strategy.position_sizing import floor_to_step

_HIGHEST_SLIPPAGE = 0.999  # a sell's price stays positive
# Volumes have few decimals, so a share of one is often a whole number of steps; rounding must not take one away.
_FORGIVEN_ROUNDING = 1.0 + 2.0**-50


class VenueBar(Protocol):
    """One symbol's place on the grid, a record of :data:`VENUE_BAR`; all NaN where the symbol has no bar.

    ``score`` and ``size_limit`` are the strategy's, ``slippage`` is the slippage rate of fills in the bar, ``cap`` the
    quantity that may trade in it, a whole number of steps, infinity without a cap.
    """

    open: float
    high: float
    low: float
    close: float
    score: float
    size_limit: float
    slippage: float
    cap: float


_FIELDS = tuple(VenueBar.__annotations__)
VENUE_BAR = np.dtype([(name, np.float64) for name in _FIELDS])


def venue_bars(
    market: Market,
    assessed: MarketAssessments,
    frames: Sequence[pd.DataFrame],
    config: BacktestConfig,
    options: ExecutionOptions,
) -> RecordArray:
    """Records of :data:`VENUE_BAR`, shape (n_symbols, n_bars), on the market's grid.

    Parameters
    ----------
    market : Market
        Made, and hence checked, from the same bars.
    assessed : MarketAssessments
        What the strategy makes of them.
    frames : sequence of pd.DataFrame
        Bars of each symbol, in the market's order.
    config, options : BacktestConfig, ExecutionOptions
        Slippage and step; share of volume and slippage per volatility.
    """
    venue = _without_bars(*market.opens.shape)
    venue.open, venue.close = market.opens, market.closes
    venue.score, venue.size_limit = assessed.scores, assessed.size_limits
    for row, bars in zip(venue, frames, strict=True):
        places = _places(market, bars)
        row.high[places] = bars["high"]
        row.low[places] = bars["low"]
        row.slippage[places] = _slippages(bars, config, options)
        row.cap[places] = _caps(bars, config, options)
    return venue


def _without_bars(n_symbols: int, n_bars: int) -> RecordArray:
    return np.full((n_symbols, n_bars, len(_FIELDS)), math.nan).view(VENUE_BAR)[:, :, 0].view(np.recarray)


def _places(market: Market, bars: pd.DataFrame) -> IntArray | slice:
    """Where on the grid the rows of one symbol lie."""
    if len(bars) == len(market.open_ns):
        return slice(None)
    return np.searchsorted(market.open_ns, epoch_ns(pd.DatetimeIndex(bars.index)))


def _slippages(bars: pd.DataFrame, config: BacktestConfig, options: ExecutionOptions) -> FloatArray | float:
    if options.volatility_slippage == 0.0:
        return config.slippage_rate
    closes = np.ascontiguousarray(bars["close"], np.float64)
    extra = options.volatility_slippage * recent_volatility(closes, options.volatility_window_bars)
    return np.minimum(config.slippage_rate + extra, _HIGHEST_SLIPPAGE)


def _caps(bars: pd.DataFrame, config: BacktestConfig, options: ExecutionOptions) -> FloatArray | float:
    if options.max_volume_share is None:
        return math.inf
    shares = bars["volume"].to_numpy(np.float64) * options.max_volume_share * _FORGIVEN_ROUNDING
    return _floored(shares, float(10**config.step_decimals))


@compiled
def recent_volatility(closes: FloatArray, window_bars: int) -> FloatArray:
    """Sample standard deviation (ddof 1) of the last log returns that were known before each bar opened.

    Parameters
    ----------
    closes : ndarray of shape (n_bars,)
        Closes of one symbol's own bars.
    window_bars : int
        Returns to look at, or as many as there are.

    Returns
    -------
    ndarray of shape (n_bars,)
        Per hour, a fraction; 0 where fewer than two returns are known. The bar itself does not count.
    """
    n_bars = len(closes)
    returns = np.empty(max(n_bars - 1, 0))
    for i in range(1, n_bars):
        returns[i - 1] = math.log(closes[i] / closes[i - 1])
    volatility = np.zeros(n_bars)
    for t in range(3, n_bars):
        volatility[t] = _sample_deviation(returns, max(t - 1 - window_bars, 0), t - 1)
    return volatility


@compiled
def _sample_deviation(values: FloatArray, start: int, stop: int) -> float:
    """Of ``values[start:stop]``, in two passes: a running sum of squares would lose calm hours after wild ones."""
    total = 0.0
    for i in range(start, stop):
        total += values[i]
    mean = total / (stop - start)
    squares = 0.0
    for i in range(start, stop):
        squares += (values[i] - mean) ** 2
    return math.sqrt(squares / (stop - start - 1))


@compiled
def _floored(quantities: FloatArray, steps_per_unit: float) -> FloatArray:
    floored = np.empty(len(quantities))
    for i in range(len(quantities)):
        floored[i] = floor_to_step(quantities[i], steps_per_unit)
    return floored

"""What a venue's bars add for realistic orders: highs, lows, slippage by volatility and the volume that may trade."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from algo_pipeline.backtest.inputs import Market
from algo_pipeline.backtest.realism import ExecutionOptions
from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.time import epoch_ns
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import FloatArray
from algo_pipeline.strategy.position_sizing import floor_to_step

_HIGHEST_SLIPPAGE = 0.999  # a sell's price stays positive


class VenueBars(NamedTuple):
    """What the realistic kernel reads, arrays of shape (n_symbols, n_bars) on the grid of a :class:`Market`.

    ``slippages`` is the slippage rate of each bar, ``caps`` the quantity that may trade in it, in whole steps;
    infinity without a cap. NaN where a symbol has no bar.
    """

    opens: FloatArray
    highs: FloatArray
    lows: FloatArray
    closes: FloatArray
    probabilities: FloatArray
    slippages: FloatArray
    caps: FloatArray


def venue_bars(
    market: Market, frames: Sequence[pd.DataFrame], config: BacktestConfig, options: ExecutionOptions
) -> VenueBars:
    """Lay the rest of the symbols' bars on the market's grid.

    Parameters
    ----------
    market : Market
        Made, and hence checked, from the same bars.
    frames : sequence of pd.DataFrame
        Bars of each symbol, in the market's order.
    config, options : BacktestConfig, ExecutionOptions
        Slippage and step; share of volume and slippage per volatility.
    """
    rows = [_rows(frame, config, options) for frame in frames]
    highs, lows, slippages, caps = np.full((4, *market.opens.shape), math.nan)
    for s, (frame, row) in enumerate(zip(frames, rows, strict=True)):
        places = np.searchsorted(market.open_ns, epoch_ns(pd.DatetimeIndex(frame.index)))
        highs[s, places], lows[s, places], slippages[s, places], caps[s, places] = row
    return VenueBars(market.opens, highs, lows, market.closes, market.probabilities, slippages, caps)


def _rows(
    bars: pd.DataFrame, config: BacktestConfig, options: ExecutionOptions
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Highs, lows, slippage rates and caps of one symbol's own bars."""
    highs, lows, closes, volumes = (bars[column].to_numpy(np.float64) for column in ("high", "low", "close", "volume"))
    slippages = np.full(len(bars), config.slippage_rate)
    if options.volatility_slippage > 0.0:
        extra = options.volatility_slippage * recent_volatility(closes.copy(), options.volatility_window_bars)
        slippages = np.minimum(slippages + extra, _HIGHEST_SLIPPAGE)
    caps = np.full(len(bars), math.inf)
    if options.max_volume_share is not None:
        caps = _whole_step_shares(volumes * options.max_volume_share, float(10**config.step_decimals))
    return highs, lows, slippages, caps


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
        known = returns[max(t - 1 - window_bars, 0) : t - 1]
        volatility[t] = math.sqrt(((known - known.mean()) ** 2).sum() / (len(known) - 1))
    return volatility


@compiled
def _whole_step_shares(shares: FloatArray, steps_per_unit: float) -> FloatArray:
    floored = np.empty(len(shares))
    for t in range(len(shares)):
        floored[t] = floor_to_step(shares[t], steps_per_unit)
    return floored

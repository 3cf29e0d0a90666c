"""The Sharpe ratio with its uncertainty, of a backtest and over rolling windows.

References
----------
.. [1] Lo (2002), "The Statistics of Sharpe Ratios"; Mertens (2002) for returns that are not normal.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from algo_pipeline.backtest.metrics import DAYS_PER_YEAR
from algo_pipeline.backtest.report_tables import daily_returns
from algo_pipeline.common.types import FloatArray
from algo_pipeline.research.sharpe_statistics import SharpeEstimate

if TYPE_CHECKING:
    from algo_pipeline.backtest.result import BacktestResult

ROLLING_DAYS = 90
_NEGLIGIBLE = 1e-14


def sharpe_estimate(result: BacktestResult) -> SharpeEstimate:
    """Sharpe ratio per day of a backtest's daily UTC returns, with its moments; NaN where nothing was traded."""
    returns = daily_returns(result.equity, result.config.initial_cash).to_numpy()
    return SharpeEstimate.of(returns)


def rolling_sharpe(daily_returns: pd.Series, days: int = ROLLING_DAYS, level: float = 0.95) -> pd.DataFrame:
    """Annualized Sharpe ratio of each window of ``days`` days, with its interval [1]_.

    Parameters
    ----------
    daily_returns : Series of shape (n_days,)
        Indexed by day.
    days : int
        Window length.
    level : float
        Coverage of the interval under independent days.

    Returns
    -------
    DataFrame of shape (n_days - days + 1, 3)
        ``sharpe, lower, upper`` by the window's last day; NaN where a window has no variance; empty if too short.
    """
    values = daily_returns.to_numpy(dtype=np.float64)
    if len(values) < days:
        return pd.DataFrame({"sharpe": [], "lower": [], "upper": []}, index=daily_returns.index[:0], dtype=np.float64)
    sharpe, error = _daily_sharpe(np.lib.stride_tricks.sliding_window_view(values, days))
    margin = NormalDist().inv_cdf(0.5 + level / 2) * error
    annual = math.sqrt(DAYS_PER_YEAR)
    columns = {"sharpe": annual * sharpe, "lower": annual * (sharpe - margin), "upper": annual * (sharpe + margin)}
    return pd.DataFrame(columns, index=daily_returns.index[days - 1 :])


def _daily_sharpe(windows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sharpe ratio per day and its standard error for each row of ``windows`` (shape (n_windows, n_days))."""
    n_days = windows.shape[1]
    undefined = np.full(len(windows), np.nan)
    if n_days < 3:
        return undefined, undefined.copy()
    centred = windows - windows.mean(axis=1, keepdims=True)
    variance = (centred**2).mean(axis=1)
    variance[variance < _NEGLIGIBLE**2] = np.nan
    skewness = (centred**3).mean(axis=1) / variance**1.5
    kurtosis = (centred**4).mean(axis=1) / variance**2
    sharpe = windows.mean(axis=1) / np.sqrt(variance * n_days / (n_days - 1))
    spread = np.maximum(1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2, 0.0)
    return sharpe, np.sqrt(spread / (n_days - 1))

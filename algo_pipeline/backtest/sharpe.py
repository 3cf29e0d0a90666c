"""The Sharpe ratio with its uncertainty: standard error, interval, and the chance of luck.

References
----------
.. [1] Lo (2002), "The Statistics of Sharpe Ratios"; Mertens (2002) for returns that are not normal.
.. [2] Bailey & López de Prado (2012), "The Sharpe Ratio Efficient Frontier" (the probabilistic Sharpe ratio).
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pandas as pd

from algo_pipeline.common.types import FloatArray

DAYS_PER_YEAR = 365
ROLLING_DAYS = 90
_NEGLIGIBLE = 1e-14


def luck_probability(daily_returns: FloatArray) -> float:
    """Probability that a strategy whose true Sharpe ratio is zero shows at least the one observed [2]_.

    One strategy is judged, as if no other had been tried. NaN for fewer than three days or returns without variance.
    """
    sharpe, error = _daily_sharpe(np.asarray(daily_returns, dtype=np.float64)[None, :])
    return 1.0 - NormalDist().cdf(sharpe[0] / error[0]) if error[0] > 0.0 else math.nan


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

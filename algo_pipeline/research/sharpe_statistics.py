"""What a Sharpe ratio proves: on its own, and as the best of many that were tried.

Every Sharpe ratio here is per day, not annualized: mean over sample deviation of daily UTC returns, risk-free rate 0.
What is undefined is NaN.

References
----------
.. [1] D. H. Bailey, M. López de Prado, "The Sharpe ratio efficient frontier", J. Risk 15 (2012).
.. [2] D. H. Bailey, M. López de Prado, "The deflated Sharpe ratio: correcting for selection bias, backtest overfitting
   and non-normality", J. Portfolio Management 40 (2014).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from algo_pipeline.common.types import FloatArray

_NORMAL = NormalDist()
_EULER_MASCHERONI = 0.5772156649015329
_NEGLIGIBLE = 1e-14


@dataclass(frozen=True, slots=True)
class SharpeEstimate:
    """A Sharpe ratio per day and what its uncertainty depends on.

    Parameters
    ----------
    sharpe : float
        Mean over sample deviation (ddof 1) of the daily returns.
    n_days : int
        Number of returns.
    skewness, kurtosis : float
        Of the returns; a normal distribution has 0 and 3.
    """

    sharpe: float
    n_days: int
    skewness: float = 0.0
    kurtosis: float = 3.0

    @classmethod
    def of(cls, daily_returns: FloatArray) -> SharpeEstimate:
        """Estimate from daily returns, shape (n_days,); NaN for fewer than three days or without variance."""
        returns = np.asarray(daily_returns, dtype=np.float64)
        n = len(returns)
        centred = returns - returns.mean() if n else returns
        variance = float((centred**2).mean()) if n else 0.0
        if n < 3 or variance < _NEGLIGIBLE**2:
            return cls(math.nan, n, math.nan, math.nan)
        return cls(
            sharpe=float(returns.mean() / math.sqrt(variance * n / (n - 1))),
            n_days=n,
            skewness=float((centred**3).mean() / variance**1.5),
            kurtosis=float((centred**4).mean() / variance**2),
        )

    @property
    def error(self) -> float:
        """Standard error of the Sharpe ratio for returns that need not be normal (Mertens 2002; [1]_)."""
        return math.sqrt(self.spread / (self.n_days - 1)) if self.n_days > 1 else math.nan

    @property
    def spread(self) -> float:
        """Variance of the estimate times the number of days; the floor is for skewness no distribution has."""
        spread = 1.0 - self.skewness * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe**2
        return spread if math.isnan(spread) else max(spread, 0.0)


def probabilistic_sharpe_ratio(estimate: SharpeEstimate, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio exceeds ``benchmark``, had this one strategy alone been tried [1]_.

    Parameters
    ----------
    estimate : SharpeEstimate
        Of the strategy.
    benchmark : float
        Sharpe ratio per day to beat.

    Returns
    -------
    float
        In [0, 1].
    """
    error = estimate.error
    return _NORMAL.cdf((estimate.sharpe - benchmark) / error) if error > 0.0 else math.nan


def expected_maximum_sharpe(n_trials: float, variance_of_trials: float) -> float:
    """Sharpe ratio per day to be expected of the best of ``n_trials`` independent strategies without any edge [2]_.

    Parameters
    ----------
    n_trials : float
        Independent trials, at least 1; a number that is not whole comes from :func:`effective_number_of_trials`.
    variance_of_trials : float
        Variance between the trials' Sharpe ratios per day; not read for a single trial.

    Returns
    -------
    float
        0 for a single trial, which has nothing to be the best of; never below 0.
    """
    if n_trials == 1.0:
        return 0.0
    if not n_trials > 1.0 or not variance_of_trials >= 0.0:
        return math.nan
    typical, rare = (_NORMAL.inv_cdf(1.0 - 1.0 / (n_trials * scale)) for scale in (1.0, math.e))
    deviations = (1.0 - _EULER_MASCHERONI) * typical + _EULER_MASCHERONI * rare
    return math.sqrt(variance_of_trials) * max(deviations, 0.0)


def deflated_sharpe_ratio(best: SharpeEstimate, n_trials: float, variance_of_trials: float) -> float:
    """Probability that the best of many trials has a true Sharpe ratio above what luck alone would reach [2]_.

    Parameters
    ----------
    best : SharpeEstimate
        Of the trial that was chosen for its Sharpe ratio.
    n_trials, variance_of_trials : float
        As in :func:`expected_maximum_sharpe`.

    Returns
    -------
    float
        In [0, 1]; the probabilistic Sharpe ratio if there was one trial.
    """
    return probabilistic_sharpe_ratio(best, expected_maximum_sharpe(n_trials, variance_of_trials))


def effective_number_of_trials(n_trials: int, mean_correlation: float) -> float:
    """Number of independent trials that correlated ones amount to: ρ + (1 − ρ) M ([2]_, appendix 3).

    Parameters
    ----------
    n_trials : int
        M, the trials made.
    mean_correlation : float
        ρ, the average correlation between the returns of different trials; below 0 it counts as 0, for trials can't
        be more than they are.
    """
    if not n_trials >= 1 or not mean_correlation <= 1.0:
        return math.nan
    correlation = max(mean_correlation, 0.0)
    return correlation + (1.0 - correlation) * n_trials


def minimum_track_record_length(estimate: SharpeEstimate, benchmark: float = 0.0, confidence: float = 0.95) -> float:
    """Days of such returns needed before the Sharpe ratio counts as above ``benchmark`` [1]_.

    Parameters
    ----------
    estimate : SharpeEstimate
        Of the strategy; its ``n_days`` is not read.
    benchmark : float
        Sharpe ratio per day to beat.
    confidence : float
        Probabilistic Sharpe ratio wanted, in (0.5, 1).

    Returns
    -------
    float
        NaN for a Sharpe ratio that is not above the benchmark: no length would do.
    """
    excess = estimate.sharpe - benchmark
    if not excess > 0.0:
        return math.nan
    return 1.0 + estimate.spread * (_NORMAL.inv_cdf(confidence) / excess) ** 2

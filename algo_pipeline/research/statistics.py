"""How much of a result is luck: the stationary bootstrap, paired comparisons of forecasts, and the price of a search.

The public home of such statistics: what a Sharpe ratio proves, what choosing among backtests is worth and whether a
forecast is better than itself at another time are defined in modules of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import ConfigValueError, InsufficientHistoryError
from algo_pipeline.common.types import FloatArray
from algo_pipeline.research.backtest_overfitting import BacktestOverfitting, probability_of_backtest_overfitting
from algo_pipeline.research.sharpe_statistics import (
    SharpeEstimate,
    deflated_sharpe_ratio,
    effective_number_of_trials,
    expected_maximum_sharpe,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
)
from algo_pipeline.research.signal_shuffle import signal_shuffle_p_value

__all__ = [
    "LEVEL",
    "N_RESAMPLES",
    "SEED",
    "BacktestOverfitting",
    "Interval",
    "PairedComparison",
    "SharpeEstimate",
    "bootstrap_means",
    "compare_log_loss",
    "compare_with_base_rate",
    "deflated_sharpe_ratio",
    "effective_number_of_trials",
    "expected_maximum_sharpe",
    "log_loss_differences",
    "log_losses",
    "log_losses_of",
    "mean_block_bars",
    "mean_interval",
    "minimum_track_record_length",
    "percentile_interval",
    "probabilistic_sharpe_ratio",
    "probability_of_backtest_overfitting",
    "signal_shuffle_p_value",
]

LEVEL = 0.95
N_RESAMPLES = 1000
SEED = 20_240_101
_LONGEST_BLOCK_BARS = 168
_SHORTEST_BLOCK_BARS = 25
_BLOCKS_WANTED = 20


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval and its nominal coverage, for example 0.95."""

    lower: float
    upper: float
    level: float = LEVEL


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """Mean log loss of a candidate minus that of a reference on the same rows; below zero the candidate is better.

    Attributes
    ----------
    mean_difference : float
        In nats per row.
    interval : Interval
        Of the mean difference, by the stationary bootstrap.
    n : int
        Rows compared.
    """

    mean_difference: float
    interval: Interval
    n: int

    @property
    def is_better(self) -> bool:
        """Whether the whole interval lies below zero."""
        return self.interval.upper < 0.0

    @property
    def is_worse(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.interval.lower > 0.0


def mean_block_bars(n_rows: int) -> int:
    """Mean block length for ``n_rows`` hourly rows, in bars.

    A week (168) holds whole daily and weekly seasons and outlasts the clustering of volatility that an hourly loss
    inherits; a shorter sample gets a twentieth of its rows, so that blocks can still be varied, and never less than
    the 25 bars that the longest label spans.
    """
    return min(_LONGEST_BLOCK_BARS, max(_SHORTEST_BLOCK_BARS, n_rows // _BLOCKS_WANTED))


def bootstrap_means(
    values: FloatArray, n_resamples: int = N_RESAMPLES, seed: int = SEED, mean_block: int | None = None
) -> FloatArray:
    """Means of stationary-bootstrap resamples of a series.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Finite, in order of time.
    n_resamples : int
        Number of resamples.
    seed : int
        Equal seeds give equal resamples.
    mean_block : int, optional
        Expected block length in rows; default :func:`mean_block_bars`. 1 is the bootstrap of independent rows.

    Returns
    -------
    ndarray of shape (n_resamples,)

    References
    ----------
    D. N. Politis, J. P. Romano, "The stationary bootstrap", JASA 89 (1994).
    """
    from algo_pipeline.research.resampling import resampled_means

    block = mean_block or mean_block_bars(len(values))
    rng = np.random.default_rng(seed)
    # Centred, so that the differences of running sums lose no digits to a large mean.
    centre = float(np.mean(values))
    sums = np.concatenate([[0.0], np.cumsum(values - centre)])
    return np.asarray(centre + resampled_means(rng, sums, block, n_resamples))


def mean_interval(values: FloatArray, level: float = LEVEL, seed: int = SEED) -> Interval:
    """Percentile interval of a series' mean by the stationary bootstrap."""
    return percentile_interval(bootstrap_means(values, seed=seed), level)


def percentile_interval(resampled: FloatArray, level: float = LEVEL) -> Interval:
    """Equal-tailed quantiles of resampled statistics; NaN resamples are left out."""
    tail = (1.0 - level) / 2.0
    lower, upper = np.nanquantile(resampled, [tail, 1.0 - tail])
    return Interval(float(lower), float(upper), level)


def log_losses(probability: FloatArray, outcome: FloatArray) -> FloatArray:
    """Log loss of each row in nats, shape (n,), for probabilities strictly between 0 and 1."""
    return -np.log(np.where(outcome == 1.0, probability, 1.0 - probability))


def log_losses_of(oos: pd.DataFrame, column: str = "probability") -> FloatArray:
    """Log loss of each row of an out-of-sample frame in nats, shape (n,), by a column of probabilities in (0, 1)."""
    probability, outcome = (oos[name].to_numpy(dtype=np.float64) for name in (column, "outcome"))
    return log_losses(probability, outcome)


def log_loss_differences(candidate_oos: pd.DataFrame, reference_oos: pd.DataFrame) -> FloatArray:
    """Log loss of the candidate minus that of the reference, row by row in nats, shape (n,).

    Parameters and errors as of :func:`compare_log_loss`.
    """
    require_same_rows(candidate_oos, reference_oos)
    return log_losses_of(candidate_oos) - log_losses_of(reference_oos)


def compare_log_loss(candidate_oos: pd.DataFrame, reference_oos: pd.DataFrame, seed: int = SEED) -> PairedComparison:
    """Compare two forecasts of the same outcomes, row by row.

    Parameters
    ----------
    candidate_oos, reference_oos : pd.DataFrame
        Out-of-sample frames with equal index and equal ``outcome``; ``probability`` in (0, 1).
    seed : int
        Of the bootstrap.

    Raises
    ------
    ConfigValueError
        If the frames are not about the same rows.
    InsufficientHistoryError
        If they have fewer than two rows.

    References
    ----------
    F. X. Diebold, R. S. Mariano, "Comparing predictive accuracy", JBES 13 (1995), with a block bootstrap in place of
    the normal limit.
    """
    difference = log_loss_differences(candidate_oos, reference_oos)
    return PairedComparison(float(np.mean(difference)), mean_interval(difference, seed=seed), len(difference))


def compare_with_base_rate(oos: pd.DataFrame, seed: int = SEED) -> PairedComparison:
    """Compare a forecast with the base rate of each fold's train part (column ``base_rate``)."""
    return compare_log_loss(oos, oos.assign(probability=oos["base_rate"]), seed)


def require_same_rows(candidate: pd.DataFrame, reference: pd.DataFrame) -> None:
    """Refuse to compare forecasts of other rows or outcomes, or of fewer than two; errors as of compare_log_loss."""
    same = candidate.index.equals(reference.index) and np.array_equal(candidate["outcome"], reference["outcome"])
    if not same:
        raise ConfigValueError(
            f"Two forecasts are compared on identical rows and outcomes; the candidate has {len(candidate)} rows, the"
            f" reference {len(reference)}, and they differ.",
            "Restrict both to the hours they share.",
        )
    if len(candidate) < 2:
        raise InsufficientHistoryError(f"At least 2 shared rows are needed to compare; found {len(candidate)}.")

"""How likely the best of many backtests is the best by luck: combinatorially symmetric cross-validation.

References
----------
.. [1] D. H. Bailey, J. M. Borwein, M. López de Prado, Q. J. Zhu, "The probability of backtest overfitting",
   J. Computational Finance 20 (2017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.types import FloatArray

N_BLOCKS = 16
_MOST_BLOCKS = 20
_FEWEST_DAYS_PER_BLOCK = 2


@dataclass(frozen=True, slots=True)
class BacktestOverfitting:
    """What choosing the best in one half of the days was worth in the other half, over all splits into halves.

    Attributes
    ----------
    n_days, n_configurations, n_blocks : int
        What it rests on: days used, configurations compared, blocks the days were cut into.
    probability : float
        Share of the splits whose choice does no better out of sample than the median configuration, in [0, 1]: one half
        if choosing is worth nothing. NaN where undefined.
    probability_of_loss : float
        Share of the splits whose choice has a Sharpe ratio below zero out of sample.
    degradation : float
        Slope of the choice's out-of-sample Sharpe ratio on its in-sample one: 1 would keep all of it. It is below zero
        without any edge, for what one half has the other lacks. NaN if all choices have the same one in sample.
    logits : ndarray of shape (n_splits,)
        ``log(ω / (1 − ω))``, ω the out-of-sample rank of the choice over ``n_configurations + 1``; 0 is the median.
    in_sample, out_of_sample : ndarray of shape (n_splits,)
        Sharpe ratio per day of the choice in either half.
    """

    n_days: int
    n_configurations: int
    n_blocks: int
    probability: float = math.nan
    probability_of_loss: float = math.nan
    degradation: float = math.nan
    logits: FloatArray = field(default_factory=lambda: np.empty(0), compare=False)
    in_sample: FloatArray = field(default_factory=lambda: np.empty(0), compare=False)
    out_of_sample: FloatArray = field(default_factory=lambda: np.empty(0), compare=False)


def probability_of_backtest_overfitting(daily_returns: FloatArray, n_blocks: int = N_BLOCKS) -> BacktestOverfitting:
    """Probability that the configuration with the best backtest is below the median of all on other days [1]_.

    The days are cut into blocks. Every choice of half of the blocks is once the sample in which the configuration with
    the highest Sharpe ratio is picked, while the other half tells how it ranks where nothing was picked: 12,870 splits
    of 16 blocks. Blocks keep days that depend on each other together, but for their borders.

    Parameters
    ----------
    daily_returns : ndarray of shape (n_days, n_configurations)
        Finite daily returns in order of time, a column for each configuration that was tried; the same ones under
        another name count twice, so leave them out.
    n_blocks : int
        Even, from 2 to 20. Blocks are equally long: the oldest days that do not fill one are left out.

    Returns
    -------
    BacktestOverfitting
        NaN figures for fewer than two configurations or two days a block.

    Raises
    ------
    ConfigValueError
        If the number of blocks is odd or out of range, or the returns are no finite table.

    Notes
    -----
    The statistic is the Sharpe ratio; half a sample without any variance counts as 0, as does cash. Equal ranks share
    their mean. Of several best in sample the first is picked. It judges the *choice* and not the chosen: where all
    configurations are equally good, choosing is worth nothing and the probability is one half although all may gain.
    """
    _require_blocks(n_blocks)
    returns = _table(daily_returns)
    n_days, n_configurations = returns.shape
    length = n_days // n_blocks
    if n_configurations < 2 or length < _FEWEST_DAYS_PER_BLOCK:
        return BacktestOverfitting(n_days, n_configurations, n_blocks)
    from algo_pipeline.research.overfitting_kernel import choices_of_halves, half_masks

    blocks = returns[n_days - n_blocks * length :].reshape(n_blocks, length, n_configurations)
    sums, squares = blocks.sum(axis=1), np.einsum("bdc,bdc->bc", blocks, blocks)
    chosen = choices_of_halves(sums, squares, half_masks(n_blocks), n_blocks * length // 2)
    relative = chosen.rank / (n_configurations + 1)
    return BacktestOverfitting(
        n_days=n_blocks * length,
        n_configurations=n_configurations,
        n_blocks=n_blocks,
        probability=float((relative <= 0.5).mean()),
        probability_of_loss=float((chosen.out_of_sample < 0.0).mean()),
        degradation=_slope(chosen.in_sample, chosen.out_of_sample),
        logits=np.log(relative / (1.0 - relative)),
        in_sample=chosen.in_sample,
        out_of_sample=chosen.out_of_sample,
    )


def _require_blocks(n_blocks: int) -> None:
    if n_blocks % 2 or not 2 <= n_blocks <= _MOST_BLOCKS:
        raise ConfigValueError(
            f"The days are cut into an even number of blocks from 2 to {_MOST_BLOCKS}; it was {n_blocks}.",
            f"Use {N_BLOCKS}, as the paper does.",
        )


def _table(daily_returns: FloatArray) -> FloatArray:
    returns = np.asarray(daily_returns, dtype=np.float64)
    if returns.ndim != 2 or not np.isfinite(returns).all():
        raise ConfigValueError(
            f"Daily returns are a finite table, a row for each day and a column for each configuration; found shape"
            f" {returns.shape} with {np.count_nonzero(~np.isfinite(returns))} values that are not finite.",
            "Leave out configurations without returns on every day.",
        )
    return returns


def _slope(x: FloatArray, y: FloatArray) -> float:
    """Least-squares slope of y on x; NaN if all x are equal."""
    deviations = x - x.mean()
    spread = float(deviations @ deviations)
    return float(deviations @ y) / spread if spread > 0.0 else math.nan

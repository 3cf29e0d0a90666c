"""Several candidates, each against a reference on its own rows, corrected for how many were compared.

Who compares twenty equal candidates at 5 % finds one of them better. Holm's correction bounds by 5 % the chance that
any candidate is told apart from a reference it equals, whatever the dependence between them.

That asks for tails far thinner than 5 %, where percentiles of a bootstrap that draws a few dozen blocks are too sure of
themselves. So the bootstrap gives the standard error, and Student's distribution with a degree of freedom per
block, less one, the tails.

References
----------
S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6 (1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from algo_pipeline.common.types import FloatArray
from algo_pipeline.research.statistics import (
    LEVEL,
    N_RESAMPLES,
    SEED,
    Interval,
    PairedComparison,
    bootstrap_means,
    mean_block_bars,
)

_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class CorrectedComparison:
    """One of several paired comparisons.

    Attributes
    ----------
    paired : PairedComparison
        Mean difference, below zero if the candidate is better; its interval has the level that Holm's correction asks
        for, so that it leaves out zero exactly where ``adjusted_p_value`` is below 1 − :data:`LEVEL`.
    p_value : float
        Two-sided, of this comparison alone.
    adjusted_p_value : float
        The same, corrected: the smallest chance of any false finding at which this one counts.
    n_comparisons : int
        How many were made together.
    """

    paired: PairedComparison
    p_value: float
    adjusted_p_value: float
    n_comparisons: int


@dataclass(frozen=True, slots=True)
class _Difference:
    """A mean difference with its standard error, in nats per row, and the degrees of freedom behind it."""

    mean: float
    error: float
    freedom: float
    n: int

    @classmethod
    def of(cls, values: FloatArray, n_resamples: int, seed: int) -> _Difference:
        error = float(np.std(bootstrap_means(values, n_resamples, seed), ddof=1))
        # What rounding leaves of the spread of equal values is none.
        negligible = _ROUNDING * float(np.abs(values).max())
        freedom = max(1.0, len(values) / mean_block_bars(len(values)) - 1.0)
        return cls(float(np.mean(values)), error if error > negligible else 0.0, freedom, len(values))

    def p_value(self) -> float:
        from scipy.stats import t

        if self.error == 0.0:
            return 1.0 if self.mean == 0.0 else 0.0
        return float(2.0 * t.sf(abs(self.mean) / self.error, self.freedom))

    def comparison(self, allowed_error: float) -> PairedComparison:
        from scipy.stats import t

        margin = float(t.isf(allowed_error / 2.0, self.freedom)) * self.error
        interval = Interval(self.mean - margin, self.mean + margin, 1.0 - allowed_error)
        return PairedComparison(self.mean, interval, self.n)


def corrected_comparisons(
    differences: Sequence[FloatArray], n_resamples: int = N_RESAMPLES, seed: int = SEED
) -> tuple[CorrectedComparison, ...]:
    """Compare by the stationary bootstrap and correct by Holm's procedure.

    Parameters
    ----------
    differences : sequence of ndarray of shape (n_i,)
        For each comparison, loss of the candidate minus that of its reference, row by row in order of time; n_i >= 2.
    n_resamples : int
        Bootstrap resamples behind each standard error.
    seed : int
        Equal seeds draw equal blocks, so that comparisons on equally many rows share them.

    Returns
    -------
    tuple of CorrectedComparison
        In the order of ``differences``.
    """
    found = [_Difference.of(each, n_resamples, seed) for each in differences]
    p_values = np.array([each.p_value() for each in found])
    adjusted, allowed = holm(p_values), _allowed_errors(p_values, 1.0 - LEVEL)
    return tuple(
        CorrectedComparison(each.comparison(error), p_value, corrected, len(found))
        for each, error, p_value, corrected in zip(
            found, allowed.tolist(), p_values.tolist(), adjusted.tolist(), strict=True
        )
    )


def comparison_among(values: FloatArray, n_comparisons: int, seed: int = SEED) -> CorrectedComparison:
    """The latest of several comparisons made one after another on the same rows, corrected for all (Bonferroni).

    Parameters
    ----------
    values : ndarray of shape (n,)
        Loss of the candidate minus that of its reference, row by row in order of time; n >= 2.
    n_comparisons : int
        How many were made up to now, this one included.
    seed : int
        Of the bootstrap.
    """
    found = _Difference.of(values, N_RESAMPLES, seed)
    p_value = found.p_value()
    paired = found.comparison((1.0 - LEVEL) / n_comparisons)
    return CorrectedComparison(paired, p_value, min(1.0, n_comparisons * p_value), n_comparisons)


def holm(p_values: FloatArray) -> FloatArray:
    """Holm's adjusted p-values, shape (m,): the k-th smallest times m − k + 1, never falling with k, at most 1."""
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def _allowed_errors(p_values: FloatArray, error: float) -> FloatArray:
    """The level that each p-value is held to: it rises with their rank, up to the first that fails, and stays there."""
    order = np.argsort(p_values, kind="stable")
    steps = error / np.arange(len(order), 0, -1)
    failed = np.flatnonzero(p_values[order] >= steps)
    if len(failed):
        steps[failed[0] :] = steps[failed[0]]
    allowed = np.empty(len(order))
    allowed[order] = steps
    return allowed

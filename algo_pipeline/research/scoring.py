"""Scores of probability forecasts, compiled so that a thousand block-bootstrap resamples cost a blink."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.types import BoolArray, FloatArray, IntArray
from algo_pipeline.research.resampling import draw_blocks
from algo_pipeline.research.statistics import log_losses

N_BINS = 10
_LOSS, _BASE_LOSS, _BRIER, _BASE_BRIER, _BASE_RATE, _OUTCOME = range(6)


class Forecasts(NamedTuple):
    """Forecasts with what every resample of them needs, computed once; a named tuple, for compiled code reads it.

    Attributes
    ----------
    columns : ndarray of shape (n, 6)
        Per row, in order of time: log loss, log loss of the base rate, squared error, squared error of the base rate,
        base rate, outcome.
    order : ndarray of shape (n,)
        Rows by ascending probability.
    probability, outcome : ndarray of shape (n,)
        In that order.
    tie_ends : ndarray of bool, shape (n,)
        Whether the next row in that order has another probability.
    cuts : ndarray of shape (n_bins + 1,)
        Equal-mass bins as positions in that order; rows with equal probability share a bin.
    """

    columns: FloatArray
    order: IntArray
    probability: FloatArray
    outcome: FloatArray
    tie_ends: BoolArray
    cuts: IntArray

    @classmethod
    def of(cls, probability: FloatArray, outcome: FloatArray, base_rate: FloatArray) -> Forecasts:
        """Prepare forecasts of shape (n,), n >= 1, in order of time; probabilities and base rates in (0, 1)."""
        order = np.argsort(probability, kind="stable")
        ranked = probability[order]
        columns = np.column_stack(
            [
                log_losses(probability, outcome),
                log_losses(base_rate, outcome),
                (probability - outcome) ** 2,
                (base_rate - outcome) ** 2,
                base_rate,
                outcome,
            ]
        )
        tie_ends = np.append(ranked[1:] != ranked[:-1], True)
        return cls(columns, order, ranked, outcome[order], tie_ends, _equal_mass_cuts(ranked))

    @property
    def n_bins(self) -> int:
        """Bins, at most ten; fewer where many probabilities are equal."""
        return len(self.cuts) - 1


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTable:
    """Scores of one or many (re)samples; r samples, b bins.

    Attributes
    ----------
    scores : dict of str to ndarray of shape (r,)
        By the field names of :class:`~algo_pipeline.research.evaluate.Score`; the AUC is NaN where a sample holds only
        one outcome, a skill NaN where the base rate's loss is zero.
    bin_rows, bin_probability, bin_outcome : ndarray of shape (r, b)
        Per bin: number of rows, sum of probabilities, sum of outcomes.
    """

    scores: dict[str, FloatArray]
    bin_rows: FloatArray
    bin_probability: FloatArray
    bin_outcome: FloatArray


def score(forecasts: Forecasts) -> ScoreTable:
    """Scores of the forecasts themselves (r = 1)."""
    return _table(forecasts, _score_once(forecasts))


def bootstrap_scores(forecasts: Forecasts, n_resamples: int, mean_block: int, seed: int) -> ScoreTable:
    """Scores of stationary-bootstrap resamples; bins stay those of the original rows."""
    return _table(forecasts, _score_resamples(np.random.default_rng(seed), n_resamples, mean_block, forecasts))


def _table(forecasts: Forecasts, sums: FloatArray) -> ScoreTable:
    """Turn sums of shape (r, 7 + 3b) into scores."""
    n, b = len(forecasts.order), forecasts.n_bins
    means, wins = sums[:, :6] / n, sums[:, 6]
    rows, probability, outcome = (sums[:, 7 + k * b : 7 + (k + 1) * b] for k in range(3))
    ones = sums[:, _OUTCOME]
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = {
            "auc": wins / (ones * (n - ones)),
            "log_loss": means[:, _LOSS],
            "log_loss_skill": 1.0 - means[:, _LOSS] / means[:, _BASE_LOSS],
            "brier": means[:, _BRIER],
            "brier_skill": 1.0 - means[:, _BRIER] / means[:, _BASE_BRIER],
            "ece": np.abs(probability - outcome).sum(axis=1) / n,
            "base_rate": means[:, _BASE_RATE],
            "observed_rate": means[:, _OUTCOME],
        }
    return ScoreTable(scores, rows, probability, outcome)


def _equal_mass_cuts(ranked: FloatArray) -> IntArray:
    n = len(ranked)
    wanted = np.arange(1, N_BINS) * n // N_BINS
    inner = np.searchsorted(ranked, ranked[np.maximum(wanted - 1, 0)], side="right")
    return np.unique(np.concatenate([[0], inner, [n]])).astype(np.int64)


@compiled
def _score_once(forecasts: Forecasts) -> FloatArray:
    """Sums over the rows as they are, shape (1, 7 + 3b)."""
    n = len(forecasts.order)
    sums = np.zeros((1, 7 + 3 * (len(forecasts.cuts) - 1)))
    for row in range(n):
        sums[0, :6] += forecasts.columns[row]
    _add_ranked(np.ones(n, np.int64), forecasts, sums[0])
    return sums


@compiled
def _score_resamples(rng: np.random.Generator, n_resamples: int, mean_block: int, forecasts: Forecasts) -> FloatArray:
    """Sums over each resample, shape (r, 7 + 3b)."""
    n = len(forecasts.order)
    running = np.zeros((n + 1, 6))
    for row in range(n):
        running[row + 1] = running[row] + forecasts.columns[row]
    starts, lengths, weights = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    sums = np.zeros((n_resamples, 7 + 3 * (len(forecasts.cuts) - 1)))
    for resample in range(n_resamples):
        count = draw_blocks(rng, mean_block, starts, lengths)
        _spread_weights(starts[:count], lengths[:count], weights)
        _add_block_sums(starts[:count], lengths[:count], running, sums[resample])
        _add_ranked(weights, forecasts, sums[resample])
    return sums


@compiled
def _spread_weights(starts: IntArray, lengths: IntArray, weights: IntArray) -> None:
    """Count how often each row occurs in the circular blocks: marks at block edges, then a running sum."""
    n = len(weights)
    weights[:] = 0
    for block in range(len(starts)):
        start, stop = starts[block], starts[block] + lengths[block]
        weights[start] += 1
        if stop > n:
            weights[0] += 1
            weights[stop - n] -= 1
        elif stop < n:
            weights[stop] -= 1
    for row in range(1, n):
        weights[row] += weights[row - 1]


@compiled
def _add_block_sums(starts: IntArray, lengths: IntArray, running: FloatArray, sums: FloatArray) -> None:
    n = len(running) - 1
    for block in range(len(starts)):
        start, stop = starts[block], starts[block] + lengths[block]
        for column in range(running.shape[1]):
            if stop <= n:
                sums[column] += running[stop, column] - running[start, column]
            else:
                sums[column] += running[n, column] - running[start, column] + running[stop - n, column]


@compiled
def _add_ranked(weights: IntArray, forecasts: Forecasts, sums: FloatArray) -> None:
    """Add pairs ranked rightly (ties half) and the bins' sums, in one pass over ascending probabilities."""
    order, probability, outcome = forecasts.order, forecasts.probability, forecasts.outcome
    tie_ends, cuts = forecasts.tie_ends, forecasts.cuts
    b = len(cuts) - 1
    zeros_below, zeros, ones, wins = 0.0, 0.0, 0.0, 0.0
    for k in range(b):
        rows, total, hits = 0.0, 0.0, 0.0
        for i in range(cuts[k], cuts[k + 1]):
            weight = float(weights[order[i]])
            hit = weight * outcome[i]
            rows += weight
            total += weight * probability[i]
            hits += hit
            ones += hit
            zeros += weight - hit
            if tie_ends[i]:
                wins += ones * (zeros_below + 0.5 * zeros)
                zeros_below += zeros
                ones, zeros = 0.0, 0.0
        sums[7 + k], sums[7 + b + k], sums[7 + 2 * b + k] = rows, total, hits
    sums[6] = wins

"""How much of a forecast's log loss is bad calibration, and whether one forecast has more of it than another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from algo_pipeline.common.types import FloatArray
from algo_pipeline.research.statistics import (
    N_RESAMPLES,
    SEED,
    Interval,
    PairedComparison,
    mean_block_bars,
    percentile_interval,
    require_same_rows,
)

if TYPE_CHECKING:
    from algo_pipeline.research.scoring import ScoreTable


def calibration_losses(table: ScoreTable, n: int) -> FloatArray:
    """Calibration part of the log loss of each (re)sample, in nats per row.

    The log loss that would be saved if the probabilities of each equal-mass bin were what came of them: the mean over
    rows of the Kullback-Leibler divergence from a bin's mean probability to its observed rate. Sampling noise alone
    keeps it above zero, by about b / 2n for b bins.

    Parameters
    ----------
    table : ScoreTable
        Of r samples.
    n : int
        Rows of each.

    Returns
    -------
    ndarray of shape (r,)

    References
    ----------
    S. V. Weijs, R. van Nooijen, N. van de Giesen, "Kullback-Leibler divergence as a forecast skill score with classic
    reliability-resolution-uncertainty decomposition", Monthly Weather Review 138 (2010).
    """
    from scipy.special import rel_entr

    rows, probability, outcome = table.bin_rows, table.bin_probability, table.bin_outcome
    divergence = rel_entr(outcome, probability) + rel_entr(rows - outcome, rows - probability)
    return np.asarray(divergence.sum(axis=1) / n)


def compare_calibration(
    candidate_oos: pd.DataFrame, reference_oos: pd.DataFrame, n_resamples: int = N_RESAMPLES, seed: int = SEED
) -> PairedComparison:
    """Compare the calibration losses of two forecasts of the same outcomes.

    Parameters
    ----------
    candidate_oos, reference_oos : pd.DataFrame
        Out-of-sample frames with equal index, ``outcome`` and ``base_rate``; ``probability`` in (0, 1).
    n_resamples : int
        Stationary-bootstrap resamples; both forecasts are resampled by the same blocks.
    seed : int
        Of the bootstrap.

    Returns
    -------
    PairedComparison
        Its difference is the candidate's calibration loss minus the reference's: below zero the candidate is the
        better calibrated. What sampling noise adds to each loss is estimated by what resampling adds once more, and
        taken off difference and interval.

    Raises
    ------
    ConfigValueError
        If the frames are not about the same rows.
    InsufficientHistoryError
        If they have fewer than two rows.
    """
    require_same_rows(candidate_oos, reference_oos)
    found, resampled = (
        left - right
        for left, right in zip(
            _losses(candidate_oos, n_resamples, seed), _losses(reference_oos, n_resamples, seed), strict=True
        )
    )
    noise = float(np.mean(resampled)) - float(found[0])
    bounds = percentile_interval(resampled)
    interval = Interval(bounds.lower - 2.0 * noise, bounds.upper - 2.0 * noise, bounds.level)
    return PairedComparison(float(found[0]) - noise, interval, len(candidate_oos))


def _losses(oos: pd.DataFrame, n_resamples: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """The calibration loss of the rows as they are, shape (1,), and of their resamples, shape (n_resamples,)."""
    from algo_pipeline.research.scoring import Forecasts, bootstrap_scores, score

    columns = (oos[name].to_numpy(dtype=np.float64) for name in ("probability", "outcome", "base_rate"))
    forecasts, n = Forecasts.of(*columns), len(oos)
    # Blocks are drawn from the seed and the number of rows alone: equal seeds pair the resamples of two forecasts.
    resampled = bootstrap_scores(forecasts, n_resamples, mean_block_bars(n), seed)
    return calibration_losses(score(forecasts), n), calibration_losses(resampled, n)

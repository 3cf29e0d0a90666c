"""Signal shuffling: whether a forecast is better at its own hours than at others.

Within each fold the forecasts are shifted in a circle against what they forecast. A shifted forecast has the same
values, the same autocorrelation and the same model behind it, but knows nothing of the hours it now stands at: what the
true alignment scores beyond it is skill. Neither fitting noise nor a drift of the market is charged to the model, for
both are the same in every shuffle.

Two forecasts of nearby hours tell nearly the same, and a forecast remembers the outcomes of the bars that its features
read. So a shift is at least :data:`MINIMUM_SHIFT_ROWS` in either direction: longer than the longest window of a feature
(168 bars) and the longest label (25) together. Folds too short to be shifted that far share one circle with their
neighbours, each with its own mean taken off: a calibrator's level follows the outcomes of the fold before, and would
betray their order. If all are too short together, no shuffle differs from the original and nothing is shown.

References
----------
B. Phipson, G. K. Smyth, "Permutation p-values should never be zero", Stat. Appl. Genet. Mol. Biol. 9 (2010).
D. N. Politis, J. P. Romano, "A circular block-resampling procedure for stationary data" (1992), for the circle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from algo_pipeline.common.time import BARS_PER_DAY
from algo_pipeline.common.types import FloatArray, IntArray

MINIMUM_SHIFT_ROWS = 193
N_SHUFFLES = 999
SHUFFLE_SEED = 20_240_102
_ROWS_PER_CIRCLE = 4 * MINIMUM_SHIFT_ROWS  # half of the shifts of the shortest circle are far enough
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Shuffles:
    """How forecasts are shifted.

    Attributes
    ----------
    edges : ndarray of int64, shape (n_circles + 1,)
        Circle c holds rows ``edges[c]`` to ``edges[c + 1] − 1``: one fold, or short ones together.
    shifts : ndarray of int64, shape (n_shuffles, n_circles)
        In shuffle j, row i of a circle of n rows gets the forecast of its row ``(i + shifts[j, c]) mod n``.
    """

    edges: IntArray
    shifts: IntArray


def draw_shuffles(fold: IntArray, n_shuffles: int = N_SHUFFLES, seed: int = SHUFFLE_SEED) -> Shuffles:
    """Independent, uniform shifts of every circle of rows.

    Parameters
    ----------
    fold : ndarray of shape (n,)
        The fold of each row, in order of time.
    n_shuffles : int
        Number of shuffles; with 19, 39, 199, 999 a level of 5 % is met exactly.
    seed : int
        Equal seeds give equal shuffles.
    """
    edges = _circle_edges(fold)
    rng, sizes = np.random.default_rng(seed), np.diff(edges)
    movable = sizes >= _ROWS_PER_CIRCLE
    lowest = np.where(movable, MINIMUM_SHIFT_ROWS, 0)
    highest = np.where(movable, sizes - MINIMUM_SHIFT_ROWS, 0)
    return Shuffles(edges, rng.integers(lowest, highest, size=(n_shuffles, len(sizes)), endpoint=True))


def signal_shuffle_p_value(oos: pd.DataFrame, n_shuffles: int = N_SHUFFLES, seed: int = SHUFFLE_SEED) -> float:
    """Chance that probabilities without any skill score as well as these do at their own hours.

    Parameters
    ----------
    oos : pd.DataFrame
        Stitched out-of-sample frame in order of time: ``probability`` in (0, 1), ``outcome`` 0 or 1, ``fold``.
    n_shuffles : int
        Number of shuffles.
    seed : int
        Of the shuffles.

    Returns
    -------
    float
        ``(1 + shuffles that score at least as high) / (1 + n_shuffles)``, in (0, 1], the shuffles spread by
        :func:`shuffle_widening`; 1 if nothing can be shown.

    Notes
    -----
    The score is ``Σ n · cov(logit p, y) / d`` over circles, d the root mean square of the change of logit p from one
    day to the next. Within a circle it orders shuffles as ``Σ logit(p)·y`` does, the part of the log likelihood that
    depends on which probability meets which outcome: by Neyman and Pearson none is more powerful for calibrated
    probabilities. A constant added to its log-odds or outcomes changes no shuffle: a level, and so a drift, counts for
    nothing.

    Divided by d, circles weigh alike. By the likelihood, those with bold probabilities would weigh more, and a
    calibrator is bold after its model was lucky: luck would be judged in units that the luck itself made larger, and
    a test at 5 % would speak far less often than that. The deviation of logit p would be as wrong a unit: a forecast
    that slow moves reverse varies little on a path that happened to reverse, so that its lucky circles would weigh
    most. A day's change is the same on either path, and for quick forecasts as good as the deviation.
    """
    shuffles = draw_shuffles(oos["fold"].to_numpy(), n_shuffles, seed)
    observed, shuffled = 0.0, np.zeros(n_shuffles)
    for circle, scores in enumerate(_scores_of_circles(oos, shuffles)):
        observed += scores[0]
        shuffled += scores[shuffles.shifts[:, circle]]
    return share_at_least(shuffled, observed, shuffle_widening(oos, shuffles))


def shuffle_widening(oos: pd.DataFrame, shuffles: Shuffles) -> float:
    """By what shuffles have to be spread about their mean, for they are fewer than they seem; 1 or a little more.

    Shifts by k and by k + 1 hours score nearly alike. m far shifts of a circle that score as m/τ independent ones, τ
    the sum of the scores' autocorrelations, vary less about their mean than the true alignment does: as in a t-test
    the ratio of variances is (1 + τ/m) / (1 − τ/m). τ is about 13 for forecasts of an hour and 50 for those of a day.
    """
    shares = [_dependent_share(scores) for scores in _scores_of_circles(oos, shuffles)]
    share = float(np.mean(shares))
    return math.sqrt((1.0 + share) / (1.0 - share))


def _scores_of_circles(oos: pd.DataFrame, shuffles: Shuffles) -> list[FloatArray]:
    probability, outcome = (oos[name].to_numpy(dtype=np.float64) for name in ("probability", "outcome"))
    log_odds = _less_fold_means(np.log(probability / (1.0 - probability)), oos["fold"])
    return [circular_scores(log_odds[first:last], outcome[first:last]) for first, last in pairwise(shuffles.edges)]


def _dependent_share(scores: FloatArray) -> float:
    """τ over the number of far shifts, in [0, ½]; Bartlett's weights keep the sum of autocorrelations positive."""
    n = len(scores)
    spectrum = np.abs(np.fft.rfft(scores - scores.mean())) ** 2
    covariances = np.fft.irfft(spectrum, n=n)[: MINIMUM_SHIFT_ROWS + 1]
    if n < _ROWS_PER_CIRCLE or covariances[0] <= _ROUNDING:
        return 0.0
    weights = 1.0 - np.arange(len(covariances)) / len(covariances)
    dependence = 2.0 * float(weights @ covariances) / covariances[0] - 1.0
    return float(max(1.0, dependence) / (n - 2 * MINIMUM_SHIFT_ROWS + 1))


def circular_scores(x: FloatArray, y: FloatArray) -> FloatArray:
    """``Σ x[(i + k) mod n] · y[i]``, x and y less their means, for every shift k, shape (n,), by Fourier transforms.

    In units of the root mean square of ``x[i + 24] − x[i]``; zeros where that is none.
    """
    x, y = x - x.mean(), y - y.mean()
    daily_change = (
        float(np.sqrt(np.mean((x[BARS_PER_DAY:] - x[:-BARS_PER_DAY]) ** 2))) if len(x) > BARS_PER_DAY else 0.0
    )
    if daily_change <= _ROUNDING:
        return np.zeros(len(x))
    return np.asarray(np.fft.irfft(np.fft.rfft(x) * np.conj(np.fft.rfft(y)), n=len(x)) / daily_change)


def share_at_least(shuffled: FloatArray, observed: float, widening: float = 1.0) -> float:
    """P-value of an observation among shuffles, spread about their mean: itself counts as one of them."""
    spread = shuffled.mean() + widening * (shuffled - shuffled.mean())
    as_good = np.count_nonzero(spread >= observed - _ROUNDING * max(1.0, abs(observed)))
    return float((1 + as_good) / (1 + len(shuffled)))


def _less_fold_means(values: FloatArray, fold: pd.Series[int]) -> FloatArray:
    means = pd.Series(values, index=fold.index).groupby(fold.to_numpy()).transform("mean")
    return np.asarray(values - means.to_numpy())


def _circle_edges(fold: IntArray) -> IntArray:
    """Edges of folds, short ones joined with the next until far shifts exist; a short rest joins the last."""
    n = len(fold)
    edges = [0]
    for stop in (*(np.flatnonzero(np.diff(fold)) + 1).tolist(), n):
        if stop - edges[-1] >= _ROWS_PER_CIRCLE:
            edges.append(stop)
    if len(edges) == 1:
        edges.append(n)
    edges[-1] = n
    return np.array(edges, dtype=np.int64)

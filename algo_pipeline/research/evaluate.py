"""How good out-of-sample probabilities are: scores per fold and overall, with block-bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import DataValidationError, InsufficientHistoryError
from algo_pipeline.common.types import FloatArray
from algo_pipeline.research.statistics import (
    LEVEL,
    N_RESAMPLES,
    SEED,
    Interval,
    mean_block_bars,
    percentile_interval,
)

if TYPE_CHECKING:
    from algo_pipeline.research.scoring import Forecasts, ScoreTable

__all__ = ["Evaluation", "Interval", "ReliabilityBin", "RocCurve", "Score", "evaluate"]

_ROC_POINTS = 500
_USED_COLUMNS = ("probability", "outcome", "base_rate", "fold")


@dataclass(frozen=True, slots=True)
class Score:
    """Scores of one block of out-of-sample rows.

    Attributes
    ----------
    n : int
        Rows.
    auc : float
        Chance that a random row with outcome 1 has a higher probability than one with outcome 0, ties half; NaN if
        only one outcome occurs.
    log_loss, brier : float
        Mean negative log likelihood in nats; mean squared error of the probability.
    log_loss_skill, brier_skill : float
        1 − loss / loss of the base rate of each row's train part, as a fraction; above 0 is better than knowing
        nothing but that rate.
    ece : float
        Expected calibration error: mean over ten equal-mass bins, weighted by their rows, of the distance between
        mean probability and observed rate. Sampling noise alone keeps it above zero.
    base_rate : float
        Mean over rows of the train part's share of ones: the reference of the skills.
    observed_rate : float
        Share of ones in these rows, known only afterwards.
    """

    n: int
    auc: float
    log_loss: float
    log_loss_skill: float
    brier: float
    brier_skill: float
    ece: float
    base_rate: float
    observed_rate: float


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One equal-mass bin of probabilities and what came of it.

    Attributes
    ----------
    lower_edge, upper_edge : float
        Smallest and largest probability in the bin.
    mean_probability, observed_rate : float
        Of its rows; equal if the forecast is calibrated.
    n : int
        Rows.
    rate_lower, rate_upper : float
        Bounds of the observed rate, by the same block bootstrap as the scores': outcomes of overlapping labels are
        not independent, so a binomial bound would be too narrow.
    """

    lower_edge: float
    upper_edge: float
    mean_probability: float
    observed_rate: float
    n: int
    rate_lower: float
    rate_upper: float


@dataclass(frozen=True, slots=True)
class RocCurve:
    """Receiver operating characteristic from (0, 0) to (1, 1), at most 500 points."""

    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All there is to say about a recipe's out-of-sample probabilities.

    Attributes
    ----------
    oos : Score
        Over all test rows.
    folds : tuple of Score
        Per fold, in order of time.
    intervals : mapping of str to Interval
        Keyed by the score's name, of the overall scores.
    reliability : tuple of ReliabilityBin
        Ascending.
    roc : RocCurve
        Empty if only one outcome occurs.
    """

    oos: Score
    folds: tuple[Score, ...]
    intervals: Mapping[str, Interval]
    reliability: tuple[ReliabilityBin, ...]
    roc: RocCurve


def evaluate(oos: pd.DataFrame, n_resamples: int = N_RESAMPLES, seed: int = SEED) -> Evaluation:
    """Score stitched out-of-sample probabilities.

    Parameters
    ----------
    oos : pd.DataFrame
        In order of time: ``probability`` and ``base_rate`` in (0, 1), ``outcome`` 0 or 1, ``fold``.
    n_resamples : int
        Stationary-bootstrap resamples behind the intervals.
    seed : int
        Equal seeds give equal intervals.

    Returns
    -------
    Evaluation
        Intervals are at 95 %: percentiles of the resampled scores, and for ``ece`` see :func:`calibration_interval`.

    Raises
    ------
    DataValidationError
        If a value is outside its domain.
    InsufficientHistoryError
        If there is no row.
    """
    from algo_pipeline.research.scoring import bootstrap_scores, score

    _require_valid(oos)
    forecasts = _forecasts(oos)
    overall = score(forecasts)
    resampled = bootstrap_scores(forecasts, n_resamples, mean_block_bars(len(oos)), seed)
    return Evaluation(
        oos=_to_score(overall, len(oos)),
        folds=tuple(_to_score(score(_forecasts(rows)), len(rows)) for _, rows in oos.groupby("fold")),
        intervals=_intervals(overall, resampled, len(oos)),
        reliability=_reliability(forecasts, overall, resampled),
        roc=_roc(forecasts),
    )


def calibration_interval(overall: ScoreTable, resampled: ScoreTable, n: int) -> Interval:
    """Interval of the expected calibration error that the forecast would have without sampling noise.

    Noise only ever raises the error, and resampling adds it a second time, so percentiles would leave out the truth.
    By the triangle inequality the error is off by no more than the bins' gaps together are: that bounds it from
    below, down to 0 for a calibrated forecast. From above, the pivotal bound takes the noise off.
    """
    estimate, tail = float(overall.scores["ece"][0]), (1.0 - LEVEL) / 2.0
    gaps = (resampled.bin_probability - resampled.bin_outcome) - (overall.bin_probability - overall.bin_outcome)
    off = np.abs(gaps).sum(axis=1) / n
    lower = estimate - float(np.quantile(off, 1.0 - tail))
    upper = 2.0 * estimate - float(np.quantile(resampled.scores["ece"], tail))
    return Interval(max(0.0, lower), max(estimate, upper))


def _forecasts(oos: pd.DataFrame) -> Forecasts:
    from algo_pipeline.research.scoring import Forecasts

    probability, outcome, base_rate = (oos[name].to_numpy(dtype=np.float64) for name in _USED_COLUMNS[:3])
    return Forecasts.of(probability, outcome, base_rate)


def _to_score(table: ScoreTable, n: int) -> Score:
    return Score(n=n, **{name: float(values[0]) for name, values in table.scores.items()})


def _intervals(overall: ScoreTable, resampled: ScoreTable, n: int) -> dict[str, Interval]:
    intervals = {name: _interval(values) for name, values in resampled.scores.items() if name != "base_rate"}
    return {**intervals, "ece": calibration_interval(overall, resampled, n)}


def _interval(resampled: FloatArray) -> Interval:
    undefined = Interval(float("nan"), float("nan"))
    return undefined if np.isnan(resampled).all() else percentile_interval(resampled)


def _reliability(forecasts: Forecasts, overall: ScoreTable, resampled: ScoreTable) -> tuple[ReliabilityBin, ...]:
    with np.errstate(invalid="ignore"):
        rates = resampled.bin_outcome / resampled.bin_rows
    return tuple(_bin(forecasts, overall, rates[:, k], k) for k in range(forecasts.n_bins))


def _bin(forecasts: Forecasts, overall: ScoreTable, resampled_rates: FloatArray, k: int) -> ReliabilityBin:
    n = int(overall.bin_rows[0, k])
    bounds = percentile_interval(resampled_rates)
    return ReliabilityBin(
        lower_edge=float(forecasts.probability[forecasts.cuts[k]]),
        upper_edge=float(forecasts.probability[forecasts.cuts[k + 1] - 1]),
        mean_probability=float(overall.bin_probability[0, k]) / n,
        observed_rate=float(overall.bin_outcome[0, k]) / n,
        n=n,
        rate_lower=bounds.lower,
        rate_upper=bounds.upper,
    )


def _roc(forecasts: Forecasts) -> RocCurve:
    outcome = forecasts.outcome[::-1]
    ones, zeros = np.cumsum(outcome), np.cumsum(1.0 - outcome)
    if ones[-1] == 0 or zeros[-1] == 0:
        return RocCurve((), ())
    # Descending, a tie ends where the row before it in ascending order ends one.
    corners = np.flatnonzero(np.append(forecasts.tie_ends[:-1][::-1], True))
    if len(corners) > _ROC_POINTS - 1:
        corners = corners[np.unique(np.linspace(0, len(corners) - 1, _ROC_POINTS - 1).round().astype(np.int64))]
    return RocCurve(
        (0.0, *(zeros[corners] / zeros[-1]).tolist()),
        (0.0, *(ones[corners] / ones[-1]).tolist()),
    )


def _require_valid(oos: pd.DataFrame) -> None:
    missing = [name for name in _USED_COLUMNS if name not in oos.columns]
    if missing:
        raise DataValidationError(f"Out-of-sample rows need the columns {', '.join(_USED_COLUMNS)}; missing {missing}.")
    if oos.empty:
        raise InsufficientHistoryError("There is no out-of-sample row to evaluate.", "Provide a longer history.")
    rates = oos[["probability", "base_rate"]].to_numpy(dtype=np.float64)
    if not ((rates > 0.0) & (rates < 1.0)).all():
        raise DataValidationError("Probabilities and base rates must be above 0 and below 1.", "Clip them first.")
    if not oos["outcome"].isin((0.0, 1.0)).all():
        raise DataValidationError("Outcomes must be 0 or 1.", "Leave out rows whose outcome is not known yet.")

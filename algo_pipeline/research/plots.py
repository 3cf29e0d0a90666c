"""Pictures of splits, models and probabilities as PNG bytes, for Dagster's and MLflow's pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from algo_pipeline.common.formatting import number
from algo_pipeline.common.plotting import (
    DEPLOYED,
    GAIN,
    HOLD,
    INK,
    LOSS,
    STRATEGY,
    WIDTH_PX,
    legend,
    new_figure,
    percent_axis,
    plot_times,
    time_axis,
    to_png,
)
from algo_pipeline.common.time import BAR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from algo_pipeline.research.evaluate import Evaluation
    from algo_pipeline.research.splits import Fold, SplitPlan

TOP_WEIGHTS = 20
_CORRELATION_ROWS = 2_000
_PARTS = (("base", HOLD, "model"), ("calibration", DEPLOYED, "calibrator"), ("test", STRATEGY, "test"))


def reliability_diagram(evaluation: Evaluation, title: str = "Reliability") -> bytes:
    """Observed rate against mean probability per bin with its bounds, above the number of rows in each."""
    bins = evaluation.reliability
    predicted = np.array([b.mean_probability for b in bins])
    observed = np.array([b.observed_rate for b in bins])
    bounds = np.array([[b.observed_rate - b.rate_lower, b.rate_upper - b.observed_rate] for b in bins])
    figure, (upper, lower) = new_figure(title, rows=(3.2, 1.0), left=0.115)
    if bins:
        low, high = min(predicted.min(), observed.min()), max(predicted.max(), observed.max())
        upper.plot([low, high], [low, high], color=HOLD, linewidth=1.0, label="calibrated")
        errors = np.clip(np.nan_to_num(bounds), 0.0, None).T
        upper.errorbar(predicted, observed, errors, fmt="o", markersize=4.5, color=STRATEGY, linewidth=1.2)
        lower.bar(predicted, [b.n for b in bins], width=0.6 * (high - low) / (len(bins) + 1) or 0.01, color=HOLD)
        legend(upper)
    percent_axis(upper, digits=0)
    percent_axis(lower, "x", digits=0)
    upper.set_ylabel("observed")
    lower.set_ylabel("hours")
    return to_png(figure)


def roc_curve(evaluation: Evaluation, title: str = "ROC") -> bytes:
    """True against false positive rate over all thresholds, with the area under it."""
    roc = evaluation.roc
    figure, (axis,) = new_figure(f"{title}: area {number(evaluation.oos.auc, 4)}", left=0.115)
    axis.plot([0, 1], [0, 1], color=HOLD, linewidth=1.0, label="chance")
    axis.plot(roc.false_positive_rate, roc.true_positive_rate, color=STRATEGY, linewidth=1.4, label="model")
    axis.set_ylabel("true positive rate")
    for which in "xy":
        percent_axis(axis, which, digits=0)
    legend(axis)
    return to_png(figure)


def fold_timeline(plan: SplitPlan, timestamps: pd.DatetimeIndex, title: str = "Folds") -> bytes:
    """What each fold fits on, calibrates on and is tested on, in time; the production fold at the bottom.

    Parameters
    ----------
    plan : SplitPlan
        The folds as row positions.
    timestamps : DatetimeIndex of shape (n_rows,)
        Open times of the dataset's rows.
    title : str
        Shown above.
    """
    figure, (axis,) = new_figure(title, left=0.13)
    folds = plan.all_folds
    for row, fold in enumerate(folds):
        _draw_fold(axis, row, fold, timestamps)
    axis.set_yticks(range(len(folds)), [*(f"fold {k}" for k in range(len(plan.folds))), "production"])
    axis.set_ylim(len(folds) - 0.4, -0.6)
    axis.grid(visible=False)
    axis.xaxis_date()
    time_axis(axis)
    legend(axis)
    return to_png(figure)


def feature_weights(weights: pd.Series, top: int = TOP_WEIGHTS, title: str = "Feature weights") -> bytes:
    """The largest weights by size, signed; ``weights`` has shape (n_features,), indexed by feature."""
    largest = weights.iloc[np.argsort(-weights.abs().to_numpy(), kind="stable")[:top]]
    values = largest.to_numpy(dtype=np.float64)
    figure, (axis,) = new_figure(title, left=0.24)
    axis.barh(range(len(values)), values, height=0.7, color=np.where(values > 0, GAIN, LOSS))
    axis.set_yticks(range(len(values)), list(largest.index))
    axis.tick_params(axis="y", labelsize=7)
    axis.invert_yaxis()
    axis.grid(visible=False)
    axis.axvline(0.0, color=HOLD, linewidth=1.0)
    return to_png(figure)


def probability_histogram(
    probability: pd.Series, thresholds: Sequence[float] = (), title: str = "Probabilities"
) -> bytes:
    """How often each probability was given; ``thresholds`` are marked; NaN is left out."""
    figure, (axis,) = new_figure(title, left=0.115)
    axis.hist(probability.dropna().to_numpy(), bins=60, color=STRATEGY, alpha=0.8, rwidth=0.92)
    for threshold in thresholds:
        axis.axvline(threshold, color=DEPLOYED, linewidth=1.6, linestyle="--")
    percent_axis(axis, "x", digits=0)
    axis.set_ylabel("hours")
    return to_png(figure)


def feature_correlation(features: pd.DataFrame, title: str = "Rank correlation of features") -> bytes:
    """Spearman correlation of every pair of columns, on at most 2,000 evenly spaced rows without NaN.

    Blank below two such rows.
    """
    rows = features.dropna()
    ranks = rows.iloc[:: -(-len(rows) // _CORRELATION_ROWS) or 1].rank().to_numpy(dtype=np.float64)
    correlation = np.full((features.shape[1], features.shape[1]), np.nan)
    if len(ranks) > 1:
        with np.errstate(invalid="ignore", divide="ignore"):
            correlation = np.corrcoef(ranks, rowvar=False)
    figure, (axis,) = new_figure(title, left=0.2, right=0.9, height_px=WIDTH_PX)
    image = axis.imshow(correlation, cmap="RdBu", vmin=-1.0, vmax=1.0, aspect="auto", interpolation="nearest")
    axis.set_yticks(range(len(features.columns)), list(features.columns))
    axis.set_xticks([])
    axis.tick_params(axis="y", labelsize=7.5, pad=3, labelcolor=INK)
    axis.grid(visible=False)
    scale = figure.add_axes((0.92, 0.06, 0.018, 0.88))
    figure.colorbar(image, cax=scale, ticks=[-1, 0, 1]).outline.set_visible(False)
    scale.tick_params(length=0, labelsize=8, pad=3)
    return to_png(figure)


def _draw_fold(axis: Axes, row: int, fold: Fold, timestamps: pd.DatetimeIndex) -> None:
    for part, colour, label in _PARTS:
        rows: slice = getattr(fold, part)
        if rows.stop <= rows.start:
            continue
        edges = plot_times(pd.DatetimeIndex([timestamps[rows.start], timestamps[rows.stop - 1] + BAR]))
        width = edges[1] - edges[0]
        axis.barh(row, width, left=edges[0], height=0.62, color=colour, label=label if row == 0 else None)

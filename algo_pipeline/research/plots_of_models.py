"""Pictures of what models learnt and how they compare, as PNG bytes, for Dagster's and MLflow's pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

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
from algo_pipeline.common.types import FloatArray
from algo_pipeline.research.statistics import log_loss_differences

TOP_FEATURES = 25


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean difference with its interval, as the gate judges it."""

    name: str
    mean: float
    lower: float
    upper: float


def weights_by_fold(weights: pd.DataFrame, title: str = "Feature weights in every fold") -> bytes:
    """A heat map of the largest weights, each fold's model in a column: what is stable is one colour from side to side.

    Parameters
    ----------
    weights : DataFrame of shape (n_features, n_folds)
        Signed.
    title : str
        Shown above.
    """
    order = np.argsort(-weights.abs().mean(axis=1).to_numpy(), kind="stable")[:TOP_FEATURES]
    shown = weights.iloc[order]
    reach = float(np.nanmax(np.abs(shown.to_numpy()))) if shown.size else 1.0
    figure, (axis,) = new_figure(title, left=0.3, right=0.88, height_px=WIDTH_PX * 3 // 4)
    image = axis.imshow(shown.to_numpy(), cmap="RdBu", vmin=-reach or -1.0, vmax=reach or 1.0, aspect="auto")
    axis.set_yticks(range(len(shown)), list(shown.index))
    axis.set_xticks(range(shown.shape[1]), [name.replace("production", "live") for name in shown.columns])
    axis.tick_params(axis="y", labelsize=7, pad=3, labelcolor=INK)
    axis.grid(visible=False)
    scale = figure.add_axes((0.905, 0.07, 0.018, 0.85))
    figure.colorbar(image, cax=scale).outline.set_visible(False)
    scale.tick_params(length=0, labelsize=7.5, pad=3)
    return to_png(figure)


def calibration_maps(maps: Sequence[tuple[FloatArray, FloatArray]], title: str = "Calibrated against raw") -> bytes:
    """What each calibrator makes of its model's probabilities; the production one is drawn last and strongest.

    Parameters
    ----------
    maps : sequence of (before, after)
        Probabilities of the rows that a calibrator learnt from, both of shape (n,), by fold.
    title : str
        Shown above.
    """
    figure, (axis,) = new_figure(title, left=0.115)
    for number, (before, after) in enumerate(maps):
        order = np.argsort(before, kind="stable")
        is_last = number == len(maps) - 1
        label = "production" if is_last else "folds" if number == 0 else None
        colour, width = (STRATEGY, 2.0) if is_last else (DEPLOYED, 0.8)
        axis.plot(before[order], after[order], color=colour, linewidth=width, label=label)
    everything = np.concatenate([before for before, _ in maps]) if maps else np.array([0.0, 1.0])
    edges = [float(everything.min()), float(everything.max())]
    axis.plot(edges, edges, color=HOLD, linewidth=1.0, linestyle="--", label="unchanged")
    for which in "xy":
        percent_axis(axis, which, digits=0)
    axis.set_ylabel("calibrated")
    legend(axis)
    return to_png(figure)


def loss_difference(oos: pd.DataFrame, other: pd.DataFrame, names: tuple[str, str], title: str) -> bytes:
    """The running sum of ``oos``' log loss less ``other``'s: it falls while ``oos`` is better.

    Parameters
    ----------
    oos, other : DataFrame
        Out-of-sample probabilities of the same rows.
    names : tuple of str
        What to call them.
    title : str
        Shown above.
    """
    running = running_difference(oos, other)
    figure, (axis,) = new_figure(title, left=0.115)
    axis.axhline(0.0, color=HOLD, linewidth=1.0)
    axis.plot(plot_times(running.index), running.to_numpy(), color=STRATEGY, linewidth=1.2)
    axis.set_ylabel(f"nats, {names[0]} less {names[1]}")
    time_axis(axis)
    return to_png(figure)


def running_difference(oos: pd.DataFrame, other: pd.DataFrame) -> pd.Series:
    """Sum so far of ``oos``' log loss less ``other``'s, in nats; errors as of ``compare_log_loss``."""
    return pd.Series(np.cumsum(log_loss_differences(oos, other)), index=oos.index, name="difference")


def differences_in(figures: Mapping[str, object]) -> tuple[Difference, ...]:
    """The differences of log loss among a gate's figures: those with an interval, ``x_lower`` to ``x_upper``."""
    found = []
    for name, mean in figures.items():
        lower, upper = figures.get(f"{name}_lower"), figures.get(f"{name}_upper")
        if isinstance(mean, float) and isinstance(lower, float) and isinstance(upper, float):
            found.append(Difference(name.replace("log_loss_minus_", "against ").replace("_", " "), mean, lower, upper))
    return tuple(found)


def intervals(differences: Sequence[Difference], title: str) -> bytes:
    """Mean differences with their intervals, beside nought: what lies to its left is better."""
    height = 110 + 44 * max(len(differences), 1)
    figure, (axis,) = new_figure(title, left=0.3, height_px=height)
    axis.axvline(0.0, color=HOLD, linewidth=1.2)
    for row, each in enumerate(differences):
        colour = GAIN if each.upper < 0 else LOSS if each.lower > 0 else DEPLOYED
        axis.plot([each.lower, each.upper], [row, row], color=colour, linewidth=5, solid_capstyle="round", alpha=0.5)
        axis.plot([each.mean], [row], marker="o", color=colour, markersize=7)
    axis.set_yticks(range(len(differences)), [each.name for each in differences])
    axis.set_ylim(len(differences) - 0.4, -0.6)
    axis.tick_params(axis="y", labelcolor=INK)
    axis.grid(visible=False)
    axis.locator_params(axis="x", nbins=5)
    return to_png(figure)

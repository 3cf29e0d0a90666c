"""Small pictures of the stages of research, to be seen at once on Dagster's pages; the plots have the detail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from algo_pipeline.common.formatting import percent
from algo_pipeline.common.miniature import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    RED,
    Blocks,
    Dots,
    Line,
    Miniature,
    Note,
)
from algo_pipeline.common.time import BAR
from algo_pipeline.common.types import FloatArray
from algo_pipeline.research.evaluate import Evaluation
from algo_pipeline.research.plots_of_data import monthly_balance
from algo_pipeline.research.plots_of_models import Difference
from algo_pipeline.research.splits import Fold, SplitPlan

_PERIODS = 60
_MOST_ROWS = 10
_BINS = 40


def completeness(features: pd.DataFrame) -> str:
    """The share of rows that have every feature, over time."""
    complete = features.notna().all(axis=1).to_numpy()
    shares = [
        float(part.mean()) for part in np.array_split(complete, min(_PERIODS, max(len(complete), 1))) if len(part)
    ]
    words = f"{percent(float(complete.mean()) if len(complete) else None, 2)} of rows complete"
    title = "rows with every feature, over time"
    return Miniature(title, (Line(shares, GREEN),), notes=(Note(0.0, 0.95, words),), low=0.0, high=1.05).markdown()


def balance(target: pd.Series) -> str:
    """The share of ones by month, beside one half."""
    rates, _ = monthly_balance(target.to_frame())
    values = rates.iloc[:, 0].to_numpy() if len(rates.columns) else np.full(2, np.nan)
    reach = 1.15 * max(float(np.nanmax(np.abs(values - 0.5))) if np.isfinite(values).any() else 0.0, 0.02)
    words = (
        Note(0.0, 0.13, percent(0.5 + reach, 0)),
        Note(0.0, 0.96, percent(0.5 - reach, 0)),
        Note(1.0, 0.13, f"mean {percent(float(target.mean()), 2)}", ends=True),
    )
    lines = (Line([0.5] * 2, GREY), Line(values, BLUE))
    title = f"share of ones of {target.name} by month"
    return Miniature(title, lines, notes=words, low=0.5 - reach, high=0.5 + reach).markdown()


def folds(plan: SplitPlan, timestamps: pd.DatetimeIndex) -> str:
    """What each fold fits on (grey), calibrates on (orange) and is tested on (blue), in time; at most ten folds."""
    shown = plan.all_folds[-_MOST_ROWS:]
    colours = {"base": PALE, "calibration": ORANGE, "test": BLUE}
    blocks = [
        Blocks(
            [
                corner
                for row, fold in enumerate(shown)
                for corner in _fold_block(fold, part, row / len(shown), (row + 0.7) / len(shown), timestamps)
            ],
            colour,
        )
        for part, colour in colours.items()
    ]
    return Miniature("folds: fitted, calibrated, tested", blocks=blocks).markdown()


def weights(values: pd.Series) -> str:
    """The largest weights from left to right by size, positive ones green and negative ones red."""
    largest = values.iloc[np.argsort(-values.abs().to_numpy(), kind="stable")[:_MOST_ROWS]]
    reach = float(largest.abs().max()) or 1.0
    width = 1.0 / max(len(largest), 1)
    corners: dict[bool, list[tuple[float, float, float, float]]] = {True: [], False: []}
    for place, weight in enumerate(largest):
        top, bottom = (0.5 - 0.35 * weight / reach, 0.5) if weight > 0 else (0.5, 0.5 - 0.35 * weight / reach)
        corners[bool(weight > 0)].append(((place + 0.1) * width, (place + 0.9) * width, top, bottom))
    words = (Note(0.0, 0.96, f"{largest.index[0]} counts most") if len(largest) else Note(0.0, 0.96, ""),)
    return Miniature(
        "largest feature weights", blocks=(Blocks(corners[True], GREEN), Blocks(corners[False], RED)), notes=words
    ).markdown()


def calibration(before: FloatArray, after: FloatArray) -> str:
    """What the production calibrator makes of its model's probabilities, beside leaving them as they are."""
    order = np.argsort(before, kind="stable")
    grid = np.linspace(before.min(), before.max(), _BINS)
    mapped = np.interp(grid, before[order], after[order])
    ends = f"{percent(float(before.min()), 0)} to {percent(float(before.max()), 0)}"
    becomes = f"{percent(float(after.min()), 0)} to {percent(float(after.max()), 0)}"
    words = (Note(0.0, 0.13, f"{ends} become {becomes}"),)
    return Miniature("calibrated against raw probability", (Line(grid, GREY), Line(mapped)), notes=words).markdown()


def histogram(probability: pd.Series) -> str:
    """How often each probability was given."""
    known = probability.dropna().to_numpy()
    counts, edges = np.histogram(known, bins=_BINS)
    tallest = max(int(counts.max()), 1)
    corners = [
        (place / _BINS, (place + 0.8) / _BINS, 0.82 * (1 - n / tallest), 0.82) for place, n in enumerate(counts) if n
    ]
    words = (
        Note(0.0, 0.96, percent(float(edges[0]), 0)),
        Note(1.0, 0.96, percent(float(edges[-1]), 0), ends=True),
    )
    return Miniature("how often each probability was given", blocks=(Blocks(corners, BLUE),), notes=words).markdown()


def reliability(evaluation: Evaluation) -> str:
    """Observed rates beside mean probabilities of the bins: on the line is calibrated."""
    bins = evaluation.reliability
    means = np.array([each.mean_probability for each in bins])
    observed = [each.observed_rate for each in bins]
    words = (Note(0.0, 0.13, f"ECE {percent(evaluation.oos.ece, 2)}, AUC {evaluation.oos.auc:.3f}"),)
    if not len(means) or means.max() <= means.min():
        return Miniature("observed against predicted", notes=words).markdown()
    positions = list((means - means.min()) / (means.max() - means.min()))
    diagonal = Line([float(means.min()), float(means.max())], GREY)
    return Miniature("observed against predicted", (diagonal,), (Dots(positions, observed),), notes=words).markdown()


def ranking(skills: Sequence[float], words: str) -> str:
    """Skills from the best to the worst, beside none; at most 40 of them are drawn."""
    known = np.sort(np.array([skill for skill in skills if np.isfinite(skill)]))[::-1]
    shown = known[np.linspace(0, len(known) - 1, min(len(known), _BINS)).round().astype(int)] if len(known) else known
    dots = Dots([float(place) for place in np.linspace(0.0, 1.0, len(shown))], shown.tolist())
    notes = (Note(1.0, 0.13, words, ends=True),)
    return Miniature("skill from the best to the worst", (Line([0.0, 0.0], GREY),), (dots,), notes=notes).markdown()


def best_so_far(skills: Sequence[float], words: str) -> str:
    """Every trial's skill (grey) and the best until then (blue), in the order of trials."""
    values = np.array(skills, dtype=np.float64)
    best = np.fmax.accumulate(values) if len(values) else values
    notes = (Note(1.0, 0.96, words, ends=True),)
    return Miniature(
        "skill of trials, and the best so far", (Line(values, GREY), Line(best, BLUE)), notes=notes
    ).markdown()


def running(values: pd.Series, words: str) -> str:
    """A running sum beside nought."""
    return Miniature(
        str(values.name), (Line([0.0, 0.0], GREY), Line(values.to_numpy())), notes=(Note(0.0, 0.13, words),)
    ).markdown()


def gate(differences: Sequence[Difference]) -> str:
    """The intervals that the gate judged, beside nought: what lies to its left is better."""
    known = [each for each in differences if np.isfinite([each.mean, each.lower, each.upper]).all()][:3]
    if not known:
        return Miniature("what the gate compared", notes=(Note(0.0, 0.5, "nothing to compare"),)).markdown()
    low, high = min(0.0, *(each.lower for each in known)), max(0.0, *(each.upper for each in known))
    length = (high - low) or 1.0
    blocks, words = [Blocks([(-low / length, -low / length + 0.003, 0.0, 1.0)], GREY)], []
    for row, each in enumerate(known):
        left, right = (each.lower - low) / length, (each.upper - low) / length
        blocks.append(Blocks([(left, right, (row + 0.45) / len(known), (row + 0.75) / len(known))], colour_of(each)))
        words.append(Note(0.0, (row + 0.33) / len(known), f"{each.name}: {each.mean:.5f}"))
    return Miniature("what the gate compared", blocks=blocks, notes=words).markdown()


def colour_of(difference: Difference) -> str:
    """Green where the interval lies below nought, red above it, orange across it."""
    return GREEN if difference.upper < 0 else RED if difference.lower > 0 else ORANGE


def _fold_block(
    fold: Fold, part: str, top: float, bottom: float, timestamps: pd.DatetimeIndex
) -> list[tuple[float, float, float, float]]:
    rows: slice = getattr(fold, part)
    if rows.stop <= rows.start:
        return []
    start, length = timestamps[0], (timestamps[-1] + BAR - timestamps[0]) / BAR
    left, right = (timestamps[rows.start] - start) / BAR, (timestamps[rows.stop - 1] + BAR - start) / BAR
    return [(left / length, right / length, top, bottom)]

"""Out-of-sample skill of recipes on real markets, before and after: ``python -m benchmarks.skill``.

Every Parquet file of the folder TEST_BARS_DIR is a market. Each recipe is walked forward over its whole history, over
each calendar year alone, over the newest 8,000 bars, and over 8,000 bars at random places. Features of a part are warm
from its first row.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import DataValidationError, InsufficientHistoryError
from algo_pipeline.data.features import build_features
from algo_pipeline.data.labels import LABELS, build_labels
from algo_pipeline.research.dataset import build_dataset
from algo_pipeline.research.evaluate import Evaluation, evaluate
from algo_pipeline.research.splits import walk_forward
from algo_pipeline.research.train import Recipe, fit_calibrators, fit_models, stitch_probabilities
from benchmarks.markets import read_bars, real_bars_dir

LABEL_NAMES = tuple(spec.name for spec in LABELS if spec.is_binary)
RECIPES: Mapping[str, Recipe] = {
    "before": Recipe("logistic", "platt"),
    "after": Recipe("scaled_logistic", "shrunk", sample_weight="uniqueness"),
    "boosting": Recipe("boosting", "platt"),
    "lightgbm": Recipe("lightgbm", "shrunk", sample_weight="uniqueness"),
    "ensemble": Recipe("ensemble", "shrunk", sample_weight="uniqueness"),
}
_SHORT_BARS = 8_000
_YEAR_BARS = 8_760
_RANDOM_PLACES = 6
_RESAMPLES = 500


@dataclass(frozen=True)
class Market:
    """Features and labels of one market, computed once."""

    name: str
    features: pd.DataFrame
    labels: pd.DataFrame

    @classmethod
    def read(cls, path: Path) -> Market:
        """Read one file of bars."""
        bars = read_bars(path)
        return cls(path.stem.removesuffix("_1h"), build_features(bars), build_labels(bars))


@dataclass(frozen=True)
class Finding:
    """One recipe on one label of one part of a market."""

    market: str
    part: str
    label: str
    recipe: str
    evaluation: Evaluation

    @property
    def skill(self) -> float:
        """Log-loss skill in percent."""
        return 100.0 * self.evaluation.oos.log_loss_skill

    @property
    def bounds(self) -> tuple[float, float]:
        """Its 95 % interval in percent."""
        interval = self.evaluation.intervals["log_loss_skill"]
        return 100.0 * interval.lower, 100.0 * interval.upper


def parts(index: pd.DatetimeIndex) -> Iterator[tuple[str, slice]]:
    """Parts of a history by the kind of part, as positions; the random places depend on its length alone."""
    n = len(index)
    yield "whole", slice(0, n)
    years = index.year.to_numpy()
    for year in np.unique(years):
        rows = np.flatnonzero(years == year)
        yield "one year", slice(int(rows[0]), int(rows[-1]) + 1)
    yield "newest 8,000 bars", slice(max(0, n - _SHORT_BARS), n)
    for start in np.random.default_rng(0).integers(0, max(1, n - _SHORT_BARS), _RANDOM_PLACES):
        yield "random 8,000 bars", slice(int(start), int(start) + _SHORT_BARS)


def findings(market: Market, recipes: Sequence[str]) -> Iterator[Finding]:
    """Every recipe on every label and part; parts too short for the folds are left out."""
    for part, rows in parts(pd.DatetimeIndex(market.features.index)):
        for label in LABEL_NAMES:
            for name in recipes:
                try:
                    oos = _walk(market, rows, label, RECIPES[name])
                except (InsufficientHistoryError, DataValidationError):
                    continue
                yield Finding(market.name, part, label, name, evaluate(oos, _RESAMPLES))
                if part == "whole":
                    newest = evaluate(oos.iloc[-_YEAR_BARS:], _RESAMPLES)
                    yield Finding(market.name, "newest year, after all before it", label, name, newest)


def whole_table(found: Sequence[Finding]) -> str:
    """A line per market, label and recipe: the whole history."""
    lines = [
        "| market | label | recipe | log-loss skill, % | 95 % interval | AUC | ECE |",
        "|---|---|---|---|---|---|---|",
    ]
    lines.extend(
        f"| {each.market} | `{each.label}` | {each.recipe} | {each.skill:.2f} | {each.bounds[0]:.2f} to"
        f" {each.bounds[1]:.2f} | {each.evaluation.oos.auc:.4f} | {each.evaluation.oos.ece:.4f} |"
        for each in found
        if each.part == "whole"
    )
    return "\n".join(lines)


def part_table(found: Sequence[Finding]) -> str:
    """A line per kind of part, label and recipe: how many, mean, worst, and how many are worse than the base rate."""
    lines = [
        "| history | label | recipe | histories | mean skill, % | worst, % | below 0 | interval below 0 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for each in found:
        groups.setdefault((each.part, each.label, each.recipe), []).append(each)
    for (part, label, recipe), group in groups.items():
        skills = np.array([each.skill for each in group])
        surely = sum(each.bounds[1] < 0.0 for each in group)
        lines.append(
            f"| {part} | `{label}` | {recipe} | {len(group)} | {skills.mean():.2f} | {skills.min():.2f} |"
            f" {int((skills < 0.0).sum())} | {surely} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.skill", description=__doc__)
    parser.add_argument("--recipes", default="before,after", help=f"of {','.join(RECIPES)}")
    names = parser.parse_args(arguments).recipes.split(",")
    paths = sorted(real_bars_dir().glob("*_1h.parquet"))
    if not paths:
        sys.exit("No *_1h.parquet files: set TEST_BARS_DIR to a folder of hourly bars.")
    found = [each for path in paths for each in findings(Market.read(path), names)]
    print(f"{whole_table(found)}\n\n{part_table(found)}")


def _walk(market: Market, rows: slice, label: str, recipe: Recipe) -> pd.DataFrame:
    recipe = Recipe(recipe.model_kind, recipe.calibrator, label, recipe.split, recipe.parameters, recipe.sample_weight)
    features, labels = market.features.iloc[rows], market.labels.iloc[rows]
    # The last labels of a part look beyond it, as if the hours after it were not there they are left out.
    known = len(labels) - recipe.label_spec.last_bar_read
    dataset = build_dataset(features.iloc[:known], labels.iloc[:known], recipe.label_spec)
    plan = walk_forward(len(dataset), dataset.label, recipe.split)
    calibrated = fit_calibrators(dataset, plan, recipe, fit_models(dataset, plan, recipe))
    return stitch_probabilities(dataset, plan, calibrated)


if __name__ == "__main__":
    main()

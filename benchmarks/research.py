"""Speed of one symbol's research path, stage by stage, without Dagster and MLflow, in one warm process.

Run ``python -m benchmarks.research [bars.parquet]``; without a file it uses a random walk of the same length. Prints
two tables: milliseconds per stage for each recipe, and the bootstrap alone.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pandas as pd

from algo_pipeline.data.features import build_features
from algo_pipeline.data.labels import build_labels
from algo_pipeline.research.dataset import build_dataset
from algo_pipeline.research.evaluate import evaluate
from algo_pipeline.research.pipeline import run_research
from algo_pipeline.research.splits import walk_forward
from algo_pipeline.research.statistics import compare_with_base_rate
from algo_pipeline.research.train import Recipe, fit_calibrators, fit_models, stitch_probabilities
from benchmarks.features import simulated_bars

N_BARS = 37_660
ROUNDS = 7
RECIPES = (Recipe("logistic", "platt"), Recipe("logistic", "isotonic"), Recipe("boosting", "platt"))

Result = TypeVar("Result")


class Stopwatch:
    """Seconds per named stage, over several rounds."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = {}

    def time(self, stage: str, run: Callable[..., Result], *arguments: object) -> Result:
        """Call ``run`` with the arguments and record its time under the stage's name."""
        start = time.perf_counter()
        result = run(*arguments)
        self._seconds.setdefault(stage, []).append(time.perf_counter() - start)
        return result

    def medians_ms(self) -> dict[str, float]:
        """Median milliseconds per stage."""
        return {stage: 1e3 * statistics.median(seconds) for stage, seconds in self._seconds.items()}


def main() -> None:
    """Print the tables."""
    bars = load_bars(Path(sys.argv[1])) if len(sys.argv) > 1 else simulated_bars(N_BARS)
    for number, recipe in enumerate(RECIPES):
        run_research(bars, recipe)  # compiles and warms up
        stages = stage_times(bars, recipe, ROUNDS if recipe.model_kind == "logistic" else 3)
        if number == 0:
            print(f"{len(bars):,} bars, median ms\n{'recipe':<20}" + "".join(f"{name:>12}" for name in stages))
        print(f"{recipe.describe():<20}" + "".join(f"{value:>12.1f}" for value in stages.values()), flush=True)
    print_bootstrap(bars)


def load_bars(path: Path) -> pd.DataFrame:
    """Bars of a Parquet file with a ``timestamp`` column."""
    return pd.read_parquet(path).set_index("timestamp")


def stage_times(bars: pd.DataFrame, recipe: Recipe, rounds: int) -> dict[str, float]:
    """Median milliseconds of each stage and of the whole path."""
    watch = Stopwatch()
    for _ in range(rounds):
        features = watch.time("features", build_features, bars)
        labels = watch.time("labels", build_labels, bars)
        dataset = watch.time("dataset", build_dataset, features, labels, recipe.label_spec)
        plan = watch.time("splits", walk_forward, len(dataset), dataset.label, recipe.split)
        models = watch.time("models", fit_models, dataset, plan, recipe)
        calibrated = watch.time("calibrators", fit_calibrators, dataset, plan, recipe, models)
        oos = watch.time("stitch", stitch_probabilities, dataset, plan, calibrated)
        watch.time("evaluate", evaluate, oos)
        watch.time("whole path", run_research, bars, recipe)
    return watch.medians_ms()


def print_bootstrap(bars: pd.DataFrame) -> None:
    """Cost of the block-bootstrap intervals alone."""
    oos, watch = run_research(bars, RECIPES[0]).oos, Stopwatch()
    for _ in range(ROUNDS):
        for resamples in (500, 1000):
            watch.time(f"all scores, {resamples} resamples", evaluate, oos, resamples)
        watch.time("paired log loss, 1000 resamples", compare_with_base_rate, oos)
    print(f"\n{len(oos):,} out-of-sample rows, median ms")
    for name, value in watch.medians_ms().items():
        print(f"{name:<40}{value:>10.1f}")


if __name__ == "__main__":
    main()

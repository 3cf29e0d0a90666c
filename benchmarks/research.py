"""One symbol's research path, stage by stage, without Dagster and MLflow, in one warm process. It has no rival."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
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
from benchmarks.harness import Row, row, table
from benchmarks.markets import N_REAL_BARS
from benchmarks.session import Session

RECIPES = (Recipe("logistic", "platt"), Recipe("logistic", "isotonic"), Recipe("boosting", "platt"))
_WHOLE = "whole path"

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

    def rows(self, prefix: str, size: int, whole: str) -> list[Row]:
        """A line per stage; the ratio is to the stage named ``whole``."""
        reference = statistics.median(self._seconds[whole])
        return [row(f"{prefix}: {stage}", size, laps, reference) for stage, laps in self._seconds.items()]


def report(session: Session) -> str:
    """The table."""
    return table(f"Research path of one symbol; ratio: to the {_WHOLE}", rows(session))


def rows(session: Session) -> list[Row]:
    """A line per recipe and stage, and what the bootstrap intervals take alone."""
    rounds = 1 if session.quick else 5
    watches = {recipe: Stopwatch() for recipe in RECIPES}
    for number in range(rounds + 1):
        bars = session.source.bootstrap(N_REAL_BARS, number)
        for recipe, watch in watches.items():
            _time_stages(Stopwatch() if number == 0 else watch, bars, recipe)  # the first round compiles and warms up
    stages = [watch.rows(recipe.describe(), N_REAL_BARS, _WHOLE) for recipe, watch in watches.items()]
    return [*itertools.chain(*stages), *_bootstrap(session, rounds)]


def _time_stages(watch: Stopwatch, bars: pd.DataFrame, recipe: Recipe) -> None:
    watch.time(_WHOLE, run_research, bars, recipe)
    features = watch.time("features", build_features, bars)
    labels = watch.time("labels", build_labels, bars)
    dataset = watch.time("dataset", build_dataset, features, labels, recipe.label_spec)
    plan = watch.time("splits", walk_forward, len(dataset), dataset.label, recipe.split)
    models = watch.time("models", fit_models, dataset, plan, recipe)
    calibrated = watch.time("calibrators", fit_calibrators, dataset, plan, recipe, models)
    oos = watch.time("stitch", stitch_probabilities, dataset, plan, calibrated)
    watch.time("evaluate", evaluate, oos)


def _bootstrap(session: Session, rounds: int) -> list[Row]:
    watch = Stopwatch()
    for number in range(1, rounds + 1):
        oos = run_research(session.source.bootstrap(N_REAL_BARS, number), RECIPES[0]).oos
        watch.time("all scores, 500 resamples", evaluate, oos, 500)
        watch.time("all scores, 1000 resamples", evaluate, oos, 1000)
        watch.time("paired log loss, 1000 resamples", compare_with_base_rate, oos)
    return watch.rows("intervals", len(oos), "all scores, 1000 resamples")

"""Simulated markets through the whole research path, each in one call, many on all cores."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import TypeVar

import numpy as np
import pandas as pd

from algo_pipeline.backtest.evidence import Evidence, gather_evidence
from algo_pipeline.common.config import Settings
from algo_pipeline.common.types import FloatArray, Symbol
from algo_pipeline.data.feature_registry import FEATURE_NAMES
from algo_pipeline.data.features import build_features
from algo_pipeline.data.labels import build_labels
from algo_pipeline.data.simulation import GENESIS, simulate_bars
from algo_pipeline.models.calibration import Calibrator, PlattCalibrator
from algo_pipeline.research.dataset import Dataset, build_dataset
from algo_pipeline.research.pipeline import ResearchResult, run_research
from algo_pipeline.research.promotion import Candidate, Champion, Trading, judge
from algo_pipeline.research.recipe import Recipe, configured_recipe
from algo_pipeline.research.splits import walk_forward
from algo_pipeline.research.train import fit_calibrators, fit_models, stitch_probabilities

N_SHUFFLES = 199
_RESAMPLES = 100  # intervals are told, not judged here
_SYMBOL = Symbol("SIM", "USD")
_YEAR_HOURS = 8_766
_BLIND_FEATURES = ("hour_sin", "hour_cos", "weekday_sin", "weekday_cos")  # a simulated market's signs know no calendar
_Spec, _Found = TypeVar("_Spec"), TypeVar("_Found")


@dataclass(frozen=True)
class Market:
    """A simulated market by what makes it."""

    seed: int
    years: float
    signal_strength: float = 0.0
    label: str = Settings.model_fields["label"].default

    def bars(self) -> pd.DataFrame:
        """Its hourly bars."""
        end = GENESIS + pd.Timedelta(hours=round(self.years * _YEAR_HOURS))
        return simulate_bars(_SYMBOL, GENESIS, end, seed=self.seed, signal_strength=self.signal_strength)


@dataclass(frozen=True)
class Finding:
    """What the research path says of a market.

    Attributes
    ----------
    evidence : Evidence
        Behind both verdicts.
    calibration_p_value : float
        Of the traded calibrator, by :func:`calibration_p_value`. It has a prior, which makes it steadier than its
        error says: rejected at 5 % in fewer.
    free_calibration_p_value : float
        Of Platt's calibrator on the same rows of the same model: rejected at 5 % in 5 %, if all is right.
    bias : float
        Mean probability less the share of ones.
    """

    evidence: Evidence
    calibration_p_value: float
    free_calibration_p_value: float
    bias: float


def traded_recipe(label: str) -> Recipe:
    """What is traded by default, whatever the environment says, on a label."""
    return replace(configured_recipe(Settings.model_construct()), label=label)


def examine(market: Market) -> Finding:
    """Features, labels, folds, fits, calibration, probabilities, evidence: by the traded recipe and default rules."""
    bars, recipe = market.bars(), traded_recipe(market.label)
    result = run_research(bars, recipe, n_resamples=_RESAMPLES)
    evidence = gather_evidence(bars, result.oos, n_shuffles=N_SHUFFLES, seed=market.seed, evaluation=result.evaluation)
    bias = float(result.oos["probability"].mean() - result.oos["outcome"].mean())
    return Finding(evidence, calibration_p_value(result), calibration_p_value(result, PlattCalibrator()), bias)


def calibration_p_value(result: ResearchResult, calibrator: Calibrator | None = None) -> float:
    """Chance of so great a distance between the last fold's calibrator and what its test rows would have it be.

    The calibrator is the traded one or, if another is given, that one fitted on the same rows. Of hourly labels only:
    the errors take rows to be independent.

    Both are a slope and an intercept over the model's log-odds, each with its own sampling error: a Wald test with two
    degrees of freedom. A calibrator fitted on rows that its model has seen, for one, is far too steep.
    """
    fold, estimator = result.plan.folds[-1], result.calibrated[len(result.plan.folds) - 1]
    scores = estimator.decision_function(result.dataset.features)
    outcome = result.dataset.outcomes()
    own = scores[fold.calibration], outcome[fold.calibration]
    line = estimator.calibrator_ if calibrator is None else calibrator.fit(*own)
    fitted = np.array([line.mapping().intercept, line.mapping().slope])
    wanted, error = _logistic_line(scores[fold.test], outcome[fold.test])
    _, own_error = _logistic_line(*own)
    distance = fitted - wanted
    return math.exp(-0.5 * float(distance @ np.linalg.solve(error + own_error, distance)))


def equal_recipe_wins(market: Market) -> bool:
    """Whether the gate prefers one of two recipes that differ in nothing but the noise that they are given.

    Four features that can't tell anything of a simulated market are replaced by noise, another one for either.
    """
    bars, recipe = market.bars(), traded_recipe(market.label)
    dataset = build_dataset(build_features(bars), build_labels(bars), recipe.label_spec)
    plan = walk_forward(len(dataset), dataset.label, recipe.split)
    rng = np.random.default_rng(market.seed)

    def probabilities() -> pd.DataFrame:
        noise = pd.DataFrame(rng.normal(size=(len(dataset), len(_BLIND_FEATURES))), columns=list(_BLIND_FEATURES))
        features = dataset.features.assign(**{name: noise[name].to_numpy() for name in _BLIND_FEATURES})
        noisy = Dataset(features[list(FEATURE_NAMES)], dataset.target, dataset.label)
        models = fit_models(noisy, plan, recipe)
        return stitch_probabilities(noisy, plan, fit_calibrators(noisy, plan, recipe, models))

    candidate, champion = probabilities(), probabilities()
    deployed = Champion("champion", dataset.training_end, Trading.ON, champion, champion)
    return judge(Candidate("candidate", candidate), deployed).passed


def results_of(
    work: Callable[[_Spec], _Found], specs: Sequence[_Spec], processes: int, say: Callable[[str], object]
) -> list[_Found]:
    """The work done on every spec, in order, by so many processes; 1 is this one."""
    found = list[_Found]()
    for result in _results(work, specs, processes):
        found.append(result)
        if len(found) % 10 == 0:
            say(f"{len(found)} of {len(specs)} markets")
    return found


def _results(work: Callable[[_Spec], _Found], specs: Sequence[_Spec], processes: int) -> Iterator[_Found]:
    if processes == 1:
        yield from map(work, specs)
        return
    # Each process uses one core; a fork of a process that runs threads could hang.
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, specs, chunksize=2)


def _logistic_line(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Intercept and slope of an unpenalized logistic regression by Newton's method, and their covariance."""
    design = np.column_stack([np.ones(len(x)), x])
    weights = np.zeros(2)
    for _ in range(25):
        probability = 1.0 / (1.0 + np.exp(-design @ weights))
        information = design.T @ (design * (probability * (1.0 - probability))[:, None])
        weights = weights + np.linalg.solve(information, design.T @ (y - probability))
    return weights, np.linalg.inv(information)

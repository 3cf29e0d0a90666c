"""The asset checks themselves: handed what a leaking pipeline made, the one that the catalogue names fails."""

from __future__ import annotations

import inspect
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from algo_pipeline.common.config import Settings
from algo_pipeline.defs import dataset, feature_engineering, leakage, training
from algo_pipeline.defs.io_managers import Estimators
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.research.claims import CLAIMS
from algo_pipeline.research.recipe import Recipe
from algo_pipeline_tests.research.leaks.catalogue import LEAKS, Leak
from algo_pipeline_tests.research.leaks.markets import planted_market
from algo_pipeline_tests.research.leaks.stages import RULES, Run, Stages, run

_MODULES = (leakage, feature_engineering, dataset, training)


class _Configured(Pipeline):
    """The settings of a seeded run: the recipe of its label and model, and the harness's rules."""

    label: str
    model_kind: str

    def recipe(self) -> Recipe:
        return next(leak.recipe for leak in LEAKS if _key(leak.recipe) == (self.label, self.model_kind))

    def settings(self) -> Settings:
        return Settings(_env_file=None, enter_threshold=RULES.enter_threshold, exit_threshold=RULES.exit_threshold)  # type: ignore[call-arg]


def _key(recipe: Recipe) -> tuple[str, str]:
    return recipe.label, recipe.model_kind


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    return planted_market()


@pytest.fixture(scope="module")
def clean(bars: pd.DataFrame) -> Run:
    return run(bars, LEAKS[0].recipe, Stages())


def _stored(done: Run) -> dict[str, Any]:
    """What the asset checks are handed, by the names of their arguments."""
    made = done.research
    provenance = (made.recipe.hash, made.dataset.content_hash)
    return {
        "pipeline": _Configured(label=made.recipe.label, model_kind=made.recipe.model_kind),
        "raw_ohlcv": made.bars,
        "features": made.features,
        "labels": made.labels,
        "dataset": made.dataset.to_frame(),
        "splits": made.plan,
        "model": Estimators(made.models, *provenance),
        "calibrator": Estimators(made.calibrated, *provenance),
        "oos_probabilities": made.oos,
        "backtest_report": done.curve,
    }


def _result(name: str, done: Run) -> dg.AssetCheckResult:
    """Run the asset check of that name on a run's artifacts, with the pipeline's own, honest code."""
    check = next(getattr(module, name) for module in _MODULES if hasattr(module, name))
    wanted = inspect.signature(check.op.compute_fn.decorated_fn).parameters
    stored = _stored(done)
    result = check(**{argument: stored[argument] for argument in wanted})
    assert isinstance(result, dg.AssetCheckResult)
    return result


@pytest.mark.parametrize("name", [claim.name for claim in CLAIMS])
def test_a_check_passes_on_a_clean_run_and_says_what_was_tried(name: str, clean: Run) -> None:
    result = _result(name, clean)
    assert result.passed
    assert any(letter.isdigit() for letter in result.description or "")


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.name)
def test_the_check_of_every_claim_that_a_leak_breaks_fails_on_its_artifacts(leak: Leak, bars: pd.DataFrame) -> None:
    leaking = run(bars, leak.recipe, leak.inject(Stages()))
    for claim in leak.caught_by:
        result = _result(claim.name, leaking)
        assert not result.passed, claim.name
        assert result.metadata["violations"].value >= 1

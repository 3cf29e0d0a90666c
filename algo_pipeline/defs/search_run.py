"""A search from the stored dataset to its study, MLflow and the ledger; imported when it is made."""

from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import dagster as dg
import pandas as pd

from algo_pipeline.backtest.trials import backtest_trial
from algo_pipeline.common.formatting import percent
from algo_pipeline.common.storage import json_hash, to_json
from algo_pipeline.common.types import Symbol
from algo_pipeline.defs.evidence import run_variants_of
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.defs.trials import forecast_of, record_trials
from algo_pipeline.models.catalog import require_named_in_settings
from algo_pipeline.models.parameters import Parameters
from algo_pipeline.registry.records import LoggedGroup
from algo_pipeline.registry.search_record import search_group
from algo_pipeline.registry.search_study import SearchStudy
from algo_pipeline.research.dataset import Dataset
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.search import (
    SearchOutcome,
    SearchPlan,
    SearchTrial,
    conclude,
    fold_by_fold,
    judge_on_outer_folds,
    plan_search,
    pooled_skill,
)
from algo_pipeline.research.search_report import search_document, search_picture, trials_markdown
from algo_pipeline.research.search_space import point_of, recipe_at, search_space, space_document
from algo_pipeline.research.trials import TrialKind


@dataclass(frozen=True, slots=True)
class SearchWish:
    """Which kind of model is searched, for how many trials in all, by which seed."""

    model: str
    n_trials: int
    seed: int

    def base(self, traded: Recipe) -> Recipe:
        """Where the search begins: the traded recipe, by another kind's own parameters if another is searched."""
        require_named_in_settings([self.model], traded.model_kind)
        return traded if traded.model_kind == self.model else replace(traded, model_kind=self.model, parameters={})


@dataclass(frozen=True, slots=True)
class LoggedSearch:
    """What a search found and where MLflow has it."""

    outcome: SearchOutcome
    logged: LoggedGroup


@dataclass(frozen=True, slots=True)
class _Trying:
    """Evaluates points of the space on the inner folds; each counts as a trial, given up or not."""

    context: dg.AssetExecutionContext
    pipeline: Pipeline
    symbol: Symbol
    bars: pd.DataFrame
    plan: SearchPlan
    base: Recipe

    def scores(self, point: Parameters) -> Generator[float, None, None]:
        recipe, parts = recipe_at(self.base, point), list[pd.DataFrame]()
        try:
            for part in fold_by_fold(self.plan, recipe):
                parts.append(part)
                yield pooled_skill(parts)
        finally:
            if parts:
                self.count(recipe, pd.concat(parts))

    def count(self, recipe: Recipe, oos: pd.DataFrame) -> None:
        result = run_variants_of(self.pipeline, self.bars, oos).strategy
        trial = backtest_trial(forecast_of(self.pipeline, self.symbol, recipe), result, TrialKind.SEARCH)
        record_trials(self.context, self.pipeline, [trial])

    def tell(self, trial: SearchTrial) -> None:
        ended = f"given up after {trial.n_folds} folds" if trial.pruned else f"skill {percent(trial.log_loss_skill, 3)}"
        self.context.log.info(f"trial {trial.number}: {recipe_at(self.base, trial.parameters).describe()}, {ended}")


def run_search(
    context: dg.AssetExecutionContext,
    pipeline: Pipeline,
    symbol: Symbol,
    bars: pd.DataFrame,
    dataset: Dataset,
    wish: SearchWish,
) -> LoggedSearch:
    """Search on the early rows, judge the winner on the late ones, log both."""
    traded, source = pipeline.recipe(), pipeline.settings().data_source
    base, plan = wish.base(traded), plan_search(dataset, traded.split)
    trying = _Trying(context, pipeline, symbol, bars, plan, base)
    path = pipeline.settings().artifacts_dir / "search" / symbol.slug / f"{source}-{base.label}.db"
    study = _study(path, base, plan, wish)
    trials = study.run(wish.n_trials, len(plan.inner.folds), trying.scores, point_of(base), trying.tell)
    winner_recipe = recipe_at(base, _best(trials).parameters)
    judged = {
        part: judge_on_outer_folds(dataset, plan, recipe)
        for part, recipe in (("winner", winner_recipe), ("traded", traded))
    }
    trying.count(winner_recipe, judged["winner"].oos)
    n_judged = study.judge(winner_recipe.hash)
    outcome = conclude(plan, trials, judged["winner"], judged["traded"], n_judged)
    tags = {"dagster_run_id": context.run.run_id}
    group = search_group(symbol, source, outcome, judged, tags, _files(outcome))
    return LoggedSearch(outcome, pipeline.registry().log_group(group))


def _study(path: Path, base: Recipe, plan: SearchPlan, wish: SearchWish) -> SearchStudy:
    """Goes on with an earlier search only if everything that decides its trials is the same."""
    space = search_space(base.model_kind)
    identity = {
        "seen": plan.seen.content_hash,
        "inner": asdict(plan.inner.rule),
        "base": base.to_document(),
        "space": space_document(space),
        "seed": wish.seed,
    }
    return SearchStudy(path, f"{base.model_kind} {json_hash(identity)[:16]}", space, wish.seed)


def _best(trials: tuple[SearchTrial, ...]) -> SearchTrial:
    """The best of those that were evaluated on all folds; the first of equals. The first trial is never pruned."""
    return max((trial for trial in trials if not trial.pruned), key=lambda trial: trial.log_loss_skill)


def _files(outcome: SearchOutcome) -> dict[str, bytes]:
    return {
        "search.md": f"{outcome.describe()}\n\n{trials_markdown(outcome)}\n".encode(),
        "search.json": to_json(search_document(outcome)).encode(),
        "search.png": search_picture(outcome),
    }

"""A leaderboard from stored features and labels to MLflow and the ledger; imported when it is made."""

import time
from dataclasses import dataclass, replace

import dagster as dg
import pandas as pd

from algo_pipeline.backtest.trials import backtest_trial
from algo_pipeline.common.formatting import percent
from algo_pipeline.common.progress import tell
from algo_pipeline.common.storage import to_json
from algo_pipeline.common.types import Symbol
from algo_pipeline.defs.evidence import run_variants_of
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.defs.trials import forecast_of, record_trials
from algo_pipeline.models.catalog import CALIBRATOR_KINDS, MODEL_KINDS, require_named_in_settings
from algo_pipeline.registry.leaderboard_record import leaderboard_group
from algo_pipeline.registry.records import LoggedGroup
from algo_pipeline.research.candidates import BINARY_LABELS, EvaluatedRecipe, evaluate_recipes, kinds_for, line_up
from algo_pipeline.research.leaderboard import Leaderboard, build_leaderboard
from algo_pipeline.research.leaderboard_report import leaderboard_document, leaderboard_markdown, leaderboard_picture
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.trials import TrialKind


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be compared, by name; an empty tuple means all there are."""

    labels: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    calibrators: tuple[str, ...] = ()

    def line_up(self, traded: Recipe) -> tuple[Recipe, ...]:
        """The candidates, on the folds of the traded recipe, which takes part for every label."""
        require_named_in_settings(self.models, traded.model_kind)
        own = traded.own_label
        labels = self.labels or (*BINARY_LABELS, *([] if own is None else [own.name]))
        built_in = tuple(replace(traded, label=label) for label in labels if label in BINARY_LABELS)
        guests = (*built_in, *([] if own is None or own.name not in labels else [traded]))
        models, calibrators = self.models or kinds_for(traded.features), self.calibrators or CALIBRATOR_KINDS
        return line_up(labels, models, calibrators, traded.split, guests, traded.features, own)


@dataclass(frozen=True, slots=True)
class LoggedLeaderboard:
    """A leaderboard and where MLflow has it."""

    board: Leaderboard
    logged: LoggedGroup


def run_leaderboard(
    context: dg.AssetExecutionContext,
    pipeline: Pipeline,
    symbol: Symbol,
    bars: pd.DataFrame,
    features: pd.DataFrame,
    labels: pd.DataFrame,
    wish: Wish,
) -> LoggedLeaderboard:
    """Train, judge, backtest, record as trials and log in MLflow."""
    traded = pipeline.recipe()
    recipes = wish.line_up(traded)
    if left_out := [kind for kind in MODEL_KINDS if kind not in kinds_for(traded.features)]:
        context.log.info(f"Left out, as they read the standard features by name: {', '.join(left_out)}")
    candidates: list[EvaluatedRecipe] = []
    backtests: dict[str, dict[str, float]] = {}
    tell("candidates", 0, len(recipes))
    for number, each in enumerate(evaluate_recipes(features, labels, recipes, time.perf_counter), start=1):
        tell("candidates", number, len(recipes))
        candidates.append(each)
        backtests[each.recipe.hash] = _tried(context, pipeline, symbol, bars, each)
        skill = percent(each.evaluation.oos.log_loss_skill, 2)
        context.log.info(f"{number} of {len(recipes)}: {each.recipe.label} {each.recipe.describe()}, skill {skill}")
    board = build_leaderboard(candidates)
    group = leaderboard_group(
        symbol,
        pipeline.settings().data_source,
        board,
        {each.recipe.hash: each for each in candidates},
        backtests,
        {"dagster_run_id": context.run.run_id},
        _files(board),
    )
    return LoggedLeaderboard(board, pipeline.registry().log_group(group))


def _tried(
    context: dg.AssetExecutionContext, pipeline: Pipeline, symbol: Symbol, bars: pd.DataFrame, tried: EvaluatedRecipe
) -> dict[str, float]:
    """Backtest a candidate and count it as a trial at once, whatever becomes of the run; its figures by name."""
    variants = run_variants_of(pipeline, bars, tried.oos, tried.recipe.label)
    forecast = forecast_of(pipeline, symbol, tried.recipe)
    record_trials(context, pipeline, [backtest_trial(forecast, variants.strategy, TrialKind.LEADERBOARD)])
    return variants.metric_values()


def _files(board: Leaderboard) -> dict[str, bytes]:
    return {
        "leaderboard.md": leaderboard_markdown(board).encode(),
        "leaderboard.json": to_json(leaderboard_document(board)).encode(),
        "leaderboard.png": leaderboard_picture(board),
    }

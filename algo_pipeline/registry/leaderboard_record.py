"""What the experiment store keeps of a leaderboard: a run per candidate, its metrics named as those of trainings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from algo_pipeline.common.types import Symbol
from algo_pipeline.registry.records import RunGroup, RunRecord
from algo_pipeline.registry.training_record import comparison_values, metric_values, recipe_parameters

if TYPE_CHECKING:
    from algo_pipeline.research.candidates import EvaluatedRecipe
    from algo_pipeline.research.leaderboard import Leaderboard, LeaderboardRow


def leaderboard_group(
    symbol: Symbol,
    source: str,
    board: Leaderboard,
    candidates: Mapping[str, EvaluatedRecipe],
    backtests: Mapping[str, Mapping[str, float]],
    tags: Mapping[str, str],
    files: Mapping[str, bytes],
) -> RunGroup:
    """The leaderboard's run with those of its candidates below it, in the order of the board.

    Parameters
    ----------
    symbol, source : Symbol, str
        Whose bars.
    board : Leaderboard
        The rows.
    candidates, backtests : mapping by recipe hash
        What each row rests on; metrics of the backtests of its probabilities by name.
    tags : mapping of str to str
        Of every run, for example the Dagster run.
    files : mapping of str to bytes
        Artifacts of the leaderboard's own run.
    """
    facts = {"symbol": str(symbol), "source": source}
    common = {"source": source, "kind": "leaderboard", **tags}
    return RunGroup(
        symbol,
        RunRecord(
            run_name=f"leaderboard to {board.last_bar[:10]}",
            parameters={**facts, "split": board.split, "first_bar": board.first_bar, "last_bar": board.last_bar},
            metrics={"n_candidates": float(len(board.rows)), "n_comparisons": float(board.n_comparisons)},
            tags=common,
            files=files,
        ),
        tuple(
            _candidate(row, candidates[row.recipe_hash], backtests.get(row.recipe_hash, {}), facts, common)
            for row in board.rows
        ),
    )


def _candidate(
    row: LeaderboardRow,
    candidate: EvaluatedRecipe,
    backtest: Mapping[str, float],
    facts: Mapping[str, str],
    tags: Mapping[str, str],
) -> RunRecord:
    recipe = candidate.recipe
    metrics = {
        **metric_values(candidate.evaluation),
        "skill_p_value": row.shuffle_p_value,
        **({} if row.against_baseline is None else comparison_values(row.against_baseline, "baseline")),
        **backtest,
        "seconds": row.seconds,
    }
    return RunRecord(
        run_name=f"{row.label} {row.recipe}",
        parameters={**facts, **recipe_parameters(recipe), "dataset_hash": candidate.dataset_hash},
        metrics={name: value for name, value in metrics.items() if math.isfinite(value)},
        tags={**tags, "recipe_hash": recipe.hash, "model_kind": recipe.model_kind, "standing": row.standing.value},
        files={},
    )

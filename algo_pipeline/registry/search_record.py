"""What the experiment store keeps of a search: its finding, and the winner beside the traded recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from algo_pipeline.common.types import Symbol
from algo_pipeline.registry.records import RunGroup, RunRecord
from algo_pipeline.registry.training_record import comparison_values, metric_values, recipe_parameters

if TYPE_CHECKING:
    from algo_pipeline.research.search import Judged, SearchOutcome


def search_group(
    symbol: Symbol,
    source: str,
    outcome: SearchOutcome,
    judged: Mapping[str, Judged],
    tags: Mapping[str, str],
    files: Mapping[str, bytes],
) -> RunGroup:
    """The search's run, with a run below it for each recipe that was judged on the rows set aside.

    Parameters
    ----------
    symbol, source : Symbol, str
        Whose bars.
    outcome : SearchOutcome
        The finding.
    judged : mapping of str to Judged
        By the part they play: ``winner``, ``traded``.
    tags : mapping of str to str
        Of every run.
    files : mapping of str to bytes
        Artifacts of the search's own run.
    """
    facts = {"symbol": str(symbol), "source": source}
    span = {"judged_from": outcome.judged_from, "judged_until": outcome.judged_until}
    common = {"source": source, "kind": "search", **tags}
    head = {**facts, "label": outcome.label, "model": outcome.model, "seen_until": outcome.seen_until, **span}
    parent = RunRecord(
        run_name=f"search {outcome.label} {outcome.model}, {len(outcome.trials)} trials",
        parameters=head,
        metrics=_comparison(outcome),
        tags={**common, "finding": outcome.describe()},
        files=files,
    )
    children = tuple(
        RunRecord(
            run_name=f"{part}: {each.recipe.label} {each.recipe.describe()}",
            parameters={**facts, **recipe_parameters(each.recipe), **span},
            metrics=metric_values(each.evaluation),
            tags={**common, "part": part, "recipe_hash": each.recipe.hash, "model_kind": each.recipe.model_kind},
            files={},
        )
        for part, each in judged.items()
    )
    return RunGroup(symbol, parent, children)


def _comparison(outcome: SearchOutcome) -> dict[str, float]:
    counts = {"n_search_trials": float(len(outcome.trials)), "n_pruned": float(outcome.n_pruned)}
    if outcome.comparison is None:
        return counts
    values = {**counts, **comparison_values(outcome.comparison, "traded_recipe")}
    return {name: value for name, value in values.items() if math.isfinite(value)}

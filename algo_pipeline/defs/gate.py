"""What the promotion gate must know of candidate and champion, gathered from a run."""

import dataclasses
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from loguru import logger

from algo_pipeline.common.errors import AlgoPipelineError, OtherCodeError
from algo_pipeline.common.types import Symbol
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.registry.bundle import ChampionBundle
from algo_pipeline.registry.deployment import bundle_estimator, bundle_features, bundle_own_label
from algo_pipeline.research.dataset import Dataset
from algo_pipeline.research.promotion import Candidate, Champion
from algo_pipeline.research.splits import SplitPlan

if TYPE_CHECKING:
    from algo_pipeline.research.recipe import Recipe


def occupant(bundle: ChampionBundle, pipeline: Pipeline) -> str | None:
    """Why a deployed champion can't be compared with what this run made, or None if it can."""
    settings, recipe = pipeline.settings(), pipeline.recipe()
    what = f"{bundle.label} from {bundle.source}"
    if (bundle.label, bundle.source) == (recipe.label, settings.data_source):
        if set(bundle.feature_names) <= set(recipe.features.columns) or not _is_at_hand(bundle, pipeline):
            return None
        what = "from other features"
    path = pipeline.bundles().path(Symbol.parse(bundle.symbol))
    return (
        f"the champion in place learnt {what} and can't be compared; "
        f"move {path} away to make room, or use another ALGO_TRADER_ARTIFACTS_DIR"
    )


def _is_at_hand(bundle: ChampionBundle, pipeline: Pipeline) -> bool:
    """Whether whatever computes the champion's features is as it was, so that it can trade."""
    try:
        bundle_features(bundle, pipeline.settings().own_classes())
    except OtherCodeError:
        return False
    return True


def candidate_of(pipeline: Pipeline, symbol: Symbol, data: Dataset, oos: pd.DataFrame, bars: pd.DataFrame) -> Candidate:
    """What the gate must know of the newest version: it trades only where the report's verdict shows an edge."""
    from algo_pipeline.backtest.verdict import Edge
    from algo_pipeline.defs.evidence import run_grounds, run_variants_of

    grounds = run_grounds(pipeline, symbol, bars, oos, run_variants_of(pipeline, bars, oos).strategy)
    return Candidate(
        recipe_hash=pipeline.recipe().hash,
        oos=oos,
        pays_after_costs=grounds.edge is Edge.SHOWN,
        after_cost_p_value=grounds.evidence.after_cost_edge_p_value,
        deflated_sharpe_ratio=grounds.deflated,
        training_end=data.training_end,
    )


def champion_of(
    bundle: ChampionBundle, pipeline: Pipeline, data: Dataset, splits: SplitPlan, oos: pd.DataFrame
) -> Champion | None:
    """What the gate must know of the deployed champion; None if the user's own code that made it is not at hand.

    It can't trade either then, so that nothing is lost by judging the candidate as a first model.
    """
    from algo_pipeline.research.train import fit_calibrators, fit_models, stitch_probabilities

    classes = pipeline.settings().own_classes()
    try:
        scorer = bundle_estimator(bundle, classes)
        inputs = data.only(bundle_features(bundle, classes).columns)
        bundle_own_label(bundle, classes)
    except OtherCodeError as error:
        logger.warning("The candidate is judged as a first model: {}", error)
        return None
    own = oos.assign(probability=scorer.probability(inputs.features.loc[oos.index]))
    recipe_hash, recipe_oos, candidate = bundle.recipe_hash, oos, pipeline.recipe()
    recipe = _on_these_folds(bundle.recipe_document, candidate, classes)
    if recipe is None or recipe == candidate:
        # The champion itself is compared, as for a refresh.
        recipe_hash = candidate.hash
    else:
        calibrated = fit_calibrators(inputs, splits, recipe, fit_models(inputs, splits, recipe))
        recipe_oos = stitch_probabilities(inputs, splits, calibrated)
    return Champion(recipe_hash, pd.Timestamp(bundle.training_end), bundle.trading, own, recipe_oos)


def _on_these_folds(document: Mapping[str, Any], candidate: "Recipe", classes: Collection[str] = ()) -> "Recipe | None":
    """The champion's recipe under the candidate's split rule; None where this program can't run it as it was."""
    from algo_pipeline.research.recipe import Recipe

    try:
        recipe = dataclasses.replace(Recipe.from_document(document, classes), split=candidate.split)
    except (AlgoPipelineError, LookupError, TypeError):  # another version may have other fields
        return None
    split = {"split": None}
    return recipe if recipe.to_document() | split == dict(document) | split else None

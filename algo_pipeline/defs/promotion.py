"""The challenger, the promotion gate and the deployment of the champion bundle."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from algo_pipeline.common.time import utc_now
from algo_pipeline.common.types import Symbol
from algo_pipeline.defs.dataset import load_dataset
from algo_pipeline.defs.gate import candidate_of, champion_of, occupant
from algo_pipeline.defs.io_managers import Estimators
from algo_pipeline.defs.partitions import SYMBOLS, partition_symbol
from algo_pipeline.defs.registration import register
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.defs.shown import facts, glance, picture, span_metadata
from algo_pipeline.defs.stage import stage
from algo_pipeline.registry.bundle import BundleStore, ChampionBundle
from algo_pipeline.registry.deployment import make_bundle
from algo_pipeline.registry.ledger import GATE, PromotionEntry
from algo_pipeline.registry.mlflow_registry import CHALLENGER
from algo_pipeline.registry.model_card import GATE as GATE_SECTION
from algo_pipeline.registry.records import RegisteredVersion
from algo_pipeline.registry.succession import Succession
from algo_pipeline.registry.training_record import difference_values, gate_values
from algo_pipeline.research.dataset import Dataset
from algo_pipeline.research.promotion import GateDecision, Policy, Trading, judge
from algo_pipeline.research.splits import SplitPlan

if TYPE_CHECKING:
    from algo_pipeline.research.train import Recipe

_WAIT_FOR_OTHER_PROMOTION_S = 60.0


@dataclass(frozen=True, slots=True)
class Promotion:
    """What the gate decided about the newest version."""

    candidate_version: str
    champion_version: str | None
    passed: bool
    deployed: bool
    trading: str
    reason: str


@dg.asset(
    partitions_def=SYMBOLS,
    io_manager_key="frame_io_manager",
    group_name="training",
    kinds={"sklearn", "mlflow"},
    code_version="1",
    output_required=False,
    description="The other kind of model on the same rows and folds, registered beside the traded one and compared "
    "with it hour by hour; live hours journal what it would have said. It is never promoted from here: set "
    "ALGO_TRADER_MODEL to make it the traded recipe. "
    "ALGO_TRADER_CHALLENGER=false leaves it out.",
)
def challenger(
    context: dg.AssetExecutionContext,
    pipeline: Pipeline,
    dataset: pd.DataFrame,
    splits: SplitPlan,
    oos_probabilities: pd.DataFrame,
    raw_ohlcv: pd.DataFrame,
) -> Iterator[dg.Output[pd.DataFrame]]:
    """Train, evaluate and register the challenger; its value is its out-of-sample probabilities."""
    if not pipeline.settings().challenger:
        context.log.info("No challenger is trained: ALGO_TRADER_CHALLENGER is false.")
        return
    with stage(context):
        from algo_pipeline.research import miniatures
        from algo_pipeline.research.evaluate import evaluate
        from algo_pipeline.research.plots_of_models import loss_difference, running_difference
        from algo_pipeline.research.statistics import compare_log_loss
        from algo_pipeline.research.train import fit_calibrators, fit_models, stitch_probabilities

        recipe, data = pipeline.challenger_recipe(), load_dataset(dataset, pipeline)
        calibrated = fit_calibrators(data, splits, recipe, fit_models(data, splits, recipe))
        oos = stitch_probabilities(data, splits, calibrated)
        scores = evaluate(oos)
        version = register(context, pipeline, data, recipe, calibrated[-1], oos, scores, raw_ohlcv)
        pipeline.registry().set_alias(version.model_name, CHALLENGER, version.version)
        symbol = partition_symbol(context.partition_key)
        bundle = _bundle(pipeline, symbol, data, recipe, calibrated[-1], version, Trading.FLAT)
        BundleStore(pipeline.settings().artifacts_dir, CHALLENGER).deploy(bundle)
        paired, running = compare_log_loss(oos, oos_probabilities), running_difference(oos, oos_probabilities)
        against = difference_values(paired, "traded_recipe")
        pipeline.registry().log_results(version, against, {}, {})
        context.add_output_metadata(
            {
                **glance(miniatures.running(running, f"{running.iloc[-1]:+.1f} nats: above nought it is worse")),
                "log_loss_over_time": picture(
                    loss_difference(oos, oos_probabilities, ("challenger", "traded"), "Challenger less traded recipe"),
                    "running difference of log loss",
                ),
                **span_metadata(oos),
                **facts(
                    {
                        "recipe": recipe.describe(),
                        "auc": scores.oos.auc,
                        "log_loss_skill": scores.oos.log_loss_skill,
                        "ece": scores.oos.ece,
                        **against,
                    }
                ),
            }
        )
        yield dg.Output(oos)


@dg.asset(
    partitions_def=SYMBOLS,
    io_manager_key="document_io_manager",
    group_name="promotion",
    kinds={"mlflow", "json"},
    deps=["backtest_report"],
    code_version="1",
    description="The gate: is the newest model better than the base rate, or at least as good as the champion? Moves "
    "the alias, deploys the champion bundle and writes the ledger.",
)
def promotion(
    context: dg.AssetExecutionContext,
    pipeline: Pipeline,
    dataset: pd.DataFrame,
    splits: SplitPlan,
    calibrator: Estimators,
    oos_probabilities: pd.DataFrame,
    registered_model: RegisteredVersion,
    raw_ohlcv: pd.DataFrame,
) -> Promotion:
    """Judge, record the decision, then deploy what was decided."""
    with stage(context):
        from algo_pipeline.defs.consistency import require_own_probabilities, require_own_version

        symbol, data = partition_symbol(context.partition_key), load_dataset(dataset, pipeline)
        recipe = pipeline.recipe()
        require_own_probabilities(recipe, data, splits, calibrator, oos_probabilities)
        require_own_version(registered_model, recipe, data)
        candidate = candidate_of(pipeline, symbol, data, oos_probabilities, raw_ohlcv)
        succession = Succession(pipeline.settings().artifacts_dir, pipeline.registry(), symbol)
        with succession.alone(_WAIT_FOR_OTHER_PROMOTION_S):
            for found in succession.settle():
                context.log.warning(f"Found: {found}")
            deployed = succession.deployed()
            occupied_by = occupant(deployed, pipeline) if deployed else None
            champion = None
            if deployed and occupied_by is None:
                champion = champion_of(deployed, pipeline, data, splits, oos_probabilities)
            decision = judge(candidate, champion, Policy(pipeline.settings().promotion_policy), occupied_by)
            entry = _entry(pipeline, symbol, registered_model, deployed, decision)
            if decision.deployed:
                estimator = calibrator.production
                bundle = _bundle(pipeline, symbol, data, recipe, estimator, registered_model, decision.trading)
                succession.hand_over(entry, bundle)
            else:
                succession.record(entry)
        _tag(pipeline, registered_model, decision)
        context.add_output_metadata(_promotion_metadata(decision, entry))
        return Promotion(
            registered_model.version, entry.to_version, decision.passed, decision.deployed, entry.trading, entry.reason
        )


@dg.asset_check(
    asset=promotion,
    partitions_def=SYMBOLS,
    description="MLflow's alias champion points at the deployed version: one that was moved by hand is not followed.",
)
def alias_points_at_the_deployed_champion(
    context: dg.AssetCheckExecutionContext, pipeline: Pipeline
) -> dg.AssetCheckResult:
    """Compare MLflow's alias with the deployed bundle."""
    with stage(context):
        from algo_pipeline.registry.moved_alias import moved_alias

        bundle = pipeline.bundles().load(partition_symbol(context.partition_key))
        moved = moved_alias(pipeline.registry(), bundle) if bundle else None
        if moved is None:
            version = f"version {bundle.model_version}" if bundle else "nothing"
            return dg.AssetCheckResult(passed=True, description=f"The deployed champion is {version}.")
        return dg.AssetCheckResult(
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{moved.message} {moved.remedy}",
            metadata={"alias_version": moved.alias or "none", "deployed_version": moved.deployed},
        )


def _bundle(
    pipeline: Pipeline,
    symbol: Symbol,
    data: Dataset,
    recipe: "Recipe",
    estimator: Any,
    version: RegisteredVersion,
    trading: Trading,
) -> ChampionBundle:
    settings, source = pipeline.settings(), pipeline.market_data()
    return make_bundle(
        symbol=symbol,
        source=source.name,
        venue_symbol=source.venue_symbol(symbol),
        dataset=data,
        recipe=recipe,
        estimator=estimator,
        config=settings.backtest_config(),
        history_start=pipeline.bars(symbol).index[0],
        trading=trading,
        version=version,
        strategy=pipeline.strategy(),
    )


def _entry(
    pipeline: Pipeline,
    symbol: Symbol,
    version: RegisteredVersion,
    before: ChampionBundle | None,
    decision: GateDecision,
) -> PromotionEntry:
    from algo_pipeline.registry.hand_promotion import rules_sha256

    settings, previous = pipeline.settings(), before.model_version if before else None
    return PromotionEntry(
        at=utc_now().isoformat(),
        who=GATE,
        symbol=str(symbol),
        label=pipeline.recipe().label,
        candidate_version=version.version,
        from_version=previous,
        to_version=version.version if decision.deployed else previous,
        trading=decision.trading.value if decision.deployed else "unchanged",
        policy=settings.promotion_policy,
        passed=decision.passed,
        reason=decision.reason,
        figures=decision.figures,
        run_id=version.run_id,
        may_trade=decision.may_trade,
        rules_sha256=rules_sha256(settings.backtest_config(), pipeline.strategy()),
    )


def _promotion_metadata(decision: GateDecision, entry: PromotionEntry) -> dict[str, dg.MetadataValue]:
    """The decision and its grounds, the intervals as a picture."""
    from algo_pipeline.research import miniatures
    from algo_pipeline.research.plots_of_models import differences_in, intervals

    compared = differences_in(decision.figures)
    return {
        "reason": dg.MetadataValue.text(decision.reason),
        **glance(miniatures.gate(compared)),
        "intervals": picture(intervals(compared, "Log loss per hour, 95% intervals"), "what the gate compared"),
        **facts(
            {
                "passed": decision.passed,
                "deployed": decision.deployed,
                "trading": entry.trading,
                "champion_version": entry.to_version or "none",
                **{name: value for name, value in decision.figures.items() if name != "policy"},
            }
        ),
    }


def _tag(pipeline: Pipeline, version: RegisteredVersion, decision: GateDecision) -> None:
    """Let MLflow show the verdict beside the version."""
    tags = {"gate": decision.in_short, "gate_reason": decision.reason}
    pipeline.registry().log_results(version, gate_values(decision), tags, {}, {GATE_SECTION: decision.reason})

"""A person's own promotion: any registered version, forth or back, with a reason, and flat unless there is evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from algo_pipeline.common.formatting import day
from algo_pipeline.common.storage import json_hash
from algo_pipeline.common.time import to_utc, utc_now
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Symbol
from algo_pipeline.interfaces.strategy import StrategyInterface
from algo_pipeline.registry.bundle import BundleStore, ChampionBundle
from algo_pipeline.registry.deployment import bundle_of
from algo_pipeline.registry.ledger import GATE, PromotionEntry, PromotionLedger
from algo_pipeline.registry.mlflow_registry import CHAMPION, MlflowRegistry
from algo_pipeline.registry.records import StoredModel, registered_model_name
from algo_pipeline.registry.reigns import BY_HAND
from algo_pipeline.registry.stored_origin import require_fitting, stored_origin
from algo_pipeline.registry.succession import Succession
from algo_pipeline.research.promotion import Policy, Trading
from algo_pipeline.strategy.catalog import strategy_document

_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class HandPromotion:
    """What a person asks for, and the settings it is to fit.

    Attributes
    ----------
    symbol, version : Symbol, str
        Which registered version to deploy, and for which symbol.
    reason, who : str
        Why, in the person's words, and the person's user name.
    trade : bool or None
        Whether it may enter, as the person's own choice; None leaves it to the gate's recorded evidence.
    label, source : str
        What the settings name.
    config, strategy : BacktestConfig, StrategyInterface
        The trading rules in force.
    policy : Policy
        ``ALWAYS`` trades whatever the evidence says.
    real_account : bool
        Whether orders would go to a paper account, not to loopback.
    own : frozenset of str
        The user's own classes that the settings name.
    """

    symbol: Symbol
    version: str
    reason: str
    who: str
    trade: bool | None
    label: str
    source: str
    config: BacktestConfig
    strategy: StrategyInterface
    policy: Policy
    real_account: bool
    own: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class HandPromoted:
    """What became of it.

    Attributes
    ----------
    model_name, version : str
        What was asked for.
    from_version : str or None
        The champion before.
    trading, because : str
        Whether it may enter (``on``, ``flat``), and why.
    deployed : bool
        Whether the bundle was replaced; it is not where the very same is deployed already.
    alias_before : str or None
        Where MLflow's alias pointed; it now points at ``version``.
    training_end : str
        Close of the last bar it learnt from.
    found : tuple of str
        What an interrupted promotion, or a person, had left.
    """

    model_name: str
    version: str
    from_version: str | None
    trading: str
    because: str
    deployed: bool
    alias_before: str | None
    training_end: str
    found: tuple[str, ...]


def rules_sha256(config: BacktestConfig, strategy: StrategyInterface) -> str:
    """Identity of the trading rules that a backtest's evidence holds for."""
    return json_hash({"rules": asdict(config), "strategy": strategy_document(strategy)})


def promote_by_hand(wish: HandPromotion, artifacts_dir: Path, registry: MlflowRegistry) -> HandPromoted:
    """Deploy a registered version, and write down who did it and why.

    Asking again for what is deployed already changes nothing, but puts the alias back where it was moved.

    Raises
    ------
    RegistryError
        If there is no such version, its record lacks something, or MLflow can't be reached.
    NotDeployableError
        If it learnt something else, or elsewhere, than what is configured and deployed here.
    OtherCodeError
        If it was made by a class of the user's own that is not at hand as it was.
    BusyError
        If another promotion of the symbol takes longer than a minute.
    CorruptFileError
        If the ledger or the version's estimator is damaged; nothing is deployed then.
    """
    succession = Succession(artifacts_dir, registry, wish.symbol)
    with succession.alone(_WAIT_S):
        found, before = succession.settle(), succession.deployed()
        model_name = registered_model_name(wish.symbol, wish.label)
        stored = registry.stored_model(model_name, wish.version)
        trading, because = _trading(wish, stored, PromotionLedger(artifacts_dir).lines())
        stores = (BundleStore(artifacts_dir), BundleStore(artifacts_dir, "challenger"))
        kept = next(filter(None, (store.of_run(wish.symbol, stored.version.run_id) for store in stores)), None)
        bundle = _bundle(wish, stored, registry, before, kept, trading)
        if before and _is_same(before, bundle if wish.trade is not None else replace(bundle, trading=before.trading)):
            bundle, because = before, "as before"
        alias = registry.alias_version(model_name, CHAMPION)
        entry = _entry(wish, stored, before, bundle, because)
        if bundle is not before:
            succession.hand_over(entry, bundle)
        elif alias != bundle.model_version:
            succession.record(replace(entry, trading="unchanged"))
            succession.set_alias(bundle)
        from_version = before.model_version if before else None
        return HandPromoted(
            model_name, wish.version, from_version, bundle.trading.value, because, bundle is not before, alias,
            bundle.training_end, found,
        )  # fmt: skip


def _bundle(
    wish: HandPromotion,
    stored: StoredModel,
    registry: MlflowRegistry,
    before: ChampionBundle | None,
    kept: ChampionBundle | None,
    trading: Trading,
) -> ChampionBundle:
    from algo_pipeline.models.calibration import TRUSTED_TYPES
    from algo_pipeline.models.catalog import recorded_trusted_types

    origin = stored_origin(stored, wish.own)
    require_fitting(
        origin,
        wish.version,
        label=wish.label,
        source=wish.source,
        deployed=before,
        real_account=wish.real_account,
    )
    if kept is not None:  # runs do not record it
        origin = replace(origin, feature_reference=kept.feature_reference, feature_check=kept.feature_check)
    also_trusted = recorded_trusted_types(origin.recipe_document["model"], wish.own)
    estimator = registry.load_estimator(stored.version, (*TRUSTED_TYPES, *also_trusted))
    return bundle_of(origin, estimator, wish.config, trading, stored.version, wish.strategy)


def _trading(wish: HandPromotion, stored: StoredModel, lines: list[dict[str, Any]]) -> tuple[Trading, str]:
    """Whether it may enter, and why."""
    if wish.trade is not None:
        return (Trading.ON if wish.trade else Trading.FLAT), "by your own choice, whatever the evidence says"
    if wish.policy is Policy.ALWAYS:
        return Trading.ON, "by the policy `always`, whatever the evidence says"
    judged = [line for line in lines if _judges(line, wish, stored)]
    if not judged:
        return Trading.FLAT, "the gate has not judged this version"
    verdict = judged[-1]
    when = f"the gate's evidence of {day(to_utc(verdict['at']))}"
    if not verdict.get("may_trade"):
        return Trading.FLAT, f"{when} is not enough to trade"
    if verdict.get("rules_sha256") != rules_sha256(wish.config, wish.strategy):
        return Trading.FLAT, f"{when} was measured with other trading rules"
    return Trading.ON, f"{when} is enough to trade"


def _judges(line: Mapping[str, Any], wish: HandPromotion, stored: StoredModel) -> bool:
    """Whether a line is the gate's verdict on the version; the run tells versions of two stores apart."""
    candidate = (line["who"], line["policy"] != BY_HAND, line["symbol"], line["label"], line["candidate_version"])
    same_run = line.get("run_id") == stored.version.run_id
    return same_run and candidate == (GATE, True, str(wish.symbol), wish.label, wish.version)


def _is_same(left: ChampionBundle, right: ChampionBundle) -> bool:
    """Whether two bundles deploy one model in one way; two files of one estimator may differ in bytes."""
    return replace(right, estimator_skops=left.estimator_skops, versions=left.versions).sha256 == left.sha256


def _entry(
    wish: HandPromotion, stored: StoredModel, before: ChampionBundle | None, bundle: ChampionBundle, because: str
) -> PromotionEntry:
    return PromotionEntry(
        at=utc_now().isoformat(),
        who=wish.who,
        symbol=str(wish.symbol),
        label=wish.label,
        candidate_version=wish.version,
        from_version=before.model_version if before else None,
        to_version=wish.version,
        trading=bundle.trading.value,
        policy=BY_HAND,
        passed=False,
        reason=wish.reason,
        figures={"rule": BY_HAND, "trading_because": because},
        run_id=stored.version.run_id,
        rules_sha256=rules_sha256(wish.config, wish.strategy),
    )
